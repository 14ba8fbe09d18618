//! GitHub Actions: what `GET /repos/{owner}/{repo}/actions/runs/{id}/jobs` answers, also page after page.

use jiff::Timestamp;
use serde::Deserialize;

use super::batch::{About, Batch, Detail, Try};
use super::jsonl::digest;
use super::{Options, Whole};
use crate::error::Result;
use crate::record::Outcome;

/// What stands at the top of a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Page(Page),
    Pages(Vec<Page>),
    Jobs(Vec<Job>),
}

#[derive(Deserialize)]
struct Page {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    run_id: u64,
    #[serde(default = "first")]
    run_attempt: u32,
    name: String,
    workflow_name: Option<String>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    status: String,
    conclusion: Option<String>,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

fn first() -> u32 {
    1
}

/// Reads answers of the jobs API: one execution a run, one step a job, one attempt per attempt of the run.
///
/// `gh api --paginate` writes page after page, with `--slurp` as a list; both are read, and a bare list of jobs too.
///
/// # Errors
/// It is no such answer.
pub(super) fn read(file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    let mut answers = 0;
    for answer in serde_json::Deserializer::from_str(&file.text).into_iter::<Answer>() {
        answers += 1;
        let jobs = match answer.map_err(|error| file.wrong(error))? {
            Answer::Page(page) => page.jobs,
            Answer::Pages(pages) => pages.into_iter().flat_map(|page| page.jobs).collect(),
            Answer::Jobs(jobs) => jobs,
        };
        for job in &jobs {
            take(job, file, options, batch)?;
        }
    }
    if answers == 0 {
        return Err(file.wrong("there is no JSON in it"));
    }
    Ok(())
}

fn take(job: &Job, file: &Whole<'_>, options: &Options<'_>, batch: &mut Batch<'_>) -> Result<()> {
    if job.status != "completed" {
        batch.skip("a job that had not ended");
        return Ok(());
    }
    let outcome = match job.conclusion.as_deref() {
        Some("success") => Outcome::Passed,
        Some("failure" | "timed_out" | "startup_failure") => Outcome::Failed,
        Some("cancelled") => Outcome::Cancelled,
        Some("skipped") => {
            batch.skip("a job that was skipped");
            return Ok(());
        }
        _ => {
            batch.skip("a job that neither passed nor failed");
            return Ok(());
        }
    };
    let (Some(started_at), Some(completed_at)) = (job.started_at, job.completed_at) else {
        batch.skip("a job without start or end");
        return Ok(());
    };
    let commit = job.head_sha.as_deref().map(digest).transpose().map_err(|cause| file.wrong(cause))?;
    let workflow = options.workflow.or(job.workflow_name.as_deref()).filter(|name| !name.is_empty());
    let workflow = workflow.unwrap_or("github-actions");
    let about = About { workflow, commit, branch: job.head_branch.as_deref(), ..About::default() };
    let place = batch.execution(&job.run_id.to_string(), about);
    let timed_out = job.conclusion.as_deref() == Some("timed_out");
    // A job that is run again keeps the moment at which its first attempt was queued.
    let ready_at = job.created_at.filter(|at| *at <= started_at && job.run_attempt == 1);
    let detail = Detail { ready_at, timed_out, ..Detail::default() };
    let duration_ms = (completed_at - started_at).total(jiff::Unit::Millisecond).unwrap_or(-1.0);
    let attempt = job.run_attempt.max(1);
    batch.attempt(place, &Try { attempt, detail, ..Try::new(&job.name, started_at, Some(duration_ms), outcome) });
    Ok(())
}
