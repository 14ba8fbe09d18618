//! The numbers that a step wrote to the file in `$MEOW_METRICS`: `name=value` lines, taken as inert data.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::log;
use crate::workflow::StepId;

/// Names that start so are meow's own.
const OWN: &str = "meow.";
/// Most metrics of one attempt.
const MOST: usize = 256;
/// Longest name, in bytes.
const LONGEST: usize = 100;
/// Most of a file that is read, in bytes.
const MOST_BYTES: u64 = 256 << 10;

/// What a step wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Metrics {
    /// The last value of each name.
    pub values: BTreeMap<String, f64>,
    /// What was left out, with the first of it, for people.
    pub left_out: Option<String>,
}

/// Returns the file for the metrics of an attempt, beside its log.
pub(super) fn path(logs: &Path, step: &StepId, attempt: &str) -> PathBuf {
    log::named(logs, step, attempt, "metrics")
}

/// Reads what a step wrote; nothing where there is no file.
pub(super) fn read(path: &Path) -> Metrics {
    let mut bytes = Vec::new();
    match open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)) {
        Ok(_) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Metrics::default(),
        Err(error) => Metrics { values: BTreeMap::new(), left_out: Some(format!("the file cannot be read: {error}")) },
    }
}

/// Opens a plain file: no link, and nothing that would make a reader wait.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

fn parse(bytes: &[u8]) -> Metrics {
    let mut values = BTreeMap::new();
    let (mut left_out, mut first) = (0_u32, None);
    let whole = bytes.len() as u64 <= MOST_BYTES;
    let text = String::from_utf8_lossy(bytes);
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let taken = metric(line).and_then(|(name, value)| {
            if values.len() >= MOST && !values.contains_key(name) {
                return Err("too many names");
            }
            values.insert(name.to_owned(), value);
            Ok(())
        });
        if let Err(why) = taken {
            left_out += 1;
            first.get_or_insert_with(|| format!("line {}: {why}", at + 1));
        }
    }
    if !whole {
        left_out += 1;
        first.get_or_insert_with(|| format!("what lies beyond {} KiB", MOST_BYTES >> 10));
    }
    Metrics { values, left_out: first.map(|first| format!("{left_out} left out, the first is {first}")) }
}

/// Returns the name and the value on a line.
fn metric(line: &str) -> Result<(&str, f64), &'static str> {
    let (name, value) = line.split_once('=').ok_or("it is not NAME=VALUE")?;
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:%".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return Err("the name is not made of up to 100 letters, digits and _-./:%");
    }
    if name.starts_with(OWN) {
        return Err("names that start with `meow.` are meow's own");
    }
    let value: f64 = value.trim().parse().map_err(|_| "the value is no number")?;
    if value.is_finite() { Ok((name, value)) } else { Err("the value is not finite") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_numbers_or_are_counted() {
        let check = |text: &str, values: &[(&str, f64)], left_out: Option<&str>| {
            let found = parse(text.as_bytes());
            let expected: BTreeMap<String, f64> = values.iter().map(|(name, value)| ((*name).into(), *value)).collect();
            assert_eq!((found.values, found.left_out.as_deref()), (expected, left_out), "{text}");
        };
        check("", &[], None);
        check("a=1\n\n b.c = -2.5e3 \r\na=3", &[("a", 3.0), ("b.c", -2500.0)], None);
        check("a\n=1\nb=x\nc=1", &[("c", 1.0)], Some("3 left out, the first is line 1: it is not NAME=VALUE"));
        check("a=NaN\nb=inf", &[], Some("2 left out, the first is line 1: the value is not finite"));
        check(
            "meow.sandboxed=1",
            &[],
            Some("1 left out, the first is line 1: names that start with `meow.` are meow's own"),
        );
        for name in ["a b", "\u{1b}[31m", "é", "a\u{0}", &"n".repeat(101)] {
            let found = parse(format!("{name}=1").as_bytes());
            assert!(found.values.is_empty() && found.left_out.is_some(), "{name}");
        }
        let many: String = (0..300).map(|at| format!("m{at}=1")).collect::<Vec<_>>().join("\n");
        let found = parse(many.as_bytes());
        assert_eq!(found.values.len(), MOST);
        assert_eq!(found.left_out.as_deref(), Some("44 left out, the first is line 257: too many names"));
        let long = parse(&vec![b'\n'; 300 << 10]);
        assert_eq!(long.left_out.as_deref(), Some("1 left out, the first is what lies beyond 256 KiB"));
        assert!(parse(b"\xff\xfe=1\nok=1").values.contains_key("ok"));
    }

    #[test]
    fn only_plain_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(&folder.path().join("none")), Metrics::default());
        std::fs::write(folder.path().join("real"), "a=1").expect("written");
        assert_eq!(read(&folder.path().join("real")).values.len(), 1);
        std::os::unix::fs::symlink("real", folder.path().join("link")).expect("a link");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");
        for odd in ["link", "pipe", "."] {
            let found = read(&folder.path().join(odd));
            assert!(found.values.is_empty() && found.left_out.is_some(), "{odd}");
        }
    }
}
