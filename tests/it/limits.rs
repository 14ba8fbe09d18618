//! Declared limits hold, say which one was hit, and leave what is not declared alone.

use serde_json::Value;

use crate::space::{Said, Space};

/// Runs a workflow of one step with these keys; returns what was said and how the attempt ended.
fn run(step: &str) -> (Said, Value) {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\n[[steps]]\nid = \"a\"\n{step}\n"));
    let said = space.meow(&["execute", "--events", "jsonl"]);
    let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let end = events.into_iter().find(|event| event["event"] == "attempt-finished").expect("an end");
    (said, end)
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_held_to_what_was_declared() {
    // Two processes, each below the limit by itself, one of them in a session of its own.
    let hog = r#"perl -e '$x = "x" x 60_000_000; sleep 20'"#;
    let (said, end) = run(&format!("run = '''setsid {hog} & {hog}; wait'''\nresources = {{ memory = \"100MiB\" }}"));
    assert_eq!(
        (said.code, &end["ending"]["ending"], &end["ending"]["resource"]),
        (1, &"over-limit".into(), &"memory".into())
    );
    assert_eq!(end["ending"]["limit"], 100 << 20);
    assert!(end["ending"]["used"].as_u64().is_some_and(|used| used > 100 << 20), "{end}");
    assert!(end["duration_ms"].as_f64().is_some_and(|took| took < 10_000.0), "{end}");
    assert_eq!(end["metrics"]["meow.over.memory_bytes"], f64::from(100 << 20));
    assert!(
        said.err.contains("at its limit of 104.9 MB for memory") || said.err.contains("MiB for memory"),
        "{}",
        said.err
    );
    let left = std::fs::read_dir("/proc").expect("proc").flatten().filter(|process| {
        std::fs::read(process.path().join("cmdline"))
            .is_ok_and(|line| line.windows(10).any(|part| part == b"60_000_000") && line.starts_with(b"perl"))
            && std::fs::read_to_string(process.path().join("environ")).is_ok_and(|env| env.contains("MEOW_STEP=a"))
    });
    assert_eq!(left.count(), 0, "what had left the group was ended too");
}

#[test]
#[cfg(target_os = "linux")]
fn processes_and_threads_are_held_to_what_was_declared() {
    let many = |most: u32| {
        let command = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.6 & done; wait";
        run(&format!("run = \"{command}\"\nresources = {{ processes = {most} }}"))
    };
    let (said, end) = many(5);
    let found = (said.code, &end["ending"]["resource"], &end["ending"]["limit"]);
    assert_eq!(found, (1, &"processes".into(), &5.into()), "{end}");
    assert_eq!(end["metrics"]["meow.over.processes"], 5.0);
    assert!(said.err.contains("at its limit of 5 for processes and threads"), "{}", said.err);
    let (said, end) = many(20);
    assert_eq!((said.code, &end["ending"]["code"]), (0, &0.into()), "{}", said.err);
    assert!(end["metrics"]["meow.cgroup"].is_f64(), "which of the two held to it is recorded: {end}");
}

/// Runs where these tests are the only processes of a group below a delegated one, such as
/// `systemd-run --user --scope -p Delegate=yes sh -c 'g=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); mkdir $g/tests;
/// echo $$ > $g/tests/cgroup.procs; exec cargo test limits'`.
#[test]
#[cfg(target_os = "linux")]
fn a_control_group_holds_where_one_is_delegated() {
    let space = Space::repository();
    let execute = |step: &str| {
        space.write(".meow/workflows/ci.toml", &format!("formula = \"ci\"\n[[steps]]\nid = \"a\"\n{step}\n"));
        let said = space.meow(&["execute", "--verbose", "--events", "jsonl"]);
        let events: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let end = events.into_iter().find(|event| event["event"] == "attempt-finished").expect("an end");
        (said, end)
    };
    // Within its limits; what it leaves behind throws its variables away.
    let within = "cat /proc/self/cgroup > group; env -i setsid sleep 60 > /dev/null 2>&1 & sleep 0.2";
    let (said, end) =
        execute(&format!("run = '''{within}'''\nresources = {{ memory = \"200MiB\", processes = 20, cpu = 0.5 }}"));
    if let Some(why) = said.err.lines().find(|line| line.contains("of steps are watched")) {
        println!("skipped: {why}");
        assert_eq!((said.code, &end["metrics"]["meow.cgroup"]), (0, &0.0.into()));
        return;
    }
    assert_eq!((said.code, &end["metrics"]["meow.cgroup"]), (0, &1.0.into()), "{}{end}", said.err);
    let group = space.read("group");
    let group = group.lines().find_map(|line| line.strip_prefix("0::/")).expect("a group");
    assert!(group.contains("meow-"), "{group}");
    assert!(!std::path::Path::new("/sys/fs/cgroup").join(group).exists(), "nothing is left of {group}");
    let hog = r#"run = '''perl -e '$x = "x" x 300_000_000; sleep 20' '''"#;
    let (said, end) = execute(&format!("{hog}\nresources = {{ memory = \"100MiB\" }}"));
    assert_eq!((said.code, &end["ending"]["resource"]), (1, &"memory".into()), "{}{end}", said.err);
    assert!(end["ending"]["used"].as_u64().is_none_or(|used| used <= 100 << 20), "never above: {end}");
    let (_, end) = execute("run = '''sh -c 'f() { f | f & f; }; f' '''\nresources = { processes = 30 }");
    assert_eq!(end["ending"]["resource"], "processes", "{end}");
    // Half a second of two, by its own account.
    let spin = "$t = time; @a = times; 1 while time - $t < 2; @b = times; exit($b[0] + $b[1] - $a[0] - $a[1] > 1)";
    let (_, end) =
        execute(&format!("run = '''exec perl -MTime::HiRes=time -e '{spin}' '''\nresources = {{ cpu = 0.25 }}"));
    assert_eq!(end["ending"]["code"], 0, "{end}");
    let deaf = "trap '' TERM; setsid sleep 60 & sleep 60";
    let (_, end) = execute(&format!("run = \"{deaf}\"\ntimeout = \"1s\"\nresources = {{ cpu = 1 }}"));
    assert_eq!(end["ending"]["ending"], "timed-out", "{end}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_peak_of_a_longer_step_is_that_of_all_its_processes() {
    let hog = r#"perl -e '$x = "x" x 60_000_000; sleep 2'"#;
    let peak = |command: &str| {
        let (said, end) = run(&format!("run = '''{command}'''"));
        assert_eq!(said.code, 0, "{}", said.err);
        end["usage"]["peak_memory_bytes"].as_f64().expect("known")
    };
    let (one, two) = (peak(&format!("{hog}; true")), peak(&format!("{hog} & {hog}; wait")));
    assert!(one > 60e6 && two > 1.7 * one, "{one}, {two}");
}

#[test]
fn programs_are_held_to_processor_time_and_size_of_files() {
    let (said, end) = run("run = \"exec perl -e '1 while 1'\"\nresources = { cpu_time = \"1s\" }");
    assert_eq!((said.code, &end["ending"]["resource"]), (1, &"cpu-time".into()), "{end}");
    assert!(said.err.contains("limit of 1.0 s for processor time"), "{}", said.err);
    let (said, end) = run("run = \"head -c 3000000 /dev/zero > big\"\nresources = { file_size = \"1MiB\" }");
    assert_eq!((said.code, &end["ending"]["resource"]), (1, &"file-size".into()), "{end}");
    let (said, _) = run("run = \"test $(ulimit -n) = 20\"\nresources = { open_files = 20 }");
    assert_eq!(said.code, 0, "{}", said.err);
    let (said, end) = run("run = \"no-such-program -x\"\nresources = { open_files = 20 }");
    assert_eq!((said.code, &end["ending"]["ending"]), (1, &"not-started".into()), "as clear as without a limit");
}

#[test]
fn what_is_not_declared_is_not_held() {
    let (said, end) = run("run = '''perl -e '$x = \"x\" x 90_000_000' '''\nresources = { cpu = 1 }");
    assert_eq!((said.code, &end["ending"]["code"]), (0, &0.into()), "{}", said.err);
}
