//! `meow init`: writes a first workflow for what the project is made of, and takes every trace away again.

mod agents;
pub mod detect;
mod undo;
mod write;

use std::fs;
use std::path::Path;

use super::project::Project;
use super::{Context, hooks};
use crate::error::{Error, Result};
use detect::Top;

/// The folder of schemas for editors, below `.meow`.
const SCHEMAS: &str = "schema";
/// Largest project file that detectors read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Set up meow in this project: a workflow that fits it, settings, and on request the hook
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  meow init            # write .meow/workflows/ci.toml
  meow init --hooks    # and seal records into commits with a pre-commit hook
  meow init --agents   # and tell coding agents in AGENTS.md what they need
  meow init --undo     # take away all but history and what you edited

The workflow fits what is found: Cargo.toml, package.json, pyproject.toml, go.mod, Makefile or justfile.")]
pub struct Args {
    /// Put in the pre-commit hook that seals records into commits
    #[arg(long)]
    hooks: bool,
    /// Put a section into AGENTS.md that tells coding agents the commands they need
    #[arg(long)]
    agents: bool,
    /// Remove every trace outside history: files written by meow, the hook, the folder in the git directory
    #[arg(long, conflicts_with_all = ["hooks", "agents"])]
    undo: bool,
    /// With --undo: also remove workflow files that you wrote or edited
    #[arg(long, requires = "undo")]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read or written.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let project = context.project()?;
    let meow = project.meow();
    if meow.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
        return Err(Error::request(format!("{} is not a folder", meow.display()))
            .hint("meow keeps its files in a real folder of that name; move this one away"));
    }
    if args.undo {
        return undo::undo(&project, args.force, context);
    }
    let kinds = detect::detect(&top(&project.root)?);
    let found: Vec<&str> = kinds.iter().map(|kind| kind.file.as_str()).collect();
    if found.is_empty() {
        context
            .terminal
            .say("found nothing that says how this project is checked; the workflow has one step to replace");
    } else {
        context.terminal.say(&format!("found {}", found.join(", ")));
    }
    let files = [
        ("workflows/ci.toml", write::workflow(&kinds)),
        ("config.toml", write::CONFIG.to_owned()),
        (".gitattributes", write::ATTRIBUTES.to_owned()),
    ];
    for (name, text) in files {
        let written = put(&meow.join(name), &text)?;
        context.terminal.result(&format!("{} .meow/{name}", if written { "wrote" } else { "kept " }))?;
    }
    for (name, text) in write::schemas() {
        // Derived, so an older one is written anew.
        let path = meow.join(SCHEMAS).join(name);
        let written = fs::read_to_string(&path).is_ok_and(|held| held != text) && fs::remove_file(&path).is_ok();
        let written = put(&path, &text)? || written;
        context.terminal.result(&format!("{} .meow/{SCHEMAS}/{name}", if written { "wrote" } else { "kept " }))?;
    }
    if args.agents {
        let written = agents::put(&project)?;
        context.terminal.result(&format!("{} AGENTS.md", if written { "wrote" } else { "kept " }))?;
    }
    hook(args, &project, context)?;
    context.terminal.say("next: meow execute ci; and `git add .meow`, so that it is committed with the code");
    Ok(0)
}

fn hook(args: &Args, project: &Project, context: &Context) -> Result<()> {
    match &project.repository {
        None => {
            context.terminal.warn(
                "this is not a git repository: workflows run, and nothing is remembered (`git init` changes that)",
            );
        }
        Some(repository) if args.hooks => {
            hooks::install(repository, &[], context)?;
        }
        Some(repository) if !repository.hook_state("pre-commit").is_ok_and(|state| state.installed) => {
            context.terminal.say("records are committed by `meow commit`; `meow init --hooks` has a hook do it");
        }
        Some(_) => {}
    }
    Ok(())
}

/// Writes a file that is not there; returns whether it was written. What is there stays, whatever it is.
fn put(path: &Path, text: &str) -> Result<bool> {
    let wrong = |error: std::io::Error| Error::store(format!("{} cannot be written", path.display())).cause(error);
    if let Some(folder) = path.parent().filter(|folder| folder.is_symlink()) {
        return Err(Error::request(format!("{} is a link; nothing is written through it", folder.display())));
    }
    fs::create_dir_all(path.parent().expect("below .meow")).map_err(wrong)?;
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => std::io::Write::write_all(&mut file, text.as_bytes()).map_err(wrong).map(|()| true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(wrong(error)),
    }
}

/// Reads the project's top; a file that is no readable text says nothing.
fn top(root: &Path) -> Result<Top> {
    let wrong = |error: std::io::Error| Error::request(format!("{} cannot be read", root.display())).cause(error);
    let mut top = Top::default();
    for entry in fs::read_dir(root).map_err(wrong)? {
        top.names.insert(entry.map_err(wrong)?.file_name().to_string_lossy().into_owned());
    }
    for name in detect::READ.into_iter().filter(|name| top.names.contains(*name)) {
        let path = root.join(name);
        let small = fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= MOST_BYTES);
        if let Some(text) = small.then(|| fs::read_to_string(&path).ok()).flatten() {
            top.texts.insert(name.to_owned(), text);
        }
    }
    Ok(top)
}
