//! Other tools' files and git histories, read into the same records.
#![expect(clippy::disallowed_methods, reason = "this room reads the files it is asked for")]

mod batch;
mod beads;
mod benchmark_action;
mod chrome_trace;
mod clean;
mod criterion;
mod git_perf;
mod github_jobs;
mod hyperfine;
pub mod jsonl;
mod junit;
mod nextflow;
mod ninja_log;
mod sniff;
mod test_durations;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;

use batch::Batch;
pub use batch::Found;

use crate::error::{Error, Result};
use crate::git::Repository;
use crate::record::Digest;

/// A larger file is refused, except of interchange rows, which are read line by line.
const MAX_BYTES: u64 = 256 << 20;

/// Formats that people ask for and that hold too little to become records, each with why and what to take instead.
pub const REFUSED: [(&str, &str); 1] = [(
    "gc-events",
    "an event of Gas City has a type, a time, an actor, a subject and a message for people; none says whether work on its \
     subject came to a good end. The issues behind the events do: `bd export` them, and take them by `meow import beads`",
)];

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// meow's own interchange rows.
    Jsonl,
    /// `JUnit` XML.
    Junit,
    /// ninja's log.
    NinjaLog,
    /// The answers of GitHub's jobs API.
    GithubJobs,
    /// hyperfine's JSON.
    Hyperfine,
    /// github-action-benchmark's `data.js`.
    BenchmarkAction,
    /// pytest-split's `.test_durations`.
    TestDurations,
    /// Nextflow's trace file.
    NextflowTrace,
    /// Chrome's trace event format.
    ChromeTrace,
    /// Criterion.rs' JSON.
    Criterion,
    /// The exports and events of beads.
    Beads,
    /// git-perf's notes.
    GitPerf,
}

impl Format {
    /// Every format with its name, what it is, and the arguments of an example.
    pub const ALL: [(Self, &str, &str, &str); 12] = [
        (
            Self::Jsonl,
            "jsonl",
            "interchange rows: one JSON object per attempt and line, gzip or not",
            "timings.jsonl.gz --dry-run",
        ),
        (
            Self::Junit,
            "junit",
            "JUnit XML of nextest, pytest, Surefire and others, retries included",
            "target/nextest/ci/junit.xml",
        ),
        (Self::NinjaLog, "ninja-log", "ninja's .ninja_log, versions 5 to 7", "build/.ninja_log --workflow build"),
        (Self::GithubJobs, "github-jobs", "GitHub Actions: answers of its jobs API", "jobs.json"),
        (Self::Hyperfine, "hyperfine", "hyperfine --export-json", "hyperfine.json"),
        (
            Self::BenchmarkAction,
            "github-action-benchmark",
            "the data.js of github-action-benchmark",
            "dev/bench/data.js --from-history gh-pages",
        ),
        (
            Self::TestDurations,
            "test-durations",
            "the .test_durations of pytest-split",
            ".test_durations --from-history main",
        ),
        (Self::NextflowTrace, "nextflow-trace", "the trace file of Nextflow", "trace.txt --workflow rnaseq"),
        (
            Self::ChromeTrace,
            "chrome-trace",
            "Chrome's trace event format: slices summed by name",
            "trace.json --workflow compile",
        ),
        (
            Self::Criterion,
            "criterion",
            "Criterion.rs: messages of cargo-criterion, or estimates.json",
            "target/criterion/*/new/estimates.json",
        ),
        (Self::Beads, "beads", "work on issues: bd export and its events, together", "issues.jsonl events.jsonl"),
        (Self::GitPerf, "git-perf", "git-perf's notes of this repository; takes no file", "--dry-run"),
    ];

    /// Returns the format's name.
    ///
    /// # Panics
    /// Never: every format stands in the list.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(format, ..)| *format == self)
            .map(|(_, name, ..)| *name)
            .expect("every format is listed")
    }

    /// Returns the format with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|(format, ..)| *format)
    }
}

/// A file to import.
#[derive(Debug, Clone)]
pub struct Input {
    /// What it is called in errors.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// What a person may say about what is read.
pub struct Options<'a> {
    /// The workflow that the records belong to, where the format names none or another is wanted.
    pub workflow: Option<&'a str>,
    /// What is kept of a branch's name.
    pub branch: &'a dyn Fn(&str) -> Option<String>,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("workflow", &self.workflow).finish_non_exhaustive()
    }
}

/// Returns what files of one format hold. The same file always gives the same records.
///
/// # Errors
/// A file cannot be read, is not of that format, or is torn; nothing is returned then.
pub fn read(format: Format, inputs: &[Input], options: &Options<'_>) -> Result<Found> {
    let mut batch = Batch::new(format.name(), options.branch);
    match (format, reader(format)) {
        (_, Some(read)) => {
            for input in inputs {
                read(&Whole::read(format, input)?, options, &mut batch)?;
            }
        }
        (Format::Beads, _) => {
            let files = inputs.iter().map(|input| Whole::read(format, input)).collect::<Result<Vec<_>>>()?;
            beads::read(&files, options, &mut batch)?;
        }
        _ => {
            for input in inputs {
                jsonl::read(open(input)?, &input.name, options, &mut batch)?;
            }
        }
    }
    Ok(batch.finish())
}

/// Returns what interchange rows from anywhere hold; `name` names them in errors.
///
/// # Errors
/// A line cannot be read or makes no sense.
pub fn read_rows(input: impl Read, name: &str, options: &Options<'_>) -> Result<Found> {
    let mut batch = Batch::new(Format::Jsonl.name(), options.branch);
    jsonl::read(input, name, options, &mut batch)?;
    Ok(batch.finish())
}

type Reader = fn(&Whole<'_>, &Options<'_>, &mut Batch<'_>) -> Result<()>;

/// Returns what reads one whole file of the format after the other; others are read line by line, or all together.
fn reader(format: Format) -> Option<Reader> {
    Some(match format {
        Format::Jsonl | Format::Beads | Format::GitPerf => return None,
        Format::Junit => junit::read,
        Format::NinjaLog => ninja_log::read,
        Format::GithubJobs => github_jobs::read,
        Format::Hyperfine => hyperfine::read,
        Format::BenchmarkAction => benchmark_action::read,
        Format::TestDurations => test_durations::read,
        Format::NextflowTrace => nextflow::read,
        Format::ChromeTrace => chrome_trace::read,
        Format::Criterion => criterion::read,
    })
}

/// Returns what the notes of git-perf in a repository hold.
///
/// # Errors
/// The notes cannot be read.
pub fn read_notes(repository: &Repository, options: &Options<'_>) -> Result<Found> {
    let mut batch = Batch::new(Format::GitPerf.name(), options.branch);
    git_perf::read(repository, options, &mut batch)?;
    Ok(batch.finish())
}

/// Returns what every version of one file in a branch's history holds, read from git's objects, never the work tree.
///
/// The history is that of first parents. Of a version, only what it measured anew is taken.
///
/// # Errors
/// The branch or the file is unknown, a version is not of that format, or git cannot be read.
pub fn read_history(
    format: Format,
    repository: &Repository,
    branch: &str,
    path: &str,
    options: &Options<'_>,
) -> Result<Found> {
    let mut batch = Batch::new(format.name(), options.branch);
    let tip = repository.resolve(branch)?;
    let versions = repository.versions(tip, path)?;
    if versions.is_empty() {
        return Err(Error::request(format!("the history of {branch} has no file {path}"))
            .hint("the path counts from the top of the repository"));
    }
    let mut before = test_durations::Measured::new();
    for version in versions {
        let name = format!("{path} of commit {}", version.commit);
        let written_at = Timestamp::from_second(version.time).unwrap_or(Timestamp::UNIX_EPOCH);
        if repository.blob_size(version.blob)? > MAX_BYTES {
            return Err(Error::request(format!("{name} is larger than {MAX_BYTES} bytes")));
        }
        let file = Whole::of(format, &name, written_at, repository.blob(version.blob)?)?;
        match format {
            Format::BenchmarkAction => benchmark_action::read(&file, options, &mut batch)?,
            Format::TestDurations => {
                let now = test_durations::parse(&file)?;
                let commit = Digest::truncated(version.commit.bytes());
                let revision = test_durations::Revision { key: &version.commit.to_string(), commit };
                test_durations::take(&now, &before, &revision, &file, options, &mut batch);
                before = now;
            }
            _ => {
                return Err(Error::request(format!("{} files are not kept in a history", format.name()))
                    .hint("--from-history is for github-action-benchmark and test-durations"));
            }
        }
    }
    Ok(batch.finish())
}

fn open(input: &Input) -> Result<File> {
    File::open(&input.path).map_err(|error| Error::request(format!("{} cannot be read", input.name)).cause(error))
}

/// A whole file.
pub(crate) struct Whole<'a> {
    format: Format,
    name: &'a str,
    /// When it was last written: where a format holds no time, it is the best there is.
    written_at: Timestamp,
    text: String,
}

impl<'a> Whole<'a> {
    /// Reads a file, gzip or not.
    fn read(format: Format, input: &'a Input) -> Result<Self> {
        let name = &input.name;
        let unreadable = || Error::request(format!("{name} cannot be read"));
        let file = open(input)?;
        let written_at = file.metadata().and_then(|about| about.modified()).ok();
        let written_at = written_at.and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable().cause(error))?;
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            let unpack = MultiGzDecoder::new(bytes.as_slice()).take(MAX_BYTES + 1).read_to_end(&mut plain);
            unpack.map_err(|error| unreadable().cause(error))?;
            bytes = plain;
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(unreadable().cause(format!("it is larger than {MAX_BYTES} bytes")));
        }
        Self::of(format, name, written_at, bytes)
    }

    /// Returns what was read elsewhere as if it were a file.
    fn of(format: Format, name: &'a str, written_at: Timestamp, bytes: Vec<u8>) -> Result<Self> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let wrong = Error::request(format!("{name} is no {} file", format.name()));
            wrong.cause(format!("it is not UTF-8 text: {}", error.utf8_error()))
        })?;
        Ok(Self { format, name, written_at, text })
    }

    /// Returns the error for a file that is not what it was said to be, or is torn.
    fn wrong(&self, cause: impl std::fmt::Display) -> Error {
        let error = Error::request(format!("{} is no {} file", self.name, self.format.name()));
        let error = error.cause(format!("{cause}; it {}", sniff::start(&self.text)));
        hint(error, self.format, self.name, self.text.as_bytes())
    }
}

/// Adds to an error which format the text looks like, if it is another than was asked for.
pub(crate) fn hint(error: Error, format: Format, name: &str, text: &[u8]) -> Error {
    match sniff::looks_like(text) {
        Some(other) if other != format => {
            error.hint(format!("it looks like {0}: try `meow import {0} {name}`", other.name()))
        }
        _ => error.hint("nothing was imported"),
    }
}
