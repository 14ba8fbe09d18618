//! Settings as layers of files, with what is wrong in them: wrong values and unknown keys are named and have no effect.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::hooks;
use super::keys::{Holds, KEYS};
use crate::error::Error;
use crate::workflow::{did_you_mean, nesting};

/// Largest file that is read, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// Who set a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A flag of this call.
    Flag,
    /// A variable of the environment.
    Env,
    /// `.meow/config.toml` of the repository.
    Repo,
    /// `meow/config.toml` in the user's folder for settings.
    User,
    /// Nobody: what holds by itself.
    Default,
}

impl Origin {
    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Env => "env",
            Self::Repo => "repo",
            Self::User => "user",
            Self::Default => "default",
        }
    }
}

/// One file of settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    /// The values that hold, as text, with their place.
    pub values: BTreeMap<&'static str, (String, String)>,
    /// The workflows of the table `[hooks]` by git event, with their place.
    pub hooks: BTreeMap<&'static str, (String, String)>,
    /// What is wrong, each with its place.
    pub wrong: Vec<String>,
}

/// Returns the file of settings of the project around a folder: at the top of its work tree, or in the folder itself.
pub fn of_repository(directory: &Path) -> PathBuf {
    top_of(directory).unwrap_or(directory).join(".meow/config.toml")
}

/// Returns the top of the work tree around a folder.
pub fn top_of(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok())
}

/// Reads a file of settings; one that is not there says nothing.
pub fn read(path: &Path, shown: &str, origin: Origin) -> Layer {
    // A link may lead to a device or a pipe, which must not be waited for.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Layer { wrong: vec![format!("{shown} is ignored: it is no file")], ..Layer::default() };
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Layer::default(),
        Err(error) => Layer { wrong: vec![format!("{shown} cannot be read: {error}")], ..Layer::default() },
        Ok(_) if bytes.len() > MOST_BYTES => {
            Layer { wrong: vec![format!("{shown} is ignored: it is larger than 64 KiB")], ..Layer::default() }
        }
        Ok(_) => parse(&String::from_utf8_lossy(&bytes), shown, origin),
    }
}

/// Returns what a text sets.
pub fn parse(text: &str, shown: &str, origin: Origin) -> Layer {
    let line = |byte: usize| text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1;
    let mut layer = Layer::default();
    if let Some(at) = nesting::too_deep(text) {
        let place = line(at);
        layer.wrong.push(format!("{shown}:{place}: not valid TOML, so nothing of it holds: it nests too deeply"));
        return layer;
    }
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let place = line(error.span().map_or(0, |span| span.start));
            let what = error.message().replace('\n', ", ").escape_debug().to_string();
            layer.wrong.push(format!("{shown}:{place}: not valid TOML, so nothing of it holds: {what}"));
            return layer;
        }
    };
    for (name, value) in &table {
        let place = format!("{shown}:{}", line(name.span().start));
        if name.get_ref() == hooks::TABLE {
            hooks::read(value.get_ref(), &|byte| format!("{shown}:{}", line(byte)), &place, origin, &mut layer);
            continue;
        }
        let table = value.get_ref().as_table().filter(|_| is_table(name.get_ref()));
        let Some(table) = table else {
            set(name.get_ref(), value, place, origin, &mut layer);
            continue;
        };
        for (below, value) in table {
            let place = format!("{shown}:{}", line(below.span().start));
            set(&format!("{}.{}", name.get_ref(), below.get_ref()), value, place, origin, &mut layer);
        }
    }
    layer.wrong.sort();
    layer
}

/// Returns whether settings begin with this name and a dot.
fn is_table(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.split_once('.').is_some_and(|(table, _)| table == name))
}

/// Takes one value into the layer, or what is wrong with it.
fn set(name: &str, value: &Spanned<DeValue<'_>>, place: String, origin: Origin, layer: &mut Layer) {
    let Some(key) = KEYS.iter().find(|key| key.name == name) else {
        layer.wrong.push(format!("{place}: {}", unknown(name)));
        return;
    };
    if origin == Origin::Repo && !key.by_repository {
        layer.wrong.push(format!("{place}: `{}` is ignored: a repository may not set it", key.name));
        return;
    }
    match held(value, key.holds) {
        Some(value) => {
            layer.values.insert(key.name, (value, place));
        }
        None => layer.wrong.push(format!("{place}: `{}` has to be {}", key.name, key.holds.words())),
    }
}

fn unknown(name: &str) -> String {
    let error = Error::request(format!("unknown key `{}`", name.escape_debug()));
    let error = did_you_mean(error, name, KEYS.iter().map(|key| key.name).chain([hooks::TABLE]));
    let hint = error.hint_text().map_or_else(String::new, |hint| format!("; {hint}"));
    format!("{}{hint}", error.what())
}

/// Returns a value as text where it is one that the setting may hold.
fn held(value: &Spanned<DeValue<'_>>, holds: Holds) -> Option<String> {
    let text = match (value.get_ref(), holds) {
        (DeValue::Integer(number), Holds::Whole(..)) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()?.to_string()
        }
        (DeValue::Boolean(switch), Holds::Switch) => switch.to_string(),
        (DeValue::String(text), Holds::Text | Holds::Choice(_)) => text.to_string(),
        _ => return None,
    };
    holds.allows(&text).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_and_what_is_wrong() {
        for (text, origin, values, wrong) in [
            ("", Origin::Repo, "", ""),
            ("# x\nslots = 4\nworkflow = \"all\"\n", Origin::Repo, "slots=4@f:2 workflow=all@f:3", ""),
            ("record = false\ncolor = \"never\"", Origin::User, "color=never@f:2 record=false@f:1", ""),
            ("slot = 4", Origin::Repo, "", "f:1: unknown key `slot`; did you mean `slots`?"),
            ("slots = 0", Origin::Repo, "", "f:1: `slots` has to be a whole number from 1 to 4096"),
            ("slots = \"4\"", Origin::Repo, "", "f:1: `slots` has to be a whole number from 1 to 4096"),
            ("key = \"k\"", Origin::User, "key=k@f:1", ""),
            (
                "key = \"k\"\nslots = 2",
                Origin::Repo,
                "slots=2@f:2",
                "f:1: `key` is ignored: a repository may not set it",
            ),
            ("slots = ", Origin::Repo, "", "f:1: not valid TOML"),
            (
                "[hooks]\npre-push = \"check\"\ncommit-msg = \"m\"",
                Origin::Repo,
                "commit-msg=m@f:3 pre-push=check@f:2",
                "",
            ),
            ("hooks.pre-push = \"check\"", Origin::User, "", "f:1: `hooks` is ignored: a repository's own file"),
            ("hooks = 1", Origin::Repo, "", "f:1: `hooks` has to be a table"),
            ("[hooks]\npre-pusch = \"check\"", Origin::Repo, "", "f:2: `hooks.pre-pusch` is no git event"),
            (
                "[hooks]\nreference-transaction = \"check\"",
                Origin::Repo,
                "",
                "f:2: `hooks.reference-transaction` is ignored",
            ),
            ("[hooks]\npre-push = \"../check.toml\"", Origin::Repo, "", "f:2: `hooks.pre-push` has to be the name"),
            ("[hooks]\npre-push = [\"check\"]", Origin::Repo, "", "f:2: `hooks.pre-push` has to be the name"),
        ] {
            let layer = parse(text, "f", origin);
            let shown: Vec<String> = layer
                .values
                .iter()
                .chain(&layer.hooks)
                .map(|(key, (value, at))| format!("{key}={value}@{at}"))
                .collect();
            assert_eq!(shown.join(" "), values, "{text}");
            assert_eq!(layer.wrong.is_empty(), wrong.is_empty(), "{text}: {:?}", layer.wrong);
            assert!(layer.wrong.join("\n").starts_with(wrong), "{text}: {:?}", layer.wrong);
        }
    }
}
