//! The command line as it is declared: its whole help as one file, an example in every command, manual pages and
//! completions.

use std::collections::BTreeMap;

use meow::cli::command;

use crate::golden::golden;
use crate::space::Space;

/// Returns every command that people see, as (words typed, long help, examples), the program itself first.
fn commands() -> Vec<(String, String, String)> {
    commands_within(100)
}

/// Returns the same for a terminal of so many columns.
fn commands_within(width: usize) -> Vec<(String, String, String)> {
    let mut root = command().term_width(width);
    root.build();
    let mut found = Vec::new();
    let mut waiting = vec![(String::from("meow"), root)];
    while let Some((words, command)) = waiting.pop() {
        let inner = command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help");
        let mut inner: Vec<_> = inner.map(|inner| (format!("{words} {}", inner.get_name()), inner.clone())).collect();
        inner.reverse();
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let help = command.term_width(width).render_long_help().to_string();
        found.push((words, help, examples));
        waiting.extend(inner);
    }
    found
}

#[test]
fn the_whole_help_is_one_file() {
    let sections = commands().into_iter().map(|(words, help, _)| format!("$ {words} --help\n\n{}\n", help.trim_end()));
    let lines = sections.collect::<Vec<_>>().join("\n");
    let clean: String = lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    golden("tests/it/golden/help.txt", &clean);
}

#[test]
fn the_version_is_what_the_declared_command_line_says() {
    let space = Space::empty();
    for flag in ["--version", "-V"] {
        assert_eq!(space.meow_ok(&[flag]), command().render_version());
    }
}

#[test]
fn every_command_has_an_example_of_itself() {
    let all: BTreeMap<String, String> = commands().into_iter().map(|(words, _, examples)| (words, examples)).collect();
    // A command below another may stand in that one's examples.
    let shown = |place: &str, words: &str| {
        all.get(place).is_some_and(|examples| examples.contains("Example") && examples.contains(words))
    };
    let without: Vec<&String> = all
        .keys()
        .filter(|words| {
            let outer = words.rsplit_once(' ').map(|(outer, _)| outer).filter(|outer| *outer != "meow");
            !shown(words, words) && !outer.is_some_and(|outer| shown(outer, words))
        })
        .collect();
    assert!(without.is_empty(), "no example in the help of {without:?}");
}

#[test]
fn help_fits_a_plain_terminal() {
    for (words, help, examples) in commands_within(80) {
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{words}: {line}");
        }
        // What stands in lines of its own is not broken; what is prose is not broken by hand.
        for line in examples.lines() {
            let wide = line.chars().count();
            assert!(wide <= 80 || !line.starts_with(' '), "{words}: {line}");
            let next = examples.lines().skip_while(|other| *other != line).nth(1).unwrap_or_default();
            let goes_on = next.starts_with(|letter: char| letter.is_lowercase()) && !next.starts_with(' ');
            assert!(wide < 80 || !goes_on, "{words}: broken behind {line}");
        }
    }
}

#[test]
fn every_command_stands_in_one_group() {
    let (_, _, text) = commands().swap_remove(0);
    let groups = text.split("every day:").nth(1).expect("groups");
    let mut named: Vec<&str> = groups
        .split([',', ' ', '\n'])
        .filter(|word| !word.is_empty() && !word.ends_with(':') && !["setting"].contains(word))
        .collect();
    named.sort_unstable();
    let all = commands();
    let mut there: Vec<&str> =
        all.iter().filter_map(|(words, ..)| words.strip_prefix("meow ")).filter(|words| !words.contains(' ')).collect();
    there.sort_unstable();
    assert_eq!(named, there);
}

#[test]
fn every_command_has_a_manual_page_and_is_completed() {
    let space = Space::empty();
    space.meow_ok(&["man", "pages/man1"]);
    let shells = ["bash", "elvish", "fish", "nushell", "powershell", "zsh"];
    let scripts: Vec<String> = shells.iter().map(|shell| space.meow_ok(&["completions", shell])).collect();
    for (words, ..) in commands() {
        let page = space.read(&format!("pages/man1/{}.1", words.replace(' ', "-")));
        assert!(page.contains(".SH NAME"), "{words}");
        let last = words.rsplit(' ').next().expect("a word");
        for (shell, script) in shells.iter().zip(&scripts) {
            assert!(script.contains(last), "{shell} knows no `{words}`");
        }
    }
    assert!(space.read("pages/man1/git-meow.1").contains("meow.1"));
    assert_eq!(space.meow(&["completions", "tcsh"]).code, 2);
    for (shell, script) in shells.iter().zip(&scripts) {
        // Where the shell is there, it has to accept its script.
        if matches!(*shell, "bash" | "fish" | "zsh")
            && space.command(&space.root(), shell).arg("-c").arg(":").output().is_ok()
        {
            space.write("script", script);
            let said = space.run_in(&space.root(), shell, &["-n", "script"]);
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}");
        }
    }
}

#[test]
fn every_command_that_prints_json_names_its_schema() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/README.md")).expect("a README");
    let mut root = command();
    root.build();
    let mut waiting = vec![(String::from("meow"), &root)];
    let mut found = 0;
    while let Some((words, command)) = waiting.pop() {
        waiting.extend(command.get_subcommands().map(|inner| (format!("{words} {}", inner.get_name()), inner)));
        if command.get_arguments().any(|argument| argument.get_id() == "json") {
            found += 1;
            assert!(
                readme.contains(&format!("`{words}")),
                "schema/README.md does not say what `{words} --json` prints"
            );
        }
    }
    assert!(found > 12, "{found}");
}
