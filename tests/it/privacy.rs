//! What is kept says no more than it has to.

use meow::store;

use crate::space::Space;

const CI: &str = "formula = \"ci\"\n\n[[steps]]\nid = \"one\"\nrun = \"true\"\n";

/// Returns when the kept executions began, in order, and the names of their segments.
fn kept(space: &Space) -> (Vec<String>, Vec<String>) {
    let (mut began, mut names) = (Vec::new(), Vec::new());
    for segment in store::segments(&space.root().join(".meow")).expect("listed") {
        began.extend(segment.records().expect("whole").iter().map(|record| record.execution.started_at.to_string()));
        names.push(segment.place.rsplit('/').next().expect("a name").to_owned());
    }
    (began, names)
}

#[test]
fn by_the_day_only_the_day_and_an_order_are_kept() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", CI);
    space.write(".meow/config.toml", "[privacy]\nclock = \"day\"\n");
    assert!(space.meow_ok(&["config", "--validate"]).contains("valid"));
    for _ in 0..3 {
        space.meow_ok(&["execute", "ci"]);
    }
    space.meow_ok(&["record", "--name", "deploy", "--duration", "3s", "--outcome", "passed"]);
    space.meow_ok(&["commit"]);
    let (began, names) = kept(&space);
    let days = ["2025-11-22T00:00:01Z", "2025-11-22T00:00:02Z", "2025-11-22T00:00:03Z", "2025-11-22T00:00:04Z"];
    assert_eq!(began, days);
    assert!(names[0].starts_with("20251122T000004Z-"), "{names:?}");
    space.meow_ok(&["learn"]);
    let analysis = space.meow_ok(&["analyze"]);
    assert!(analysis.contains("3 executions"), "learning goes on: {analysis}");
}

#[test]
fn a_repository_does_not_show_more_of_a_user_than_the_user_wants() {
    let space = Space::repository();
    space.write(".meow/workflows/ci.toml", CI);
    space.write(".meow/config.toml", "privacy.clock = \"second\"\n");
    std::fs::create_dir_all(space.home().join(".config/meow")).expect("folder");
    std::fs::write(space.home().join(".config/meow/config.toml"), "[privacy]\nclock = \"day\"\n").expect("written");
    space.meow_ok(&["execute", "ci"]);
    space.meow_ok(&["commit"]);
    assert_eq!(kept(&space).0, ["2025-11-22T00:00:01Z"]);
}

#[test]
fn the_last_lines_of_a_failure_are_cleaned_and_live_output_is_not() {
    let space = Space::repository();
    // The shape is a GitHub token's, the value is nobody's.
    let run = "echo \"pushing as $DEPLOY_TOKEN from $HOME/x\"; echo ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R; exit 1";
    space.write(
        ".meow/workflows/ci.toml",
        &format!("formula = \"ci\"\n\n[[steps]]\nid = \"one\"\nenv = {{ DEPLOY_TOKEN = \"s3s4m3-0pen\" }}\nrun = '''{run}'''\n"),
    );
    let said = space.meow(&["execute", "ci"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("  | pushing as [secret] from ~/x\n  | [secret]\n"), "{}", said.out);
    let logs = space.root().join(".git/meow/logs");
    let folder = std::fs::read_dir(logs).expect("logs").next().expect("one").expect("read").path();
    let whole = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let kept = whole.map(|file| std::fs::read_to_string(file).expect("text")).collect::<String>();
    assert!(kept.contains("s3s4m3-0pen"), "the whole output on the person's disk is whole: {kept}");
}
