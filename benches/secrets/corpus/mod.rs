//! Makes lines that hold a secret, and lines that hold none, from a seed; it knows no rule that looks for them.

mod benign;
mod commands;
mod shapes;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;

/// One line and what is secret in it.
pub struct Case {
    /// The token's or the command's name.
    pub shape: String,
    pub kind: Kind,
    pub place: &'static str,
    pub held_out: bool,
    pub text: String,
    /// What must not be left, as it stands in the text; nothing in a benign line.
    pub secret: String,
    /// The variable that is known to hold it.
    pub known: Option<(String, String)>,
}

/// What is measured apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Provider,
    CommandLine,
    Known,
    Benign,
}

/// Where a token of a provider stands, `@` in its place, `$` for the name of its variable.
const PLACES: [(&str, &str); 16] = [
    ("argv", "curl -fsS -H 'Authorization: Bearer @' https://api.example.org/v1/me"),
    ("argv", "+ ./deploy.sh --env production --token @"),
    ("argv", "release-tool --api-key=@ publish"),
    ("argv", "./deploy.sh production @"),
    ("environment", "$=@"),
    ("environment", "export $=\"@\""),
    ("environment", "    $: @"),
    ("environment", "docker run -e $=@ app:latest"),
    ("output", "{\"$\": \"@\", \"ok\": true}"),
    ("output", "logged in with @ as robot"),
    ("output", "$ = '@'"),
    ("output", "2026-11-23T07:00:00.123Z INFO client: token @ refreshed"),
    ("error", "error: 401 Unauthorized: bad credentials: @"),
    ("error", "fatal: unable to access 'https://x-access-token:@@git.example.org/team/app.git/': 403"),
    ("error", "requests.exceptions.HTTPError: 403 for url: https://api.example.org/v1/me?access_token=@"),
    ("error", "Error: Command failed: publish --auth-token '@'"),
];
/// The places at which only the token itself says what it is.
const BARE: [usize; 4] = [3, 9, 12, 11];
/// Where a command line shows up.
const SHOWN: [(&str, &str); 4] =
    [("argv", "@"), ("output", "+ @"), ("output", "$ @"), ("error", "Error: command failed with exit code 1: @")];

/// Returns every shape and command `rounds` times, in turn at every place, and every benign line `rounds` times.
pub fn corpus(seed: u64, rounds: usize) -> Vec<Case> {
    let mut random = Rng::with_seed(seed);
    let mut cases = Vec::new();
    for round in 0..rounds {
        for (at, shape) in shapes::SHAPES.iter().enumerate() {
            // One after the other, so that every shape comes by every place.
            let mut place = (at + round * 5) % PLACES.len();
            if shape.needs_name && BARE.contains(&place) {
                place = 4 + at % 3;
            }
            cases.push(provider(shape, PLACES[place], &mut random));
            cases.push(encoded(shape, &mut random));
            cases.push(known(shape, &mut random));
        }
        for (at, command) in commands::COMMANDS.iter().enumerate() {
            let (place, around) = SHOWN[(at + round) % SHOWN.len()];
            let secret = password(&mut random);
            let line = put(command.line, &secret);
            let text = if command.line.starts_with([' ', '{']) { line } else { around.replace('@', &line) };
            let (kind, held_out) = (Kind::CommandLine, command.held_out);
            cases.push(Case { shape: command.line.to_owned(), kind, place, held_out, text, secret, known: None });
        }
        for (lines, held_out) in [(benign::OPEN, false), (benign::HELD_OUT, true)] {
            cases.extend(lines.iter().map(|line| {
                let text = filled(line, &mut random);
                let (shape, secret) = ((*line).to_owned(), String::new());
                Case { shape, kind: Kind::Benign, place: "output", held_out, text, secret, known: None }
            }));
        }
    }
    cases
}

fn provider(shape: &shapes::Shape, (place, around): (&'static str, &str), random: &mut Rng) -> Case {
    let secret = filled(shape.template, random);
    let text = put(&around.replace('$', shape.variable), &secret);
    let (shape, held_out) = (shape.name.to_owned(), shape.held_out);
    Case { shape, kind: Kind::Provider, place, held_out, text, secret, known: None }
}

/// A token that nobody knows, within an encoded document.
fn encoded(shape: &shapes::Shape, random: &mut Rng) -> Case {
    let token = filled(shape.template, random);
    let inner = format!("{{\"{}\":\"{token}\"}}", shape.variable);
    let (secret, text) = match random.u8(..3) {
        0 => {
            let code = STANDARD.encode(&inner);
            (code.clone(), format!("  config.json: {code}"))
        }
        1 => {
            let code = escaped(&format!("{}={token}", shape.variable));
            (code.clone(), format!("GET /callback?state=7&data={code} HTTP/1.1"))
        }
        _ => {
            let line = serde_json::to_string(&inner).expect("a text");
            (token.clone(), format!("{{\"level\":\"error\",\"body\":{line}}}"))
        }
    };
    // A name that stays readable in an escaped document is none of the secret.
    let secret = secret.split_once("%3D").map_or(secret.clone(), |(_, value)| value.to_owned());
    let secret = if text.contains(&secret) { secret } else { token.replace('\n', "\\n") };
    let (shape, held_out) = (shape.name.to_owned(), shape.held_out);
    Case { shape, kind: Kind::Provider, place: "encoded", held_out, text, secret, known: None }
}

/// The value of a variable whose name says that it is secret, in one of the forms in which programs write it.
fn known(shape: &shapes::Shape, random: &mut Rng) -> Case {
    let value = if random.bool() { filled(shape.template, random) } else { password(random) };
    let (place, secret) = match random.u8(..6) {
        0 => ("variable value", value.clone()),
        1 => ("encoded value", STANDARD.encode(&value)),
        2 => ("encoded value", STANDARD.encode(format!("robot:{value}"))),
        3 => ("encoded value", escaped(&value)),
        4 => ("encoded value", hex(&value)),
        _ => ("encoded value", serde_json::to_string(&value).expect("a text").trim_matches('"').to_owned()),
    };
    let text = format!("step 3 of 7: sent {secret} to host-7, got 200");
    let known = Some((shape.variable.to_owned().replace("_ACCESS_KEY_ID", "_SECRET"), value));
    Case { shape: shape.name.to_owned(), kind: Kind::Known, place, held_out: shape.held_out, text, secret, known }
}

/// Puts the secret in place of the first lone `@`; `@@` is the secret and an `@`.
fn put(line: &str, secret: &str) -> String {
    let at = line.find("@@").or_else(|| line.find(" @").map(|at| at + 1));
    let at = at.or_else(|| line.find('@')).expect("a place for the secret");
    format!("{}{secret}{}", &line[..at], &line[at + 1..])
}

/// RFC 3986, section 2.3.
fn escaped(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn hex(text: &str) -> String {
    let pairs: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    pairs.concat()
}

/// Returns a password as people and generators make them, of characters that need no quotes in a shell.
fn password(random: &mut Rng) -> String {
    let words = ["correct", "horse", "battery", "staple", "winter", "dragon", "coffee", "monkey", "autumn", "silver"];
    let word = |random: &mut Rng| words[random.usize(..words.len())];
    match random.u8(..5) {
        0 => format!("{}-{}-{}", word(random), word(random), random.u16(10..9999)),
        1 => format!("{}{}!", word(random), random.u16(10..9999)),
        2 => filled("{b62:16}", random),
        3 => filled("{url:24}", random),
        _ => filled("{b62:5}.{b62:4}~{dig:2}{b62:3}", random),
    }
}

/// Returns the template with its placeholders filled.
fn filled(template: &str, random: &mut Rng) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        text.push_str(&rest[..start]);
        let placeholder = rest[start + 1..].split_once('}').and_then(|(inner, after)| {
            let (class, length) = inner.split_once(':')?;
            Some((drawn(class, length.parse().ok()?, random)?, after))
        });
        if let Some((drawn, after)) = placeholder {
            text.push_str(&drawn);
            rest = after;
        } else {
            text.push('{');
            rest = &rest[start + 1..];
        }
    }
    text + rest
}

fn drawn(class: &str, length: usize, random: &mut Rng) -> Option<String> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let digits = "0123456789";
    let alphabet = match class {
        "b62" => format!("{LETTERS}{digits}"),
        "url" => format!("{LETTERS}{digits}-_"),
        "b64" => format!("{LETTERS}{digits}+/"),
        "letters" => LETTERS.to_owned(),
        "hex" => "0123456789abcdef".to_owned(),
        "HEX" => "0123456789ABCDEF".to_owned(),
        "up" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".to_owned(),
        "low" => "abcdefghijklmnopqrstuvwxyz0123456789".to_owned(),
        "b32" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".to_owned(),
        // Bech32 in capitals (BIP 173).
        "age" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
        "dig" => digits.to_owned(),
        "n" => return Some(random.usize(1..10_usize.pow(u32::try_from(length).ok()?)).to_string()),
        "uuid" => {
            let part = |length, random: &mut Rng| drawn("hex", length, random);
            let parts = [8, 4, 4, 4, 12].into_iter().map(|length| part(length, random)).collect::<Option<Vec<_>>>();
            return parts.map(|parts| parts.join("-"));
        }
        _ => return None,
    };
    let letters: Vec<char> = alphabet.chars().collect();
    Some((0..length).map(|_| letters[random.usize(..letters.len())]).collect())
}
