//! Nothing that a repository brings comes alive: not in a terminal, a CI's log, a Markdown page or a browser, from any command.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use meow::record::Record;
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::learn::remembers;
use crate::markup::{ATTRIBUTES, TAGS};
use crate::null::{Draw, history};
use crate::space::{Said, Space, peer};

/// What names try to be; `PORT` is one that nobody may call.
const NAMES: [&str; 25] = [
    "a|b `c` ``d ```e",
    "<script>document.documentElement.setAttribute('data-pwned','1')</script>",
    "\"><img src=http://127.0.0.1:PORT/a onerror=document.documentElement.setAttribute('data-pwned','2')>",
    "' onmouseover='x' style='background:url(http://127.0.0.1:PORT/b)",
    "</title></style><style>@import url(http://127.0.0.1:PORT/c);</style><svg onload=x>",
    "[x](javascript:alert(1)) ![y](http://127.0.0.1:PORT/d) [z]: http://127.0.0.1:PORT/e",
    "<http://127.0.0.1:PORT/f> http://127.0.0.1:PORT/g www.evil.example a@evil.example",
    "@octo/team fixes #1 GH-2 octo/repo#3 !4 ~label %1 $5",
    "\u{1b}[31mred\u{1b}]0;title\u{7}\u{1b}P1$r\u{1b}\\\u{9b}1m\u{7f}",
    "abc\u{202e}dcb\u{2066}\u{200b}\u{200d}\u{feff}\u{e0041}\u{ad}\u{2028}",
    "line\n\n# heading\n| a | b |\n- list\n1. one",
    "\r\u{8}back",
    "</details></summary></sub></code><!-- other:marker --> ]]> <![CDATA[",
    "*bold* _it_ ~~no~~ $x$ \\ [^1] :tada: <b> &lt;i&gt; &#60;u&#62;",
    "::set-output name=x::y",
    " ::error file=a,line=1::pwned",
    "##[add-mask]secret",
    "##vso[task.setvariable variable=x]y ##teamcity[buildStop]",
    "--- a/file\n+++ b/file",
    "section_start:1:x\r\u{1b}[0Khead",
    "=cmd|' /C calc'!A1",
    "+++ 1\",\"2",
    "~~~ @SUM(1)",
    "^^^ +++",
    "{{constructor.constructor('x')()}} ${7*7} <%= 7 %>",
];

/// Every command that tells of what is recorded, one call a line. `HEAD~` is the base of the comparison.
const CALLS: &str = "list; list --json; status; log; log --json; log -n 500; report --base base; report --base base --format markdown; \
    report --base base --format text; report --base base --json; report --format html; report . --format markdown; report . --json; \
    report --full --json; report --github; analyze; analyze --json; learn; learn --json; insights; \
    insights --format markdown; insights --json; recommendations; recommendations list --all --json; learning-report; \
    learning-report --format markdown; score; score --json; optimize; simulate ci; export trace; store size; store verify; \
    trust --show; trust --show --json; config --list; hooks status; execute ci; execute ci --dry-run; execute nothing; \
    status HEAD; detect series.txt; report --base base --format html; insights --format html; learning-report --format html";

/// Returns what stands for `PORT` in every name.
fn names(port: u16) -> Vec<String> {
    NAMES.iter().map(|name| name.replace("PORT", &port.to_string())).collect()
}

/// Returns a repository in which everything that may have a name has a hostile one.
fn hostile(port: u16) -> Space {
    let names = names(port);
    let mut records: Vec<Record> = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let mut own = history(&crate::learn::chain(24, 0.2, 0.05, 0.4), &mut Draw::new(at as u64));
        for (place, record) in own.iter_mut().enumerate() {
            let execution = Arc::make_mut(&mut record.execution);
            execution.workflow.clone_from(name);
            execution.machine = Some(name.clone());
            execution.trigger.clone_from(name);
            execution.source.branch = Some(name.clone());
            execution.variables = [(name.clone(), name.clone())].into();
            let attempt = &mut record.attempt;
            attempt.step = format!("{name}{}", attempt.step);
            attempt.needs.iter_mut().for_each(|need| *need = format!("{name}{need}"));
            attempt.metrics = [(name.clone(), [100.0, 101.0, 102.5, 99.0, 103.0][place % 5])].into();
        }
        records.extend(own);
    }
    let space = remembers(&names[7], &records);
    let person = "A <b>`@octo`|#1\u{202e}\u{1b}[31m</b>";
    space.git(&["branch", "base", "HEAD~"]);
    space.git(&["switch", "--quiet", "--create", "x`<script>@octo#1|\u{202e}\u{200b}$(x)"]);
    space.git(&[
        "-c",
        &format!("user.name={person}"),
        "commit",
        "--quiet",
        "--allow-empty",
        "--author",
        &format!("{person} <a@b>"),
        "-m",
        &names[8],
    ]);
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let steps: String = names.iter().enumerate().map(|(at, name)| {
        let shown = quoted(name);
        format!("[[steps]]\nid = \"s{at}\"\ntitle = {shown}\ndescription = {shown}\nrun = \"true\"\nenv = {{ X = {} }}\n", quoted(&name.replace("{{", "")))
    }).collect::<Vec<_>>().concat();
    let says: Vec<String> = names.iter().map(|name| format!("echo '{}' >&2", name.replace('\'', ""))).collect();
    let fails =
        format!("[[steps]]\nid = \"fails\"\nrun = {}\n", quoted(&(says.join("\n").replace("{{", "") + "\nexit 1")));
    space.write(
        ".meow/workflows/ci.toml",
        &format!("formula = \"ci\"\ndescription = {}\n{steps}{fails}", quoted(&names[10])),
    );
    for (at, name) in names.iter().enumerate() {
        let file = name.replace(['/', '\n'], "_");
        space.write(&format!("src/{file}"), "x");
        space.write(
            &format!(".meow/workflows/{file}.toml"),
            &format!("formula = {}\n[[steps]]\nid = {}\nrun = \"true\"\n", quoted(name), quoted(&format!("s{at}"))),
        );
        space.write(&format!(".meow/patterns/{at}.toml"), &format!("{} = {}\n", quoted(name), quoted(name)));
    }
    let series: Vec<String> = (0..40).map(|at| format!("{}", 100 + at % 5)).collect();
    space.write("series.txt", &(series.join("\n") + "\n"));
    space
}

/// Runs every command; returns each call with what it said, and what it wrote for GitHub as said by a call `summary`.
fn said(space: &Space, names: &[String]) -> Vec<(String, Said)> {
    let summary = space.home().join("summary.md");
    let mut all = Vec::new();
    let mut calls: Vec<Vec<&str>> = CALLS.split(';').map(|call| call.split_whitespace().collect()).collect();
    for name in names {
        calls.extend(["execute", "simulate", "status"].map(|command| vec![command, "--", name]));
    }
    let badges: Vec<String> = names.iter().map(|name| format!("--badge={name}")).collect();
    calls.extend(badges.iter().map(|badge| vec!["report", badge]));
    for call in calls {
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        command.args(&call).env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_REPOSITORY", "o/r");
        let output = Said::from(command.output().expect("meow starts"));
        assert!((0..=3).contains(&output.code), "{call:?}: {output:?}");
        all.push((call.join(" "), output));
    }
    let out = std::fs::read_to_string(summary).expect("a summary");
    all.push(("summary --format markdown".to_owned(), Said { code: 0, out, err: String::new() }));
    all
}

#[test]
fn nothing_comes_alive_in_any_output() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let space = hostile(port);
    let (mut pages, mut alive) = (Vec::new(), Vec::new());
    for (call, output) in said(&space, &names(port)) {
        for text in [&output.out, &output.err] {
            alive.extend(in_terminal(text).map(|what| format!("{call}: {what}")));
            alive.extend(in_log(text, call.contains("--github")).map(|what| format!("{call}: {what}")));
        }
        if call.contains("markdown") {
            assert!(output.out.lines().count() > 5, "{call}: {output:?}");
            alive.extend(in_markdown(&output.out).into_iter().map(|what| format!("{call}: {what}")));
        }
        if call.contains("html") || call.contains("badge") {
            assert!(output.out.len() > 100, "{call}: {output:?}");
            pages.push(output.out);
        }
    }
    space.meow_ok(&["score", "--predictions", "out.csv"]);
    let sheet = space.read("out.csv");
    alive.extend(
        in_sheet(&sheet).into_iter().chain(in_terminal(&sheet)).map(|what| format!("score --predictions: {what}")),
    );
    assert!(sheet.lines().count() > 500, "{sheet}");
    assert!(alive.is_empty(), "{} live constructs:\n{}", alive.len(), alive.join("\n"));
    in_browser(&space, &pages, &listener);
}

/// Returns what a terminal would obey or a person could not see.
fn in_terminal(text: &str) -> Option<String> {
    let hidden = |letter: char| {
        (letter.is_control() && letter != '\n')
            || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    };
    let line = text.lines().find(|line| line.contains(hidden))?;
    Some(format!("a terminal obeys or hides {line:?}"))
}

/// Returns what a CI would obey in a log: GitHub `::command` at a line's start and `##[command]` anywhere, Azure
/// `##vso[`, `TeamCity` `##teamcity[`, Buildkite's groups at a line's start. The sections of GitLab and Travis need
/// control characters, which [`in_terminal`] sees.
fn in_log(text: &str, annotates: bool) -> Option<String> {
    let obeyed = |line: &&str| {
        let group = ["--- ", "+++ ", "~~~ ", "^^^ +++"].iter().any(|start| line.starts_with(start));
        let start = line.trim_start();
        let own = annotates
            && (start.starts_with("::error title=meow report::") || start.starts_with("::warning title=meow report::"));
        (start.starts_with("::") && !own)
            || group
            || line.contains("##[")
            || line.contains("##vso[")
            || line.contains("##teamcity[")
    };
    let line = text.lines().find(obeyed)?;
    Some(format!("a log obeys {line:?}"))
}

/// Returns what a spreadsheet would compute of a CSV file: its cells, and the start of each of its lines.
fn in_sheet(text: &str) -> Vec<String> {
    let computed = |cell: &&str| cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r']);
    // Cells by RFC 4180: what stands between two quotes is text, and two of them within it are one.
    let cells: Vec<&str> = text.split('"').collect();
    let quoted = cells.iter().skip(1).step_by(2).copied();
    quoted.chain(text.lines()).filter(computed).map(|cell| format!("a spreadsheet computes {cell:?}")).collect()
}

/// Returns what a Markdown page holds that is not meow's own: raw HTML, links, images, mathematics, mentions, issues.
fn in_markdown(page: &str) -> Vec<String> {
    const OWN: [&str; 11] = [
        "<!-- meow:report -->",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
        "<code>",
        "</code>",
        "<sub>",
        "</sub>",
        "<br>",
        "<!-- meow -->",
    ];
    let mut found = Vec::new();
    let mut prose = String::new();
    for event in Parser::new_ext(page, Options::all()) {
        if !matches!(event, Event::Text(_)) {
            found.extend(mentioned(&std::mem::take(&mut prose)));
        }
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let mut rest = &*html;
                while let Some(at) = rest.find('<') {
                    let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
                    if !OWN.contains(&&rest[at..end]) {
                        found.push(format!("HTML {:?}", &rest[at..end]));
                    }
                    rest = &rest[end..];
                }
                // Between tags stands text, in which entities are letters.
                found.extend(mentioned(&html.replace("&#64;&#8203;", "").replace("&#35;&#8203;", "")));
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                found.push(format!("a link to {dest_url}"));
            }
            Event::Start(Tag::FootnoteDefinition(_) | Tag::MetadataBlock(_)) | Event::FootnoteReference(_) => {
                found.push("a footnote".to_owned());
            }
            Event::InlineMath(text) | Event::DisplayMath(text) => found.push(format!("mathematics {text}")),
            Event::Text(text) => prose.push_str(&text),
            _ => {}
        }
    }
    let mut columns = None;
    for line in page.lines() {
        let bars = line.starts_with('|').then(|| line.matches('|').count());
        if bars.is_some() && columns.is_some() && bars != columns {
            found.push(format!("a table's columns do not fit: {line}"));
        }
        columns = bars;
    }
    found
}

/// Returns what a forge would link in a text: mentions, issues, addresses.
fn mentioned(text: &str) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    let live = letters.windows(2).any(|two| {
        matches!(two, ['@', next] if next.is_alphanumeric())
            || matches!(two, ['#' | '!' | '%' | '$' | '~', next] if next.is_ascii_digit())
    });
    let lower = text.to_lowercase();
    let linked = live || ["http://", "https://", "www.", "gh-1", "gh-2"].iter().any(|start| lower.contains(start));
    linked.then(|| format!("a forge links in {text:?}"))
}

/// Asserts that pages hold only meow's own elements and attributes when a browser has read them, and that none called.
fn in_browser(space: &Space, pages: &[String], listener: &TcpListener) {
    let Some(seen) = browsed(space, pages) else { return };
    assert!(seen.len() > 20, "{seen:?}");
    // Those of the badge, which is a file of its own.
    let of_badge = ["fill", "font-family", "font-size", "textLength", "xmlns"];
    for one in &seen {
        let attribute = || ATTRIBUTES.contains(&one.as_str()) || of_badge.contains(&one.as_str());
        let own = one.strip_prefix('<').map_or_else(attribute, |tag| TAGS.contains(&tag));
        assert!(own, "a page holds {one}: {seen:?}");
    }
    assert!(!called(listener), "a page called");
}

/// Returns whether somebody called.
fn called(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).expect("set");
    listener.accept().is_ok()
}

/// Opens every page in one browser, without the policy that would stop scripts: what is escaped needs no policy. Returns
/// its elements (`<p`) and attributes, and where links lead.
#[expect(clippy::print_stderr, reason = "says why nothing was tried")]
fn browsed(space: &Space, pages: &[String]) -> Option<Vec<String>> {
    if !peer("chromium") {
        return None;
    }
    let open: Vec<String> = pages.iter().map(|page| page.replace("Content-Security-Policy", "nothing")).collect();
    let open = serde_json::to_string(&open).expect("JSON").replace("</", "<\\/").replace("<!--", "<\\!--");
    let script = "const seen = new Set(); let left = pages.length;\n\
        for (const page of pages) { const frame = document.createElement('iframe'); frame.onload = () => {\n\
        const root = frame.contentDocument; if (root.documentElement.hasAttribute('data-pwned')) seen.add('PWNED');\n\
        for (const one of root.querySelectorAll('*')) { seen.add('<' + one.localName);\n\
        for (const a of one.attributes) { seen.add(a.name); if (a.name == 'href' && !a.value.startsWith('#')) seen.add('HREF ' + a.value);\n\
        if (a.name == 'style') seen.add('STYLE ' + a.value); } }\n\
        if (--left == 0) document.getElementById('out').textContent = JSON.stringify([...seen]); };\n\
        frame.srcdoc = page; document.body.append(frame); }";
    let page = format!(
        "<!DOCTYPE html><meta charset=utf-8><body><pre id=out></pre><script>const pages = {open};\n{script}</script>"
    );
    let file = space.home().join("all.html");
    std::fs::write(&file, page).expect("written");
    let profile = format!("--user-data-dir={}", space.home().join("profile").display());
    let arguments =
        ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom", &profile];
    let output =
        Command::new("chromium").args(arguments).arg(format!("file://{}", file.display())).output().expect("chromium");
    let dom = String::from_utf8_lossy(&output.stdout);
    let Some((_, rest)) = dom.split_once("<pre id=\"out\">[") else {
        assert!(std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "chromium said nothing");
        eprintln!("skipped: chromium cannot be used here: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    };
    let list = rest.split_once("]</pre>").expect("a list").0.replace("&lt;", "<");
    Some(serde_json::from_str(&format!("[{list}]")).expect("JSON"))
}

#[test]
fn what_is_alive_is_seen() {
    let live = |name: &str| !in_markdown(&format!("a\n\n{name} b\n")).is_empty();
    for place in [1, 2, 4, 5, 6, 7, 12, 13] {
        assert!(live(NAMES[place]), "{}", NAMES[place]);
    }
    assert!(!live("`@octo` a | b") && !live("&#64;&#8203;octo"), "what is inert is not");
    assert_eq!([8, 9, 11].map(|place| in_terminal(NAMES[place]).is_some()), [true; 3]);
    assert_eq!([14, 15, 16, 17, 18, 21, 22, 23].map(|place| in_log(NAMES[place], false).is_some()), [true; 8]);
    assert!(in_terminal(NAMES[19]).is_some(), "a section of GitLab");
    assert_eq!([20, 21].map(|place| in_sheet(&format!("\"x\",\"{}\",1\n", NAMES[place])).len()), [1; 2]);
    assert_eq!(in_sheet("\"a\n=1+1\",1\n").len(), 1);
    // A browser tells the same: an image that cannot be loaded runs what it is given.
    let page = format!("<!DOCTYPE html><title>x</title><p>{}</p><p>{}</p>", NAMES[1], NAMES[2].replace("PORT", "1"));
    if let Some(seen) = browsed(&Space::empty(), &[page]) {
        assert!(["PWNED", "<img", "onerror"].iter().all(|one| seen.iter().any(|seen| seen == one)), "{seen:?}");
    }
}
