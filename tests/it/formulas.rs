//! The real formulas of the Gas Town family: each loads and plans, or is refused with the reason that is right.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use meow::cli::project::Project;
use meow::cli::workflows;
use meow::plan::{self, Hints, Limits};
use meow::workflow::Definition;

use crate::golden::golden;

/// Returns the folder of the shared formulas, where this machine has it.
fn formulas() -> Option<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/gastown/formulas").canonicalize().ok()
}

/// Returns a value that every variable's pattern and list of values in the real formulas accepts.
fn values(definition: &Definition) -> BTreeMap<String, String> {
    let wanted = definition.variables.iter().filter(|(_, variable)| variable.required);
    wanted
        .map(|(name, variable)| {
            let candidates = ["some text", "7", "1.2.3"];
            let fits = |text: &&str| variable.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
            let value = variable.allowed.first().map(String::as_str).or_else(|| candidates.into_iter().find(fits));
            (name.clone(), value.expect("a candidate fits").to_owned())
        })
        .collect()
}

/// Returns one row: what becomes of a formula.
fn row(root: &Path, file: &Path) -> String {
    let name = file.strip_prefix(root).expect("below").display().to_string();
    let project = Project { root: root.to_path_buf(), directory: root.to_path_buf(), repository: None };
    let definition = workflows::find(&project, &name).and_then(|found| workflows::parse(&project, &found));
    let workflow = definition.and_then(|definition| definition.fill(&values(&definition)));
    match workflow {
        Ok(workflow) => {
            let limits = Limits { slots: 2, cpus: None, memory_bytes: None };
            plan::plan(&workflow, &Hints::default(), &limits).unwrap_or_else(|error| panic!("{name}: {error}"));
            let needs: usize = workflow.steps.iter().map(|step| step.needs.len()).sum();
            let commands = workflow.steps.iter().filter(|step| step.run.is_some()).count();
            let warnings = workflow.warnings.len();
            format!("{name}: {} steps, {needs} needs, {commands} commands, {warnings} warnings", workflow.steps.len())
        }
        Err(error) => format!("{name}: refused: {error}"),
    }
}

#[test]
fn every_real_formula_loads_and_plans_or_is_refused_for_the_right_reason() {
    let Some(data) = formulas() else {
        eprintln!("skipped: ../shared/data/gastown/formulas is not here");
        return;
    };
    // The real places of these files are folders called `formulas`; the rules follow that name.
    let root = data.parent().expect("a parent").to_path_buf();
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["beads", "gascity", "gastown"] {
        let entries = fs::read_dir(data.join(folder)).expect("a folder of formulas");
        files.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    files.sort();
    assert_eq!(files.len(), 79);
    let rows: Vec<String> = files.iter().map(|file| row(&root, file)).collect();
    golden("tests/it/golden/formulas.txt", &(rows.join("\n") + "\n"));
}
