//! The laws of the house (DESIGN 2), each one a test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns every source file with its path below `src` and its text.
fn sources() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                files.push((path.strip_prefix(&src).expect("below src").to_path_buf(), text));
            }
        }
    }
    files.sort();
    assert!(files.len() > 10, "the sources were not found");
    files
}

/// Returns the text before the file's unit tests.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

/// Returns the lines that are not comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    without_tests(text).lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn room(path: &Path) -> String {
    let first = path.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Returns the rooms in the order of `lib.rs`.
fn rooms() -> Vec<String> {
    let lib = sources().into_iter().find(|(path, _)| path == Path::new("lib.rs")).expect("lib.rs").1;
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

fn assert_none(law: &str, found: &[String]) {
    assert!(found.is_empty(), "{law}\n  {}", found.join("\n  "));
}

#[test]
fn law_1_rooms_look_left_only() {
    let rooms = rooms();
    let place: BTreeMap<&str, usize> = rooms.iter().enumerate().map(|(at, room)| (room.as_str(), at)).collect();
    let mut found = Vec::new();
    for (path, text) in sources() {
        let Some(own) = place.get(room(&path).as_str()).copied() else { continue };
        for other in rooms.iter().filter(|other| text.contains(&format!("crate::{other}"))) {
            let strangers = [room(&path).as_str(), other.as_str()] == ["store", "import"]
                || [room(&path).as_str(), other.as_str()] == ["import", "store"];
            if place[other.as_str()] > own || strangers {
                found.push(format!("{} looks at {other}", path.display()));
            }
        }
        if text.contains("use crate::{") {
            found.push(format!("{}: import rooms one by one, so that this test sees them", path.display()));
        }
    }
    assert_none("rooms look left only", &found);
}

#[test]
fn law_2_heavy_crates_have_one_home() {
    let homes = [
        ("gix", "git"),
        ("arrow", "store"),
        ("parquet", "store"),
        ("postcard", "store"),
        ("smartcore", "learn"),
        ("clap", "cli"),
        ("walkdir", "scan"),
    ];
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (krate, home) in homes {
            let used =
                code(&text).any(|line| line.contains(&format!("{krate}::")) || line.contains(&format!("use {krate}")));
            if used && room(&path) != home {
                found.push(format!("{} uses {krate}, whose home is {home}", path.display()));
            }
        }
    }
    assert_none("heavy crates have one home", &found);
}

#[test]
fn law_3_only_these_rooms_touch_the_world() {
    let exempt = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().any(|line| line.starts_with("#![expect(clippy::disallowed_methods, reason")))
        .map(|(path, _)| path.to_string_lossy().into_owned())
        .collect::<Vec<_>>();
    let allowed =
        ["cli/mod.rs", "clock.rs", "execute/mod.rs", "git/mod.rs", "import/mod.rs", "scan/mod.rs", "store/mod.rs"];
    let strangers: Vec<String> = exempt.into_iter().filter(|path| !allowed.contains(&path.as_str())).collect();
    assert_none("one exemption a room, at its door", &strangers);
    let mut found = Vec::new();
    for (path, text) in sources() {
        let inner = code(&text).filter(|line| line.contains("clippy::disallowed_methods")).count();
        if inner > usize::from(allowed.contains(&path.to_string_lossy().as_ref())) {
            found.push(path.display().to_string());
        }
    }
    assert_none("no other exemption from disallowed_methods", &found);
}

#[test]
fn law_4_files_say_their_purpose_and_stay_short() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            found.push(format!("{} does not open with its purpose", path.display()));
        }
        let lines = without_tests(&text).lines().count();
        if lines > 400 {
            found.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert_none("one purpose a file, at most 400 lines", &found);
}

#[test]
fn law_5_one_printer_and_one_reader_of_the_environment() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        for line in code(&text) {
            let prints = ["println!", "print!(", "io::stdout()", "io::stderr()"].iter().any(|word| line.contains(word));
            let is_question = line.contains("is_terminal()");
            if prints && !is_question && path != Path::new("cli/terminal.rs") {
                found.push(format!("{} prints: {}", path.display(), line.trim()));
            }
            let reads = ["env::var", "env::current_dir", "env::temp_dir", "env::args", "env::current_exe"];
            if reads.iter().any(|word| line.contains(word)) && path != Path::new("cli/settings.rs") {
                found.push(format!("{} reads the environment: {}", path.display(), line.trim()));
            }
        }
    }
    assert_none("cli::terminal prints, cli::settings reads the environment", &found);
}

#[test]
fn law_8_processes_are_started_in_few_places_and_unasked_ones_pass_the_gate() {
    // Who may start a process, and for whom: steps, the trial of a sandbox, git, the person's own command, the
    // demonstration's own folder, and `gh` where a person typed `--github`.
    let starts = [
        "execute/command.rs",
        "execute/foreground.rs",
        "execute/sandbox/mod.rs",
        "git/remote.rs",
        "cli/demo.rs",
        "cli/report/github.rs",
    ];
    // The person's own words; the hook that was there before; meow itself, behind the gate.
    let typed = ["cli/record.rs", "cli/hook/before.rs", "cli/hook/workflow.rs"];
    let mut found = Vec::new();
    for (path, text) in sources() {
        let file = path.to_string_lossy().into_owned();
        if code(&text).any(|line| line.contains("Command::new(")) && !starts.contains(&file.as_str()) {
            found.push(format!("{file} starts a process"));
        }
        // The doors of the room that runs what a repository brings.
        let opens = code(&text).any(|line| line.contains("crate::execute::{") && line.contains("execute}"));
        if opens && !(text.contains("settings.unasked()") && text.contains("gate(&project")) {
            found.push(format!("{file} executes a plan without the gate of `cli::trust`"));
        }
        if code(&text).any(|line| line.contains("foreground("))
            && room(&path) == "cli"
            && !typed.contains(&file.as_str())
        {
            found.push(format!("{file} runs a command that no person typed"));
        }
    }
    let gated = sources().into_iter().find(|(path, _)| path == Path::new("cli/execute.rs")).expect("it is there").1;
    assert!(gated.contains("workflows::load_trusted("), "what is unasked is made of trusted bytes alone");
    assert_none("nothing a repository brings is executed unless a person asked for it or trusted it", &found);
}
