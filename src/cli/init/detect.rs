//! What a project's own files say about checking it: each kind of file in, steps that would really work out.

use std::collections::{BTreeMap, BTreeSet};

use crate::workflow::nesting;

/// The names at the project's top, and the text of those that detectors read.
#[derive(Debug, Default)]
pub struct Top {
    /// Every name at the top.
    pub names: BTreeSet<String>,
    /// The texts, by name.
    pub texts: BTreeMap<String, String>,
}

/// The files that detectors read.
pub const READ: [&str; 9] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "go.mod",
    "GNUmakefile",
    "makefile",
    "Makefile",
    "justfile",
    "Justfile",
];

/// A step to be written into a workflow file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id within its kind.
    pub id: &'static str,
    /// A line for people.
    pub title: String,
    /// The command.
    pub run: String,
    /// Ids within its kind that must pass first.
    pub needs: Vec<&'static str>,
    /// The lock it shares with steps that write to the same place.
    pub lock: Option<&'static str>,
}

/// What one file leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The short name: `cargo`.
    pub name: &'static str,
    /// The file that was found.
    pub file: String,
    /// The steps, in order.
    pub steps: Vec<Found>,
}

/// Returns what the files lead to. A Makefile or justfile usually wraps the commands of the language beside it: of these only
/// steps are taken that no language gave.
pub fn detect(top: &Top) -> Vec<Kind> {
    let languages = [cargo(top), node(top), python(top), go(top)];
    let mut kinds: Vec<Kind> = languages.into_iter().flatten().filter(|kind| !kind.steps.is_empty()).collect();
    let mut covered: BTreeSet<&str> = kinds.iter().flat_map(|kind| &kind.steps).map(|step| step.id).collect();
    for mut wrapper in [make(top), just(top)].into_iter().flatten() {
        wrapper.steps.retain(|step| !covered.contains(step.id));
        let left: BTreeSet<&str> = wrapper.steps.iter().map(|step| step.id).collect();
        for step in &mut wrapper.steps {
            step.needs.retain(|need| left.contains(need));
        }
        covered.extend(left);
        if !wrapper.steps.is_empty() {
            kinds.push(wrapper);
        }
    }
    kinds
}

impl Top {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }
}

fn step(id: &'static str, title: &str, run: impl Into<String>, needs: &[&'static str]) -> Found {
    Found { id, title: title.to_owned(), run: run.into(), needs: needs.to_vec(), lock: None }
}

fn locked(lock: &'static str, steps: Vec<Found>) -> Vec<Found> {
    steps.into_iter().map(|step| Found { lock: Some(lock), ..step }).collect()
}

/// Returns what a TOML file of the project says; `None` where it is none.
fn table(text: &str) -> Option<toml::Table> {
    nesting::too_deep(text).is_none().then(|| text.parse().ok())?
}

/// Rust: build and test; format and lint where the project configures them, since both are components that may be absent.
fn cargo(top: &Top) -> Option<Kind> {
    let manifest: toml::Table = table(top.texts.get("Cargo.toml")?).unwrap_or_default();
    let pinned = if top.has("Cargo.lock") { " --locked" } else { "" };
    let lints = |table: Option<&toml::Value>| table.and_then(|table| table.get("lints")?.get("clippy")).is_some();
    let own = manifest.get("lints").is_some_and(|lints| lints.get("clippy").is_some());
    let mut steps = vec![step("build", "Build", format!("cargo build --workspace{pinned}"), &[])];
    if top.any(&["clippy.toml", ".clippy.toml"]) || own || lints(manifest.get("workspace")) {
        steps.push(step("lint", "Lint", format!("cargo clippy --workspace --all-targets{pinned}"), &["build"]));
    }
    steps.push(step("test", "Test", format!("cargo test --workspace{pinned}"), &["build"]));
    let mut steps = locked("cargo-target", steps);
    if top.any(&["rustfmt.toml", ".rustfmt.toml"]) {
        steps.insert(0, step("format", "Check the format", "cargo fmt --all --check", &[]));
    }
    Some(Kind { name: "cargo", file: "Cargo.toml".to_owned(), steps })
}

/// JavaScript: install what the lock file says with the tool it belongs to, then the scripts that check something and end.
fn node(top: &Top) -> Option<Kind> {
    let package: serde_json::Value = serde_json::from_str(top.texts.get("package.json")?).ok()?;
    let named = package.get("packageManager").and_then(|name| name.as_str()?.split('@').next());
    let tool = match named {
        Some(tool @ ("npm" | "pnpm" | "yarn" | "bun")) => tool,
        _ if top.has("pnpm-lock.yaml") => "pnpm",
        _ if top.has("yarn.lock") => "yarn",
        _ if top.any(&["bun.lock", "bun.lockb"]) => "bun",
        _ => "npm",
    };
    let depends = ["dependencies", "devDependencies"].iter().any(|key| {
        package.get(key).and_then(serde_json::Value::as_object).is_some_and(|packages| !packages.is_empty())
    });
    let install = match tool {
        "pnpm" if top.has("pnpm-lock.yaml") => Some("pnpm install --frozen-lockfile"),
        "yarn" if top.has(".yarnrc.yml") && top.has("yarn.lock") => Some("yarn install --immutable"),
        "yarn" if top.has("yarn.lock") => Some("yarn install --frozen-lockfile"),
        "bun" if top.any(&["bun.lock", "bun.lockb"]) => Some("bun install --frozen-lockfile"),
        "npm" if top.any(&["package-lock.json", "npm-shrinkwrap.json"]) => Some("npm ci"),
        "pnpm" if depends => Some("pnpm install"),
        "yarn" if depends => Some("yarn install"),
        "bun" if depends => Some("bun install"),
        _ if depends => Some("npm install"),
        _ => None,
    };
    let mut steps: Vec<Found> =
        install.map(|run| step("install", "Install what the project depends on", run, &[])).into_iter().collect();
    let scripts = package.get("scripts").and_then(serde_json::Value::as_object);
    let script = |name: &str| scripts.and_then(|scripts| scripts.get(name)?.as_str());
    let first: &[&'static str] = if install.is_some() { &["install"] } else { &[] };
    let wanted: [(&'static str, &str, &[&str]); 5] = [
        ("format", "Check the format", &["format:check", "format-check", "check:format", "fmt:check"]),
        ("lint", "Lint", &["lint"]),
        ("types", "Check the types", &["typecheck", "type-check", "check-types", "tsc"]),
        ("build", "Build", &["build"]),
        ("test", "Test", &["test"]),
    ];
    for (id, title, names) in wanted {
        // What `npm init` writes for `test` only fails.
        let real = |name: &&&str| script(name).is_some_and(|script| !script.contains("no test specified"));
        let Some(name) = names.iter().find(real) else { continue };
        let after_build = id == "test" && steps.iter().any(|step| step.id == "build");
        let needs: &[&'static str] = if after_build { &["build"] } else { first };
        steps.push(step(id, title, format!("{tool} run {name}"), needs));
    }
    Some(Kind { name: "node", file: "package.json".to_owned(), steps })
}

/// Python: the tools that `pyproject.toml` configures, through the manager it belongs to; without any, at least a compile.
fn python(top: &Top) -> Option<Kind> {
    let project: toml::Table = table(top.texts.get("pyproject.toml")?)?;
    let tool = |name: &str| project.get("tool").is_some_and(|tools| tools.get(name).is_some());
    let text = &top.texts["pyproject.toml"];
    let (install, prefix) = if top.has("uv.lock") {
        (Some("uv sync --locked"), "uv run ")
    } else if tool("poetry") {
        (Some("poetry install"), "poetry run ")
    } else {
        (None, "")
    };
    let mut steps: Vec<Found> =
        install.map(|run| step("install", "Install what the project depends on", run, &[])).into_iter().collect();
    let needs: &[&'static str] = if install.is_some() { &["install"] } else { &[] };
    let python = if prefix.is_empty() { "python3" } else { "python" };
    if tool("ruff") {
        steps.push(step("lint", "Lint", format!("{prefix}{python} -m ruff check ."), needs));
    }
    if tool("mypy") {
        steps.push(step("types", "Check the types", format!("{prefix}{python} -m mypy ."), needs));
    }
    if tool("pytest") || text.contains("\"pytest") || top.any(&["pytest.ini", "conftest.py"]) {
        steps.push(step("test", "Test", format!("{prefix}{python} -m pytest"), needs));
    }
    if steps.iter().all(|step| step.id == "install") {
        let folder = if top.has("src") { "src" } else { "." };
        let run = format!("{prefix}{python} -m compileall -q -x '[/\\\\][.]' {folder}");
        steps.push(step("compile", "Compile every module", run, needs));
    }
    Some(Kind { name: "python", file: "pyproject.toml".to_owned(), steps })
}

/// Go: the tool brings everything.
fn go(top: &Top) -> Option<Kind> {
    top.texts.get("go.mod")?;
    let steps = vec![
        step("build", "Build", "go build ./...", &[]),
        step("lint", "Vet", "go vet ./...", &["build"]),
        step("test", "Test", "go test ./...", &["build"]),
    ];
    Some(Kind { name: "go", file: "go.mod".to_owned(), steps })
}

/// Names of targets and recipes that check something and end, by what they do.
const CHECKS: [(&str, &str, &[&str]); 4] = [
    ("format", "Check the format", &["fmt-check", "format-check", "check-fmt", "check-format"]),
    ("lint", "Lint", &["lint"]),
    ("build", "Build", &["build", "all"]),
    ("test", "Test", &["test", "tests", "check"]),
];

fn checks(command: &str, lock: &'static str, has: impl Fn(&str) -> bool) -> Vec<Found> {
    let mut steps: Vec<Found> = Vec::new();
    for (id, title, names) in CHECKS {
        if let Some(name) = names.iter().find(|name| has(name)) {
            let after_build = id == "test" && steps.iter().any(|step| step.id == "build");
            steps.push(step(id, title, format!("{command} {name}"), if after_build { &["build"] } else { &[] }));
        }
    }
    locked(lock, steps)
}

/// Make: targets by their usual names, else the default target.
fn make(top: &Top) -> Option<Kind> {
    // The order in which GNU make looks.
    let file = ["GNUmakefile", "makefile", "Makefile"].into_iter().find(|name| top.texts.contains_key(*name))?;
    let targets = make_targets(&top.texts[file]);
    let mut steps = checks("make", "make", |name| targets.contains(&name));
    if steps.is_empty() && !targets.is_empty() {
        steps = locked("make", vec![step("build", "Make the default target", "make", &[])]);
    }
    Some(Kind { name: "make", file: file.to_owned(), steps })
}

/// Returns the explicit targets of a Makefile; special and pattern targets are none.
fn make_targets(text: &str) -> Vec<&str> {
    let plain = |name: &&str| !name.starts_with('.') && !name.contains(['%', '$', '(']);
    let rules = text.lines().filter(|line| !line.starts_with(['\t', ' ', '#']));
    rules
        .filter_map(|line| line.split_once(':'))
        .filter(|(names, rest)| !names.contains('=') && !rest.starts_with('=') && !rest.starts_with(":="))
        .flat_map(|(names, _)| names.split_whitespace())
        .filter(plain)
        .collect()
}

/// just: recipes by their usual names that need no argument.
fn just(top: &Top) -> Option<Kind> {
    let file = ["justfile", "Justfile"].into_iter().find(|name| top.texts.contains_key(*name))?;
    let recipes = just_recipes(&top.texts[file]);
    Some(Kind { name: "just", file: file.to_owned(), steps: checks("just", "just", |name| recipes.contains(&name)) })
}

/// Returns the recipes of a justfile that can be called by name alone.
fn just_recipes(text: &str) -> Vec<&str> {
    let heads = text.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '[']));
    heads
        .filter_map(|line| line.split_once(':'))
        .filter(|(_, rest)| !rest.starts_with('='))
        .filter_map(|(head, _)| {
            let mut words = head.trim_start_matches('@').split_whitespace();
            let name = words.next()?;
            words.all(|word| word.contains('=') || word.starts_with('*')).then_some(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[(&str, &str)], names: &[&str], expected: &[&str]) {
        let top = Top {
            names: names.iter().chain(texts.iter().map(|(name, _)| name)).map(|name| (*name).to_owned()).collect(),
            texts: texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        let lines: Vec<String> = detect(&top)
            .iter()
            .flat_map(|kind| kind.steps.iter().map(move |step| (kind.name, step)))
            .map(|(kind, step)| format!("{kind} {}({}): {}", step.id, step.needs.join(","), step.run))
            .collect();
        assert_eq!(lines, expected, "{texts:?} {names:?}");
    }

    #[test]
    fn every_kind_of_project_gets_its_commands() {
        check(&[], &["README"], &[]);
        check(
            &[("Cargo.toml", "[package]\nname='x'")],
            &[],
            &["cargo build(): cargo build --workspace", "cargo test(build): cargo test --workspace"],
        );
        check(
            &[("Cargo.toml", "[workspace.lints.clippy]\nall='warn'")],
            &["Cargo.lock", "rustfmt.toml"],
            &[
                "cargo format(): cargo fmt --all --check",
                "cargo build(): cargo build --workspace --locked",
                "cargo lint(build): cargo clippy --workspace --all-targets --locked",
                "cargo test(build): cargo test --workspace --locked",
            ],
        );
        let scripts = r#"{"scripts":{"dev":"vite","lint":"eslint .","build":"vite build","test":"vitest run"},"dependencies":{"a":"1"}}"#;
        check(
            &[("package.json", scripts)],
            &["package-lock.json"],
            &[
                "node install(): npm ci",
                "node lint(install): npm run lint",
                "node build(install): npm run build",
                "node test(build): npm run test",
            ],
        );
        check(
            &[("package.json", scripts)],
            &["yarn.lock", ".yarnrc.yml"],
            &[
                "node install(): yarn install --immutable",
                "node lint(install): yarn run lint",
                "node build(install): yarn run build",
                "node test(build): yarn run test",
            ],
        );
        let empty = r#"{"packageManager":"pnpm@9","scripts":{"test":"echo \"Error: no test specified\" && exit 1","tsc":"tsc"}}"#;
        check(&[("package.json", empty)], &[], &["node types(): pnpm run tsc"]);
        check(&[("package.json", "{ broken")], &[], &[]);
        check(
            &[("pyproject.toml", "[tool.ruff]\n[tool.mypy]\n[tool.pytest.ini_options]")],
            &["uv.lock"],
            &[
                "python install(): uv sync --locked",
                "python lint(install): uv run python -m ruff check .",
                "python types(install): uv run python -m mypy .",
                "python test(install): uv run python -m pytest",
            ],
        );
        check(
            &[("pyproject.toml", "[tool.poetry]\n[tool.poetry.dev-dependencies]\n\"pytest\" = \"1\"")],
            &[],
            &["python install(): poetry install", "python test(install): poetry run python -m pytest"],
        );
        check(
            &[("pyproject.toml", "[project]")],
            &["src"],
            &["python compile(): python3 -m compileall -q -x '[/\\\\][.]' src"],
        );
        check(
            &[("go.mod", "module x")],
            &[],
            &["go build(): go build ./...", "go lint(build): go vet ./...", "go test(build): go test ./..."],
        );
        check(
            &[("Makefile", "CC := cc\nX ::= y\n.PHONY: all test\nall test: x.o\n\tcc: x\n%.o: %.c\n")],
            &[],
            &["make build(): make all", "make test(build): make test"],
        );
        check(&[("Makefile", "prog: prog.c\n\tcc -o prog prog.c\n")], &[], &["make build(): make"]);
        let recipes = "set shell := ['sh']\nalias t := test\n@lint:\n  x\nbuild target:\n  x\ntest filter='':\n  x\n";
        check(&[("justfile", recipes)], &[], &["just lint(): just lint", "just test(): just test"]);
    }

    #[test]
    fn several_kinds_combine_and_a_wrapper_only_adds() {
        check(
            &[("Cargo.toml", "[package]"), ("go.mod", "module x"), ("Makefile", "build:\nlint:\ntest:\nfmt-check:\n")],
            &[],
            &[
                "cargo build(): cargo build --workspace",
                "cargo test(build): cargo test --workspace",
                "go build(): go build ./...",
                "go lint(build): go vet ./...",
                "go test(build): go test ./...",
                "make format(): make fmt-check",
            ],
        );
    }
}
