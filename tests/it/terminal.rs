//! What only a terminal shows: tables of its width, and how to go on.

use std::process::Stdio;

use crate::space::{Space, peer};

/// Returns what meow shows in a terminal of so many columns, stdout and stderr as one; `None` where none can be made.
fn shown(space: &Space, columns: u32, words: &str) -> Option<String> {
    if cfg!(not(target_os = "linux")) || !peer("script") || !peer("stty") {
        return None;
    }
    let mut command = space.command(&space.root(), "script");
    let typed = format!("stty cols {columns}; meow {words}");
    command.args(["--quiet", "--command", &typed, "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let output = command.stdin(Stdio::null()).output().expect("script starts");
    Some(String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

#[test]
fn tables_are_as_wide_as_the_terminal() {
    let space = Space::repository();
    let Some(narrow) = shown(&space, 70, "config --list --color never") else { return };
    let wide = shown(&space, 130, "config --list --color never").expect("a terminal");
    let widest = |text: &str| text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0);
    assert!(widest(&narrow) <= 70, "{narrow}");
    assert!((100..=130).contains(&widest(&wide)), "{wide}");
    let plain = space.meow_ok(&["config", "--list"]);
    assert!(widest(&plain) <= 80, "{plain}");
}

#[test]
fn whoever_watches_a_failure_is_told_how_to_go_on() {
    let space = Space::repository();
    space.write(
        ".meow/workflows/ci.toml",
        "formula = \"ci\"\nversion = 1\n[[steps]]\nid = \"a\"\nrun = \"true\"\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\nrun = \"test -e \\\"$HOME/good\\\"\"\n",
    );
    let Some(failed) = shown(&space, 100, "execute ci") else { return };
    let next = failed.lines().find_map(|line| line.strip_prefix("next: meow ")).expect("a line");
    let command = next.strip_suffix(" runs what has not passed").expect("a sentence");
    std::fs::write(space.home().join("good"), "").expect("written");
    let resumed = shown(&space, 100, command).expect("a terminal");
    assert!(resumed.contains("1 of 2 steps had passed") && !resumed.contains("next:"), "{resumed}");
    // What is piped says no more than before, and what spares nothing is not named.
    std::fs::remove_file(space.home().join("good")).expect("removed");
    assert!(!space.meow(&["execute", "ci"]).err.contains("next:"));
    assert!(!shown(&space, 100, "execute ci --only b").expect("a terminal").contains("next:"));
}
