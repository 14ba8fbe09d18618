//! `meow demo`: three small repositories with real workflows, executed, committed and learnt from before your eyes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Context;
use crate::error::{Error, Kind, Result};

/// Show what meow does on three small repositories made for the purpose
///
/// Makes the repositories in a temporary folder, executes their workflows with real commands (cc, awk, gzip, tar,
/// cksum), commits, learns, recommends and reports. Needs about half a minute and touches nothing else.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  meow demo --folder /tmp/meow-demo")]
pub struct Args {
    /// Make the repositories here, in a new folder, and leave them for a look
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// A repository to be made, and its history as it will happen.
struct Project {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    chapters: &'static [Chapter],
}

/// Some commits, and how often the workflow is executed on each.
struct Chapter {
    message: &'static str,
    commits: u32,
    branch: Option<&'static str>,
    /// A file to be replaced; without one a line is added to the file NOTES.
    replaces: Option<(&'static str, &'static str)>,
    executions: u32,
}

macro_rules! file {
    ($project:literal, $path:literal) => {
        ($path, include_str!(concat!("../../examples/demo/", $project, "/", $path)))
    };
}

const PROJECTS: [Project; 3] = [
    Project {
        name: "tool",
        files: &[file!("tool", "primes.c"), file!("tool", ".meow/workflows/ci.toml")],
        chapters: &[
            Chapter { message: "Count primes", commits: 2, branch: None, replaces: None, executions: 7 },
            Chapter {
                message: "Simplify the count",
                commits: 1,
                branch: Some("simpler"),
                replaces: Some(("primes.c", include_str!("../../examples/demo/tool/primes.simpler.c"))),
                executions: 8,
            },
        ],
    },
    Project {
        name: "site",
        files: &[file!("site", "pages.awk"), file!("site", "topics.txt"), file!("site", ".meow/workflows/ci.toml")],
        chapters: &[Chapter { message: "Forty pages", commits: 2, branch: None, replaces: None, executions: 6 }],
    },
    Project {
        name: "service",
        files: &[
            file!("service", "roman.awk"),
            file!("service", "arabic.awk"),
            file!("service", "check.sh"),
            file!("service", ".meow/workflows/ci.toml"),
        ],
        chapters: &[Chapter { message: "Roman digits", commits: 18, branch: None, replaces: None, executions: 8 }],
    },
];

/// Runs the demo.
///
/// # Errors
/// A program that the workflows need is missing, or a command of the demo itself fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    require(&["git", "cc", "awk", "gzip", "tar", "cksum", "sed"], context)?;
    let (folder, kept) = match &args.folder {
        Some(folder) => (context.settings.directory.join(folder), true),
        None => (temporary()?, false),
    };
    make_folder(&folder)?;
    let stage = Stage { context, folder: folder.clone() };
    let outcome = stage.play();
    if kept {
        context.terminal.say(&format!("The repositories are in {}.", folder.display()));
    } else if let Err(error) = std::fs::remove_dir_all(&folder) {
        context.terminal.warn(&format!("{} could not be removed: {error}", folder.display()));
    }
    outcome.map(|()| 0)
}

/// The folder in which the demo happens, and the printer that shows it.
struct Stage<'a> {
    context: &'a Context,
    folder: PathBuf,
}

impl Stage<'_> {
    fn play(&self) -> Result<()> {
        for project in &PROJECTS {
            self.live(project)?;
        }
        for project in &PROJECTS {
            self.title(&format!("What {} has taught", project.name))?;
            self.show(project.name, &["learn"])?;
            self.show(project.name, &["recommendations"])?;
        }
        self.title("What the branch of tool changes, for its reviewer")?;
        self.show("tool", &["report", "--base", "main"])?;
        self.title("Where the time goes, over all three")?;
        let names = PROJECTS.map(|project| project.name);
        self.show("", &[&["report", "--format", "text"], &names[..]].concat())?;
        self.title("What a person would type next, in a project of their own")?;
        self.context.terminal.result(NEXT)
    }

    /// Makes a repository and lives through its history.
    fn live(&self, project: &Project) -> Result<()> {
        self.title(&format!("{}: a repository with a workflow", project.name))?;
        for (path, text) in project.files {
            self.write(&format!("{}/{path}", project.name), text)?;
        }
        self.write(&format!("{}/.gitignore", project.name), "build/\n")?;
        self.git(project.name, &["init", "--quiet", "--initial-branch=main"])?;
        self.show(project.name, &["hooks", "install"])?;
        let mut notes = String::new();
        for chapter in project.chapters {
            if let Some(branch) = chapter.branch {
                self.git(project.name, &["switch", "--quiet", "--create", branch])?;
            }
            for part in 1..=chapter.commits {
                let message =
                    if part == 1 { chapter.message.to_owned() } else { format!("{}, part {part}", chapter.message) };
                notes.push_str(&message);
                notes.push('\n');
                let (path, text) = chapter.replaces.unwrap_or(("NOTES", &notes));
                self.write(&format!("{}/{path}", project.name), text)?;
                self.git(project.name, &["add", "--all"])?;
                self.git(project.name, &["commit", "--quiet", "--message", &message])?;
                let last = part == chapter.commits && chapter.branch.is_none();
                self.execute(project.name, chapter.executions, part == 1 || last)?;
            }
        }
        self.show(project.name, &["commit"])
    }

    /// Executes the workflow some times; shows the first execution whole when asked, and counts the failed ones.
    fn execute(&self, project: &str, times: u32, whole: bool) -> Result<()> {
        let mut failed = 0;
        if whole {
            self.announce(project, "meow execute ci")?;
            let said = self.meow(project, &["execute", "ci"])?;
            failed += u32::from(!said.status.success());
            self.both(&said)?;
        }
        for _ in u32::from(whole)..times {
            failed += u32::from(!self.meow(project, &["execute", "ci", "--quiet"])?.status.success());
        }
        let again = if whole { "again, " } else { "" };
        self.announce(project, &format!("meow execute ci    # {again}{times} times in all: {failed} failed"))
    }

    /// Runs meow in a project and shows what it says; a failure is the demo's failure.
    fn show(&self, project: &str, args: &[&str]) -> Result<()> {
        self.announce(project, &format!("meow {}", args.join(" ")))?;
        let said = self.meow(project, args)?;
        self.both(&said)?;
        expect(&format!("meow {}", args.join(" ")), &said)
    }

    fn both(&self, said: &Output) -> Result<()> {
        let text = [&said.stderr[..], &said.stdout[..]].concat();
        self.context.terminal.result(&String::from_utf8_lossy(&text))
    }

    fn announce(&self, project: &str, command: &str) -> Result<()> {
        self.context.terminal.result(&format!("\n{project}$ {command}"))
    }

    fn title(&self, title: &str) -> Result<()> {
        self.context.terminal.result(&format!("\n== {title} =="))
    }

    fn git(&self, project: &str, args: &[&str]) -> Result<()> {
        self.announce(project, &format!("git {}", args.join(" ")))?;
        let said = output(self.command("git", project).args(args))?;
        expect(&format!("git {}", args.join(" ")), &said)
    }

    fn meow(&self, project: &str, args: &[&str]) -> Result<Output> {
        output(self.command(&self.context.settings.program, project).args(args))
    }

    /// Returns a command that sees neither the person's git configuration nor their keys.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, project: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.join(project))
            .env("PATH", self.context.settings.path_with_program())
            .env("HOME", &self.folder)
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Demo")
            .env("GIT_AUTHOR_EMAIL", "demo@example.com")
            .env("GIT_COMMITTER_NAME", "Demo")
            .env("GIT_COMMITTER_EMAIL", "demo@example.com");
        for variable in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "MEOW",
            "MEOW_RECORD",
            "MEOW_SLOTS",
            "MEOW_TRIGGER",
            "XDG_CONFIG_HOME",
        ] {
            command.env_remove(variable);
        }
        command
    }

    fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.folder.join(path);
        path.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| Error::store(format!("{} cannot be written", path.display())).cause(error))
    }
}

const NEXT: &str = "\
meow init --hooks               # write a workflow that fits the project, record with every commit
meow execute ci --dry-run       # the plan: order, critical path, predicted time, odds
meow execute ci
git commit -am \"work\"           # the records travel in this very commit
meow learn
meow recommendations
meow report --base main         # Markdown for the pull request
meow report ~/src/*             # the same over many repositories
";

/// Refuses to start where a program that the workflows call is missing.
fn require(programs: &[&str], context: &Context) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().copied().filter(|program| !context.settings.finds_program(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::request(format!("the demo's workflows need {}, which cannot be found", missing.join(", ")))
        .hint("install them, or try meow in a project of your own: `meow init`"))
}

fn temporary() -> Result<PathBuf> {
    tempfile::Builder::new()
        .prefix("meow-demo-")
        .tempdir()
        .map(tempfile::TempDir::keep)
        .map_err(|error| Error::store("no temporary folder could be made").cause(error))
}

/// Makes the demo's folder; one that holds something is not touched.
fn make_folder(folder: &Path) -> Result<()> {
    let fail = |error| Error::store(format!("{} cannot be made", folder.display())).cause(error);
    std::fs::create_dir_all(folder).map_err(fail)?;
    if std::fs::read_dir(folder).map_err(fail)?.next().is_some() {
        return Err(Error::request(format!("{} is not empty", folder.display())).hint("name a new folder"));
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| {
        Error::new(Kind::Failed, format!("{} did not start", command.get_program().to_string_lossy())).cause(error)
    })
}

fn expect(what: &str, said: &Output) -> Result<()> {
    if said.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&said.stderr);
    Err(Error::new(Kind::Failed, format!("`{what}` ended with {}", said.status)).cause(words.trim().to_owned()))
}
