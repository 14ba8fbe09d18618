//! Declared limits by control groups (cgroup v2): one for each attempt that declares memory, processes or processors, where
//! a sub-tree of them was delegated to us. Elsewhere a watchdog looks at the processes instead.
//!
//! ```text
//! <a group that is ours>/meow-<pid namespace>-<pid>-<start>/   no process of its own, as the kernel asks of inner groups
//!                        ├ self/     meow, where it was alone in that group, and its steps without limits
//!                        └ 0/, 1/ …  one attempt each
//! ```

mod find;
mod leaf;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) use leaf::{Gate, Leaf};

use crate::plan::Plan;
use crate::workflow::Resources;
use find::NAME;

/// Where meow itself goes.
const SELF: &str = "self";

/// The groups of one execution. They are removed when this is dropped; those of an execution that was killed when the next
/// one begins.
#[derive(Debug)]
pub struct Groups {
    base: PathBuf,
    folder: PathBuf,
    /// What the groups of steps can be limited by.
    controllers: Vec<&'static str>,
    /// What was switched on in `base` for that.
    enabled: Vec<&'static str>,
    /// Whether meow itself went from `base` into a group below it.
    moved: bool,
    next: AtomicU32,
}

/// Returns the controllers that hold to what is declared.
pub(super) fn controllers(resources: &Resources) -> impl Iterator<Item = &'static str> {
    let memory = resources.memory_bytes.map(|_| "memory");
    let processes = resources.processes.map(|_| "pids");
    [memory, processes, resources.cpu.map(|_| "cpu")].into_iter().flatten()
}

/// Returns the controllers that the steps of a plan want which will run.
fn wanted(plan: &Plan) -> Vec<&'static str> {
    let steps = plan.steps.iter().filter(|step| step.skip.is_none() && step.step.run.is_some());
    let mut wanted: Vec<&str> = steps.flat_map(|step| controllers(&step.step.resources)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

impl Groups {
    /// Returns the groups of an execution; `None` where no step declares what they hold to.
    ///
    /// # Errors
    /// Why there are none here, in words for people.
    pub fn open(plan: &Plan) -> Result<Option<Self>, String> {
        let wanted = wanted(plan);
        if wanted.is_empty() {
            return Ok(None);
        }
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let own = find::own(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let own = own.ok_or("there is no cgroup v2 here")?;
        let units = PathBuf::from(format!("/run/user/{}/systemd/transient", rustix::process::geteuid().as_raw()));
        let delegated = |folder: &Path| is_marked(folder) || find::is_delegated_unit(folder, &units);
        let ours = find::ours(&own, Path::new("/run/systemd/system").is_dir(), &delegated);
        if ours.is_empty() {
            return Err(format!("the control group {} is not delegated to this user", own.folder.display()));
        }
        let name = name().ok_or("this process is not found below /proc")?;
        for base in &ours {
            sweep(base, &name);
        }
        let mut why = String::new();
        for base in ours {
            match Self::below(&base, &own.folder, &name, &wanted) {
                Ok(groups) => return Ok(Some(groups)),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// Returns the groups of an execution below a group that is ours, `own` being the one that this process is in.
    fn below(base: &Path, own: &Path, name: &str, wanted: &[&'static str]) -> Result<Self, String> {
        let read = |file: &str| fs::read_to_string(base.join(file)).unwrap_or_default();
        let shown = base.display().to_string();
        if read("cgroup.type").trim() != "domain" {
            return Err(format!("the control group {shown} is one of threads"));
        }
        let (known, already) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
        let has = |list: &str, controller: &str| list.split_whitespace().any(|one| one == controller);
        let controllers: Vec<&str> = wanted.iter().copied().filter(|one| has(&known, one)).collect();
        if controllers.is_empty() {
            return Err(format!("the control group {shown} can limit none of {}", wanted.join(", ")));
        }
        // Groups with limited ones below them hold no processes themselves; what is not ours is not moved.
        let processes = read("cgroup.procs");
        let is_alone = base == own && processes.trim() == std::process::id().to_string();
        if !is_alone && !processes.trim().is_empty() {
            return Err(format!("other processes are in the control group {shown}"));
        }
        let refused = |error: io::Error| format!("the control group {shown} cannot be divided: {error}");
        let folder = base.join(name);
        fs::create_dir(&folder).map_err(refused)?;
        let enabled = controllers.iter().copied().filter(|one| !has(&already, one)).collect();
        let mut groups =
            Self { base: base.to_path_buf(), folder, controllers, enabled, moved: is_alone, next: AtomicU32::new(0) };
        // What has been done is taken back where this fails: `groups` is dropped.
        groups.divide().map_err(refused)?;
        Ok(groups)
    }

    fn divide(&mut self) -> io::Result<()> {
        if self.moved {
            let within = self.folder.join(SELF);
            fs::create_dir(&within)?;
            fs::write(within.join("cgroup.procs"), "0")?;
        }
        // Those that are on already too: whoever switched them on may be about to end.
        for controller in &self.controllers {
            fs::write(self.base.join("cgroup.subtree_control"), format!("+{controller}"))?;
        }
        for controller in &self.controllers {
            fs::write(self.folder.join("cgroup.subtree_control"), format!("+{controller}"))?;
        }
        Ok(())
    }

    /// Returns what the groups of steps can be limited by, for people.
    pub fn limits(&self) -> String {
        self.controllers.join(", ")
    }

    /// Returns a group for an attempt; `None` where it declares nothing that a group holds to, or the system refuses.
    pub(super) fn leaf(&self, resources: &Resources) -> Option<Leaf> {
        controllers(resources).find(|one| self.controllers.contains(one))?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Leaf::make(&self.folder.join(number.to_string()), resources).ok()
    }
}

impl Drop for Groups {
    /// Leaves everything as it was found. What cannot be removed is left to the next execution.
    fn drop(&mut self) {
        let steps = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for step in steps.filter(|entry| entry.file_name() != SELF) {
            let _ = leaf::remove(&step.path());
        }
        let off = |folder: &Path, controllers: &[&str]| {
            for controller in controllers {
                let _ = fs::write(folder.join("cgroup.subtree_control"), format!("-{controller}"));
            }
        };
        off(&self.folder, &self.controllers);
        // Refused as long as another execution has them on in its own folder.
        off(&self.base, &self.enabled);
        if self.moved {
            let _ = fs::write(self.base.join("cgroup.procs"), "0");
        }
        let _ = leaf::remove(&self.folder);
    }
}

/// Returns what the folder of this process is called, which no other process ever was.
fn name() -> Option<String> {
    let pid = std::process::id();
    let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
    Some(format!("{NAME}{namespace}-{pid}-{}", started(pid)?))
}

/// Returns when a process started, in ticks since the machine did (proc(5), `starttime`).
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything, comes the third field.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Ends what executions left in their groups that are no more, and removes those. `own` is this process's name.
fn sweep(base: &Path, own: &str) {
    let namespace = own.split('-').nth(1);
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut parts = name.strip_prefix(NAME).into_iter().flat_map(|rest| rest.split('-'));
        // Of another namespace nobody here knows who lives.
        if parts.next() != namespace || namespace.is_none() {
            continue;
        }
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (Some(pid), Some(start)) = (number(), number()) else { continue };
        if u32::try_from(pid).ok().and_then(started) == Some(start) {
            continue;
        }
        for step in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            // What ran without limits goes on, as it does where there are no groups.
            if step.file_name() != SELF && step.file_type().is_ok_and(|kind| kind.is_dir()) {
                leaf::end(&step.path());
            }
        }
        let _ = leaf::remove(&entry.path());
    }
}

/// Returns whether the machine's systemd marked a group as delegated (since 251 for everybody to see).
#[cfg(target_os = "linux")]
fn is_marked(folder: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|mark| {
        let mut value = [0; 8];
        rustix::fs::getxattr(folder, *mark, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
    })
}

#[cfg(not(target_os = "linux"))]
fn is_marked(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(folder: &Path, processes: &str, controllers: &str) {
        fs::create_dir_all(folder).expect("a folder");
        for (file, text) in [
            ("cgroup.type", "domain\n"),
            ("cgroup.procs", processes),
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", ""),
        ] {
            fs::write(folder.join(file), text).expect("written");
        }
    }

    #[test]
    fn only_a_group_that_can_be_divided_is() {
        let check = |processes: &str, controllers: &str, within: bool, expected: Result<(&str, bool), &str>| {
            let place = tempfile::tempdir().expect("a folder");
            group(place.path(), processes, controllers);
            let own = if within { place.path().to_path_buf() } else { place.path().join("other") };
            let found = Groups::below(place.path(), &own, "meow-1-2-3", &["memory", "pids"]);
            match (found, expected) {
                (Ok(groups), Ok((limits, moved))) => {
                    assert_eq!((groups.limits().as_str(), groups.moved), (limits, moved));
                    assert_eq!(groups.folder.join("self/cgroup.procs").exists(), moved);
                    let on = fs::read_to_string(groups.folder.join("cgroup.subtree_control")).expect("read");
                    assert_eq!(on, format!("+{}", limits.rsplit(' ').next().expect("one")));
                }
                (Err(why), Err(expected)) => {
                    assert!(why.contains(expected), "{why}");
                    assert!(!place.path().join("meow-1-2-3").exists());
                }
                (found, _) => panic!("{found:?} for {processes} {controllers}"),
            }
        };
        let own = format!("{}\n", std::process::id());
        check(&own, "cpu memory pids\n", true, Ok(("memory, pids", true)));
        check("", "cpu memory\n", false, Ok(("memory", false)));
        check(&format!("1\n{own}"), "memory\n", true, Err("other processes"));
        check("1\n", "memory\n", false, Err("other processes"));
        check("", "cpuset cpu\n", false, Err("can limit none of memory, pids"));
    }

    #[test]
    fn what_the_dead_left_is_swept_and_what_lives_is_not() {
        let place = tempfile::tempdir().expect("a folder");
        let own = name().expect("a name");
        let namespace = own.split('-').nth(1).expect("a namespace");
        let pid = std::process::id();
        let start = started(pid).expect("a start");
        let keep = [own.clone(), format!("meow-0-{pid}-1"), "meow-x".to_owned(), "other".to_owned()];
        let gone = [format!("meow-{namespace}-{pid}-{}", start + 1), format!("meow-{namespace}-4194999-7")];
        for name in keep.iter().chain(&gone) {
            fs::create_dir_all(place.path().join(name)).expect("a folder");
        }
        sweep(place.path(), &own);
        for (names, there) in [(&keep[..], true), (&gone[..], false)] {
            for name in names {
                assert_eq!(place.path().join(name).exists(), there, "{name}");
            }
        }
    }
}
