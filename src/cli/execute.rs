//! `meow execute`: runs a workflow, says beforehand how it is likely to go and afterwards how it went.

mod forecast;
mod looking;
mod progress;
mod recognise;
mod recording;
mod resume;
mod stream;
mod summary;
mod suspects;
mod tidy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::machine::{self, Machine};
use super::project::Project;
use super::redaction::{self, known};
use super::terminal::Terminal;
use super::trust::gate;
use super::{Context, foresight, heap, identity, sandbox, seal, workflows};
use crate::error::{Error, Kind, Result};
use crate::execute::{BUG, Event, ExecutionOutcome, Listeners, Options, Shared, Stop, execute};
use crate::git::Repository;
use crate::plan::{Limits, Plan, PlannedStep, Selection, Skip, plan};
use crate::record::{ExecutionId, PARTIAL};
use crate::redact::inert;
use crate::workflow::{Step, Workflow};
pub(super) use forecast::name;
use looking::Looking;
use progress::Progress;
pub(super) use progress::left;
use recording::{Recording, Request};
use resume::Resume;
use stream::Stream;
use summary::Summary;

/// What a stopped step gets to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Run a workflow
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "run",
    after_help = "Examples:\n  meow execute ci\n  meow execute ci --var profile=release -j 4\n  meow execute ci --dry-run"
)]
pub struct Args {
    /// The workflow: a name below .meow/workflows, or a file [default: the setting `workflow`, or ci]
    workflow: Option<String>,
    /// Set a variable of the workflow
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// Steps that may run at once [default: the setting `slots`, or the processors of this machine]
    #[arg(short = 'j', long, visible_alias = "jobs", value_parser = clap::value_parser!(u32).range(1..=4096))]
    slots: Option<u32>,
    /// Show the plan and the prediction, run nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the plan or the result as JSON
    #[arg(long, conflicts_with = "events")]
    json: bool,
    /// Print every event on stdout as it happens
    #[arg(long, value_name = "FORMAT", value_enum)]
    events: Option<Events>,
    /// Go on with steps that do not depend on a failed one
    #[arg(short, long)]
    keep_going: bool,
    /// Run these steps alone; the others count as done
    #[arg(long, value_name = "STEP", num_args = 1.., conflicts_with = "from")]
    only: Vec<String>,
    /// Run this step and everything that waits for it; the others count as done
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// Go on with an execution that was interrupted, failed or was stopped: what had passed there with the same command,
    /// on the same declared `inputs` (else the same tracked sources), is not run again [default: the latest]
    #[arg(long, value_name = "EXECUTION", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["only", "from"])]
    resume: Option<String>,
    /// Run nothing but steps that failed on these sources and pass on others, again and one by one, where that tells
    /// flaky from broken soonest; at most so many times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with_all = ["only", "from", "resume", "dry_run", "json", "events"])]
    rerun_suspects: Option<u32>,
    /// When it fails, run the `undo` commands of the steps that had passed, the last one first
    #[arg(long)]
    undo: bool,
    /// Ask about manual steps instead of skipping them
    #[arg(long)]
    manual: bool,
    /// End with the exit code of the step that failed
    #[arg(long)]
    exit_code: bool,
}

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Events {
    /// One JSON object a line
    Jsonl,
}

/// Returns a variable's name and value.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a variable is set as NAME=VALUE".to_owned()),
    }
}

impl Args {
    /// Returns the execution to go on with. A word after `--resume` that is no start of an id is the workflow.
    fn resumed(&self, project: &Project, context: &Context) -> Result<Option<Resume>> {
        let Some(wanted) = &self.resume else { return Ok(None) };
        let wanted = Some(wanted.as_str()).filter(|word| !word.is_empty());
        let is_id = |word: &&str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (id, workflow) = match (wanted, self.workflow.as_deref()) {
            (Some(word), None) if !is_id(&word) => (None, Some(word)),
            (id, workflow) => (id, workflow),
        };
        resume::find(id, workflow, project, context).map(Some)
    }
}

/// Runs the command.
///
/// # Errors
/// The workflow is wrong, or a name in the request is unknown. A failed step is no error but exit code 1.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let variables: BTreeMap<String, String> = args.variables.iter().cloned().collect();
    // All that follows goes on meanwhile.
    let remembered = project.repository.as_ref().filter(|_| context.settings.record && !args.dry_run);
    let looking = remembered.filter(|_| args.rerun_suspects.is_none()).map(Looking::at);
    let resume = args.resumed(&project, context)?;
    let name = args.workflow.as_deref().or(resume.as_ref().map(|resume| resume.workflow.as_str()));
    let name = name.unwrap_or(&context.settings.workflow);
    let workflow = if context.settings.unasked() {
        let trusted = gate(&project, &context.settings).map_err(|why| not_run(name, context, &why))?;
        workflows::load_trusted(&project, name, &variables, &trusted)?
    } else {
        workflows::load(&project, name, &variables)?
    };
    for warning in &workflow.warnings {
        context.terminal.warn(&warning.to_string());
    }
    let machine = Machine::here();
    let slots = args.slots.or(context.settings.slots).unwrap_or(machine.cores);
    let limits = Limits { slots, cpus: Some(f64::from(machine.cores)), memory_bytes: machine.memory_bytes };
    let selection = Selection { only: args.only.clone(), from: args.from.clone(), manual: args.manual };
    let hints = foresight::kept::hints(&project, &workflow, &machine, context);
    let hints = if context.settings.learned_retries { hints } else { hints.without_retries() };
    if let Some(most) = args.rerun_suspects {
        return suspects::rerun(most, &workflow, &project, &machine.class(), context, &mut |step| {
            let only = Selection { only: vec![step.to_string()], ..Selection::default() };
            let plan = plan(&workflow, &hints, &limits)?.select(&only)?;
            perform(args, context, &project, remembered.map(Looking::at), (&workflow, &plan), None)
                .map(|(outcome, _)| outcome)
        });
    }
    let plan = plan(&workflow, &hints, &limits)?.select(&selection)?;
    drop(hints);
    let plan = match &resume {
        Some(resume) => resume.plan(plan, &project, context),
        None => plan,
    };
    if args.dry_run {
        let text = if args.json { forecast::json(&plan) } else { forecast::text(&plan) };
        return context.terminal.result(&text).map(|()| 0);
    }
    heap::trim();
    perform(args, context, &project, looking, (&workflow, &plan), resume.as_ref()).map(|(_, code)| code)
}

/// Returns why nothing is run that nobody asked for.
fn not_run(name: &str, context: &Context, why: &Error) -> Error {
    let what = format!("{}: `{}` is not run: {}", context.settings.trigger, name.escape_debug(), why);
    Error::request(what).hint(why.hint_text().unwrap_or("`meow trust --show` shows more"))
}

/// One execution that was asked for, with the id it has from now on.
struct Run<'a> {
    args: &'a Args,
    context: &'a Context,
    project: &'a Project,
    workflow: &'a Workflow,
    plan: &'a Plan,
    id: ExecutionId,
}

fn perform(
    args: &Args,
    context: &Context,
    project: &Project,
    looking: Option<Looking>,
    (workflow, plan): (&Workflow, &Plan),
    resume: Option<&Resume>,
) -> Result<(ExecutionOutcome, u8)> {
    let terminal = &context.terminal;
    let name = args.workflow.as_deref().unwrap_or(&context.settings.workflow);
    let sandbox = sandbox::prepare(name, project, plan, context)?;
    let id = ExecutionId::from_bytes(context.settings.clock.random()?);
    let run = Run { args, context, project, workflow, plan, id };
    let repository = run.remembered_in();
    let mut recording = run.recording(repository.zip(looking), resume);
    // Not before its own journal says that it goes on with the other: a third one would find that still to be resumed.
    resume.inspect(|resume| resume.end_survivors(project, context));
    // A folder that takes no journal takes no output either, and a step that cannot write fails.
    let (logs, temporary) = logs(repository.filter(|_| recording.is_some()), id)?;
    terminal.say(&forecast::line(plan));
    forecast::risky(plan).inspect(|risky| terminal.say(risky));
    let stop = Stop::default();
    stop.on_signals().map_err(|error| Error::new(Kind::Bug, "no signal handlers").cause(error))?;
    let redactor = Arc::new(run.redactor());
    let groups = sandbox::groups(plan, context);
    let confined = sandbox.is_some();
    let options = Options { sandbox, groups, ..run.options(repository, &logs, &redactor) };
    let mut progress = Progress::new(plan, terminal, args.keep_going, args.manual);
    let mut summary = Summary::new(plan, id);
    let mut stream = args.events.is_some().then(|| Stream::new(terminal, plan, id));
    let mut keep = |events: &[Event]| {
        if let Some(recording) = &mut recording {
            recording.see(events);
        }
    };
    let mut show = |events: &[Event]| {
        for event in events {
            summary.see(event);
            progress.see(event);
            if let Some(stream) = &mut stream {
                stream.see(event);
            }
        }
    };
    let listeners = Listeners { keep: &mut keep, show: &mut show };
    let outcome = execute(plan, &options, &context.settings.clock, &stop, listeners);
    progress.end();
    let recorded = recording.map(|recording| recording.end(context)).is_some();
    if let Some(repository) = repository {
        tidy::logs(repository, id, context);
        // So that no commit waits for it; what cannot be freed now is freed another time.
        let _ = seal::free(repository);
    }
    run.show(&summary, &logs, &redactor);
    if confined && outcome == ExecutionOutcome::Failed {
        sandbox::explain(context);
    }
    // Variables would have to be typed again.
    if recorded && terminal.draws() && !args.json && args.events.is_none() && args.variables.is_empty() {
        summary.next(args.workflow.as_deref(), resume.is_some()).inspect(|next| terminal.say(next));
    }
    if outcome == ExecutionOutcome::Passed && temporary {
        // What stays in the temporary folder is what a person may have to look into.
        let _ = std::fs::remove_dir_all(&logs);
    }
    Ok((outcome, run.code(outcome, &summary)))
}

impl Run<'_> {
    /// Returns the repository that shall remember it; says why where none does.
    fn remembered_in(&self) -> Option<&Repository> {
        let (repository, terminal) = (self.project.repository.as_ref(), &self.context.terminal);
        if repository.is_none() {
            terminal.say("not in a git repository: nothing is remembered (`git init` changes that)");
        }
        if !self.context.settings.record {
            terminal.detail("not recorded: the setting `record` is false");
        }
        repository.filter(|_| self.context.settings.record)
    }

    /// Begins to remember it, where that is wanted and possible.
    fn recording(&self, place: Option<(&Repository, Looking)>, resume: Option<&Resume>) -> Option<Recording> {
        let left_out = |step: &PlannedStep| step.skip == Some(Skip::NotSelected);
        let whole = !self.plan.steps.iter().any(left_out) && self.plan.passed.is_empty();
        let trigger = if whole { &self.context.settings.trigger } else { PARTIAL };
        let resumes = resume.map(|resume| resume.id);
        let request = Request { id: self.id, trigger, resumes, keep_going: self.args.keep_going };
        let (repository, state) = place?;
        Recording::start(repository, state, self.workflow, self.plan, &request, self.context)
    }

    /// Returns what takes secrets out of text for people.
    fn redactor(&self) -> redaction::Lazy {
        let typed = self.args.variables.iter().map(|(name, value)| (name, value));
        let set = self.plan.steps.iter().flat_map(|step| &step.step.env);
        redaction::Lazy::new(known(&self.context.settings, set.chain(typed)))
    }

    /// Returns how it is carried out, with no sandbox and no control groups.
    fn options(&self, repository: Option<&Repository>, logs: &Path, redactor: &Arc<redaction::Lazy>) -> Options {
        let Self { args, context, project, .. } = self;
        let root = project.root.to_string_lossy();
        Options {
            execution: self.id.to_string(),
            directory: project.root.clone(),
            environment: context.settings.environment.clone(),
            logs: logs.to_path_buf(),
            keep_going: args.keep_going,
            undo: args.undo || self.workflow.undo,
            grace: GRACE,
            sandbox: None,
            sandbox_floor: sandbox::floor(context),
            groups: None,
            shared: shared(args, context, self.plan),
            inputs: repository.and_then(|_| identity::inputs(project, context)),
            recognise: repository.map(|repository| {
                recognise::recogniser(repository, &root, context.settings.project.as_deref(), Arc::clone(redactor))
            }),
            ask: args.manual.then(|| Arc::new(ask) as _),
        }
    }

    /// Shows how it went. A reader that went away takes nothing from the outcome.
    fn show(&self, summary: &Summary, logs: &Path, redactor: &redaction::Lazy) {
        let terminal = &self.context.terminal;
        let shown = match (self.args.json, self.args.events) {
            (true, _) => terminal.result(&summary.json()),
            (_, Some(_)) => {
                terminal.say(summary.text(logs, redactor).trim_end());
                Ok(())
            }
            _ => terminal.result(&summary.text(logs, redactor)),
        };
        if let Err(error) = shown {
            terminal.detail(&error.to_string());
        }
    }

    fn code(&self, outcome: ExecutionOutcome, summary: &Summary) -> u8 {
        match outcome {
            _ if summary.is_bug() => Error::new(Kind::Bug, BUG).exit_code(),
            ExecutionOutcome::Passed => 0,
            ExecutionOutcome::Failed if self.args.exit_code => summary.failed_code().unwrap_or(1),
            ExecutionOutcome::Failed | ExecutionOutcome::Cancelled => 1,
        }
    }
}

/// Returns how executions share this machine. A number of slots that was typed is obeyed, whatever others use; they see it.
fn shared(args: &Args, context: &Context, plan: &Plan) -> Option<Shared> {
    let settings = &context.settings;
    let folder = match (&settings.runtime, &settings.state) {
        (Some(runtime), _) => runtime.join("executions"),
        // A home folder may be shared by machines.
        (None, Some(state)) => state.join(format!("executions-{}", machine::boot())),
        (None, None) => return None,
    };
    Some(Shared {
        folder,
        slots: Machine::here().cores.max(plan.slots),
        keeps: args.slots.is_none(),
        parent: settings.parent.clone(),
    })
}

/// Returns the folder for the output of the steps, and whether it is a temporary one: without a repository, or where its
/// git directory cannot be written.
fn logs(repository: Option<&Repository>, id: ExecutionId) -> Result<(PathBuf, bool)> {
    if let Some(repository) = repository {
        let logs = repository.private_dir().join("logs");
        let folder = logs.join(id.to_string());
        let leads_out = [&repository.private_dir(), &logs].into_iter().any(|folder| folder.is_symlink());
        if !leads_out && std::fs::create_dir_all(&folder).is_ok() {
            return Ok((folder, false));
        }
    }
    let folder = tempfile::Builder::new().prefix("meow-").tempdir().map_err(|error| {
        Error::store("no temporary folder for the output of the steps").cause(error).hint("check TMPDIR")
    })?;
    Ok((folder.keep(), true))
}

/// Asks a person on the terminal whether a manual step is done; also when quiet, because it was asked for.
fn ask(step: &Step) -> bool {
    let say = |line: &str| Terminal::plain().say(line);
    let title = inert::terminal(&step.title);
    let mut question = format!("manual step `{}`: {title}", inert::terminal(step.id.as_str()));
    for line in step.description.lines() {
        question.push_str("\n  ");
        question.push_str(&inert::terminal(line));
    }
    question.push_str("\nis it done? [y/n]");
    say(&question);
    let mut answer = String::new();
    while std::io::stdin().read_line(&mut answer).is_ok_and(|bytes| bytes > 0) {
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return true,
            "n" | "no" => return false,
            _ => say("please answer y or n"),
        }
        answer.clear();
    }
    false
}

/// Returns a path for people, relative to the current folder's project where it lies inside.
fn shown(path: &Path) -> String {
    inert::terminal(&path.display().to_string()).into_owned()
}
