//! The columns of the flat table, declared once: name, type, unit, meaning, and the way from a record and back.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::record::{Attempt, Digest, Execution, ExecutionId, Outcome, Predicted};

/// One column, filled from a `T`: an execution or an attempt.
#[derive(Debug)]
pub struct Column<T: 'static> {
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty where there is none.
    pub unit: &'static str,
    /// Whether a value may be unknown.
    pub nullable: bool,
    /// The first edition of this list that has it, see [`EDITION`].
    pub since: u32,
    /// What it says.
    pub meaning: &'static str,
    /// Its type, with the way from a `T` and back.
    pub cell: Cell<T>,
}

/// A column's type: how a value is taken from a `T` and put back.
#[derive(Debug)]
pub enum Cell<T: 'static> {
    /// UTF-8 text.
    Text(fn(&T) -> Option<&str>, fn(&mut T, &str)),
    /// 12 bytes of a hash or an id.
    Hash(fn(&T) -> Option<[u8; 12]>, fn(&mut T, [u8; 12])),
    /// A moment, to the millisecond, in UTC.
    Time(fn(&T) -> Timestamp, fn(&mut T, Timestamp)),
    /// A whole number of 32 bits.
    Small(fn(&T) -> Option<i32>, fn(&mut T, i32)),
    /// A whole number of 64 bits.
    Whole(fn(&T) -> Option<i64>, fn(&mut T, i64)),
    /// A double.
    Real(fn(&T) -> Option<f64>, fn(&mut T, f64)),
    /// True or false.
    Switch(fn(&T) -> Option<bool>, fn(&mut T, bool)),
    /// A list of texts.
    List(fn(&T) -> &[String], fn(&mut T, Vec<String>)),
    /// A map from text to text.
    Words(fn(&T) -> &BTreeMap<String, String>, fn(&mut T, BTreeMap<String, String>)),
    /// A map from text to double.
    Numbers(fn(&T) -> &BTreeMap<String, f64>, fn(&mut T, BTreeMap<String, f64>)),
}

/// The edition of this list: a new column raises it. The format's version stays, since older readers pass over a column.
///
/// 2: `inputs`.
/// 1: the first that is kept for ever (meow 0.1.0).
pub const EDITION: u32 = 2;

type Words = &'static str;

const fn of_execution(name: Words, unit: Words, cell: Cell<Execution>, meaning: Words) -> Column<Execution> {
    Column { name, unit, nullable: true, since: 1, meaning, cell }
}

const fn of_attempt(name: Words, unit: Words, cell: Cell<Attempt>, meaning: Words) -> Column<Attempt> {
    Column { name, unit, nullable: true, since: 1, meaning, cell }
}

impl<T> Column<T> {
    const fn always(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// Of a later edition. Where no row has a value the file has no such column, and is what an older meow writes.
    const fn since(mut self, edition: u32) -> Self {
        self.since = edition;
        self
    }
}

/// The columns that repeat with every attempt of an execution.
pub const EXECUTION: &[Column<Execution>] = &[
    of_execution(
        "execution",
        "",
        Cell::Hash(|e| Some(*e.id.bytes()), |e, v| e.id = ExecutionId::from_bytes(v)),
        "The execution's id: random, or a hash of the source's own id for imported ones.",
    )
    .always(),
    of_execution(
        "workflow",
        "",
        Cell::Text(|e| Some(&e.workflow), |e, v| v.clone_into(&mut e.workflow)),
        "The workflow's name.",
    )
    .always(),
    of_execution(
        "execution_started_at",
        "UTC, to the second",
        Cell::Time(|e| to_second(e.started_at), |e, v| e.started_at = v),
        "When the execution began.",
    )
    .always(),
    of_execution(
        "execution_duration_ms",
        "ms",
        Cell::Real(|e| e.duration_ms, |e, v| e.duration_ms = Some(v)),
        "Wall time of the whole execution; null where it was interrupted.",
    ),
    of_execution(
        "execution_outcome",
        "",
        Cell::Text(|e| Some(e.outcome.word()), |e, v| e.outcome = outcome(v)),
        "How the execution ended: passed, failed or cancelled.",
    )
    .always(),
    of_execution(
        "trigger",
        "",
        Cell::Text(|e| Some(&e.trigger), |e, v| v.clone_into(&mut e.trigger)),
        "What started it: person, hook:<event>, record, import:<format>.",
    )
    .always(),
    of_execution(
        "machine",
        "",
        Cell::Text(|e| e.machine.as_deref(), |e, v| e.machine = Some(v.to_owned())),
        "The machine class: system, architecture, cores and memory, rounded.",
    ),
    of_execution(
        "slots",
        "slots",
        Cell::Small(|e| e.slots.map(small), |e, v| e.slots = Some(natural(v))),
        "How many attempts could run at once.",
    ),
    of_execution(
        "variables",
        "",
        Cell::Words(|e| &e.variables, |e, v| e.variables = v),
        "Values of the variables declared `record = true`.",
    )
    .always(),
    of_execution(
        "commit",
        "",
        Cell::Hash(|e| bytes(e.source.commit), |e, v| e.source.commit = Some(Digest::from_bytes(v))),
        "The commit that was checked out: the first 12 bytes of its id.",
    ),
    of_execution(
        "tree",
        "",
        Cell::Hash(|e| bytes(e.source.tree), |e, v| e.source.tree = Some(Digest::from_bytes(v))),
        "The tree that committing the work tree would give, without meow's own data.",
    ),
    of_execution(
        "patch",
        "",
        Cell::Hash(|e| bytes(e.source.patch), |e, v| e.source.patch = Some(Digest::from_bytes(v))),
        "The patch-id of that commit, or of the commit that a dirty work tree would become.",
    ),
    of_execution(
        "range_patch",
        "",
        Cell::Hash(|e| bytes(e.source.range_patch), |e, v| e.source.range_patch = Some(Digest::from_bytes(v))),
        "The patch-id of everything since the merge base with the default branch, with what a dirty work tree changes.",
    ),
    of_execution(
        "tracked",
        "",
        Cell::Hash(|e| bytes(e.source.tracked), |e, v| e.source.tracked = Some(Digest::from_bytes(v))),
        "What git tracked, as a tree without `.meow`, with what was not committed; null where `commit` holds just that.",
    ),
    of_execution(
        "dirty",
        "",
        Cell::Switch(|e| e.source.dirty, |e, v| e.source.dirty = Some(v)),
        "Whether the work tree differed from the commit.",
    ),
    of_execution(
        "branch",
        "",
        Cell::Text(|e| e.source.branch.as_deref(), |e, v| e.source.branch = Some(v.to_owned())),
        "The default branch by name, any other as a keyed hash.",
    ),
    of_execution(
        "resumes",
        "",
        Cell::Hash(|e| e.resumes.map(|id| *id.bytes()), |e, v| e.resumes = Some(ExecutionId::from_bytes(v))),
        "The execution that it goes on with: what had passed there was not run again.",
    ),
];

/// The columns that every attempt has for itself.
pub const ATTEMPT: &[Column<Attempt>] = &[
    of_attempt("step", "", Cell::Text(|a| Some(&a.step), |a, v| v.clone_into(&mut a.step)), "The step's id.").always(),
    of_attempt(
        "attempt",
        "",
        Cell::Small(|a| Some(small(a.attempt)), |a, v| a.attempt = natural(v)),
        "1 for the first try.",
    )
    .always(),
    of_attempt(
        "ready_ms",
        "ms",
        Cell::Whole(|a| a.ready_ms.map(whole), |a, v| a.ready_ms = Some(count(v))),
        "When everything it needs had passed, since the execution began.",
    ),
    of_attempt(
        "started_ms",
        "ms",
        Cell::Whole(|a| Some(whole(a.started_ms)), |a, v| a.started_ms = count(v)),
        "When it started, since the execution began.",
    )
    .always(),
    of_attempt(
        "duration_ms",
        "ms",
        Cell::Real(|a| a.duration_ms, |a, v| a.duration_ms = Some(v)),
        "How long it ran; what meow measures is rounded to 1/16 ms.",
    ),
    of_attempt(
        "outcome",
        "",
        Cell::Text(|a| Some(a.outcome.word()), |a, v| a.outcome = outcome(v)),
        "How it ended: passed, failed or cancelled.",
    )
    .always(),
    of_attempt(
        "exit_code",
        "",
        Cell::Small(|a| a.exit_code, |a, v| a.exit_code = Some(v)),
        "Its exit code, where it exited by itself.",
    ),
    of_attempt("signal", "", Cell::Small(|a| a.signal, |a, v| a.signal = Some(v)), "The signal that ended it."),
    of_attempt(
        "timed_out",
        "",
        Cell::Switch(|a| Some(a.timed_out), |a, v| a.timed_out = v),
        "Whether meow stopped it at its time limit.",
    )
    .always(),
    of_attempt(
        "user_ms",
        "ms",
        Cell::Whole(|a| a.user_ms.map(whole), |a, v| a.user_ms = Some(count(v))),
        "Processor time in user mode, with reaped children.",
    ),
    of_attempt(
        "system_ms",
        "ms",
        Cell::Whole(|a| a.system_ms.map(whole), |a, v| a.system_ms = Some(count(v))),
        "Processor time in the kernel, with reaped children.",
    ),
    of_attempt(
        "peak_memory_bytes",
        "bytes",
        Cell::Whole(|a| a.peak_memory_bytes.map(whole), |a, v| a.peak_memory_bytes = Some(count(v))),
        "Largest resident set of any of its processes; null where that is not above meow's own.",
    ),
    of_attempt(
        "read_bytes",
        "bytes",
        Cell::Whole(|a| a.read_bytes.map(whole), |a, v| a.read_bytes = Some(count(v))),
        "Bytes it read, with reaped children.",
    ),
    of_attempt(
        "written_bytes",
        "bytes",
        Cell::Whole(|a| a.written_bytes.map(whole), |a, v| a.written_bytes = Some(count(v))),
        "Bytes it wrote, with reaped children.",
    ),
    of_attempt(
        "slot",
        "",
        Cell::Small(|a| a.slot.map(small), |a, v| a.slot = Some(natural(v))),
        "The slot it ran in, from 0.",
    ),
    of_attempt("needs", "", Cell::List(|a| &a.needs, |a, v| a.needs = v), "Ids of the steps it waited for.").always(),
    of_attempt(
        "command",
        "",
        Cell::Hash(|a| bytes(a.command), |a, v| a.command = Some(Digest::from_bytes(v))),
        "Hash of the step's command text before variables are filled in.",
    ),
    of_attempt(
        "filled",
        "",
        Cell::Hash(|a| bytes(a.filled), |a, v| a.filled = Some(Digest::from_bytes(v))),
        "Keyed hash of command and environment with variables filled in; null where that adds nothing to `command`.",
    ),
    of_attempt(
        "error",
        "",
        Cell::Hash(|a| bytes(a.error), |a, v| a.error = Some(Digest::from_bytes(v))),
        "Fingerprint of the error of a failed attempt: a hash of its output's normalised end, salted with the repository.",
    ),
    of_attempt(
        "undone",
        "",
        Cell::Text(|a| a.undone.map(Outcome::word), |a, v| a.undone = Some(outcome(v))),
        "How the step's undo command ended, where it ran: passed, failed or cancelled.",
    ),
    of_attempt(
        "inputs_bytes",
        "bytes",
        Cell::Whole(|a| a.inputs_bytes.map(whole), |a, v| a.inputs_bytes = Some(count(v))),
        "Bytes of its inputs, known at the start.",
    ),
    of_attempt(
        "inputs",
        "",
        Cell::Hash(|a| bytes(a.inputs), |a, v| a.inputs = Some(Digest::from_bytes(v))),
        "Keyed hash of the files that its declared inputs named at its start, paths and contents; null where it declares \
         none or they are not hashed.",
    )
    .since(2),
    of_attempt(
        "predicted_p10_ms",
        "ms",
        Cell::Real(|a| a.predicted.map(|p| p.p10_ms), |a, v| predicted(a).p10_ms = v),
        "Predicted duration that one attempt in ten undercuts.",
    ),
    of_attempt(
        "predicted_p50_ms",
        "ms",
        Cell::Real(|a| a.predicted.map(|p| p.p50_ms), |a, v| predicted(a).p50_ms = v),
        "Predicted median duration.",
    ),
    of_attempt(
        "predicted_p90_ms",
        "ms",
        Cell::Real(|a| a.predicted.map(|p| p.p90_ms), |a, v| predicted(a).p90_ms = v),
        "Predicted duration that one attempt in ten exceeds.",
    ),
    of_attempt(
        "predicted_failure",
        "0 to 1",
        Cell::Real(|a| a.predicted.map(|p| p.failure), |a, v| predicted(a).failure = v),
        "Predicted probability that it fails.",
    ),
    of_attempt(
        "metrics",
        "each its own",
        Cell::Numbers(|a| &a.metrics, |a, v| a.metrics = v),
        "Named numbers measured by or for it.",
    )
    .always(),
];

/// Returns the outcome of a word; a word of a later version counts as never having come to its end.
pub(super) fn outcome(word: &str) -> Outcome {
    Outcome::from_word(word).unwrap_or(Outcome::Cancelled)
}

/// Starts are kept to the second, as git keeps those of commits: more would tell people's habits and nothing else.
pub(super) fn to_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn predicted(attempt: &mut Attempt) -> &mut Predicted {
    attempt.predicted.get_or_insert(Predicted {
        p10_ms: f64::NAN,
        p50_ms: f64::NAN,
        p90_ms: f64::NAN,
        failure: f64::NAN,
    })
}

fn bytes(digest: Option<Digest>) -> Option<[u8; 12]> {
    digest.map(|digest| *digest.bytes())
}

/// Numbers past what a column holds stay at its end: nothing that is measured comes near.
fn small(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn natural(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
