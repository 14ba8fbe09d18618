//! Errors that went away by themselves: recognised by what a step says, tried again where history shows that it pays.

use serde_json::Value;

use crate::space::{Said, Space};

/// A workflow of one step that fails with `message` unless there is the file `up`; every attempt is noted.
fn space(message: &str, keys: &str) -> Space {
    let space = Space::repository();
    let run =
        format!("echo x >>\"$HOME/tries\"; test -e up || {{ echo $$ requests; echo \"{message}\" >&2; exit 7; }}");
    space.write(
        ".meow/workflows/ci.toml",
        &format!("formula = \"ci\"\n[[steps]]\nid = \"fetch\"\nrun = '''{run}'''\n{keys}\n"),
    );
    space.write(".meow/config.toml", "retry = \"learned\"\n");
    space.write(".gitignore", "up\n");
    space.git(&["add", "."]);
    space.git(&["commit", "--quiet", "--message=workflow"]);
    space
}

/// Executes, and returns how often the step was tried.
fn tries(space: &Space, args: &[&str]) -> (Said, usize) {
    let file = space.home().join("tries");
    let _ = std::fs::remove_file(&file);
    let said = space.meow(&[&["execute"], args].concat());
    (said, std::fs::read_to_string(file).unwrap_or_default().lines().count())
}

/// Lets the step fail and then pass on the same sources, as a person sees it who tries again.
fn goes_away(space: &Space) {
    let _ = std::fs::remove_file(space.root().join("up"));
    assert_eq!(tries(space, &[]).0.code, 1);
    space.write("up", "");
    assert_eq!(tries(space, &[]).0.code, 0);
    std::fs::remove_file(space.root().join("up")).expect("up");
}

/// Returns the fingerprints of failed attempts, by way of what the step says as it ends.
fn errors(said: &Said) -> Vec<String> {
    let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let ends = events.filter(|event| event["event"] == "attempt-finished");
    ends.filter_map(|event| event["error"].as_str().map(str::to_owned)).collect()
}

const REFUSED: &str = "$(date +%s.%N) connect to 127.0.0.1 port $$: Connection refused";

#[test]
fn an_error_that_went_away_five_times_is_tried_again_and_says_why() {
    let space = space(REFUSED, "");
    for _ in 0..4 {
        goes_away(&space);
    }
    let (said, tried) = tries(&space, &[]);
    assert_eq!((said.code, tried), (1, 1), "four times are too few: {}", said.err);
    space.write("up", "");
    tries(&space, &[]);
    std::fs::remove_file(space.root().join("up")).expect("up");
    assert!(space.meow_ok(&["execute", "--dry-run"]).contains("tried again after 1 known error"), "the plan says so");
    space.write(".meow/config.toml", "retry = \"declared\"\n");
    assert!(!space.meow_ok(&["execute", "--dry-run"]).contains("known error"), "nor where nobody wants it");
    std::fs::remove_file(space.root().join(".meow/config.toml")).expect("settings");
    assert!(!space.meow_ok(&["execute", "--dry-run"]).contains("known error"), "nor by default");
    space.write(".meow/config.toml", "retry = \"learned\"\n");
    let (said, tried) = tries(&space, &[]);
    assert_eq!((said.code, tried), (1, 2), "{}", said.err);
    assert!(said.err.contains("attempt 2 in") && said.err.contains("seen 5 times"), "{}", said.err);
    assert!(said.err.contains("passed on the next try 5 of them"), "{}", said.err);
    let (said, tried) = tries(&space, &[]);
    assert_eq!((said.code, tried), (1, 1), "the one that failed twice counts against it: {}", said.err);
}

#[test]
fn a_shallow_clone_that_is_told_the_first_commit_finds_the_same_fingerprint() {
    let space = space(REFUSED, "");
    let first = space.git(&["rev-list", "--max-parents=0", "HEAD"]);
    let shallow = space.home().join("shallow");
    let from = format!("file://{}", space.root().display());
    space.git(&["clone", "--quiet", "--depth=1", &from, &shallow.display().to_string()]);
    let events = |folder: &std::path::Path, project: &str| {
        let mut command = space.command(folder, env!("CARGO_BIN_EXE_meow"));
        command.args(["execute", "--events", "jsonl"]).env("MEOW_PROJECT", project);
        errors(&Said::from(command.output().expect("meow starts")))
    };
    let whole = events(&space.root(), &"0".repeat(40));
    assert_eq!(whole.len(), 1, "the history is believed, not what is told");
    assert_eq!(events(&shallow, "main"), [""; 0]);
    assert_eq!(events(&shallow, &first), whole);
}

#[test]
fn other_errors_and_steps_with_effects_fail_at_once() {
    for (message, keys) in [("$(cat message)", ""), (REFUSED, "undo = \"true\""), (REFUSED, "retry = { attempts = 1 }")]
    {
        let space = space(message, keys);
        space.write(".git/info/exclude", "message\n");
        space.write("message", "connection refused");
        for _ in 0..5 {
            goes_away(&space);
        }
        space.write("message", "disk full: no space left");
        let (said, tried) = tries(&space, &[]);
        assert_eq!((said.code, tried), (1, 1), "{message} {keys}: {}", said.err);
    }
}

#[test]
fn a_failure_is_recognised_wherever_and_whenever_it_happens() {
    let one = space(REFUSED, "");
    let events = |space: &Space| errors(&tries(space, &["--events", "jsonl"]).0);
    let first = events(&one);
    assert_eq!((first.len(), first[0].len()), (1, 24));
    assert_eq!(events(&one), first, "later");
    let clone = Space::empty();
    clone.git(&["clone", "--quiet", &one.root().display().to_string(), "."]);
    assert_eq!(events(&clone), first, "elsewhere");
    let stranger = space(&format!("{REFUSED} "), "");
    stranger.git(&["commit", "--quiet", "--amend", "--message=another", "--allow-empty"]);
    assert_eq!(events(&stranger), first, "the project's first commit is what counts");
    let other = Space::empty();
    other.git(&["init", "--quiet", "--initial-branch=main"]);
    other.write(".meow/workflows/ci.toml", &one.read(".meow/workflows/ci.toml"));
    other.git(&["add", "."]);
    other.git(&["commit", "--quiet", "--message=another first commit"]);
    assert_ne!(events(&other), first, "in another project it is another one");
    assert_ne!(events(&space("Connection reset by peer", "")), first);
    let record =
        one.run_in(&one.root(), "sh", &["-c", "cat .git/meow/spool/*/*.jsonl .git/meow/spool/*.jsonl 2>/dev/null"]);
    assert!(!record.out.contains("Connection refused"), "no word of the output is recorded");
}
