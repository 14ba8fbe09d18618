//! The shapes of workflows that are measured, written for every runner.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use super::Outcome;

/// How the steps depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// So many independent steps.
    Flat(usize),
    /// So many steps, each after the one before.
    Chain(usize),
    /// So many rounds of so many steps, each round closed by a join.
    Fan(usize, usize),
}

/// What a step's command is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// A program.
    Plain,
    /// Something only a shell understands.
    Shell,
}

impl Variant {
    /// Returns the command.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Plain => "true",
            Self::Shell => "true && :",
        }
    }

    /// Returns the variant for people.
    pub fn words(self) -> String {
        format!("`{}`", self.command())
    }
}

impl Shape {
    /// Returns how many steps it has.
    pub const fn steps(self) -> usize {
        match self {
            Self::Flat(steps) | Self::Chain(steps) => steps,
            Self::Fan(rounds, width) => rounds * (width + 1),
        }
    }

    /// Returns every step with those it needs.
    fn graph(self) -> Vec<(String, Vec<String>)> {
        match self {
            Self::Flat(steps) => (0..steps).map(|at| (format!("s{at}"), Vec::new())).collect(),
            Self::Chain(steps) => {
                let need = |at: usize| at.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect();
                (0..steps).map(|at| (format!("s{at}"), need(at))).collect()
            }
            Self::Fan(rounds, width) => (0..rounds)
                .flat_map(|round| {
                    let before: Vec<String> =
                        round.checked_sub(1).map(|before| format!("join{before}")).into_iter().collect();
                    let names: Vec<String> = (0..width).map(|at| format!("s{round}-{at}")).collect();
                    let join = (format!("join{round}"), names.clone());
                    names.into_iter().map(move |name| (name, before.clone())).chain([join])
                })
                .collect(),
        }
    }

    /// Writes the files of every runner into a folder.
    pub fn write(self, folder: &Path, variant: Variant) -> Outcome<()> {
        let command = variant.command();
        let (mut meow, mut ninja) = ("formula = \"steps\"\n".to_owned(), format!("rule run\n  command = {command}\n"));
        let (mut make, mut just) = (String::new(), String::new());
        let mut task = "version: '3'\ntasks:\n".to_owned();
        let graph = self.graph();
        let all: Vec<&str> = graph.iter().map(|(name, _)| name.as_str()).collect();
        make += &format!(".PHONY: all {0}\nall: {0}\n", all.join(" "));
        just += &format!("all: {}\n", all.join(" "));
        task += &format!("  default:\n    deps: [{}]\n", all.join(", "));
        for (name, needs) in &graph {
            let quoted: Vec<String> = needs.iter().map(|need| format!("\"{need}\"")).collect();
            meow += &format!("\n[[steps]]\nid = \"{name}\"\nneeds = [{}]\nrun = \"{command}\"\n", quoted.join(", "));
            ninja += &format!("build {name}: run {}\n", needs.join(" "));
            make += &format!("{name}: {}\n\t{command}\n", needs.join(" "));
            just += &format!("{name}: {}\n  {command}\n", needs.join(" "));
            // One that several need runs once.
            task += &format!("  {name}:\n    run: once\n    deps: [{}]\n    cmd: {command}\n", needs.join(", "));
        }
        fs::create_dir_all(folder.join(".meow/workflows"))?;
        for (file, text) in [
            (".meow/workflows/steps.toml", meow),
            ("build.ninja", ninja),
            ("Makefile", make),
            ("justfile", just),
            ("Taskfile.yml", task),
            (".gitignore", ".ninja_*\n".to_owned()),
        ] {
            fs::write(folder.join(file), text)?;
        }
        Ok(())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat(steps) => write!(f, "{steps}-independent"),
            Self::Chain(steps) => write!(f, "{steps}-chain"),
            Self::Fan(rounds, width) => write!(f, "{rounds}x{width}-fan"),
        }
    }
}

impl FromStr for Shape {
    type Err = Box<dyn std::error::Error>;

    fn from_str(text: &str) -> Outcome<Self> {
        let (size, kind) = text.split_once('-').ok_or("SIZE-KIND")?;
        Ok(match (kind, size.split_once('x')) {
            ("independent", _) => Self::Flat(size.parse()?),
            ("chain", _) => Self::Chain(size.parse()?),
            ("fan", Some((rounds, width))) => Self::Fan(rounds.parse()?, width.parse()?),
            _ => return Err(format!("no shape: {text}").into()),
        })
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Plain { "plain" } else { "shell" })
    }
}

impl FromStr for Variant {
    type Err = Box<dyn std::error::Error>;

    fn from_str(text: &str) -> Outcome<Self> {
        Ok(if text == "plain" { Self::Plain } else { Self::Shell })
    }
}
