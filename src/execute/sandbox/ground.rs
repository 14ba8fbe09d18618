//! What a sandbox stands on: the project's folders, what of them is guarded, and what may be opened besides.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::workflow::Confinement;

/// Folders that are empty inside, where they are there: homes, temporary files, and the sockets of what runs outside.
const EMPTIED: [&str; 5] = ["/home", "/root", "/run", "/tmp", "/var/tmp"];

/// The folders of a project and of the person. All paths are absolute and without links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ground {
    /// The top of the work tree; commands run there.
    pub root: PathBuf,
    /// The home folder.
    pub home: Option<PathBuf>,
    /// Folders and files that can be read and not written: git's folders, `.meow`, the workflow files.
    pub guarded: Vec<PathBuf>,
    /// Folders that nobody may open: meow's own state and settings of the person.
    pub closed: Vec<PathBuf>,
    /// Where programs are looked for.
    pub search: OsString,
}

/// A path of the machine at a place inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub from: PathBuf,
    pub to: PathBuf,
    pub writable: bool,
}

impl Ground {
    /// Returns the ground with every path in its plain form; what does not exist guards nothing.
    ///
    /// # Errors
    /// The work tree, or what a sandbox would have to guard in it, is not what it must be.
    pub fn new(
        root: &Path,
        home: Option<&Path>,
        guarded: &[PathBuf],
        closed: &[PathBuf],
        search: OsString,
    ) -> Result<Self, String> {
        let plain = |path: &Path| path.canonicalize().ok();
        let root = plain(root).ok_or_else(|| format!("{} cannot be found", root.display()))?;
        let home = home.and_then(plain);
        if root == Path::new("/") || home.as_ref().is_some_and(|home| home.starts_with(&root)) {
            return Err(format!("the work tree {} holds the home folder", root.display()));
        }
        let mut found = Vec::new();
        for path in guarded.iter().filter(|path| path.symlink_metadata().is_ok()) {
            found.push(plain(path).ok_or_else(|| format!("{} leads nowhere", path.display()))?);
            // A link inside of the work tree could be replaced, whatever it leads to.
            let lexical = path.parent().and_then(plain).map(|parent| parent.join(path.file_name().unwrap_or_default()));
            if let Some(lexical) = lexical.filter(|lexical| lexical.starts_with(&root) && lexical.is_symlink()) {
                return Err(format!("{} is a link, which a sandbox cannot guard", lexical.display()));
            }
        }
        found.sort();
        found.dedup();
        let closed = closed.iter().filter_map(|path| plain(path)).collect();
        Ok(Self { root, home, guarded: found, closed, search })
    }

    /// Returns the folders that are empty inside, each once, none below another.
    pub(super) fn emptied(&self) -> Vec<PathBuf> {
        let real = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let mut folders: Vec<PathBuf> = EMPTIED.iter().map(PathBuf::from).filter(real).collect();
        if let Some(home) = self.home.as_ref().filter(|home| !folders.iter().any(|folder| home.starts_with(folder))) {
            folders.push(home.clone());
        }
        folders
    }

    /// Returns the file behind `/etc/resolv.conf` where it lies in a folder that is empty inside.
    #[expect(clippy::unused_self, reason = "what is on the ground is asked of it")]
    pub(super) fn resolver(&self) -> Option<PathBuf> {
        Path::new("/etc/resolv.conf").canonicalize().ok().filter(|path| path.starts_with("/run"))
    }

    /// Returns what a step has opened besides the work tree; what is not there is left out.
    ///
    /// # Errors
    /// A path would open more than it says.
    pub(super) fn opened(&self, confinement: &Confinement) -> Result<Vec<Mount>, String> {
        let mut opened = Vec::new();
        for (paths, writable) in [(&confinement.reads, false), (&confinement.writes, true)] {
            for path in paths.iter().flatten() {
                let Some(to) = self.meant(path) else { return Err(format!("there is no home folder for `{path}`")) };
                let Ok(from) = to.canonicalize() else { continue };
                // The work tree is open, and what is guarded in it stays so.
                if from.starts_with(&self.root) {
                    continue;
                }
                let open = |held: &PathBuf| held.starts_with(&from) || from.starts_with(held);
                let above = |held: &PathBuf| held.starts_with(&from);
                if self.closed.iter().any(open) || self.home.iter().any(above) || above(&self.root) {
                    return Err(format!("`{path}` would open what a sandbox keeps closed"));
                }
                if writable && self.guarded.iter().any(open) {
                    return Err(format!("`{path}` would open what a sandbox keeps from being written"));
                }
                opened.push(Mount { from, to, writable });
            }
        }
        opened.sort_by(|a, b| (&a.to, a.writable).cmp(&(&b.to, b.writable)));
        Ok(opened)
    }

    fn meant(&self, path: &str) -> Option<PathBuf> {
        let path = match path.strip_prefix("~/") {
            Some(below) => self.home.as_ref()?.join(below),
            None => self.root.join(path),
        };
        // `.` and doubled slashes go; `..` was refused when the file was read.
        Some(path.components().filter(|part| *part != Component::CurDir).collect())
    }

    /// Returns how what is guarded is mounted: in the work tree, in this order, and outside of it.
    ///
    /// A folder with a mount below it can be renamed unless it is a mount itself, and something else be put in its place:
    /// so every folder between the work tree and what is guarded is mounted on itself.
    ///
    /// # Errors
    /// The whole work tree would have to be guarded.
    pub(super) fn guarded(&self) -> Result<(Vec<Mount>, Vec<PathBuf>), String> {
        let (within, outside): (Vec<&PathBuf>, Vec<&PathBuf>) =
            self.guarded.iter().partition(|path| path.starts_with(&self.root));
        let mut mounts: Vec<Mount> = Vec::new();
        let mut add = |path: &Path, writable: bool| {
            let held = mounts.iter().any(|mount| {
                mount.to == path && (mount.writable == writable || !mount.writable)
                    || !mount.writable && path.starts_with(&mount.to)
            });
            if !held {
                mounts.push(Mount { from: path.to_path_buf(), to: path.to_path_buf(), writable });
            }
        };
        for path in within {
            let below = path.strip_prefix(&self.root).map_err(|_| "a path is not where it was")?;
            if below.as_os_str().is_empty() {
                return Err("the work tree lies where git keeps its own".to_owned());
            }
            let mut at = self.root.clone();
            for part in below.parent().into_iter().flat_map(Path::components) {
                at.push(part);
                add(&at, true);
            }
            add(path, false);
        }
        Ok((mounts, outside.into_iter().cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(guarded: &[&str]) -> Ground {
        Ground {
            root: "/src/p".into(),
            home: Some("/home/u".into()),
            guarded: guarded.iter().map(PathBuf::from).collect(),
            closed: vec!["/home/u/.local/state/meow".into()],
            search: OsString::new(),
        }
    }

    #[test]
    fn everything_on_the_way_to_what_is_guarded_is_a_mount() {
        let check = |guarded: &[&str], expected: &str| {
            let (mounts, outside) = ground(guarded).guarded().expect("mounts");
            let mut shown: Vec<String> = mounts
                .iter()
                .map(|mount| format!("{}{}", if mount.writable { "+" } else { "" }, mount.to.display()))
                .collect();
            shown.extend(outside.iter().map(|path| format!("out {}", path.display())));
            assert_eq!(shown.join(" "), expected);
        };
        check(&["/src/p/.git", "/src/p/.meow"], "/src/p/.git /src/p/.meow");
        check(
            &["/src/p/.beads/formulas", "/src/p/tools/ci/x.toml", "/src/p/tools/ci/y.toml"],
            "+/src/p/.beads /src/p/.beads/formulas +/src/p/tools +/src/p/tools/ci /src/p/tools/ci/x.toml \
             /src/p/tools/ci/y.toml",
        );
        check(&["/src/p/.meow", "/src/p/.meow/workflows/ci.toml"], "/src/p/.meow");
        check(&["/src/main/.git", "/src/p/.git"], "/src/p/.git out /src/main/.git");
        assert!(ground(&["/src/p"]).guarded().is_err());
    }

    #[test]
    fn what_must_stay_closed_is_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().canonicalize().expect("real").join(path);
        for path in ["home/.cargo", "home/.local/state/meow", "p/.git", "main/.git/hooks"] {
            std::fs::create_dir_all(at(path)).expect("folders");
        }
        std::os::unix::fs::symlink(at("main"), at("home/link")).expect("a link");
        let ground = Ground::new(
            &at("p"),
            Some(&at("home")),
            &[at("p/.git"), at("p/.meow"), at("main/.git")],
            &[at("home/.local/state/meow"), at("none")],
            OsString::new(),
        )
        .expect("a ground");
        assert_eq!(ground.guarded, [at("main/.git"), at("p/.git")]);
        let open = |reads: &[&str], writes: &[&str]| {
            let list = |paths: &[&str]| Some(paths.iter().map(|path| (*path).to_owned()).collect());
            ground.opened(&Confinement { reads: list(reads), writes: list(writes), ..Confinement::default() })
        };
        let cargo = |writable| Mount { from: at("home/.cargo"), to: at("home/.cargo"), writable };
        assert_eq!(open(&["~/.cargo", "~/absent", "target"], &[]), Ok(vec![cargo(false)]));
        assert_eq!(open(&["~/.cargo"], &["~/./.cargo"]), Ok(vec![cargo(false), cargo(true)]));
        let text = |path: &str| at(path).display().to_string();
        let all = folder.path().display().to_string();
        for bad in ["~/.local", "~/.local/state/meow", &text("home"), &all, &text("home/.local/state")] {
            assert!(open(&[bad], &[]).is_err(), "{bad}");
        }
        for bad in ["~/link", &text("main"), &text("main/.git"), &text("main/.git/hooks")] {
            assert!(open(&[], &[bad]).is_err(), "{bad} can be written");
        }
        assert!(open(&["~/link"], &[]).is_ok());
    }

    #[test]
    fn grounds_that_cannot_be_guarded_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("p/.git")).expect("folders");
        std::os::unix::fs::symlink(at("p/.git"), at("p/.meow")).expect("a link");
        let make = |root: &str, home: &str, guarded: &str| {
            Ground::new(&at(root), Some(&at(home)), &[at(guarded)], &[], OsString::new())
        };
        assert!(make("p", "elsewhere", "p/.git").is_ok());
        assert!(make("p", "p", "p/.git").is_err(), "the home folder is the work tree");
        assert!(make("p", "elsewhere", "p/.meow").is_err(), "a link could be replaced");
        assert!(make("absent", "elsewhere", "p/.git").is_err());
    }
}
