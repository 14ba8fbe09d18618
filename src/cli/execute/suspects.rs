//! `meow execute --rerun-suspects N`: reruns of steps that failed on these sources, where they teach most.

use crate::cli::project::Project;
use crate::cli::{Context, identity};
use crate::error::{Error, Result};
use crate::execute::ExecutionOutcome;
use crate::learn::doubts::{Doubt, Inputs, doubts};
use crate::record::Digest;
use crate::record::columns::given;
use crate::record::command_of;
use crate::redact::inert;
use crate::report::format::count;
use crate::scan;
use crate::workflow::{Step, StepId, Workflow};

/// Reruns suspects, at most `most` times in all, and prints what that settled.
///
/// # Errors
/// There is no repository, its state cannot be read, or a rerun cannot be started.
pub(super) fn rerun(
    most: u32,
    workflow: &Workflow,
    project: &Project,
    machine: &str,
    context: &Context,
    run: &mut dyn FnMut(&StepId) -> Result<ExecutionOutcome>,
) -> Result<u8> {
    let repository = project.repository.as_ref().ok_or_else(|| {
        Error::request("suspects are known from records, and there is no repository here")
            .hint("`git init`, then execute the workflow")
    })?;
    let tree = repository.state()?.tree.and_then(|tree| Digest::truncated(tree.bytes()));
    let (filled, inputs) = (identity::filled(context), identity::inputs(project, context));
    let inputs = |step: &Step| inputs.as_ref().filter(|_| !step.inputs.is_empty())?(step).map(Digest::from_bytes);
    let given = |step: &Step| given(filled(step), inputs(step));
    let commands = workflow.steps.iter().filter_map(|step| Some((step.id.as_str(), (command_of(step)?, given(step)))));
    let commands = commands.collect();
    let mut suspects = match tree {
        Some(tree) => {
            let on = Inputs { workflow: &workflow.name, tree, machine, commands };
            doubts(&scan::repository(repository), &on)
        }
        None => Vec::new(),
    };
    let name = inert::terminal(&workflow.name).into_owned();
    if suspects.is_empty() {
        context.terminal.result(&format!("no step of {name} is in doubt on these sources"))?;
        return Ok(0);
    }
    for _ in 0..most {
        let open = suspects.iter_mut().filter(|suspect| suspect.is_open());
        let Some(suspect) = open.max_by(|a, b| a.teaches().total_cmp(&b.teaches())) else { break };
        match run(&StepId(suspect.step.clone()))? {
            ExecutionOutcome::Passed => suspect.passed = true,
            ExecutionOutcome::Failed => suspect.repeated += 1,
            ExecutionOutcome::Cancelled => break,
        }
    }
    for suspect in &suspects {
        context.terminal.result(&told(suspect))?;
    }
    Ok(0)
}

fn told(suspect: &Doubt) -> String {
    let step = inert::terminal(&suspect.step);
    let failures = count(u64::from(suspect.repeated) + 1, "failure");
    if suspect.passed {
        format!("{step} is flaky: it passed after {failures} on the same inputs")
    } else if suspect.is_open() {
        let more = count(u64::from(suspect.left()), "more failed rerun");
        format!("{step} is still in doubt after {failures} on the same inputs: {more} would settle that it is broken")
    } else {
        format!("{step} is broken on these inputs: {failures}, and another rerun would hardly pass")
    }
}
