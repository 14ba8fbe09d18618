//! Settings: who sets them, who comes first, and what is said of wrong ones.

use serde_json::Value;

use crate::golden::golden;
use crate::space::{Said, Space};

/// Runs meow with variables beside the usual ones.
fn meow(space: &Space, variables: &[(&str, &str)], args: &[&str]) -> Said {
    let mut command = space.command(&space.root(), env!("CARGO_BIN_EXE_meow"));
    Said::from(command.args(args).envs(variables.iter().copied()).output().expect("the program starts"))
}

/// Returns the value and origin of a setting.
fn setting(space: &Space, variables: &[(&str, &str)], flags: &[&str], key: &str) -> (Value, String) {
    let said = meow(space, variables, &[flags, &["config", "--list", "--json"]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let page: Value = serde_json::from_str(&said.out).expect("JSON");
    let row =
        page["settings"].as_array().expect("a list").iter().find(|row| row["key"] == key).expect("the key").clone();
    (row["value"].clone(), row["origin"].as_str().expect("an origin").to_owned())
}

#[test]
fn the_first_that_says_something_holds() {
    let space = Space::repository();
    let check = |variables: &[(&str, &str)], flags: &[&str], value: &str, origin: &str| {
        assert_eq!(setting(&space, variables, flags, "color"), (value.into(), origin.to_owned()));
    };
    assert_eq!(setting(&space, &[], &[], "color"), (Value::Null, "default".to_owned()));
    let user = space.home().join(".config/meow");
    std::fs::create_dir_all(&user).expect("folders");
    std::fs::write(user.join("config.toml"), "color = \"never\"\nkey = \"s3cret\"\n").expect("written");
    check(&[], &[], "never", "user");
    space.write(".meow/config.toml", "color = \"always\"\n");
    check(&[], &[], "always", "repo");
    check(&[("MEOW_COLOR", "never")], &[], "never", "env");
    check(&[("MEOW_COLOR", "never")], &["--color", "auto"], "auto", "flag");
    let elsewhere = space.home().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("meow")).expect("folders");
    std::fs::write(elsewhere.join("meow/config.toml"), "slots = 3\n").expect("written");
    let variables = [("XDG_CONFIG_HOME", elsewhere.to_str().expect("text"))];
    assert_eq!(setting(&space, &variables, &[], "slots"), ("3".into(), "user".to_owned()));
    let table = space.meow_ok(&["config"]);
    assert!(table.contains(".meow/config.toml:1") && !table.contains("s3cret"), "{table}");
    assert_eq!(setting(&space, &[], &[], "key").0, "(secret)");
    assert_eq!(meow(&space, &[("MEOW_SLOTS", "many")], &["list"]).code, 2);
}

#[test]
fn settings_have_their_effect() {
    let space = Space::repository();
    space.write(".meow/workflows/all.toml", "formula = \"all\"\n[[steps]]\nid = \"a\"\nrun = \"true\"\n");
    space.write(".meow/config.toml", "workflow = \"all\"\nslots = 7\nrecord = false\n");
    std::fs::create_dir(space.root().join("sub")).expect("a folder");
    let plan: Value =
        serde_json::from_str(&space.meow_ok(&["-C", "sub", "execute", "--dry-run", "--json"])).expect("JSON");
    assert_eq!((&plan["workflow"], &plan["slots"]), (&"all".into(), &7.into()), "{plan:#}");
    let plan: Value =
        serde_json::from_str(&space.meow_ok(&["execute", "-j", "2", "--dry-run", "--json"])).expect("JSON");
    assert_eq!(plan["slots"], 2);
    let logged = |space: &Space| {
        let page: Value = serde_json::from_str(&space.meow_ok(&["log", "--json"])).expect("JSON");
        page["total"].as_u64().expect("a number")
    };
    space.meow_ok(&["execute"]);
    assert_eq!(logged(&space), 0);
    assert_eq!(meow(&space, &[("MEOW_RECORD", "true")], &["execute"]).code, 0);
    assert_eq!(logged(&space), 1);
}

#[test]
fn what_is_wrong_is_named_and_has_no_effect() {
    let space = Space::repository();
    assert!(space.meow_ok(&["config", "--validate"]).contains("valid"));
    space.write(".meow/config.toml", "slot = 4\nkey = \"ours\"\nrecord = 1\n");
    let said = space.meow(&["config", "--validate"]);
    assert_eq!(said.code, 2);
    for line in [
        ".meow/config.toml:1: unknown key `slot`; did you mean `slots`?",
        ".meow/config.toml:2: `key` is ignored: a repository may not set it",
        ".meow/config.toml:3: `record` has to be true or false",
    ] {
        assert!(said.out.lines().any(|said| said == line), "{line}\n{}", said.out);
    }
    assert_eq!(setting(&space, &[], &[], "key"), (Value::Null, "default".to_owned()));
    let said = space.meow(&["list"]);
    assert_eq!(said.code, 0);
    assert_eq!(said.err.matches("warning: .meow/config.toml").count(), 3, "{}", said.err);
    std::fs::remove_file(space.root().join(".meow/config.toml")).expect("removed");
    std::os::unix::fs::symlink("/dev/tty", space.root().join(".meow/config.toml")).expect("a link");
    assert!(space.meow(&["config", "--validate"]).out.contains("it is no file"));
    std::fs::remove_file(space.root().join(".meow/config.toml")).expect("removed");
    for (text, what) in [("slots = [", "not valid TOML"), (&"#".repeat(70_000), "larger than 64 KiB")] {
        space.write(".meow/config.toml", text);
        let said = space.meow(&["config", "--validate"]);
        assert_eq!((said.code, said.out.contains(what)), (2, true), "{}", said.out);
    }
}

#[test]
fn the_schema_of_settings_is_written_from_the_list() {
    golden("schema/config.schema.json", &meow::cli::settings::keys::schema());
}
