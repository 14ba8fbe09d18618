//! A step as its file states it: checked in itself, variables not yet filled in, its place remembered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::condition::Condition;
use super::confinement::{self, Confinement};
use super::document::{At, Table};
use super::{Resources, Retry, RetryOn, quantity};
use crate::error::{Error, Result};

/// Longest name of a workflow, step, variable or lock, in bytes: names become file names.
const LONGEST_NAME: usize = 128;
/// Most needs of one step.
const MOST_NEEDS: usize = 10_000;
/// Most patterns of inputs of one step.
const MOST_INPUTS: usize = 1_000;
/// Most tries of one step.
const MOST_ATTEMPTS: i64 = 100;
/// How many open files a step may be limited to; a program has three from the start.
const OPEN_FILES: std::ops::RangeInclusive<i64> = 3..=1 << 20;
/// Processes and threads that a step may have at once, up to the most that Linux knows.
const PROCESSES: std::ops::RangeInclusive<i64> = 1..=1 << 22;
pub(super) const STEP_KEYS: [&str; 18] = [
    "id",
    "title",
    "description",
    "run",
    "needs",
    "timeout",
    "retry",
    "resources",
    "locks",
    "inputs",
    "env",
    "undo",
    "condition",
    "metadata",
    "sandbox",
    "network",
    "writes",
    "reads",
];
/// What a step of the Gas Town family may hold besides.
const FOREIGN_STEP_KEYS: [&str; 6] = ["depends_on", "type", "acceptance", "gate", "children", "focus"];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub file: Arc<str>,
    /// Whether the file is one of meow's own.
    pub own: bool,
    pub line: usize,
    pub id: String,
    pub title: Option<At<String>>,
    pub description: Option<At<String>>,
    pub run: Option<At<String>>,
    pub needs: Vec<At<String>>,
    pub condition: Option<At<Condition>>,
    pub timeout: Option<Duration>,
    pub retry: Option<Retry>,
    pub resources: Resources,
    pub locks: Vec<String>,
    pub inputs: Vec<At<String>>,
    pub inputs_bytes: Option<u64>,
    pub series: Option<String>,
    pub env: BTreeMap<String, At<String>>,
    pub undo: Option<At<String>>,
    pub confinement: Confinement,
}

impl Draft {
    /// Reads a step, or a leg of a convoy.
    ///
    /// # Errors
    /// A key is unknown (own files), missing, or holds nonsense.
    pub fn read(table: &Table<'_, '_>) -> Result<Self> {
        let page = table.page;
        let mut known = STEP_KEYS.to_vec();
        if !page.own() {
            known.extend(FOREIGN_STEP_KEYS);
        }
        table.only(&known)?;
        let missing = || page.error(table.line, format!("this `[[{}]]` has no `id`", table.name));
        let id = table.text("id")?.ok_or_else(|| missing().hint("give the step a short unique `id`"))?;
        name(&id).map_err(|what| table.wrong("id", what))?;
        let mut description = placed(table, "description")?;
        if let Some(acceptance) = table.text("acceptance")? {
            let At { value, line } = description.unwrap_or(At { value: String::new(), line: table.line });
            let value = format!(
                "{}

Done when: {acceptance}",
                value.trim_end()
            )
            .trim_start()
            .to_owned();
            description = Some(At { value, line });
        }
        let mut needs = table.texts("needs", false)?;
        needs.extend(table.texts("depends_on", false)?);
        let mut seen = std::collections::BTreeSet::new();
        needs.retain(|need| seen.insert(need.value.clone()));
        if needs.len() > MOST_NEEDS {
            return Err(table.wrong("needs", format!("names more than {MOST_NEEDS} steps")));
        }
        let draft = Self {
            file: Arc::clone(&page.name),
            own: page.own(),
            line: table.line,
            title: placed(table, "title")?,
            description,
            run: command(table)?,
            needs,
            condition: condition(table)?,
            timeout: time(table, "timeout", false)?,
            retry: retry(table)?,
            resources: resources(table)?,
            locks: locks(table)?,
            inputs: inputs(table)?,
            inputs_bytes: stated_bytes(table)?,
            series: series(table)?,
            env: environment(table)?,
            undo: placed(table, "undo")?,
            confinement: confinement::read(table)?,
            id,
        };
        draft.gate(table)?;
        Ok(draft)
    }

    /// Returns an error that names the step's file and the line.
    pub fn error(&self, line: usize, what: impl std::fmt::Display) -> Error {
        Error::request(format!("{}:{line}: {what}", self.file))
    }

    /// A gate waits for something outside: a person can, a command that runs past it would do harm.
    fn gate(&self, table: &Table<'_, '_>) -> Result<()> {
        if !table.has("gate") || table.page.own() {
            return Ok(());
        }
        if self.run.is_some() {
            return Err(table
                .wrong("gate", format!("of step `{}` cannot be waited for, so its command must not run", self.id))
                .hint("take the command or the gate away"));
        }
        table.page.warn(
            table.line_of("gate"),
            format!("the gate of step `{}` is left to the person who does the step", self.id),
        );
        Ok(())
    }
}

/// Checks a name that may become a file name.
///
/// # Errors
/// What is wrong, as a fragment that follows the key's name.
pub(super) fn name(text: &str) -> Result<(), String> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if text.is_empty() || text.starts_with(['.', '-']) || !text.chars().all(plain) {
        let shown: String = text.chars().take(60).collect();
        return Err(format!("is `{}`; a name has letters, digits, `-`, `_` and `.`", shown.escape_debug()));
    }
    if text.len() > LONGEST_NAME { Err(format!("is longer than {LONGEST_NAME} bytes")) } else { Ok(()) }
}

fn placed(table: &Table<'_, '_>, key: &str) -> Result<Option<At<String>>> {
    Ok(table.text(key)?.map(|value| At { value, line: table.line_of(key) }))
}

/// Returns the command: `run`, or `"meow.run"` in the metadata, where tools that refuse unknown keys leave it alone.
fn command(table: &Table<'_, '_>) -> Result<Option<At<String>>> {
    let run = placed(table, "run")?;
    let metadata = table.table("metadata")?;
    let hidden = metadata.as_ref().map(|metadata| placed(metadata, "meow.run")).transpose()?.flatten();
    let command = match (run, hidden) {
        (Some(_), Some(hidden)) => {
            return Err(table.page.error(hidden.line, "the step has both `run` and `metadata.\"meow.run\"`"));
        }
        (run, hidden) => run.or(hidden),
    };
    if let Some(empty) = command.as_ref().filter(|command| command.value.trim().is_empty()) {
        return Err(table
            .page
            .error(empty.line, "the step's command is empty")
            .hint("leave `run` out for a manual step"));
    }
    Ok(command)
}

/// Returns the bytes of the inputs, as the program that wrote the file knew them.
fn stated_bytes(table: &Table<'_, '_>) -> Result<Option<u64>> {
    const KEY: &str = "meow.inputs_bytes";
    let Some(metadata) = table.table("metadata")? else { return Ok(None) };
    let Some(text) = metadata.scalar(KEY)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| metadata.wrong(KEY, "is no number of bytes"))
}

/// Returns what the step is an instance of: a step that never ran takes as long as others of its series did.
fn series(table: &Table<'_, '_>) -> Result<Option<String>> {
    let series = table.table("metadata")?.map(|metadata| metadata.text("meow.series")).transpose()?.flatten();
    Ok(series.filter(|series| !series.is_empty()))
}

fn condition(table: &Table<'_, '_>) -> Result<Option<At<Condition>>> {
    let Some(text) = placed(table, "condition")? else { return Ok(None) };
    let value = Condition::parse(&text.value).map_err(|what| table.wrong("condition", what))?;
    Ok(Some(At { value, line: text.line }))
}

fn time(table: &Table<'_, '_>, key: &str, zero: bool) -> Result<Option<Duration>> {
    let Some(text) = table.text(key)? else { return Ok(None) };
    let time = quantity::duration(&text).map_err(|what| table.wrong(key, what))?;
    if time.is_zero() && !zero { Err(table.wrong(key, "must be longer than nothing")) } else { Ok(Some(time)) }
}

fn retry(table: &Table<'_, '_>) -> Result<Option<Retry>> {
    let Some(retry) = table.table("retry")? else { return Ok(None) };
    let foreign = !table.page.own();
    retry.only(if foreign {
        &["attempts", "backoff", "on", "max_attempts", "on_exhausted"]
    } else {
        &["attempts", "backoff", "on"]
    })?;
    let key = if foreign && retry.has("max_attempts") { "max_attempts" } else { "attempts" };
    let attempts = retry.whole(key)?.ok_or_else(|| {
        retry.page.error(retry.line, format!("`{}` has no `attempts`", retry.name)).hint("write `attempts = 2`")
    })?;
    if !(1..=MOST_ATTEMPTS).contains(&attempts) {
        return Err(retry.wrong(key, format!("is {attempts}, 1 to {MOST_ATTEMPTS} are possible")));
    }
    let ending = |text: At<String>| {
        let code = text.value.strip_prefix("exit:").and_then(|code| code.parse().ok());
        match (text.value.as_str(), code) {
            ("signal", _) => Ok(RetryOn::Signal),
            ("timeout", _) => Ok(RetryOn::Timeout),
            (_, Some(code @ 1..=255)) => Ok(RetryOn::Exit(code)),
            _ => Err(retry.page.error(
                text.line,
                format!(
                    "`{}` holds `{}`; known are \"signal\", \"timeout\" and \"exit:1\" to \"exit:255\"",
                    retry.named("on"),
                    text.value.escape_debug()
                ),
            )),
        }
    };
    Ok(Some(Retry {
        attempts: u32::try_from(attempts).expect("between 1 and the most"),
        backoff: time(&retry, "backoff", true)?.unwrap_or(Duration::from_secs(1)),
        on: retry.texts("on", false)?.into_iter().map(ending).collect::<Result<_>>()?,
    }))
}

fn resources(table: &Table<'_, '_>) -> Result<Resources> {
    let Some(resources) = table.table("resources")? else { return Ok(Resources::default()) };
    resources.only(&["cpu", "memory", "cpu_time", "file_size", "open_files", "processes"])?;
    let cpu = resources.number("cpu")?;
    if cpu.is_some_and(|cpu| !(0.01..=4096.0).contains(&cpu)) {
        return Err(resources.wrong("cpu", "must be between 0.01 and 4096 processors"));
    }
    let bytes = |key: &str| -> Result<Option<u64>> {
        let Some(text) = resources.text(key)? else { return Ok(None) };
        quantity::bytes(&text).map(Some).map_err(|what| resources.wrong(key, what))
    };
    let open_files = resources.whole("open_files")?;
    if open_files.is_some_and(|files| !OPEN_FILES.contains(&files)) {
        return Err(resources.wrong("open_files", "must be between 3 and 1048576"));
    }
    let processes = resources.whole("processes")?;
    if processes.is_some_and(|processes| !PROCESSES.contains(&processes)) {
        return Err(resources.wrong("processes", "must be between 1 and 4194304"));
    }
    Ok(Resources {
        cpu,
        memory_bytes: bytes("memory")?,
        cpu_time: time(&resources, "cpu_time", false)?,
        file_bytes: bytes("file_size")?,
        open_files: open_files.and_then(|files| u64::try_from(files).ok()),
        processes: processes.and_then(|processes| u64::try_from(processes).ok()),
    })
}

fn locks(table: &Table<'_, '_>) -> Result<Vec<String>> {
    let mut locks = Vec::new();
    for lock in table.texts("locks", false)? {
        name(&lock.value).map_err(|what| table.page.error(lock.line, format!("`{}` {what}", table.named("locks"))))?;
        if !locks.contains(&lock.value) {
            locks.push(lock.value);
        }
    }
    Ok(locks)
}

fn inputs(table: &Table<'_, '_>) -> Result<Vec<At<String>>> {
    let inputs = table.texts("inputs", false)?;
    if inputs.len() > MOST_INPUTS {
        return Err(table.wrong("inputs", format!("holds more than {MOST_INPUTS} patterns")));
    }
    Ok(inputs)
}

fn environment(table: &Table<'_, '_>) -> Result<BTreeMap<String, At<String>>> {
    let Some(env) = table.table("env")? else { return Ok(BTreeMap::new()) };
    let mut variables = BTreeMap::new();
    for key in env.keys() {
        if key.value.is_empty() || key.value.contains(['=', '\0']) {
            return Err(env.wrong(key.value, "is no name for an environment variable"));
        }
        let value = env.scalar(key.value)?.expect("the key was just listed");
        variables.insert(key.value.to_owned(), At { value, line: key.line });
    }
    Ok(variables)
}
