//! Reports where reviewers read them: a job of GitHub Actions with a `gh` of our own, a GitLab note, a badge.

use std::os::unix::fs::PermissionsExt;

use meow::record::Outcome;
use serde_json::Value;

use crate::learn::{chain, remembers};
use crate::null::{Draw, history};
use crate::space::{Said, Space, peer};

/// Returns a project whose `test` fails on everything of this week, which a page can claim.
fn failing() -> Space {
    let mut records = history(&chain(60, 0.1, 0.0, 0.0), &mut Draw::new(5));
    // The frozen clock of tests stands shortly after.
    let shift = 1_763_806_500 - 60 * 100 * 60;
    let first = records.iter().map(|record| record.execution.started_at.as_second()).min().expect("some");
    let mut order: Vec<_> = records.iter().map(|record| record.execution.started_at).collect();
    order.sort();
    order.dedup();
    for record in &mut records {
        let execution = std::sync::Arc::make_mut(&mut record.execution);
        let place = order.iter().position(|at| *at == execution.started_at).expect("known");
        let week = if place < 40 { 8 * 24 * 3_600 } else { 0 };
        let second = shift + (execution.started_at.as_second() - first).min(60 * 100 * 60 - 1) - week;
        execution.started_at = jiff::Timestamp::from_second(second).expect("in range");
        if place >= 40 && record.attempt.step == "test" {
            record.attempt.outcome = Outcome::Failed;
            execution.outcome = Outcome::Failed;
        }
    }
    remembers("one", &records)
}

/// Puts a `gh` into the search path that notes what it is asked, and knows one comment where `known`.
fn fake_gh(space: &Space, known: bool, fails: bool) -> String {
    let folder = space.home().join("bin");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (home, id) = (space.home().display().to_string(), if known { "echo 4711" } else { ":" });
    let end = if fails { "echo 'HTTP 403: Resource not accessible' >&2; exit 1" } else { "exit 0" };
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{home}/gh.log'\ncase \"$*\" in *--input*) cat > '{home}/gh.body';; *) {id};; esac\n{end}\n"
    );
    std::fs::write(folder.join("gh"), script).expect("written");
    std::fs::set_permissions(folder.join("gh"), std::fs::Permissions::from_mode(0o755)).expect("allowed");
    folder.display().to_string()
}

/// Reports in a made-up job of pull request 7.
fn job(space: &Space, gh: &str) -> Said {
    let path = std::env::var("PATH").expect("PATH");
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_meow"));
    let mut command = space.command(&space.root(), own);
    command.args(["report", "--github"]).env("PATH", format!("{gh}:{path}"));
    command.env("GITHUB_STEP_SUMMARY", space.home().join("summary.md"));
    command.env("GITHUB_REPOSITORY", "octo/cat").env("GITHUB_REF", "refs/pull/7/merge");
    Said::from(command.output().expect("it starts"))
}

fn file(space: &Space, name: &str) -> String {
    std::fs::read_to_string(space.home().join(name)).unwrap_or_default()
}

#[test]
fn a_job_gets_a_summary_annotations_and_one_comment() {
    let space = failing();
    let page = space.meow_ok(&["report"]);
    assert!(page.contains("fails now"), "{page}");
    let gh = fake_gh(&space, false, false);
    let said = job(&space, &gh);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("::error title=meow report::`test` fails now: "), "{}", said.out);
    assert!(said.out.lines().all(|line| line.starts_with("::")) && said.out.lines().count() <= 20, "{}", said.out);
    let summary = file(&space, "summary.md");
    assert!(summary.starts_with("<!-- meow:report -->\n### meow: "), "{summary}");
    let log = file(&space, "gh.log");
    assert!(log.contains("--method POST repos/octo/cat/issues/7/comments"), "{log}");
    let body: Value = serde_json::from_str(&file(&space, "gh.body")).expect("JSON");
    assert_eq!(body["body"].as_str().map(|body| body.lines().next()), Some(Some("<!-- meow:report -->")));
    // The comment is there now: it is edited, never doubled.
    std::fs::remove_file(space.home().join("gh.log")).expect("removed");
    let gh = fake_gh(&space, true, false);
    assert_eq!(job(&space, &gh).code, 0);
    let log = file(&space, "gh.log");
    assert!(log.contains("--method PATCH repos/octo/cat/issues/comments/4711") && !log.contains("POST"), "{log}");
    assert_eq!(file(&space, "summary.md").matches("<!-- meow:report -->").count(), 2, "summaries are appended to");
}

#[test]
fn a_comment_that_cannot_be_written_is_a_warning() {
    let space = failing();
    let gh = fake_gh(&space, false, true);
    let said = job(&space, &gh);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("the comment was not written: `gh` failed: HTTP 403"), "{}", said.err);
    assert!(file(&space, "summary.md").contains("fails now"));
}

#[test]
fn outside_of_a_job_nothing_is_spawned_and_the_error_says_why() {
    let space = failing();
    let said = space.meow(&["report", "--github"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("$GITHUB_STEP_SUMMARY") && said.err.contains("hint"), "{}", said.err);
    // A job of no pull request, or one with a strange repository, has no comment.
    let gh = fake_gh(&space, false, false);
    for (repository, reference) in
        [("octo/cat", "refs/heads/main"), ("octo/../cat", "refs/pull/7/merge"), ("x", "refs/pull/7/merge")]
    {
        let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
        let path = std::env::var("PATH").expect("PATH");
        command.args(["report", "--github"]).env("PATH", format!("{gh}:{path}"));
        command.env("GITHUB_STEP_SUMMARY", space.home().join("summary.md"));
        command.env("GITHUB_REPOSITORY", repository).env("GITHUB_REF", reference);
        let said = Said::from(command.output().expect("it starts"));
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(file(&space, "gh.log"), "", "{repository} {reference}");
    }
}

#[test]
fn a_full_summary_is_cut_or_left_alone() {
    let space = failing();
    let gh = fake_gh(&space, false, false);
    let place = space.home().join("summary.md");
    for (free, added) in [(700_usize, true), (20, false)] {
        std::fs::write(&place, "x".repeat((1 << 20) - free)).expect("written");
        let said = job(&space, &gh);
        assert_eq!(said.code, 0, "{}", said.err);
        let length = std::fs::metadata(&place).expect("there").len();
        assert!(length <= 1 << 20, "{length}");
        assert_eq!(length > (1 << 20) - free as u64, added, "{free} bytes were free: {}", said.err);
        assert_eq!(said.err.contains("summary is full"), !added);
    }
}

#[test]
fn a_gitlab_note_is_one_json_body() {
    let space = failing();
    let note: Value = serde_json::from_str(&space.meow_ok(&["report", "--gitlab"])).expect("JSON");
    let body = note["body"].as_str().expect("a body");
    assert!(body.starts_with("<!-- meow:report -->") && body.contains("fails now"));
    // A line that starts with a slash would be a quick action.
    assert!(!body.lines().any(|line| line.starts_with('/')), "{body}");
}

#[test]
fn a_badge_says_how_it_went() {
    let space = failing();
    let badge = space.meow_ok(&["report", "--badge"]);
    let log: Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
    let ended = log["executions"][0]["outcome"].as_str().expect("an outcome");
    assert!(badge.starts_with("<svg xmlns=") && badge.contains(&format!("ci: {ended}, usually ")), "{badge}");
    assert!(!badge.contains("href") && !badge.contains("<script"), "{badge}");
    space.meow_ok(&["report", "--badge", "ci", "-o", "badge.svg"]);
    assert!(space.read("badge.svg").contains(&format!("ci: {ended}")));
    assert_eq!(space.meow(&["report", "--badge", "none"]).code, 2);
    assert_eq!(space.meow(&["report", "--badge", "--gitlab"]).code, 2, "one road at a time");
}

#[test]
fn the_example_for_github_types_commands_that_exist() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/github/meow.yml")).expect("text");
    let typed: Vec<&str> = text
        .lines()
        .map(|line| line.trim().trim_start_matches("run: "))
        .filter(|line| line.starts_with("meow "))
        .map(|line| line.split(" ${").next().unwrap_or(line))
        .collect();
    assert_eq!(typed, ["meow fetch", "meow execute ci", "meow report --github", "meow push"]);
    for line in typed {
        meow::cli::command().try_get_matches_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for action in text.lines().filter_map(|line| line.trim().strip_prefix("- uses: ")) {
        let hash = action.split('@').nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        assert!(hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
    }
}

#[test]
fn zizmor_finds_nothing_in_the_example() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/github/meow.yml");
    if peer("zizmor") {
        let mut command = std::process::Command::new("zizmor");
        let said = command.args(["--offline", "--no-progress", "--persona", "pedantic", file]).output();
        let said = Said::from(said.expect("it starts"));
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    }
}
