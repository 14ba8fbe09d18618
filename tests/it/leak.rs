//! Nothing that a step starts outlives it, wherever it went: twelve ways to get away, and what is kept of how it ended.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::space::Space;

/// Ways to leave something behind; `TOKEN` marks its command line.
const ESCAPES: [(&str, &str); 13] = [
    ("background", "sleep TOKEN &"),
    ("session", "setsid sleep TOKEN &"),
    ("double-fork", "(setsid sh -c '(sleep TOKEN &) ; exit' &) ; sleep 0.1"),
    ("closed-stdio", "setsid sleep TOKEN <&- >&- 2>&- &"),
    ("nohup", "nohup setsid sleep TOKEN >nohup.out 2>&1 &"),
    ("disowned", "bash -c 'set -m; sleep TOKEN & disown'"),
    ("own-group", "set -m; sleep TOKEN & true"),
    ("stopped", "setsid sh -c 'kill -STOP $$; sleep TOKEN' TOKEN & sleep 0.1"),
    (
        "ignores-term",
        "setsid sh -c \"trap '' TERM HUP INT; sleep TOKEN & while :; do sleep 1; done\" TOKEN & sleep 0.1",
    ),
    ("re-executed", "setsid sh -c 'exec sh -c \"exec sleep TOKEN\"' &"),
    ("chain", "setsid sh ./chain 200 TOKEN & sleep 0.05"),
    (
        "respawns",
        "setsid sh -c 'trap \"setsid sleep TOKEN & \" TERM EXIT; while :; do sleep 0.02; done' TOKEN & sleep 0.1",
    ),
    ("no-variables", "setsid env -i /bin/sleep TOKEN & sleep 0.05"),
];

/// Each process of the chain starts the next one and ends; the last one stays.
const CHAIN: &str = "if [ $1 -gt 0 ]; then sh ./chain $(($1 - 1)) $2 & else exec sleep $2; fi\n";

/// Returns the processes whose command line holds `token`.
fn survivors(token: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(token) && !stat.contains(") Z ") {
            found.push(format!("{}: {}", entry.file_name().display(), String::from_utf8_lossy(&line)));
        }
    }
    found
}

/// A duration for `sleep` that no other process has.
fn token(number: u32) -> String {
    format!("300.{}{number:04}", std::process::id())
}

fn workflow(space: &Space, steps: &[(&str, String, &str)]) {
    let mut text = "formula = \"ci\"\nversion = 1\n".to_owned();
    for (id, run, keys) in steps {
        text.push_str(&format!("\n[[steps]]\nid = \"{id}\"\nrun = '''\n{run}\n'''\n{keys}\n"));
    }
    space.write(".meow/workflows/ci.toml", &text);
}

#[expect(clippy::print_stderr, reason = "says why it is skipped")]
fn can_escape() -> bool {
    let has =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    let able = cfg!(target_os = "linux") && has("setsid") && has("bash");
    if !able {
        assert!(std::env::var_os("MEOW_REQUIRE_PEERS").is_none(), "no Linux with setsid and bash");
        eprintln!("skipped: no Linux with setsid and bash");
    }
    able
}

fn ends(out: &str) -> Vec<serde_json::Value> {
    let events = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    events.filter(|event| event["event"] == "attempt-finished").collect()
}

#[test]
fn nothing_outlives_a_step_that_ended() {
    if !can_escape() {
        return;
    }
    let space = Space::repository();
    space.write("chain", CHAIN);
    let token = token(1);
    let all: Vec<_> =
        ESCAPES.iter().map(|(id, run)| (*id, format!("{}\nexit 7", run.replace("TOKEN", &token)), "")).collect();
    workflow(&space, &all);
    let said = space.meow(&["execute", "--keep-going", "-j4", "--events", "jsonl"]);
    assert_eq!(survivors(&token), Vec::<String>::new(), "{}", said.err);
    let ends = ends(&said.out);
    assert_eq!(ends.len(), ESCAPES.len());
    for end in ends {
        assert_eq!(end["ending"], serde_json::json!({ "ending": "exited", "code": 7 }), "its own exit code: {end}");
    }
}

#[test]
fn nothing_outlives_a_time_limit() {
    if !can_escape() {
        return;
    }
    let space = Space::repository();
    space.write("chain", CHAIN);
    let token = token(2);
    let hang = |run: &str| format!("{}\ntrap '' TERM\nsleep {token}; sleep {token}", run.replace("TOKEN", &token));
    let all: Vec<_> = ESCAPES.iter().map(|(id, run)| (*id, hang(run), "timeout = \"700ms\"")).collect();
    workflow(&space, &all);
    let began = Instant::now();
    let said = space.meow(&["execute", "--keep-going", "-j13", "--events", "jsonl"]);
    let took = began.elapsed();
    assert_eq!(survivors(&token), Vec::<String>::new(), "{}", said.err);
    let ends = ends(&said.out);
    assert_eq!(ends.len(), ESCAPES.len());
    for end in &ends {
        assert_eq!(end["ending"]["ending"], "timed-out", "{end}");
        let after = end["duration_ms"].as_f64().expect("a number") - 700.0;
        assert!(after <= 6_000.0, "the last death came {after} ms after the limit: {end}");
    }
    assert!(said.err.contains("will be stopped at 700 ms"), "a warning comes first: {}", said.err);
    // Grace is five seconds; starting thirteen steps on a busy machine takes its time.
    assert!(took < Duration::from_secs(12), "{took:?}");
}

#[test]
fn what_a_step_leaves_ends_with_it_and_what_others_have_goes_on() {
    if !can_escape() {
        return;
    }
    let space = Space::repository();
    let (left, kept) = (token(3), token(4));
    let leaves = format!("setsid sleep {left} & sleep 0.1");
    let check = format!(
        "setsid sleep {kept} & kept=$!\nuntil test -e ended; do sleep 0.02; done\nsleep 0.1\n\
         pgrep -f '[s]leep {left}' && exit 3\nkill -0 $kept"
    );
    workflow(
        &space,
        &[
            ("leaver", leaves, ""),
            ("other", check, "timeout = \"20s\""),
            ("after", "sleep 0.3; : >ended".to_owned(), "needs = [\"leaver\"]"),
        ],
    );
    let said = space.meow(&["execute", "-j3"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!((survivors(&left), survivors(&kept)), (Vec::new(), Vec::new()));
}

#[test]
fn a_signal_is_kept_as_the_end_of_a_step_that_left_something_behind() {
    if !can_escape() {
        return;
    }
    let space = Space::repository();
    let token = token(5);
    workflow(&space, &[("killed", format!("setsid sleep {token} & kill -SEGV $$"), "")]);
    let said = space.meow(&["execute", "--events", "jsonl"]);
    assert_eq!(ends(&said.out)[0]["ending"], serde_json::json!({ "ending": "signaled", "signal": 11 }));
    assert_eq!(survivors(&token), Vec::<String>::new());
}

#[test]
fn what_threw_its_variables_away_ends_with_a_step_that_runs_alone() {
    if !can_escape() {
        return;
    }
    let space = Space::repository();
    let token = token(6);
    let after = format!("pgrep -f '[s]leep {token}' && exit 3; true");
    let leaves = format!("setsid env -i /bin/sleep {token} & sleep 0.1");
    workflow(&space, &[("leaver", leaves, ""), ("after", after, "needs = [\"leaver\"]")]);
    let said = space.meow(&["execute"]);
    assert_eq!((said.code, survivors(&token)), (0, Vec::new()), "{}{}", said.out, said.err);
}
