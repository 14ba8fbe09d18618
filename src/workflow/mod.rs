//! Workflow files: text and variables in, a checked graph of steps out. Knows no disk and no durations.

mod condition;
mod confinement;
pub mod content;
mod definition;
mod document;
mod draft;
pub mod edit;
mod foreign;
mod graph;
mod nearest;
pub mod nesting;
mod pieces;
mod quantity;
pub mod schema;
mod sheet;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use confinement::{Confinement, Sandbox};
pub use definition::{Definition, Find, parse};
pub use document::{Dialect, MAX_BYTES, Source};
pub use nearest::did_you_mean;
pub use sheet::formula;
pub use variables::Variable;

use crate::error::Result;

/// Returns the duration that a text such as `90s`, `20m` or `1h 30m` means; `None` where it means none.
pub fn duration(text: &str) -> Option<Duration> {
    quantity::duration(text).ok()
}

/// Returns the workflow that a file states, put together with those it extends, with its variables filled in.
///
/// # Errors
/// The text is no workflow, or a variable's value is missing or wrong; file, line and key are named.
pub fn load(source: &Source, given: &BTreeMap<String, String>, find: &mut Find<'_>) -> Result<Workflow> {
    parse(source, find)?.fill(given)
}

/// A checked workflow: variables filled in, every need known, no cycle.
#[derive(Default, Debug, Clone, PartialEq)]
pub struct Workflow {
    /// The name, from the key `formula`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Values of the variables declared `record = true`.
    pub recorded_variables: BTreeMap<String, String>,
    /// The steps, in the order of the file, a parent's first.
    pub steps: Vec<Step>,
    /// Whether an execution that fails runs the `undo` commands of the steps that had passed, without being asked again.
    pub undo: bool,
    /// What was odd but not wrong.
    pub warnings: Vec<Warning>,
}

/// One node of the graph. Clones share what is stated of it until one of them is changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Step(Arc<Stated>);

/// What a file states of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// Its id, unique in the workflow.
    pub id: StepId,
    /// A line for people; the id where the file gives none.
    pub title: String,
    /// What a person does in a manual step, or why the step is there.
    pub description: String,
    /// The command, variables filled in; a step without one is manual.
    pub run: Option<String>,
    /// The command as it stands in the file, before variables are filled in, where it is another then.
    pub template: Option<String>,
    /// Steps that must pass first.
    pub needs: Vec<StepId>,
    /// Why the step is left out this time: its `condition`, with its values.
    pub skip: Option<String>,
    /// The declared time limit.
    pub timeout: Option<Duration>,
    /// The declared retry policy; few steps have one, and pay for its size.
    pub retry: Option<Box<Retry>>,
    /// The declared resources.
    pub resources: Resources,
    /// Steps that share a lock never overlap.
    pub locks: Vec<String>,
    /// What the step reads, as patterns of paths below the project's root: its size tells how long the step takes.
    pub inputs: Vec<String>,
    /// The bytes of its inputs, where the file states them: `"meow.inputs_bytes"` in the metadata.
    pub inputs_bytes: Option<u64>,
    /// What it is an instance of, where the file states it: `"meow.series"` in the metadata.
    pub series: Option<String>,
    /// Variables set in the command's environment.
    pub env: BTreeMap<String, String>,
    /// The command that takes this step back when the execution fails.
    pub undo: Option<String>,
    /// How far it is kept apart from the machine, by its own words and the workflow's; steps with none of their own share it.
    pub confinement: Arc<Confinement>,
}

impl Step {
    /// Returns the step `id` that runs `command` after `needs`, with nothing else declared.
    pub fn new(id: &str, command: &str, needs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Stated {
            id: StepId(id.to_owned()),
            title: id.to_owned(),
            description: String::new(),
            run: Some(command.to_owned()),
            template: None,
            needs: needs.into_iter().map(|need| StepId(need.into())).collect(),
            skip: None,
            timeout: None,
            retry: None,
            resources: Resources::default(),
            locks: Vec::new(),
            inputs: Vec::new(),
            inputs_bytes: None,
            series: None,
            env: BTreeMap::new(),
            undo: None,
            confinement: Arc::default(),
        }
        .into()
    }
}

impl From<Stated> for Step {
    fn from(stated: Stated) -> Self {
        Self(Arc::new(stated))
    }
}

impl Deref for Step {
    type Target = Stated;

    fn deref(&self) -> &Stated {
        &self.0
    }
}

impl DerefMut for Step {
    fn deref_mut(&mut self) -> &mut Stated {
        Arc::make_mut(&mut self.0)
    }
}

/// A step's id within its workflow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl StepId {
    /// Returns the id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When and how a failed attempt is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included; at least 1.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with every further one.
    pub backoff: Duration,
    /// Which endings are tried again; empty means every failure.
    pub on: Vec<RetryOn>,
}

/// An ending that a retry policy covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOn {
    /// Ended by any signal: `"signal"`.
    Signal,
    /// Stopped at its time limit: `"timeout"`.
    Timeout,
    /// Exited with this code: `"exit:75"`.
    Exit(i32),
}

/// What a step asks of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Resources {
    /// Processors it keeps busy.
    pub cpu: Option<f64>,
    /// Memory it needs, in bytes; its processes are ended where they use more together.
    pub memory_bytes: Option<u64>,
    /// Processor time that one of its processes may use.
    pub cpu_time: Option<Duration>,
    /// The largest file it may write, in bytes.
    pub file_bytes: Option<u64>,
    /// Files that one of its processes may have open.
    pub open_files: Option<u64>,
    /// Processes and threads that it may have at once.
    pub processes: Option<u64>,
}

/// Something odd in a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is odd.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::error::{Error, Kind};

    fn source(file: &str, dialect: Dialect, text: &str) -> Source {
        Source { file: file.to_owned(), dialect, bytes: text.as_bytes().to_vec() }
    }

    fn given(values: &[(&str, &str)]) -> BTreeMap<String, String> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn alone(name: &str, _from: &str) -> Result<Source> {
        Err(Error::request(format!("there is no workflow `{name}`")).hint("look elsewhere"))
    }

    fn own(text: &str, values: &[(&str, &str)]) -> Result<Workflow> {
        load(&source("ci.toml", Dialect::Own, text), &given(values), &mut alone)
    }

    fn foreign(text: &str, values: &[(&str, &str)]) -> Result<Workflow> {
        load(&source("x.formula.toml", Dialect::Foreign, text), &given(values), &mut alone)
    }

    /// Loads among several files, each found by its name; the first is the one that is asked for.
    fn among(files: &[(&str, &str)]) -> Result<Workflow> {
        let all: BTreeMap<String, Source> = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), source(&format!("{name}.toml"), Dialect::Own, text)))
            .collect();
        load(&all[files[0].0], &BTreeMap::new(), &mut |name, from| {
            all.get(name).cloned().map_or_else(|| alone(name, from), Ok)
        })
    }

    fn check_refused(found: Result<Workflow>, input: &str, what: &str, hint: Option<&str>) {
        let error = found.expect_err(input);
        assert_eq!(error.kind(), Kind::Request, "{input}");
        assert_eq!(error.to_string(), what, "{input}");
        if let Some(hint) = hint {
            assert!(error.hint_text().unwrap_or_default().contains(hint), "{input}: {:?}", error.hint_text());
        }
    }

    const WHOLE: &str = r#"
formula = "ci"
description = "Format, build, test and package."
version = 1

[vars]
profile = { description = "cargo profile", default = "dev", enum = ["dev", "release"], record = true }
jobs = 4

[[steps]]
id = "build"
title = "Build for {{profile}}"
run = "cargo build --profile {{ profile }} -j{{jobs}} --format '{{.State}} {{{{end}}'"
timeout = "20m"
retry = { attempts = 2, backoff = "2s", on = ["signal", "timeout", "exit:75"] }
resources = { cpu = 1.5, memory = "2GiB" }
locks = ["cargo-target", "cargo-target"]
env = { CARGO_TERM_COLOR = "never", PROFILE = "{{profile}}", N = 3 }

[[steps]]
id = "test"
needs = ["build"]
metadata = { "meow.run" = "cargo test" }
undo = "rm -rf target/{{profile}}"
condition = "{{profile}} == release"

[[steps]]
id = "sign"
needs = ["test"]
"#;

    #[test]
    fn a_whole_workflow() {
        let workflow = own(WHOLE, &[]).expect("valid");
        assert_eq!(workflow.name, "ci");
        assert_eq!(workflow.recorded_variables, given(&[("profile", "dev")]));
        assert_eq!(workflow.warnings, []);
        let [build, test, sign] = workflow.steps.as_slice() else { panic!("three steps") };
        assert_eq!(build.title, "Build for dev");
        assert_eq!(build.run.as_deref(), Some("cargo build --profile dev -j4 --format '{{.State}} {{end}}'"));
        assert!(build.template.as_deref().expect("a template").contains("{{ profile }}"));
        assert_eq!(build.timeout, Some(Duration::from_mins(20)));
        let retry = build.retry.as_ref().expect("a policy");
        assert_eq!((retry.attempts, retry.backoff), (2, Duration::from_secs(2)));
        assert_eq!(retry.on, [RetryOn::Signal, RetryOn::Timeout, RetryOn::Exit(75)]);
        assert_eq!(build.resources, Resources { cpu: Some(1.5), memory_bytes: Some(2 << 30), ..Resources::default() });
        assert_eq!(build.locks, ["cargo-target"]);
        assert_eq!(build.env, given(&[("CARGO_TERM_COLOR", "never"), ("N", "3"), ("PROFILE", "dev")]));
        assert_eq!(test.run.as_deref(), Some("cargo test"));
        assert_eq!(test.undo.as_deref(), Some("rm -rf target/dev"));
        assert_eq!(test.skip.as_deref(), Some("its condition does not hold: `dev` == `release`"));
        assert_eq!(test.needs, [StepId("build".to_owned())]);
        assert_eq!((sign.run.as_deref(), sign.title.as_str()), (None, "sign"));
        let release = own(WHOLE, &[("profile", "release")]).expect("valid");
        assert_eq!(release.steps[1].skip, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let step = "formula = \"ci\"\n[[steps]]\nid = \"a\"\n";
        let with = |rest: &str| format!("{step}{rest}");
        for (text, what, hint) in [
            (String::new(), "ci.toml:1: the file is empty", Some("formula")),
            ("\n \n".into(), "ci.toml:1: the file is empty", None),
            ("formula = \"ci\"\n".into(), "ci.toml:1: the workflow has no steps", Some("[[steps]]")),
            ("[[steps]]\nid = \"a\"".into(), "ci.toml:1: the key `formula` is missing", Some("first line")),
            ("[package]\n".into(), "ci.toml:1: unknown key `package`", Some("known are `formula`")),
            (
                "formula = \"../x\"".into(),
                "ci.toml:1: `formula` is `../x`; a name has letters, digits, `-`, `_` and `.`",
                None,
            ),
            ("formula = 3".into(), "ci.toml:1: `formula` is a whole number, a text is expected", None),
            ("formula = \"a\"\ntype = \"convoy\"".into(), "ci.toml:2: `type` is `convoy`; known is `workflow`", None),
            (with("comand = \"x\""), "ci.toml:4: unknown key `steps.comand`", None),
            (with("Needs = []"), "ci.toml:4: unknown key `steps.Needs`", Some("did you mean `needs`?")),
            (with("retry = { attemps = 2 }"), "ci.toml:4: unknown key `steps.retry.attemps`", Some("`attempts`")),
            (with("retry = { attempts = 0 }"), "ci.toml:4: `steps.retry.attempts` is 0, 1 to 100 are possible", None),
            (
                with("retry = { attempts = 2, on = [\"exit:x\"] }"),
                "ci.toml:4: `steps.retry.on` holds `exit:x`; known are \"signal\", \"timeout\" and \"exit:1\" to \"exit:255\"",
                None,
            ),
            (with("needs = [\"b\"]"), "ci.toml:4: step `a` needs `b`, which is no step", Some("known are `a`")),
            (with("needs = \"b\""), "ci.toml:4: `steps.needs` is a text, a list of texts is expected", None),
            (with("needs = [\n3]"), "ci.toml:5: `steps.needs` holds a whole number, a list of texts is expected", None),
            (with("needs = [\"a\"]"), "ci.toml:2: steps wait for each other: a → a", Some("a needs b")),
            (with("[[steps]]\nid = \"a\""), "ci.toml:4: the step id `a` stands twice, first in line 2", None),
            (with("[[steps]]\nrun = \"x\""), "ci.toml:4: this `[[steps]]` has no `id`", Some("unique")),
            (with("run = \" \""), "ci.toml:4: the step's command is empty", Some("manual")),
            (with("run = \"{{x}}\""), "ci.toml:4: step `a` uses `{{x}}`, which is no variable", Some("[vars] x")),
            (
                with("title = \"{{profil}}\"\n[vars]\nprofile = \"\""),
                "ci.toml:4: step `a` uses `{{profil}}`, which is no variable",
                Some("did you mean `profile`?"),
            ),
            (with("run = \"a\\u0000b\""), "ci.toml:4: holds a NUL byte, which no command can carry", None),
            (
                with("timeout = \"soon\""),
                "ci.toml:4: `steps.timeout` is `soon`, a time such as \"90s\", \"20m\" or \"1h 30m\" is expected",
                None,
            ),
            (with("timeout = \"0s\""), "ci.toml:4: `steps.timeout` must be longer than nothing", None),
            (with("timeout = 20"), "ci.toml:4: `steps.timeout` is a whole number, a text is expected", None),
            (
                with("resources = { cpu = 0 }"),
                "ci.toml:4: `steps.resources.cpu` must be between 0.01 and 4096 processors",
                None,
            ),
            (
                with("condition = \"a == b == c\""),
                "ci.toml:4: `steps.condition` compares more than once; a condition is `a == b`, `a != b`, `a` or `!a`",
                None,
            ),
            (
                with("run = \"x\"\nmetadata = { \"meow.run\" = \"y\" }"),
                "ci.toml:5: the step has both `run` and `metadata.\"meow.run\"`",
                None,
            ),
            (with("run = \"x"), "ci.toml:4: not valid TOML: invalid basic string, expected `\\\"`", None),
            (
                with("[vars]\nx = { default = \"1\", required = true }"),
                "ci.toml:5: `vars.x.required` stands beside a `default`",
                None,
            ),
            (
                with("[vars]\nx = { pattern = \"(\" }"),
                "ci.toml:5: `vars.x.pattern` is no regular expression: unclosed group",
                None,
            ),
            (
                with(&format!("[vars]\nx = {{ pattern = \"{}\" }}", "[".repeat(5_000))),
                "ci.toml:5: `vars.x.pattern` is longer than 4 KiB",
                None,
            ),
            (
                with("[vars]\n\"x y\" = 1"),
                "ci.toml:5: `vars.x y` is no variable name; letters, digits, `_` and `-` make one",
                None,
            ),
            (with("[vars]\nx = { }"), "workflow `ci`: `x` needs a value", Some("add --var x=…")),
            (
                with("[vars]\nx = { default = \"c\", enum = [\"a\", \"b\"] }"),
                "ci.toml:5: the default is wrong: variable `x` is `c`, which is not among its values",
                None,
            ),
            (with("extends = 1"), "ci.toml:4: unknown key `steps.extends`", None),
            (
                format!("extends = \"base\"\n{step}"),
                "ci.toml:1: `extends` names `base`: there is no workflow `base`",
                Some("elsewhere"),
            ),
        ] {
            check_refused(own(&text, &[]), &text, what, hint);
        }
    }

    #[test]
    fn keys_of_limits_and_sandbox_are_checked() {
        let with = |rest: &str| format!("formula = \"ci\"\n[[steps]]\nid = \"a\"\n{rest}");
        for (text, what, hint) in [
            (
                with("resources = { open_files = 1 }"),
                "ci.toml:4: `steps.resources.open_files` must be between 3 and 1048576",
                None,
            ),
            (with("sandbox = \"on\""), "ci.toml:4: `steps.sandbox` is `on`; known is `off`, `auto`, `required`", None),
            (with("sandbox = true"), "ci.toml:4: `steps.sandbox` is true or false, a text is expected", None),
            (with("writes = \"~/x\""), "ci.toml:4: `steps.writes` is a text, a list of texts is expected", None),
            (
                with("reads = [\"../x\"]"),
                "ci.toml:4: `steps.reads` holds `../x`, which leads upwards",
                Some("`~/below/home`"),
            ),
            (with("read = []"), "ci.toml:4: unknown key `steps.read`", Some("did you mean `reads`?")),
        ] {
            check_refused(own(&text, &[]), &text, what, hint);
        }
    }

    #[test]
    fn a_step_takes_what_its_workflow_says_of_the_sandbox() {
        let text = "formula = \"ci\"\nsandbox = \"auto\"\nreads = [\"~/.cargo\"]\n[[steps]]\nid = \"a\"\n[[steps]]\nid = \"b\"\n\
                    sandbox = \"required\"\nnetwork = true\nreads = []\nresources = { cpu_time = \"10s\", file_size = \"1MiB\", processes = 9 }\n";
        let workflow = own(text, &[]).expect("valid");
        let found = |at: usize| Confinement::clone(&workflow.steps[at].confinement);
        assert_eq!((found(0).sandbox, found(0).network), (Some(Sandbox::Auto), None));
        assert_eq!(found(0).reads, Some(vec!["~/.cargo".to_owned()]));
        assert_eq!((found(1).sandbox, found(1).network), (Some(Sandbox::Required), Some(true)));
        assert_eq!((found(1).reads, found(1).writes), (Some(Vec::new()), None));
        let held = workflow.steps[1].resources;
        assert_eq!(
            (held.cpu_time, held.file_bytes, held.open_files, held.processes),
            (Some(Duration::from_secs(10)), Some(1 << 20), None, Some(9))
        );
        let child = "formula = \"child\"\nextends = \"ci\"\nsandbox = \"off\"\n";
        let workflow = among(&[("child", child), ("ci", text)]).expect("valid");
        assert_eq!(workflow.steps[0].confinement.sandbox, Some(Sandbox::Off), "the child's word counts");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let load =
            |bytes: Vec<u8>| load(&Source { bytes, ..source("ci.toml", Dialect::Own, "") }, &given(&[]), &mut alone);
        check_refused(
            load(b"formula = \"ci\"\n# \xff".to_vec()),
            "invalid",
            "ci.toml:2: not valid UTF-8",
            Some("UTF-8"),
        );
        let large = "ci.toml is larger than the limit of 512 KiB for a workflow file";
        check_refused(load(vec![b'#'; 10 << 20]), "10 MB", large, Some("right file"));
    }

    #[test]
    fn long_graphs_and_long_texts_end_in_words() {
        let chain = |steps: usize, closed: bool| {
            let mut text = "formula = \"long\"\n".to_owned();
            for step in 0..steps {
                let need = if step > 0 { step - 1 } else { steps - 1 };
                let needs = if step > 0 || closed { format!("needs=[\"s{need}\"]") } else { String::new() };
                text = text + "[[steps]]\nid = \"s" + &step.to_string() + "\"\n" + &needs + "\n";
            }
            text
        };
        assert_eq!(own(&chain(10_000, false), &[]).expect("a long chain").steps.len(), 10_000);
        let error = own(&chain(10_000, true), &[]).expect_err("a cycle").to_string();
        assert!(
            error.starts_with("ci.toml:2: steps wait for each other: s0 → s9999 → ") && error.len() < 200,
            "{error}"
        );
        let error = own(&chain(10_001, false), &[]).expect_err("too many").to_string();
        assert_eq!(error, "ci.toml:1: the workflow has more than 10000 steps");
        let hungry = format!(
            "formula = \"x\"\nvars = {{ x = \"\" }}\n[[steps]]\nid = \"a\"\nrun = \"{}\"",
            "{{x}}".repeat(90_000)
        );
        let error = own(&hungry, &[("x", &"y".repeat(100_000))]).expect_err("too long").to_string();
        assert_eq!(error, "ci.toml:3: the workflow's texts are longer than 32 MiB once variables are filled in");
    }

    #[test]
    fn values_of_variables_are_checked() {
        let text = r#"
formula = "ci"
[vars]
kind = { enum = ["fast", "full"], default = "fast" }
version = { pattern = '^\d+\.\d+$', required = true }
note = { required = false }
[[steps]]
id = "a"
run = "echo {{kind}} {{version}} '{{note}}'"
"#;
        for (values, expected) in [
            (&[("version", "1.2")][..], Ok("echo fast 1.2 ''")),
            (&[("version", "1.2"), ("kind", "full"), ("note", "{{kind}}")], Ok("echo full 1.2 '{{kind}}'")),
            (&[], Err("workflow `ci`: `version` needs a value")),
            (&[("version", "x")], Err("variable `version` is `x`, which does not match `^\\\\d+\\\\.\\\\d+$`")),
            (&[("version", "1.2"), ("kind", "ful")], Err("variable `kind` is `ful`, which is not among its values")),
            (&[("version", "1.2"), ("knd", "x")], Err("workflow `ci` has no variable `knd`")),
        ] {
            match (own(text, values), expected) {
                (Ok(workflow), Ok(run)) => assert_eq!(workflow.steps[0].run.as_deref(), Some(run)),
                (found, Err(what)) => check_refused(found, &format!("{values:?}"), what, None),
                (Err(error), Ok(_)) => panic!("{values:?}: {error}"),
            }
        }
    }

    #[test]
    fn a_child_replaces_in_place_and_appends() {
        let base = "formula = \"base\"\ndescription = \"from the base\"\n[vars]\nx = \"1\"\ny = \"2\"\n\
        [[steps]]\nid = \"a\"\nrun = \"base a {{x}}{{y}}\"\n[[steps]]\nid = \"b\"\nrun = \"base b\"\nneeds = [\"a\"]\n";
        let child = "formula = \"child\"\nextends = [\"base\"]\n[vars]\nx = \"9\"\n\
        [[steps]]\nid = \"c\"\nrun = \"c\"\nneeds = [\"b\"]\n[[steps]]\nid = \"b\"\nrun = \"child b {{x}}{{y}}\"\n";
        let workflow = among(&[("child", child), ("base", base)]).expect("valid");
        assert_eq!((workflow.name.as_str(), workflow.description.as_str()), ("child", "from the base"));
        let steps: Vec<_> =
            workflow.steps.iter().map(|step| (step.id.as_str(), step.run.as_deref(), step.needs.len())).collect();
        assert_eq!(steps, [("a", Some("base a 92"), 0), ("b", Some("child b 92"), 0), ("c", Some("c"), 1)]);
    }

    #[test]
    fn extending_in_a_circle_or_into_the_wide_is_refused() {
        let extending = |name: &str, parents: &str| {
            format!("formula = \"{name}\"\nextends = [{parents}]\n[[steps]]\nid = \"{name}\"\n")
        };
        let (a, b) = (extending("a", "\"b\""), extending("b", "\"a\""));
        let circle = "b.toml:2: workflows extend each other: a → b → a";
        check_refused(among(&[("a", &a), ("b", &b)]), "a circle", circle, Some("take one"));
        let (left, right, top) = (extending("left", "\"top\""), extending("right", "\"top\""), extending("top", ""));
        let both = extending("both", "\"left\", \"right\"");
        let workflow = among(&[("both", &both), ("left", &left), ("right", &right), ("top", &top)]).expect("a diamond");
        let ids: Vec<_> = workflow.steps.iter().map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["top", "left", "right", "both"], "each parent once, parents first");
        let many: Vec<(String, String)> =
            (0..40).map(|n| (format!("w{n}"), extending(&format!("w{n}"), &format!("\"w{}\"", n + 1)))).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        check_refused(among(&many), "a long chain", "w31.toml:2: more than 32 files extend each other", None);
    }

    #[test]
    fn foreign_formulas_are_read_with_warnings() {
        let text = r#"
formula = "town"
type = "workflow"
pour = true
colour = "red"
[vars.who]
description = "not required, no default"
[[steps]]
id = "boot"
title = "{{who}} {{else}} {{.x}} {{range}}"
acceptance = "it boots"
type = "parallel"
depends_on = ["first"]
shape = 1
[[steps.children]]
id = "left"
[[steps.children]]
id = "right"
metadata = { "meow.run" = "echo {{who}}", "gc.kind" = "x" }
[[steps]]
id = "first"
shape = 2
retry = { max_attempts = 3, on_exhausted = "hard_fail" }
gate = { type = "gh:run", timeout = "30m" }
"#;
        let workflow = foreign(text, &[("who", "me")]).expect("valid");
        let warnings: Vec<String> = workflow.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "x.formula.toml:5: unknown key `colour` has no effect",
                "x.formula.toml:14: unknown key `steps.shape` has no effect",
                "x.formula.toml:24: the gate of step `first` is left to the person who does the step",
                "x.formula.toml:10: `{{range}}` in step `boot` is no variable and stays as it is",
            ]
        );
        let steps: BTreeMap<&str, &Step> = workflow.steps.iter().map(|step| (step.id.as_str(), step)).collect();
        let needs = |id: &str| steps[id].needs.iter().map(StepId::as_str).collect::<Vec<_>>();
        assert_eq!(needs("boot"), ["first", "left", "right"], "a container waits for its children");
        assert_eq!(needs("left"), ["first"], "children wait for what the container needs");
        assert_eq!(steps["boot"].title, "me {{else}} {{.x}} {{range}}");
        assert_eq!(steps["boot"].description, "Done when: it boots");
        assert_eq!(steps["right"].run.as_deref(), Some("echo me"));
        assert_eq!(steps["first"].retry.as_ref().map(|retry| retry.attempts), Some(3));
        check_refused(
            foreign("formula = \"x\"\n[[steps]]\nid = \"a\"\nmetadata = { \"meow.run\" = \"rm {{x}}\" }", &[]),
            "a hole in a command",
            "x.formula.toml:4: step `a` uses `{{x}}`, which is no variable",
            None,
        );
        check_refused(
            foreign(
                "formula = \"x\"\n[[steps]]\nid = \"a\"\nmetadata = { \"meow.run\" = \"x\" }\ngate = { type = \"human\" }",
                &[],
            ),
            "a command behind a gate",
            "x.formula.toml:5: `steps.gate` of step `a` cannot be waited for, so its command must not run",
            None,
        );
    }

    #[test]
    fn a_convoy_is_legs_and_a_synthesis() {
        let text = "formula = \"review\"\ntype = \"convoy\"\n[inputs.pr]\nrequired_unless = [\"files\"]\n[inputs.files]\n\
        [[legs]]\nid = \"a\"\ntitle = \"{{.pr}}\"\n[[legs]]\nid = \"b\"\n[synthesis]\ntitle = \"All\"\ndepends_on = [\"a\", \"b\"]\n";
        let workflow = foreign(text, &[("pr", "7")]).expect("valid");
        let shape: Vec<_> = workflow.steps.iter().map(|step| (step.id.as_str(), step.needs.len())).collect();
        assert_eq!(shape, [("a", 0), ("b", 0), ("synthesis", 2)]);
        assert_eq!(workflow.steps[0].title, "7");
        foreign(text, &[("files", "x")]).expect("one of the two is enough");
        check_refused(foreign(text, &[]), "neither", "workflow `review`: `pr` needs a value", None);
    }

    proptest! {
        /// Whatever the bytes are, the answer is a workflow or words.
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), own in any::<bool>()) {
            let dialect = if own { Dialect::Own } else { Dialect::Foreign };
            let _ = load(&Source { file: "f".into(), dialect, bytes }, &BTreeMap::new(), &mut alone);
        }

        /// Texts made of the format's own pieces reach deeper than random ones.
        #[test]
        fn arbitrary_pieces_never_panic(pieces in proptest::collection::vec(0_usize..PIECES.len(), 0..24), own in any::<bool>()) {
            let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
            let dialect = if own { Dialect::Own } else { Dialect::Foreign };
            if let Ok(workflow) = load(&source("f", dialect, &text), &given(&[("x", "é")]), &mut alone) {
                prop_assert!(!workflow.steps.is_empty());
            }
        }
    }

    const PIECES: [&str; 30] = [
        "formula = \"f\"\n",
        "[[steps]]\n",
        "id = \"a\"\n",
        "id = \"b\"\n",
        "needs = [\"a\"]\n",
        "needs = [\"b\"]\n",
        "run = \"{{x}} {{{{ }} {{\"\n",
        "[vars]\n",
        "x = \"\"\n",
        "[vars.x]\n",
        "pattern = \"é|\"\n",
        "enum = [1, \"é\"]\n",
        "condition = \"'{{x}} == é\"\n",
        "condition = \"!é!=\"\n",
        "timeout = \"1h é\"\n",
        "retry = { attempts = 3 }\n",
        "type = \"convoy\"\n",
        "[[legs]]\n",
        "[synthesis]\n",
        "depends_on = [\"a\"]\n",
        "[[steps.children]]\n",
        "title = \"{{é}}\"\n",
        "extends = [\"f\"]\n",
        "env = { \"\" = 1 }\n",
        "resources = { memory = \"1.é\" }\n",
        "[compose]\n",
        "\u{feff}",
        "é",
        "\"\"\"\n",
        "= {{",
    ];
}
