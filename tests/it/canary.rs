//! Canaries: strings that only the person, the machine or a step's output hold are in nothing that meow keeps for others.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use meow::store;

use crate::space::{Said, Space};

/// Every canary has this in it, so that one search finds them all; base64 of it in any place has one of these too.
const MARK: &str = "Canary7Quill";
/// The user, as the environment names them.
const USER: &str = "userCanary7Quill";
/// What a step prints, is named or is told.
const SCRIPT: &str = "echo outCanary7Quill $API_TOKEN $PLAIN $HOME $USER $1\n\
    echo errCanary7Quill >&2\n\
    echo x > fileCanary7Quill.txt\n\
    pwd\n";

const WORKFLOW: &str = r#"formula = "ci"

[vars]
prompt = { description = "what an agent is asked", default = "none" }

[[steps]]
id = "build"
run = "sh \"$SAY\" '{{prompt}}'"

[[steps]]
id = "test"
needs = ["build"]
retry = { attempts = 2, backoff = "1ms" }
run = "sh \"$SAY\" '{{prompt}}'; exit $WANTED"
"#;

/// A test report whose names, host and output hold canaries and somebody's token.
const REPORT: &str = r#"<testsuites><testsuite name="s" hostname="hostCanary7Quill" timestamp="2025-11-20T10:00:00">
<properties><property name="user" value="userCanary7Quill"/></properties>
<testcase classname="api" name="login[--password=passwordCanary7Quill]" time="0.5"/>
<testcase classname="api" name="at /home/homeCanary7Quill/x" time="0.5"/>
<testcase classname="api" name="as userCanary7Quill on hostCanary7Quill" time="0.5"><failure message="messageCanary7Quill">bodyCanary7Quill</failure>
<system-out>systemCanary7Quill</system-out></testcase>
</testsuite></testsuites>"#;

/// A person whose every name is a canary.
struct Person {
    space: Space,
    home: PathBuf,
}

impl Person {
    fn new() -> Self {
        let space = Space::repository();
        let home = space.home().join(format!("home{MARK}"));
        std::fs::create_dir(&home).expect("home");
        std::fs::write(space.home().join("say.sh"), SCRIPT).expect("script");
        Self { space, home }
    }

    fn program(&self, program: &str, wanted: &str, args: &[&str]) -> Said {
        let mut command = self.space.command(&self.space.root(), program);
        command.args(args).stdin(Stdio::null()).env("HOME", &self.home).env("USER", USER).env("LOGNAME", USER);
        command.env("HOSTNAME", "hostCanary7Quill").env("API_TOKEN", "tokenCanary7Quill");
        command.env("PLAIN", "plainCanary7Quill").env("SAY", self.space.home().join("say.sh")).env("WANTED", wanted);
        // The person's own commits are theirs to sign; meow's take the names from here too, and say no more than git does.
        Said::from(command.output().expect("started"))
    }

    fn meow(&self, args: &[&str]) -> String {
        let said = self.program(env!("CARGO_BIN_EXE_meow"), "0", args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.out + &said.err
    }

    fn git(&self, args: &[&str]) {
        let said = self.program("git", "0", args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
    }
}

/// Returns the canary's bytes as they are, in hex, and in base64 wherever they start.
fn marks() -> Vec<Vec<u8>> {
    let hex: String = MARK.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    // printf 'Canary7Quill' | base64, and the same after one and two other bytes, less what those decide.
    ["Canary7Quill", hex.as_str(), "Q2FuYXJ5N1F1aWxs", "NhbmFyeTdRdWls", "DYW5hcnk3UXVpbG"]
        .map(|mark| mark.as_bytes().to_ascii_lowercase())
        .to_vec()
}

fn holds(bytes: &[u8]) -> bool {
    let small = bytes.to_ascii_lowercase();
    marks().iter().any(|mark| small.windows(mark.len()).any(|window| window == mark.as_slice()))
}

/// Returns every file below `folder`, but for folders of these names.
fn files(folder: &Path, but: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !but.contains(&entry.file_name().to_string_lossy().as_ref()) {
            found.extend(files(&path, but));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// Asserts that no object of a repository, raw or decoded, holds a canary.
fn no_object_holds_one(space: &Space, folder: &Path) {
    let listed =
        space.git_in(folder, &["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"]);
    let mut segments = 0;
    for line in listed.lines() {
        let (id, kind) = line.split_once(' ').expect("name and type");
        let object = space.command(folder, "git").args(["cat-file", kind, id]).output().expect("git").stdout;
        assert!(!holds(&object), "{kind} {id}: {}", String::from_utf8_lossy(&object));
        if object.starts_with(b"PAR1") {
            segments += 1;
        }
    }
    assert!(segments > 0, "nothing was looked at in {}", folder.display());
}

#[test]
fn nothing_that_only_the_person_knows_is_kept() {
    let person = Person::new();
    let space = &person.space;
    assert!(holds(b"xxcanary7quill") && holds(b"dG9rZW5DYW5hcnk3UXVpbGw=") && !holds(b"Canary"), "the search finds");
    let remote = space.home().join("remote.git");
    let remote = remote.to_str().expect("plain");
    space.write(".meow/workflows/ci.toml", WORKFLOW);
    space.write(".gitignore", "*.txt\n");
    person.git(&["add", "."]);
    person.git(&["commit", "--quiet", "--message=a workflow"]);
    person.git(&["clone", "--quiet", "--bare", ".", remote]);
    person.git(&["remote", "add", "origin", remote]);
    person.git(&["switch", "--quiet", "--create", "topic/branchCanary7Quill"]);
    person.meow(&["hooks", "install"]);
    for wanted in ["0", "3", "0"] {
        let args = ["execute", "ci", "--var", "prompt=promptCanary7Quill"];
        let said = person.program(env!("CARGO_BIN_EXE_meow"), wanted, &args);
        assert_eq!(said.code, i32::from(wanted != "0"), "{said:?}");
        // What is plain in the environment is no secret; what is named one is, as are user and home.
        let lines: Vec<&str> = said.out.lines().filter(|line| line.starts_with("  | ")).collect();
        for hidden in ["tokenCanary7Quill", USER, "homeCanary7Quill"] {
            assert!(!lines.iter().any(|line| line.contains(hidden)), "{lines:?}");
        }
        assert_eq!(wanted == "3", lines.iter().any(|line| line.contains("outCanary7Quill [secret]")), "{lines:?}");
    }
    person.meow(&["record", "--", "sh", "-c", "echo argvCanary7Quill"]);
    space.write("report.xml", REPORT);
    person.meow(&["import", "junit", "report.xml"]);
    std::fs::remove_file(space.root().join("report.xml")).expect("removed");
    space.write("README", "changed\n");
    person.git(&["commit", "--quiet", "--all", "--message=with the hook"]);
    person.meow(&["commit"]);
    person.meow(&["execute", "ci", "--var", "prompt=promptCanary7Quill"]);
    person.meow(&["push"]);
    person.meow(&["fetch"]);
    person.meow(&["fold"]);
    person.meow(&["learn"]);
    person.meow(&["commit"]);
    for page in ["text", "markdown", "html", "json"] {
        let said = person.meow(&["report", "--format", page]);
        assert!(!holds(said.replace("branchCanary7Quill", "").as_bytes()), "{page}: {said}");
    }
    for args in [["analyze"], ["insights"], ["recommendations"], ["status"], ["learning-report"]] {
        let said = person.meow(&args);
        assert!(!holds(said.replace("branchCanary7Quill", "").as_bytes()), "{args:?}: {said}");
    }
    no_object_holds_one(space, &space.root());
    no_object_holds_one(space, Path::new(remote));
    for file in files(&space.root().join(".meow"), &[]) {
        assert!(!holds(&std::fs::read(&file).expect("read")), "{}", file.display());
        assert!(!holds(file.to_string_lossy().as_bytes()), "{}", file.display());
    }
    // What steps print stays in the private logs, and nowhere else in what is kept privately.
    for file in files(&space.root().join(".git/meow"), &["logs"]) {
        assert!(!holds(&std::fs::read(&file).expect("read")), "{}", file.display());
    }
    let mut records = 0;
    for segment in store::segments(&space.root().join(".meow")).expect("listed") {
        for record in segment.records().expect("whole") {
            records += 1;
            assert!(!holds(format!("{record:?}").as_bytes()), "{record:?}");
        }
    }
    // 4 executions of 2 steps, one of them tried twice; one command; three test cases.
    assert_eq!(records, 13);
}
