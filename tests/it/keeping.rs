//! Keeping the memory whole and small: verify, size, prune, purge.

use std::fs;
use std::path::{Path, PathBuf};

use meow::record::Record;
use meow::scan::{self, ScanOptions};
use meow::store::segment;
use serde_json::Value;

use crate::null::null_history;
use crate::sealing::execute;
use crate::space::Space;

fn json(space: &Space, args: &[&str]) -> Value {
    serde_json::from_str(&space.meow(&[args, &["--json"]].concat()).out).expect("JSON")
}

/// Returns how many executions the repository at `folder` holds.
fn executions(folder: &Path) -> usize {
    scan::scan(&[folder.to_path_buf()], &ScanOptions::default()).expect("scanned").executions.len()
}

fn files(space: &Space) -> Vec<PathBuf> {
    let listed = space.git(&["ls-files", ".meow/records"]);
    listed.lines().map(|path| space.root().join(path)).collect()
}

/// Commits one execution in a segment of its own.
fn committed(space: &Space, number: u8) {
    execute(&space.root(), number);
    space.meow_ok(&["commit"]);
}

const ID_OF_2: &str = "020202020202020202020202";

#[test]
fn every_flipped_byte_is_noticed() {
    let records = null_history(3);
    let mut ids: Vec<_> = records.iter().map(|record| record.execution.id).collect();
    ids.sort();
    ids.dedup();
    let (mut flips, mut bytes_of_all) = (0, 0);
    for part in ids.chunks(10).take(10) {
        let own: Vec<Record> = records.iter().filter(|record| part.contains(&record.execution.id)).cloned().collect();
        let mut bytes = segment::encode(&own).expect("encoded");
        let place = segment::place(&own, "0123456789ab", jiff::Timestamp::UNIX_EPOCH, &bytes);
        assert_eq!(segment::open(&place, &bytes).expect("whole").len(), own.len());
        bytes_of_all += bytes.len();
        for at in 0..bytes.len() {
            let bit = 1 << (at % 8);
            bytes[at] ^= bit;
            flips += usize::from(segment::open(&place, &bytes).is_err());
            bytes[at] ^= bit;
        }
    }
    println!("{flips} of {bytes_of_all} flipped bytes noticed");
    assert!(bytes_of_all > 10_000, "a store worth the name: {bytes_of_all}");
    assert_eq!(flips, bytes_of_all);
}

#[test]
fn verify_names_what_is_damaged_and_reports_leave_it_out() {
    let space = Space::repository();
    for number in 1..=3 {
        committed(&space, number);
    }
    let whole = json(&space, &["store", "verify"]);
    assert_eq!((whole["segments"].as_u64(), whole["damaged"].as_array().map(Vec::len)), (Some(6), Some(0)), "{whole}");
    assert_eq!(space.meow(&["store", "verify"]).code, 0);
    let file = files(&space).remove(1);
    let mut bytes = fs::read(&file).expect("read");
    bytes[20] ^= 1;
    fs::write(&file, bytes).expect("written");
    let said = space.meow(&["store", "verify"]);
    assert!(said.code == 3 && said.out.contains(": 1 damaged"), "{said:?}");
    assert!(said.out.contains(&file.display().to_string()), "{said:?}");
    space.git(&["commit", "--quiet", "--all", "--message=damage"]);
    let said = space.meow(&["store", "verify"]);
    assert!(said.code == 3 && said.out.contains("2 damaged"), "committed and checked out: {said:?}");
    let said = space.meow(&["log", "--json"]);
    assert!(said.err.contains("1 segment was skipped"), "{said:?}");
    assert_eq!(executions(&space.root()), 2);
}

#[test]
fn size_adds_up_and_looks_a_year_ahead() {
    let space = Space::repository();
    assert!(space.meow_ok(&["store", "size"]).contains("No segment is in git yet"));
    committed(&space, 1);
    committed(&space, 2);
    for packed in [false, true] {
        if packed {
            space.git(&["gc", "--quiet"]);
        }
        let size = json(&space, &["store", "size"]);
        let records = &size["committed"][0];
        let on_disk: u64 = files(&space).iter().map(|file| file.metadata().expect("a file").len()).sum();
        assert_eq!((records["name"].as_str(), records["bytes"].as_u64()), (Some("records"), Some(on_disk)), "{size}");
        let stored = records["stored_bytes"].as_f64().expect("a number");
        assert!(stored > 200.0, "packed {packed}: {size}");
        assert_eq!(size["bytes_per_execution"].as_f64(), Some(stored / 2.0));
        let rate = size["executions_per_day"].as_f64().expect("a rate");
        assert_eq!((size["executions"].as_u64(), rate), (Some(2), 2.0), "{size}");
        assert_eq!(size["bytes_per_year"].as_f64(), Some(stored / 2.0 * rate * 365.0));
    }
    assert!(space.meow_ok(&["store", "size"]).contains("a year adds"));
}

#[test]
fn prune_takes_old_segments_in_one_commit() {
    let space = Space::repository();
    committed(&space, 1);
    let before = space.git(&["rev-parse", "HEAD"]);
    execute(&space.root(), 2);
    space.write(".meow/records/month=2025-11/other.parquet", "not committed\n");
    let said = space.meow(&["store", "prune", "--before", "2026-01-01"]);
    assert!(said.code == 2 && said.err.contains("is not committed"), "{said:?}");
    fs::remove_file(space.root().join(".meow/records/month=2025-11/other.parquet")).expect("removed");
    let said = space.meow(&["store", "prune", "--before", "tomorrow"]);
    assert!(said.code == 2 && said.err.contains("a date such as 2026-01-01 is expected"), "{}", said.err);
    assert!(space.meow(&["store", "prune", "--before", "2025-01-01"]).err.contains("nothing to prune"));
    assert!(space.meow_ok(&["store", "prune", "--before", "2026-01-01", "--dry-run"]).contains("would be: 1 segment"));
    space.write("README", "staged\n");
    space.git(&["add", "README"]);
    assert!(space.meow_ok(&["store", "prune", "--before", "2026-01-01"]).contains("1 segment with 2 records pruned"));
    assert_eq!(space.git(&["rev-parse", "HEAD~1"]), before);
    assert_eq!(space.git(&["status", "--porcelain"]), "M  README");
    assert_eq!((files(&space).len(), executions(&space.root())), (0, 1), "what waits is left alone");

    // A writer's ref that still holds it does not bring it back.
    space.git(&["update-ref", "refs/meow/w/0123456789ab", &before]);
    assert!(space.meow(&["fold"]).err.contains("nothing to fold"));
    space.git(&["fsck", "--strict"]);
}

#[test]
fn purge_takes_one_execution_out_everywhere_it_can() {
    let space = Space::repository();
    let bare = space.home().join("remote.git");
    space.git(&["init", "--quiet", "--bare", bare.to_str().expect("plain")]);
    space.git(&["remote", "add", "origin", bare.to_str().expect("plain")]);
    execute(&space.root(), 1);
    execute(&space.root(), 2);
    space.meow_ok(&["push"]);
    space.meow_ok(&["fetch"]);
    space.meow_ok(&["fold"]);
    space.git(&["branch", "old"]);
    let held = files(&space);
    let stranger = space.home().join("stranger");
    space.git(&["clone", "--quiet", ".", stranger.to_str().expect("plain")]);
    space.git_in(&stranger, &["fetch", "--quiet", "origin", "refs/meow/w/*:refs/meow/w/*"]);

    let said = space.meow(&["purge", "0202"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains(&format!("{ID_OF_2} purged: 2 records, 1 segment replaced")), "{said:?}");
    assert!(said.err.contains("refs/heads/old still hold it") && said.err.contains("rewriting history"), "{said:?}");
    assert_eq!(space.git(&["status", "--porcelain"]), "");
    assert_eq!((files(&space).len(), executions(&space.root())), (1, 1), "one is left");
    assert_ne!(files(&space), held, "under a new name");
    assert!(space.meow(&["status", "0202"]).code == 2, "nobody finds it");
    assert!(space.meow(&["purge", "0202"]).code == 2, "nor a second time");

    let reached = space.git(&["rev-list", "--objects", "--glob=refs/meow/w/*"]);
    let gone = held[0].file_name().expect("a name").to_str().expect("plain").to_owned();
    assert!(!reached.contains(&gone), "own ref: {reached}");
    space.meow_ok(&["push"]);
    let reached = space.git_in(&bare, &["rev-list", "--objects", "--glob=refs/meow/w/*"]);
    assert!(!reached.contains(&gone), "the remote's ref: {reached}");
    assert!(space.meow(&["fold"]).err.contains("nothing to fold"));

    // Someone who folded nothing yet, and then pulls: the tombstone holds there too.
    assert_eq!(executions(&stranger), 2);
    space.git_in(&stranger, &["pull", "--quiet"]);
    assert_eq!(executions(&stranger), 1);
    for folder in [space.root(), bare] {
        space.git_in(&folder, &["fsck", "--full", "--strict"]);
    }
}

#[test]
fn purge_of_what_is_not_committed_keeps_the_rest() {
    let space = Space::repository();
    space.meow_ok(&["hooks", "install"]);
    execute(&space.root(), 1);
    execute(&space.root(), 2);
    space.write(".git/hooks/commit-msg", "#!/bin/sh\nexit 1\n");
    space.run_in(&space.root(), "chmod", &["+x", ".git/hooks/commit-msg"]);
    assert_eq!(space.run_in(&space.root(), "git", &["commit", "--allow-empty", "--message=no"]).code, 1);
    fs::remove_file(space.root().join(".git/hooks/commit-msg")).expect("removed");
    execute(&space.root(), 3);
    space.meow_ok(&["purge", ID_OF_2]);
    assert_eq!(executions(&space.root()), 2);
    space.meow_ok(&["commit"]);
    assert_eq!(space.git(&["status", "--porcelain"]), "");
    let clone = space.home().join("clone.git");
    space.git(&["clone", "--quiet", "--bare", ".", clone.to_str().expect("plain")]);
    assert_eq!(executions(&clone), 2);
    let all = space.git(&["rev-list", "--objects", "--all"]);
    let names = all.lines().filter(|line| line.contains(".parquet")).count();
    assert_eq!(names, 1, "nothing that held it was ever committed: {all}");
}

#[test]
fn purge_reaches_other_worktrees_and_what_was_looked_at_of_a_remote() {
    let space = Space::repository();
    committed(&space, 1);
    let linked = space.home().join("linked");
    space.git(&["worktree", "add", "--quiet", "-b", "topic", linked.to_str().expect("plain")]);
    execute(&linked, 2);
    execute(&linked, 3);
    space.run_in(&linked, env!("CARGO_BIN_EXE_meow"), &["hook", "pre-commit"]);
    let staged = space.git_in(&linked, &["diff", "--cached", "--name-only"]);
    assert!(staged.contains(".parquet"), "{staged}");
    let held = fs::read(linked.join(&staged)).expect("a segment");
    space.git(&["update-ref", "refs/meow/theirs/0123456789ab", "HEAD"]);
    space.git(&["update-ref", "refs/meow/branch", "HEAD"]);

    space.meow_ok(&["purge", ID_OF_2]);
    assert_eq!(space.git(&["for-each-ref", "refs/meow/theirs", "refs/meow/branch"]), "");
    assert!(!linked.join(&staged).exists(), "the other worktree holds no more what was purged");
    assert_eq!(space.git_in(&linked, &["diff", "--cached", "--name-only"]), "");
    space.run_in(&linked, env!("CARGO_BIN_EXE_meow"), &["hook", "pre-commit"]);
    space.git_in(&linked, &["commit", "--quiet", "--message=the rest"]);
    let own = space.git_in(&linked, &["ls-files", ".meow/records"]);
    assert!(own.lines().all(|file| fs::read(linked.join(file)).expect("bytes") != held), "{own}");
    let clone = space.home().join("clone.git");
    space.git(&["clone", "--quiet", "--bare", ".", clone.to_str().expect("plain")]);
    assert_eq!(executions(&clone), 2, "the other two are kept");
}

#[test]
fn nothing_names_what_was_purged_once_meow_has_learnt_again() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"plain\"\nrun = \"true\"\n");
    space.meow_ok(&["-q", "execute", "ci"]);
    let name = "quillon-marrow";
    let secret = format!("formula = \"{name}\"\n[[steps]]\nid = \"step-{name}\"\nrun = \"echo {name}; exit 3\"\n");
    space.write(".meow/workflows/secret.toml", &secret);
    assert_eq!(space.meow(&["-q", "execute", "secret"]).code, 1);
    fs::remove_file(space.root().join(".meow/workflows/secret.toml")).expect("removed");
    // Everything that is derived is made: caches, patterns, pages.
    for call in ["commit", "learn", "commit", "status", "log", "report --base HEAD", "recommendations", "insights"] {
        space.meow_ok(&call.split(' ').collect::<Vec<_>>());
    }
    let holders = || {
        let mut found = Vec::new();
        let mut waiting =
            vec![space.root().join(".meow"), space.root().join(".git/meow"), space.root().join(".git/logs")];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
            } else if fs::read(&path).expect("bytes").windows(name.len()).any(|part| part == name.as_bytes())
                || path.to_string_lossy().contains(name)
            {
                found.push(path.display().to_string());
            }
        }
        let said = space.run_in(&space.root(), "git", &["grep", "--text", "-l", name, "HEAD"]);
        found.extend(said.out.lines().map(str::to_owned));
        found
    };
    let before = holders();
    for place in [".meow/patterns/", ".meow/records/", ".git/meow/logs/", "HEAD:.meow/patterns/"] {
        assert!(before.iter().any(|path| path.contains(place)), "{place} in {before:?}");
    }
    let log: Value = json(&space, &["log"]);
    let executions = log["executions"].as_array().expect("a list");
    let own = executions.iter().find(|one| one["workflow"] == name).expect("it is told");
    space.meow_ok(&["purge", own["id"].as_str().expect("an id")]);
    space.meow_ok(&["learn"]);
    space.meow_ok(&["commit"]);
    space.meow_ok(&["status"]);
    assert_eq!(holders(), Vec::<String>::new());
    assert!(space.has(".meow/patterns/ci.toml"), "the other workflow is still known");
}

#[test]
fn a_pipe_or_a_terminal_in_the_place_of_a_file_keeps_nobody_waiting() {
    let space = Space::repository();
    committed(&space, 1);
    let places = ["config.toml", "workflows/ci.toml", "patterns/ci.toml", "actions/20260101T000000Z-abc.toml"];
    for place in places.into_iter().chain(["recommendations/ab.toml", "records/month=2026-11/a-b-c.parquet"]) {
        for kind in ["pipe", "link"] {
            let copy = space.copy();
            let file = copy.root().join(".meow").join(place);
            fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            if kind == "pipe" {
                let said = copy.run_in(&copy.root(), "mkfifo", &[file.to_str().expect("plain")]);
                assert_eq!(said.code, 0, "{said:?}");
            } else {
                // git keeps such a link; what it leads to here never ends.
                let pipe = copy.home().join("pipe");
                copy.run_in(&copy.root(), "mkfifo", &[pipe.to_str().expect("plain")]);
                std::os::unix::fs::symlink(pipe, &file).expect("a link");
            }
            for call in ["status", "learn", "store verify", "execute ci --dry-run", "commit"] {
                let mut args = vec!["-s", "KILL", "20", env!("CARGO_BIN_EXE_meow")];
                args.extend(call.split(' '));
                let said = copy.run_in(&copy.root(), "timeout", &args);
                assert!((0..=3).contains(&said.code), "{call} with a {kind} at {place}: {said:?}");
            }
        }
    }
}

#[test]
fn what_began_and_died_is_swept() {
    let space = Space::repository();
    execute(&space.root(), 1);
    let folder = space.root().join(".git/meow/spool/main");
    for (name, age) in [(".beginning-old", 120), (".beginning-young", 0)] {
        let file = fs::File::create(folder.join(name)).expect("created");
        let then = file.metadata().and_then(|file| file.modified()).expect("a time");
        file.set_modified(then - std::time::Duration::from_secs(age)).expect("aged");
    }
    space.meow_ok(&["commit"]);
    assert!(!folder.join(".beginning-old").exists());
    assert!(folder.join(".beginning-young").exists(), "its process may live");
}

#[test]
fn old_output_of_steps_goes_by_age_and_size_and_store_size_says_so() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", "formula = \"ci\"\n[[steps]]\nid = \"say\"\nrun = \"echo said\"\n");
    let logs = space.root().join(".git/meow/logs");
    let made = |place: u32, days: u64, bytes: usize| {
        let folder = logs.join(format!("{place:024x}"));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("say.1.log"), vec![b'x'; bytes]).expect("written");
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 86_400);
        fs::File::open(&folder).and_then(|folder| folder.set_modified(then)).expect("a time");
    };
    let left = || {
        let entries = fs::read_dir(&logs).expect("logs").map(|entry| entry.expect("an entry").file_name());
        entries.filter(|name| name.len() == 24 && name.to_string_lossy().starts_with("0000")).count()
    };
    for place in 0..15 {
        made(place, if place < 12 { 400 } else { 1 }, 10);
    }
    fs::write(logs.join("notes"), "not meow's").expect("written");
    let execute = |settings: &[(&str, &str)]| {
        let _ = fs::remove_file(logs.join(".looked-at"));
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        // The time that passes is what this is about.
        let said = command.arg("execute").env_remove("MEOW_CLOCK").envs(settings.iter().copied()).output();
        let said = said.expect("meow starts");
        assert!(said.status.success(), "{said:?}");
        String::from_utf8_lossy(&said.stderr).into_owned()
    };
    let said = execute(&[]);
    assert!(said.contains("the output of 6 executions is removed"), "{said}");
    assert_eq!(left(), 9, "and that of this one: the ten latest stay");
    made(20, 0, 3 << 20);
    execute(&[]);
    assert!(logs.join(format!("{:024x}", 20)).exists(), "3 MiB are not too much");
    let said = execute(&[("MEOW_LOGS_MEBIBYTES", "1")]);
    assert!(said.contains("is removed (3.0 MiB)"), "the oldest first, until what is left fits: {said}");
    assert!(logs.join("notes").exists());
    let size = space.meow_ok(&["store", "size"]);
    assert!(size.contains("30 days") && size.contains("1.0 GiB"), "{size}");
}
