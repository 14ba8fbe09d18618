//! `meow init` in fresh projects: what it writes, what it keeps, and that `--undo` leaves no trace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::space::Space;

/// Returns every path below a folder with its content, folders included.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(folder).expect("below").display().to_string();
            if path.is_dir() {
                found.insert(name + "/", Vec::new());
                folders.push(path);
            } else {
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

#[test]
fn init_writes_what_fits_and_keeps_what_is_there() {
    let space = Space::repository();
    space.write("Makefile", "all: a.out\na.out:\n\ttouch a.out\ntest: all\n\ttest -e a.out\n");
    space.write(".meow/config.toml", "# mine\n");
    let said = space.meow(&["init"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(
        said.out,
        "wrote .meow/workflows/ci.toml\nkept  .meow/config.toml\nwrote .meow/.gitattributes\n\
         wrote .meow/schema/workflow.schema.json\nwrote .meow/schema/config.schema.json\n"
    );
    assert!(said.err.contains("found Makefile"), "{}", said.err);
    assert_eq!(space.read(".meow/config.toml"), "# mine\n");
    let workflow = space.read(".meow/workflows/ci.toml");
    assert!(workflow.contains("run = \"make all\"") && workflow.contains("run = \"make test\""), "{workflow}");
    let again = space.meow_ok(&["init"]);
    assert_eq!(again, said.out.replace("wrote", "kept "));
    space.write(".meow/schema/config.schema.json", "{}");
    assert!(space.meow_ok(&["init"]).contains("wrote .meow/schema/config.schema.json"), "an older one is written anew");
    let list = space.meow_ok(&["list"]);
    assert!(list.contains("ci") && list.contains("Checks this project, as found in Makefile."), "{list}");
}

#[test]
fn the_files_say_where_their_schema_is_and_fit_it() {
    let space = Space::repository();
    space.write("go.mod", "module x\n");
    space.meow_ok(&["init"]);
    for file in ["workflows/ci.toml", "config.toml"] {
        let text = space.read(&format!(".meow/{file}"));
        let schema = text.lines().find_map(|line| line.strip_prefix("#:schema ")).expect("a schema");
        let place = space.root().join(".meow").join(file).parent().expect("a folder").join(schema);
        let schema = fs::read_to_string(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
        let value: serde_json::Value = toml::from_str(&text).expect("TOML");
        assert_eq!(crate::json::wrong(&schema, &value), Vec::<String>::new(), "{file}");
    }
    space.meow_ok(&["init", "--undo"]);
    assert!(!space.has(".meow"));
}

#[test]
fn the_attributes_keep_records_out_of_reviews() {
    let space = Space::repository();
    space.meow_ok(&["init"]);
    let path = ".meow/records/month=2026-11/a.parquet";
    let attributes = space.git(&["check-attr", "diff", "text", "linguist-generated", "--", path]);
    let values: Vec<&str> = attributes.lines().filter_map(|line| line.rsplit(": ").next()).collect();
    assert_eq!(values, ["unset", "unset", "set"], "{attributes}");
}

#[test]
fn undo_takes_every_trace_away() {
    let space = Space::repository();
    space.write("go.mod", "module x\n");
    space.write(".git/hooks/pre-commit", "#!/bin/sh\n# mine\n");
    fs::set_permissions(
        space.root().join(".git/hooks/pre-commit"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("executable");
    let before = tree(&space.root());
    space.meow_ok(&["init", "--hooks"]);
    assert!(space.read(".git/hooks/pre-commit").contains("meow"));
    space.write(".git/meow/spool/main/x.journal", "a journal");
    space.write(".meow/records/month=2026-11/a.parquet", "a segment");
    let pages = space.home().join(".local/state/meow/cache/pages");
    fs::create_dir_all(&pages).expect("a folder");
    fs::write(pages.join("report-1.json"), "a page about this and other places").expect("written");
    let said = space.meow(&["init", "--undo"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(tree(&space.root()), before, "{}", said.out);
    assert!(!pages.exists());
    for line in [".meow/workflows/ci.toml", ".meow/records", ".git/meow", ".git/hooks/pre-commit"] {
        assert!(said.out.lines().any(|said| said.ends_with(line)), "{line} is not said:\n{}", said.out);
    }
    assert!(said.err.contains("in no commit yet"), "{}", said.err);
    let again = space.meow(&["init", "--undo"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""));
    assert!(again.err.contains("nothing"), "{}", again.err);
}

#[test]
fn undo_leaves_what_a_person_wrote_unless_forced() {
    let space = Space::repository();
    space.meow_ok(&["init"]);
    let edited = space.read(".meow/workflows/ci.toml").replace("# run =", "run =");
    space.write(".meow/workflows/ci.toml", &edited);
    space.write(".meow/workflows/own.toml", "formula = \"own\"\n[[steps]]\nid = \"a\"\n");
    let said = space.meow(&["init", "--undo"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(space.read(".meow/workflows/ci.toml"), edited);
    assert!(space.has(".meow/workflows/own.toml") && !space.has(".meow/config.toml"));
    assert!(said.err.contains("ci.toml stays") && said.err.contains("own.toml stays"), "{}", said.err);
    space.meow_ok(&["init", "--undo", "--force"]);
    assert!(!space.has(".meow"));
}

#[test]
fn init_works_without_git_and_refuses_a_false_folder() {
    let space = Space::empty();
    let said = space.meow(&["init", "--hooks"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("nothing is remembered"), "{}", said.err);
    space.meow_ok(&["init", "--undo"]);
    assert!(!space.has(".meow"));
    std::os::unix::fs::symlink(space.home(), space.root().join(".meow")).expect("a link");
    for args in [&["init"][..], &["init", "--undo", "--force"]] {
        let said = space.meow(args);
        assert_eq!(said.code, 2, "{args:?}: {}", said.err);
    }
    assert!(space.home().is_dir());
}

#[test]
fn agents_are_told_once_and_undo_takes_it_back() {
    for held in [None, Some("# Agents\n\nBe kind.\n"), Some("no line end")] {
        let space = Space::repository();
        if let Some(held) = held {
            space.write("AGENTS.md", held);
        }
        let before = tree(&space.root());
        assert!(space.meow_ok(&["init", "--agents"]).contains("wrote AGENTS.md"));
        let text = space.read("AGENTS.md");
        assert!(text.starts_with(held.unwrap_or_default()), "{text}");
        let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("- `meow ")).collect();
        assert_eq!(commands.len(), 5, "{text}");
        assert!(space.meow_ok(&["init", "--agents"]).contains("kept  AGENTS.md"));
        assert_eq!(space.read("AGENTS.md"), text);
        space.write("AGENTS.md", &text.replace("one by one", "alone"));
        space.meow_ok(&["init", "--agents"]);
        assert_eq!(space.read("AGENTS.md"), text, "an older section is written anew");
        space.meow_ok(&["init", "--undo"]);
        let mut after = tree(&space.root());
        if held == Some("no line end") {
            // The line end that the section needed above it stays.
            after.insert("AGENTS.md".into(), b"no line end".to_vec());
        }
        assert_eq!(after, before);
    }
    let space = Space::repository();
    space.write("AGENTS.md", "<!-- meow:end -->\n");
    let said = space.meow(&["init", "--agents"]);
    assert_eq!((said.code, space.read("AGENTS.md").as_str()), (2, "<!-- meow:end -->\n"), "{}", said.err);
}
