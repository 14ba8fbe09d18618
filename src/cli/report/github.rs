//! `meow report --github`: the page in the job's summary, claims as annotations, and one comment that is kept up to date.
//!
//! Only the summary and the annotations are the work; a comment that cannot be written is a warning.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::redaction::redactor;
use crate::cli::{Context, bounded};
use crate::error::{Error, Result};
use crate::report::{self, Comparison, Document, MARKER};

/// What a step's summary may hold (docs.github.com, workflow commands: 1 MiB a step).
const SUMMARY: usize = 1 << 20;

/// The longest that one call of `gh` may take: a job that hangs costs more than a comment is worth.
const LIMIT: Duration = Duration::from_mins(1);

/// What GitHub says of the job, from the environment.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The file that becomes the summary.
    pub summary: Option<PathBuf>,
    /// `owner/name`.
    pub repository: Option<String>,
    /// As in `refs/pull/7/merge`.
    pub reference: Option<String>,
    /// The file that holds the event.
    pub event: Option<PathBuf>,
}

/// Publishes the page.
///
/// # Errors
/// This is no job of GitHub Actions, or its summary cannot be written.
pub fn publish(page: &Document, comparison: Option<&Comparison>, context: &Context) -> Result<()> {
    let job = &context.settings.github;
    let Some(summary) = &job.summary else {
        return Err(Error::request("--github goes within a job of GitHub Actions: there is no $GITHUB_STEP_SUMMARY")
            .hint("`meow report` prints the same page anywhere"));
    };
    let wrong = |error| Error::store(format!("{} cannot be written", summary.display())).cause(error);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(summary).map_err(wrong)?;
    let used = file.metadata().map_err(wrong)?.len();
    let free = SUMMARY.saturating_sub(usize::try_from(used).unwrap_or(SUMMARY));
    match report::markdown_within(page, free.saturating_sub(1)) {
        Some(text) => file.write_all(text.as_bytes()).map_err(wrong)?,
        None => context.terminal.warn("the step's summary is full: the page is not added"),
    }
    if let Some(comparison) = comparison {
        context.terminal.result(&report::annotations(comparison))?;
    }
    match comment(page, job, context) {
        Ok(said) => context.terminal.say(&said),
        Err(error) => context.terminal.warn(&format!("the comment was not written: {error}")),
    }
    Ok(())
}

/// Writes the page as a comment, over the one that an earlier run left; returns what was done.
fn comment(page: &Document, job: &Job, context: &Context) -> Result<String> {
    let (Some(repository), Some(number)) = (repository(job), pull_request(job)) else {
        return Ok("no comment: this is not the job of a pull request".to_owned());
    };
    if !context.settings.finds_program("gh") {
        return Ok("no comment: there is no `gh`".to_owned());
    }
    let comments = format!("repos/{repository}/issues/{number}/comments");
    let own = format!(".[] | select(.body | startswith(\"{MARKER}\")) | .id");
    let known = gh(&["api", "--paginate", &comments, "--jq", &own], None, context)?;
    let known =
        known.lines().map(str::trim).find(|line| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()));
    let body = json!({ "body": report::markdown(page) }).to_string();
    if let Some(id) = known {
        let place = format!("repos/{repository}/issues/comments/{id}");
        gh(&["api", "--method", "PATCH", &place, "--silent", "--input", "-"], Some(&body), context)?;
        return Ok(format!("the comment of pull request {number} is up to date"));
    }
    gh(&["api", "--method", "POST", &comments, "--silent", "--input", "-"], Some(&body), context)?;
    Ok(format!("pull request {number} has a comment"))
}

/// Returns `owner/name` where it is one.
fn repository(job: &Job) -> Option<&str> {
    let given = job.repository.as_deref()?;
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && part.bytes().any(|byte| byte != b'.')
    };
    given.split_once('/').filter(|(owner, name)| plain(owner) && plain(name)).map(|_| given)
}

/// Returns the number of the pull request that the job is for: from its ref, else from its event.
fn pull_request(job: &Job) -> Option<u64> {
    let from_ref =
        job.reference.as_deref().and_then(|name| name.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok());
    from_ref.or_else(|| {
        let event: Value = serde_json::from_slice(&std::fs::read(job.event.as_ref()?).ok()?).ok()?;
        event["pull_request"]["number"].as_u64()
    })
}

/// Runs `gh`, which a person asked for by `--github`; returns what it printed.
fn gh(arguments: &[&str], input: Option<&str>, context: &Context) -> Result<String> {
    let mut command = Command::new("gh");
    command.args(arguments).current_dir(&context.settings.directory);
    let said = bounded::run(&mut command, input, LIMIT);
    let said = said.map_err(|error| Error::request("`gh` cannot be run").cause(error))?.ok_or_else(|| {
        Error::request(format!("`gh` did not answer within {} s", LIMIT.as_secs()))
            .hint("is GitHub reachable from here?")
    })?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let why = crate::redact::tail::last_lines(&said.stderr, 1, &redactor(&context.settings, [])).concat();
    Err(Error::request(format!("`gh` failed: {why}")))
}
