//! `--resume`: finds the execution that is meant, what of it need not run again, and ends what it left running.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::cli::project::Project;
use crate::cli::{Context, identity, workflows};
use crate::error::{Error, Result};
use crate::execute::survivors;
use crate::git::{Oid, Repository};
use crate::plan::Plan;
use crate::record::resumption;
use crate::record::{
    Again, Attempt, Digest, Earlier, Execution, ExecutionId, Now, Outcome, PARTIAL, Resumption, Source,
};
use crate::redact::inert;
use crate::report::format::count;
use crate::scan;
use crate::store::journal::State;
use crate::store::spool::Spool;
use crate::workflow::{self, Step};

/// Most executions that may go on with one another.
const LONGEST_CHAIN: usize = 1_000;
/// How often, and after what time, an execution that seems to run is looked at again.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(100);
/// Most steps that one line names.
const NAMED: usize = 5;

/// An execution to go on with.
pub(super) struct Resume {
    /// Its id.
    pub id: ExecutionId,
    /// The workflow, as it was recorded.
    pub workflow: String,
    /// It, after those that it went on with itself.
    chain: Vec<Earlier>,
    /// Held until the journal of the new execution says that it goes on with this one: who resumes at the same moment waits,
    /// and then finds that.
    turn: Cell<Option<File>>,
}

/// An execution of this repository.
struct Known {
    earlier: Earlier,
    running: bool,
    /// Whether its journal lies in this worktree, and when it was last written.
    own: Option<SystemTime>,
}

/// Returns the execution that `wanted` means (the start of its id; else the latest one here), of one workflow or of all.
///
/// # Errors
/// There is no repository or no such execution, it runs or passed, or it ran selected steps only.
pub(super) fn find(
    wanted: Option<&str>,
    workflow: Option<&str>,
    project: &Project,
    context: &Context,
) -> Result<Resume> {
    let repository = project
        .repository
        .as_ref()
        .ok_or_else(|| Error::request("outside a git repository nothing is remembered, so nothing can be resumed"))?;
    let workflow = match workflow {
        Some(name) => {
            let found = workflows::find(project, name)?;
            Some(workflows::read(&found).ok().and_then(|source| workflow::formula(&source)).unwrap_or(found.name))
        }
        None => None,
    };
    let turn = turn(repository);
    let now = context.settings.clock.now();
    let mut known = known(repository, context)?;
    let mut chosen = choose(wanted, workflow.as_deref(), &known, now)?;
    // What was killed while it started a step seems to run until that step is its own program.
    for _ in 0..LOOKS {
        if !chosen.running {
            break;
        }
        std::thread::sleep(LOOK);
        known = self::known(repository, context)?;
        chosen = choose(wanted, workflow.as_deref(), &known, now)?;
    }
    let execution = &chosen.earlier.execution;
    let id = execution.id;
    let short = short(id);
    if let Some(workflow) = workflow.filter(|workflow| *workflow != execution.workflow) {
        let own = &execution.workflow;
        return Err(Error::request(format!("execution {short} is one of `{own}`, not of `{workflow}`")));
    }
    if chosen.running {
        return Err(Error::request(format!("execution {short} still runs")).hint("`meow status` shows it"));
    }
    if execution.outcome == Outcome::Passed {
        return Err(Error::request(format!(
            "execution {short} of `{}` passed: nothing is left to do",
            execution.workflow
        ))
        .hint("`meow log` shows the ids of others"));
    }
    if execution.trigger == PARTIAL && execution.resumes.is_none() {
        return Err(Error::request(format!("execution {short} ran selected steps only"))
            .hint("select them again with --only or --from"));
    }
    if let Some(other) = known.values().find(|other| other.running && other.earlier.execution.resumes == Some(id)) {
        let other = self::short(other.earlier.execution.id);
        return Err(Error::request(format!("execution {other} runs and goes on with {short} already")));
    }
    let mut chain = vec![chosen.earlier.clone()];
    while let Some(before) = chain.last().and_then(|last| last.execution.resumes) {
        // What was purged is not known any more: its steps run again.
        let Some(before) = known.get(&before).filter(|_| chain.len() < LONGEST_CHAIN) else { break };
        chain.push(before.earlier.clone());
    }
    chain.reverse();
    Ok(Resume { id, workflow: execution.workflow.clone(), chain, turn: Cell::new(turn) })
}

/// Returns the execution that `wanted` means.
fn choose<'a>(
    wanted: Option<&str>,
    workflow: Option<&str>,
    known: &'a BTreeMap<ExecutionId, Known>,
    now: Timestamp,
) -> Result<&'a Known> {
    let of_workflow = |one: &&Known| workflow.is_none_or(|workflow| one.earlier.execution.workflow == workflow);
    match wanted {
        Some(prefix) => by_prefix(known, prefix),
        None => latest(known.values().filter(of_workflow), known, now),
    }
}

/// Returns every execution that is recorded or has a journal.
fn known(repository: &Repository, context: &Context) -> Result<BTreeMap<ExecutionId, Known>> {
    let mut known: BTreeMap<ExecutionId, Known> = BTreeMap::new();
    let (records, warnings) = scan::repository::records(repository);
    for warning in warnings {
        context.terminal.detail(&warning);
    }
    for record in records {
        let fresh = || Known { earlier: earlier(&record.execution), running: false, own: None };
        let one = known.entry(record.execution.id).or_insert_with(fresh);
        one.earlier.attempts.push(record.attempt);
    }
    for spooled in Spool::new(&repository.private_dir()).list()? {
        let Ok(journal) = spooled.read() else { continue };
        let written = spooled.path.metadata().and_then(|metadata| metadata.modified()).ok();
        let fresh = || Known { earlier: earlier(&journal.execution), running: false, own: None };
        let one = known.entry(journal.execution.id).or_insert_with(fresh);
        one.running = journal.state == State::Running;
        one.own = written.filter(|_| spooled.worktree == repository.worktree());
    }
    Ok(known)
}

/// Waits until nobody else is about to resume something here. Where nothing can be written nobody can be waited for.
fn turn(repository: &Repository) -> Option<File> {
    let folder = repository.private_dir();
    std::fs::create_dir_all(&folder).ok()?;
    let file = File::options().create(true).append(true).open(folder.join("resume.lock")).ok()?;
    file.lock().ok()?;
    Some(file)
}

fn earlier(execution: &Execution) -> Earlier {
    Earlier { execution: execution.clone(), attempts: Vec::<Attempt>::new() }
}

fn by_prefix<'a>(known: &'a BTreeMap<ExecutionId, Known>, prefix: &str) -> Result<&'a Known> {
    let wanted = prefix.to_ascii_lowercase();
    let mut found = known.iter().filter(|(id, _)| id.to_string().starts_with(&wanted)).map(|(_, one)| one);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => {
            Err(Error::request(format!("no execution has an id that starts with `{}`", prefix.escape_debug()))
                .hint("`meow status` and `meow log` show the ids"))
        }
        _ => Err(Error::request(format!("several executions have ids that start with `{wanted}`"))
            .hint("give more of its digits")),
    }
}

/// Returns the latest execution that a person or a hook started here and that nothing went on with.
fn latest<'a>(
    among: impl Iterator<Item = &'a Known>,
    known: &BTreeMap<ExecutionId, Known>,
    now: Timestamp,
) -> Result<&'a Known> {
    let resumed: Vec<ExecutionId> = known.values().filter_map(|one| one.earlier.execution.resumes).collect();
    let counts = |one: &&Known| {
        let execution = &one.earlier.execution;
        let ran = execution.trigger != "record" && !execution.trigger.starts_with("import:");
        let whole = execution.trigger != PARTIAL || execution.resumes.is_some();
        ran && whole && !resumed.contains(&execution.id)
    };
    let all: Vec<&Known> = among.filter(counts).collect();
    // Sealed records do not say which worktree they are from: they count where no journal is left here.
    let here = all.iter().any(|one| one.own.is_some());
    // What started later than now started before the clock was set back: then all others are later than it.
    let time = |one: &&&Known| {
        let started = one.earlier.execution.started_at;
        (started <= now, started, one.own)
    };
    all.iter().filter(|one| !here || one.own.is_some()).max_by_key(time).copied().ok_or_else(|| {
        Error::request("there is no execution to resume").hint("`meow status` and `meow log` show what there is")
    })
}

impl Resume {
    /// Returns the plan of what is left to do, and says what that is.
    pub(super) fn plan(&self, plan: Plan, project: &Project, context: &Context) -> Plan {
        let sources = Sources::now(project.repository.as_ref(), context);
        let same = |then: &Source| sources.same(then);
        let filled = identity::filled(context);
        let inputs = identity::inputs(project, context);
        let inputs = |step: &Step| inputs.as_ref()?(step).map(Digest::from_bytes);
        let found = resumption(&plan, &self.chain, &Now { same_sources: &same, filled: &filled, inputs: &inputs });
        let all = plan.steps.iter().filter(|step| step.skip.is_none()).count();
        let plan = plan.resume(&found.resumed);
        for line in self.told(&found, plan.passed.len(), all, &sources) {
            context.terminal.say(&line);
        }
        plan
    }

    fn told(&self, found: &Resumption, passed: usize, all: usize, sources: &Sources) -> Vec<String> {
        let mut lines =
            vec![format!("resuming {}: {passed} of {} had passed", found.resumed.execution, count(all as u64, "step"))];
        if !found.in_flight.is_empty() {
            let attempt = |step| found.resumed.tried.get(step).map_or(1, |tried| tried + 1);
            let steps = found.in_flight.iter().map(|step| format!("`{step}` (now attempt {})", attempt(step)));
            lines.push(format!("stopped in the middle, run again: {}", some(steps)));
        }
        if found.again.iter().any(|(_, why)| *why == Again::Sources) {
            let known =
                if sources.tracked.is_some() { "has changed since, or is not known of then" } else { "is not known" };
            lines.push(format!("what git tracks {known}: what had passed on it runs again"));
        }
        let others = found.again.iter().filter_map(|(step, why)| match why {
            Again::Sources => None,
            Again::Inputs => Some(format!("`{step}` (its inputs changed)")),
            Again::Command => Some(format!("`{step}` (its command changed)")),
            Again::Values => Some(format!("`{step}` (its variables or environment changed)")),
            Again::Undone => Some(format!("`{step}` (it was undone)")),
            Again::Needs(need) => Some(format!("`{step}` (needs `{need}`)")),
        });
        let others = some(others);
        if !others.is_empty() {
            lines.push(format!("passed, and run again: {others}"));
        }
        if !found.by_inputs.is_empty() {
            let steps = some(found.by_inputs.iter().map(|step| format!("`{step}`")));
            lines.push(format!("what git tracks has changed, but not what these declare as their inputs: {steps}"));
        }
        let untracked = self.chain.iter().any(|one| sources.tree != one.execution.source.tree);
        if passed > found.by_inputs.len() && untracked {
            lines.push(
                "files that git does not track, or meow's own, have changed since: they count as output of the steps"
                    .to_owned(),
            );
        }
        lines.iter().map(|line| inert::terminal(line).into_owned()).collect()
    }

    /// Ends what the interrupted executions left running, so that no step runs twice at once, and lets others resume.
    pub(super) fn end_survivors(&self, project: &Project, context: &Context) {
        drop(self.turn.take());
        let Some(logs) = project.repository.as_ref().map(|repository| repository.private_dir().join("logs")) else {
            return;
        };
        let folders: Vec<PathBuf> = self.chain.iter().map(|one| logs.join(one.execution.id.to_string())).collect();
        let ended = survivors::end(&folders, super::GRACE, &context.settings.clock);
        if ended.found > 0 {
            context.terminal.say(&format!("{} that it had left running: ended", count(ended.found as u64, "process")));
        }
        if ended.left > 0 {
            context.terminal.warn(&format!("{} of it cannot be ended", count(ended.left as u64, "process")));
        }
    }
}

/// The sources as they are now.
struct Sources<'a> {
    repository: Option<&'a Repository>,
    tree: Option<Digest>,
    tracked: Option<Oid>,
}

impl<'a> Sources<'a> {
    fn now(repository: Option<&'a Repository>, context: &Context) -> Self {
        let state = repository.map(|repository| {
            let state = repository.state()?;
            let tracked = match state.tracked {
                Some(tracked) => tracked,
                None => repository.tracked_tree(state.commit)?,
            };
            Ok::<_, Error>((state.tree, tracked))
        });
        match state {
            Some(Ok((Some(tree), tracked))) => {
                Self { repository, tree: Digest::truncated(tree.bytes()), tracked: Some(tracked) }
            }
            Some(Err(error)) => {
                context.terminal.warn(&format!("the state of the work tree is not known: {error}"));
                Self { repository, tree: None, tracked: None }
            }
            Some(Ok((None, _))) | None => Self { repository, tree: None, tracked: None },
        }
    }

    /// Returns whether git tracked the same then; `None` where one of both is not known.
    fn same(&self, then: &Source) -> Option<bool> {
        let now = Digest::truncated(self.tracked?.bytes())?;
        // Without a tree nobody looked at the work tree.
        then.tree?;
        if let Some(tracked) = then.tracked {
            return Some(tracked == now);
        }
        let commit = match then.commit {
            Some(commit) => Some(self.repository?.object_at(commit.bytes()).ok()??),
            None => None,
        };
        Some(Digest::truncated(self.repository?.tracked_tree(commit).ok()?.bytes())? == now)
    }
}

fn short(id: ExecutionId) -> String {
    id.to_string().chars().take(8).collect()
}

/// Returns the first few with how many more there are.
fn some(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(NAMED);
    let first = all[..all.len() - more].join(", ");
    if more == 0 { first } else { format!("{first} and {more} more") }
}
