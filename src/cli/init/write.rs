//! The files that `meow init` writes, as texts, and how an unchanged one is known again.

use super::detect::{Found, Kind};
use crate::cli::settings::keys;
use crate::workflow::schema;

/// The settings of a repository that has none.
pub const CONFIG: &str = "\
#:schema ./schema/config.schema.json
# Settings of this repository for meow; `meow config --list` shows all of them with their origin. Flags and MEOW_*
# variables come before what stands here, and nothing here can make meow execute anything by itself.
";

/// Generated data is neither reviewed nor merged by line, and its bytes stay as they are.
pub const ATTRIBUTES: &str = "\
# Data that meow generates: folded away in reviews. Nothing depends on this file.
records/** -text -diff linguist-generated
patterns/** linguist-generated
recommendations/** linguist-generated
actions/** linguist-generated
";

/// The workflow of a project that says nothing about itself: a step for a person, to be replaced.
const EMPTY: &str = "\
formula = \"ci\"
description = \"Checks this project.\"
version = 1

# Nothing was found that says how this project is checked. Replace this step by your commands.
[[steps]]
id = \"check\"
title = \"Check the project by hand\"
# run = \"./check.sh\"
# timeout = \"10m\"
";

/// Where editors (by the `#:schema` line that Taplo reads) find what a workflow file may hold: beside it, so that they
/// need no network and see the version that this project uses.
const SCHEMA: &str = "#:schema ../schema/workflow.schema.json";

/// Returns the schemas of the files that people write, by their name below `.meow/schema`.
pub fn schemas() -> [(&'static str, String); 2] {
    [("workflow.schema.json", schema::json()), ("config.schema.json", keys::schema())]
}

const MARK: &str = "# Written by `meow init` and yours to edit";

/// Returns a workflow file for what was found: one step a command, ids led by the kind where there are several kinds.
pub fn workflow(kinds: &[Kind]) -> String {
    if kinds.is_empty() {
        return marked(EMPTY);
    }
    let files: Vec<&str> = kinds.iter().map(|kind| kind.file.as_str()).collect();
    let description = format!("Checks this project, as found in {}.", files.join(", "));
    let head =
        vec!["formula = \"ci\"".to_owned(), format!("description = {}", quoted(&description)), "version = 1".into()];
    let steps = kinds.iter().flat_map(|kind| kind.steps.iter().flat_map(|step| lines(kind, step, kinds.len() > 1)));
    let lines: Vec<String> = head.into_iter().chain(steps).collect();
    marked(&(lines.join("\n") + "\n"))
}

fn lines(kind: &Kind, step: &Found, several: bool) -> Vec<String> {
    let id = |id: &str| if several { format!("{}-{id}", kind.name) } else { id.to_owned() };
    let title = if several { format!("{} ({})", step.title, kind.name) } else { step.title.clone() };
    let mut lines = vec![String::new(), "[[steps]]".to_owned()];
    lines.push(format!("id = {}", quoted(&id(step.id))));
    lines.push(format!("title = {}", quoted(&title)));
    if !step.needs.is_empty() {
        let needs: Vec<String> = step.needs.iter().map(|need| quoted(&id(need))).collect();
        lines.push(format!("needs = [{}]", needs.join(", ")));
    }
    lines.push(format!("run = {}", quoted(&step.run)));
    lines.extend(step.lock.map(|lock| format!("locks = [{}]", quoted(lock))));
    lines
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Returns the text under a first line that holds its hash.
fn marked(text: &str) -> String {
    let text = format!("{SCHEMA}\n{text}");
    format!("{MARK} ({}).\n{text}", hash(&text))
}

/// Returns whether a text is as `meow init` wrote it.
pub fn is_unchanged(text: &str) -> bool {
    text.split_once('\n').is_some_and(|(first, rest)| first == format!("{MARK} ({}).", hash(rest)))
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::init::detect::{Top, detect};
    use crate::workflow::{Dialect, Source, load};

    #[test]
    fn what_is_written_is_a_workflow_for_every_kind_and_all_together() {
        let all = [
            ("Cargo.toml", "[package]"),
            ("package.json", r#"{"scripts":{"build":"x","test":"x"},"dependencies":{"a":"1"}}"#),
            ("pyproject.toml", "[project]"),
            ("go.mod", "module x"),
            ("Makefile", "fmt-check:\n"),
            ("justfile", "lint:\n"),
        ];
        let singles = all.iter().map(std::slice::from_ref).chain([&all[..], &[]]);
        for files in singles {
            let texts: BTreeMap<String, String> =
                files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            let kinds = detect(&Top { names: texts.keys().cloned().collect(), texts });
            assert!(kinds.len() == files.len() || files.len() > 1, "{files:?} is not found");
            let text = workflow(&kinds);
            let source = Source { file: "ci.toml".into(), dialect: Dialect::Own, bytes: text.clone().into_bytes() };
            let workflow = load(&source, &BTreeMap::new(), &mut |_, _| unreachable!()).expect(&text);
            let commands: Vec<_> = workflow.steps.iter().filter_map(|step| step.run.as_deref()).collect();
            let expected: Vec<_> = kinds.iter().flat_map(|kind| &kind.steps).map(|step| step.run.as_str()).collect();
            assert_eq!(commands, expected);
            assert!(is_unchanged(&text));
            assert!(!is_unchanged(&text.replace("version = 1", "version = 2")));
        }
    }
}
