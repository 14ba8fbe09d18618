//! The wall clock jumps while a workflow runs: nothing hangs, nothing took less than no time, and all of it is remembered.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::space::{Space, peer};

/// Moves every wall clock by the seconds in the file `$JUMP`; time that passes stays what it is.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long jump(void) {
    char text[32] = {0};
    const char *file = getenv("JUMP");
    int from = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (from < 0) return 0;
    ssize_t got = read(from, text, sizeof text - 1);
    close(from);
    return got > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *to) {
    int failed = syscall(SYS_clock_gettime, clock, to);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) to->tv_sec += jump();
    return failed;
}

int gettimeofday(struct timeval *to, void *zone) {
    int failed = syscall(SYS_gettimeofday, to, zone);
    if (!failed) to->tv_sec += jump();
    return failed;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A project whose programs see a clock that jumps.
struct Jumping {
    space: Space,
    shim: PathBuf,
}

impl Jumping {
    /// Returns one; nothing where there is no C compiler.
    fn new() -> Option<Self> {
        if !peer("cc") {
            return None;
        }
        let space = Space::repository();
        let (source, shim) = (space.home().join("shim.c"), space.home().join("shim.so"));
        std::fs::write(&source, SHIM).expect("written");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).status();
        assert!(built.expect("cc").success());
        Some(Self { space, shim })
    }

    fn meow(&self, args: &[&str]) -> Output {
        let mut command = self.space.command(&self.space.root(), env!("CARGO_BIN_EXE_meow"));
        command.args(args).env_remove("MEOW_CLOCK").env("LD_PRELOAD", &self.shim);
        command.env("JUMP", self.space.home().join("jump")).output().expect("meow starts")
    }

    fn ok(&self, args: &[&str]) -> Value {
        let said = self.meow(args);
        assert!(said.status.success(), "{args:?}: {said:?}");
        serde_json::from_slice(&said.stdout).unwrap_or(Value::Null)
    }
}

const DAY: i64 = 86_400;

/// The steps of a workflow, each of which first sets the clock to so many days from now.
fn workflow(steps: &[(&str, i64, &str, &str)]) -> String {
    let step = |(id, days, command, keys): &(&str, i64, &str, &str)| {
        let run = format!("echo {} >\"$HOME/jump\"; {command}", days * DAY);
        format!("\n[[steps]]\nid = \"{id}\"\nrun = '''{run}'''\n{keys}\n")
    };
    format!("formula = \"ci\"\n{}", steps.iter().map(step).collect::<String>())
}

#[test]
fn a_clock_that_jumps_back_and_forth_hangs_and_loses_nothing() {
    let Some(jumping) = Jumping::new() else { return };
    let meow = env!("CARGO_BIN_EXE_meow");
    let steps = [
        ("ahead", 1, "date +%s >ahead; sleep 0.1", ""),
        ("back", -3, "date +%s >back; sleep 0.1", "needs = [\"ahead\"]"),
        (
            "retried",
            400,
            "test $MEOW_ATTEMPT -gt 1",
            "needs = [\"back\"]\nretry = { attempts = 3, backoff = \"200ms\" }",
        ),
        // Another meow looks while this one runs, from a time long after it or before it.
        ("seen", 4_000, &format!("'{meow}' status >seen; '{meow}' commit 2>committed"), "needs = [\"retried\"]"),
        ("stopped", -4_000, "sleep 60", "needs = [\"seen\"]\ntimeout = \"500ms\""),
    ];
    jumping.space.write(".meow/workflows/ci.toml", &workflow(&steps));
    let began = Instant::now();
    let said = jumping.meow(&["execute", "ci", "--events", "jsonl"]);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}: {said:?}");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let wall = |file: &str| jumping.space.read(file).trim().parse::<i64>().expect("seconds");
    assert!(wall("ahead") - wall("back") > 3 * DAY, "the clock did jump");
    assert!(jumping.space.read("seen").contains("Running"), "{}", jumping.space.read("seen"));

    let events = String::from_utf8(said.stdout).expect("text");
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ends: Vec<&Value> = events.iter().filter(|event| event["event"] == "attempt-finished").collect();
    assert_eq!(ends.len(), 6);
    let most = took.as_secs_f64() * 1e3;
    let mut last = 0.0;
    for end in &ends {
        let number = |key: &str| end[key].as_f64().expect("a number");
        let (ready, started, duration) = (number("ready_ms"), number("started_ms"), number("duration_ms"));
        assert!(
            ready <= started && last <= started + 1.0 && duration > 0.0 && started + duration <= most + 1.0,
            "{end}"
        );
        last = started + duration;
    }
    let of = |step: &str| ends.iter().rev().find(|end| end["step"] == step).expect("its end");
    assert!(of("back")["duration_ms"].as_f64().expect("a number") >= 100.0);
    assert_eq!(of("retried")["attempt"], 2);
    assert_eq!(of("stopped")["ending"]["ending"], "timed-out");
    let stopped = of("stopped")["duration_ms"].as_f64().expect("a number");
    assert!((500.0..10_000.0).contains(&stopped), "its limit is of time that passes: {stopped} ms");

    // It is remembered, sealed and read, from the past and from the future.
    let id = events[0]["execution"].as_str().expect("an id").to_owned();
    for days in [-4_000, 4_000, 0] {
        std::fs::write(jumping.space.home().join("jump"), (days * DAY).to_string()).expect("written");
        if days == -4_000 {
            jumping.ok(&["commit"]);
        }
        let log = jumping.ok(&["log", "--json"]);
        assert_eq!(log["executions"].as_array().expect("a list").len(), 1, "{log}");
        let one = jumping.ok(&["status", &id, "--json"]);
        assert_eq!(one["attempts"].as_array().expect("a list").len(), 6, "{one}");
        for command in [&["status"][..], &["learn"], &["report"], &["learning-report"], &["store", "verify"]] {
            jumping.ok(command);
        }
    }
    let one = jumping.ok(&["status", &id, "--json"]);
    let whole = one["duration_ms"].as_f64().expect("a number");
    assert!((600.0..=most).contains(&whole), "{whole} of {most}");
    // And gone on with, from a time before it began.
    std::fs::write(jumping.space.home().join("jump"), (-8_000 * DAY).to_string()).expect("written");
    let said = jumping.meow(&["execute", "--resume"]);
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.code() == Some(1) && told.contains("4 of 5 steps had passed"), "{told}");
}
