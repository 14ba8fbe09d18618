//! What a stranger reads first is true: links lead somewhere, commands are ones that meow has, and tables leave nothing out.

use std::fs;
use std::path::{Path, PathBuf};

use meow::cli::command;
use meow::cli::settings::keys::KEYS;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).expect("text")
}

/// Returns the part of a heading's address behind the `#`, as forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let mut links = 0;
    for file in ["README.md", "CHANGELOG.md", "schema/README.md", "schema/records.md", "examples/README.md"] {
        let text = read(file);
        let anchors: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| anchor(line.trim_matches('#'))).collect();
        let folder = Path::new(file).parent().expect("a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            links += 1;
            match link.strip_prefix('#') {
                Some(place) => assert!(anchors.iter().any(|anchor| anchor == place), "{file}: {link}"),
                None if link.contains("://") => {}
                None => assert!(root().join(folder).join(link).exists(), "{file}: {link}"),
            }
        }
    }
    assert!(links > 30, "{links}");
}

/// Returns the commands of a line of shell, as words; a word behind `#` and what is redirected are no part of one.
fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut quoted) = (vec![Vec::new()], false);
    let mut word = String::new();
    for letter in line.chars().chain([' ']) {
        match letter {
            '"' => quoted = !quoted,
            ' ' | ';' if !quoted => {
                match std::mem::take(&mut word).as_str() {
                    "#" => break,
                    "" => {}
                    "&&" | "|" | ">" | "<" => all.push(Vec::new()),
                    other => all.last_mut().expect("one").push(other.to_owned()),
                }
                if letter == ';' {
                    all.push(Vec::new());
                }
            }
            letter => word.push(letter),
        }
    }
    all.into_iter().filter(|words| words.first().is_some_and(|word| word == "meow")).collect()
}

#[test]
fn every_command_that_is_shown_can_be_typed() {
    let text = read("README.md");
    let blocks =
        text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).flat_map(|(block, _)| block.lines());
    let typed: Vec<Vec<String>> = blocks.flat_map(commands).collect();
    for words in &typed {
        let parsed = command().try_get_matches_from(words);
        assert!(parsed.is_ok(), "{words:?}: {}", parsed.expect_err("wrong"));
    }
    assert!(typed.len() > 30, "{}", typed.len());
}

#[test]
fn every_setting_and_every_dependency_has_its_row() {
    let text = read("README.md");
    for key in KEYS {
        assert!(text.contains(&format!("| `{}` | `{}` |", key.name, key.variable)), "no row for {}", key.name);
    }
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let rows: Vec<&str> = text.split("| crate | for |").nth(1).expect("a table").lines().collect();
    let named: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| cell.trim_end_matches(" (tests)").split(", "))
        .collect();
    for list in ["dependencies", "dev-dependencies"] {
        for name in manifest[list].as_table().expect("a table").keys() {
            assert!(named.contains(&name.as_str()), "README.md does not say what {name} is for");
        }
    }
}
