//! What reads strangers' bytes, each with samples of what it likes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use meow::cli::settings::files::{Origin, read as settings};
use meow::import::{self, Format, Input, Options};
use meow::learn::WorkflowPattern;
use meow::recommend::Action;
use meow::record::{Digest, Record};
use meow::store::journal::{self, Journal};
use meow::store::removal::{Removal, Removals};
use meow::store::segment;
use meow::workflow::{self, Dialect, Source};

use crate::import_formats::sample;
use crate::store::{attempt, execution};

/// A reader: what it reads is damaged, then it is asked whether it takes it.
pub struct Reader {
    pub name: String,
    pub samples: Vec<Vec<u8>>,
    /// Its share among the mutants.
    pub share: usize,
    read: Box<Read>,
}

/// Returns whether bytes are taken; the folder is for those that read files.
type Read = dyn Fn(&Path, &[u8]) -> bool;

impl Reader {
    fn new(name: &str, samples: Vec<Vec<u8>>, read: impl Fn(&Path, &[u8]) -> bool + 'static) -> Self {
        Self { name: name.to_owned(), samples, share: 1, read: Box::new(read) }
    }

    /// Returns whether the bytes are taken; `folder` is for those that read files.
    pub fn takes(&self, folder: &Path, bytes: &[u8]) -> bool {
        (self.read)(folder, bytes)
    }
}

/// The reader that goes on to learn from what it read.
pub const VALUES: &str = "segment, learnt from";

/// Returns all readers.
pub fn readers() -> Vec<Reader> {
    let mut readers = vec![
        Reader { share: 16, ..Reader::new("segment", segments_once().to_vec(), |_, bytes| segment(bytes)) },
        Reader::new(VALUES, (1..4).map(super::values::segment_of).collect(), |_, bytes| {
            // Damage finds its way into values less often than a stranger would: so they are drawn by it, too.
            let drawn = blake3::hash(bytes).as_bytes()[..8].try_into().expect("eight bytes");
            super::values::survive(bytes)
                | super::values::survive(&super::values::segment_of(u64::from_le_bytes(drawn)))
        }),
        Reader { share: 3, ..Reader::new("journal", vec![journal_bytes()], journal) },
        Reader { share: 3, ..Reader::new("workflow", workflows(), |_, bytes| workflow(bytes)) },
        Reader::new(
            "settings",
            vec![b"slots = 4\nworkflow = \"ci\"\n[hooks]\npre-push = \"ci\"\n".to_vec()],
            |folder, bytes| {
                let path = folder.join("config.toml");
                std::fs::write(&path, bytes).expect("written");
                settings(&path, "config.toml", Origin::Repo).wrong.is_empty()
            },
        ),
        Reader::new("pattern", vec![toml(&WorkflowPattern::default())], document::<WorkflowPattern>),
        Reader::new("action", vec![toml(&action())], document::<Action>),
        Reader::new("removal", removals(), |_, bytes| {
            let mut removals = Removals::default();
            removals.add(bytes);
            !removals.is_empty()
        }),
    ];
    for (format, ..) in Format::ALL.into_iter().filter(|(format, ..)| *format != Format::GitPerf) {
        readers.push(Reader::new(format.name(), import_samples(format), move |folder, bytes| {
            imported(format, folder, bytes)
        }));
    }
    readers
}

fn segments() -> Vec<Vec<u8>> {
    let records = |executions: u8, steps: u8| -> Vec<Record> {
        let rows = (0..executions).flat_map(|seed| {
            let execution = Arc::new(execution(seed));
            (0..steps).map(move |step| Record { execution: Arc::clone(&execution), attempt: attempt(step) })
        });
        rows.collect()
    };
    [(1, 2), (3, 4), (40, 10)]
        .map(|(executions, steps)| segment::encode(&records(executions, steps)).expect("encoded"))
        .into()
}

/// Changed bytes are never believed under the old name; under a name that fits them they are survived.
fn segment(bytes: &[u8]) -> bool {
    let whole = segments_once();
    if !whole.iter().any(|whole| whole == bytes) {
        for whole in whole {
            let name = format!("records/month=2025-11/20251122T101500Z-0123456789ab-{}.parquet", Digest::of(whole));
            assert!(segment::open(&name, bytes).is_err(), "a changed segment was believed");
        }
    }
    let fitting = format!("x-{}.parquet", Digest::of(bytes));
    let _ = segment::columns(&fitting, bytes);
    segment::open(&fitting, bytes).is_ok_and(|records| records.len() <= bytes.len() / 32)
}

fn segments_once() -> &'static [Vec<u8>] {
    static ONCE: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    ONCE.get_or_init(segments)
}

fn journal_bytes() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = Journal::create(folder.path(), &execution(1)).expect("created");
    journal.started(&attempt(1)).expect("appended");
    journal.append(&attempt(1)).expect("appended");
    journal.close(&execution(1)).expect("closed");
    std::fs::read(journal.path()).expect("read")
}

/// Reads a journal as it is, and once more with the checks of its lines put right.
fn journal(folder: &Path, bytes: &[u8]) -> bool {
    let path = folder.join("one.journal");
    std::fs::write(&path, bytes).expect("written");
    let _ = journal::read(&path);
    let mut mended = Vec::with_capacity(bytes.len());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| line.len() > 17) {
        mended.extend_from_slice(blake3::hash(&line[17..]).to_hex()[..16].as_bytes());
        mended.push(b' ');
        mended.extend_from_slice(&line[17..]);
        mended.push(b'\n');
    }
    std::fs::write(&path, mended).expect("written");
    journal::read(&path).is_ok_and(|content| content.records().next().is_some())
}

fn workflows() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let examples = ["archive.toml", "handoff.toml", "patient.toml", "rust.toml"];
    let mut samples: Vec<Vec<u8>> = examples.map(|name| std::fs::read(folder.join(name)).expect("an example")).into();
    let all = "formula = \"ci\"\ndescription = \"d\"\nversion = 1\n[vars]\na = { description = \"x\", default = \"1\", enum = [\"1\", \"2\"], record = true }\n\
        [[steps]]\nid = \"a\"\ntitle = \"A {{a}}\"\nrun = \"echo {{a}}\"\ntimeout = \"1h 20m\"\nretry = { attempts = 2, backoff = \"2s\", on = [\"signal\", \"exit:75\"] }\n\
        resources = { cpu = 2, memory = \"2GiB\" }\nlocks = [\"l\"]\nenv = { A = \"b\" }\nundo = \"true\"\n\
        [[steps]]\nid = \"b\"\nneeds = [\"a\"]\nrun = \"true\"\ncondition = \"{{a}} == 1\"\n";
    samples.push(all.as_bytes().to_vec());
    samples
}

fn workflow(bytes: &[u8]) -> bool {
    let mut taken = false;
    for dialect in [Dialect::Own, Dialect::Foreign] {
        let source = Source { file: "w.toml".to_owned(), dialect, bytes: bytes.to_vec() };
        let mut find = |_: &str, _: &str| Err(meow::error::Error::request("there is no other file"));
        if let Ok(definition) = workflow::parse(&source, &mut find) {
            let _ = definition.fill(&BTreeMap::new());
            taken = true;
        }
    }
    taken
}

fn document<T: serde::de::DeserializeOwned>(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::create_dir_all(folder.join("kind")).expect("a folder");
    std::fs::write(folder.join("kind/one.toml"), bytes).expect("written");
    matches!(meow::store::get::<T>(folder, "kind", "one"), Ok(Some(_)))
}

fn toml(value: &impl serde::Serialize) -> Vec<u8> {
    toml::to_string(value).expect("TOML").into_bytes()
}

fn action() -> Action {
    let (workflow, step) = ("ci".to_owned(), Some("test".to_owned()));
    Action { workflow, step, evidence: vec!["e".to_owned()], ..Action::default() }
}

fn removals() -> Vec<Vec<u8>> {
    let at = Timestamp::UNIX_EPOCH;
    let record = Record { execution: Arc::new(execution(1)), attempt: attempt(1) };
    vec![toml(&Removal::Pruned { at, before: at }), toml(&Removal::Purged { at, records: [record.id()].into() })]
}

fn import_samples(format: Format) -> Vec<Vec<u8>> {
    let names: &[&str] = match format {
        Format::Jsonl => &["rows.jsonl"],
        Format::Junit => &["junit-nextest.xml", "junit-pytest.xml", "junit-surefire.xml"],
        Format::NinjaLog => &["ninja-5.log", "ninja-7.log"],
        Format::GithubJobs => &["github-jobs.json"],
        Format::Hyperfine => &["hyperfine.json"],
        Format::BenchmarkAction => &["data.js"],
        Format::TestDurations => &["test-durations.json"],
        Format::NextflowTrace => &["nextflow-trace.txt"],
        Format::ChromeTrace => &["chrome-trace.json"],
        Format::Criterion => &["criterion/norm/new/estimates.json", "criterion-messages.json"],
        Format::Beads => &["beads-issues.jsonl", "beads-events.jsonl"],
        Format::GitPerf => &[],
    };
    let samples = names.iter().map(|name| std::fs::read(sample(name)).expect("a sample"));
    // Events say nothing without their issues.
    if format == Format::Beads { vec![samples.flatten().collect()] } else { samples.collect() }
}

fn imported(format: Format, folder: &Path, bytes: &[u8]) -> bool {
    // Estimates of Criterion are named by their folders.
    let path = folder.join("criterion/one/new/estimates.json");
    std::fs::create_dir_all(path.parent().expect("folders")).expect("folders");
    std::fs::write(&path, bytes).expect("written");
    let branch = |branch: &str| Some(branch.to_owned());
    let options = Options { workflow: Some("w"), branch: &branch };
    let input = Input { name: path.display().to_string(), path };
    import::read(format, &[input], &options).is_ok_and(|found| found.executions().count() > 0)
}
