//! Finds the control group that this process is in, and which of that and of those above it are ours to divide.
//!
//! A group is ours where the service manager says that it is delegated; where none runs, where it belongs to our user (Linux,
//! cgroup-v2, "Delegation"; systemd, "Control Group APIs and Delegation"). Everything else has one writer, and that is not us.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;

/// What the folders of our own groups are called at first: what is above one belongs to another execution.
pub(super) const NAME: &str = "meow-";

/// The group of a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub folder: PathBuf,
    /// The topmost group that can be seen.
    pub top: PathBuf,
}

/// Returns the group that `groups` tells (`/proc/self/cgroup`), below the place where `mounts` (`/proc/self/mountinfo`)
/// shows it; `None` where there is no such hierarchy or it cannot be seen.
pub(super) fn own(groups: &str, mounts: &str) -> Option<Own> {
    let path = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    let below = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut words = mount.split(' ').skip(3);
        let (root, top) = (plain(words.next()?), plain(words.next()?));
        let inside = path.strip_prefix(root).ok().filter(|_| kind.starts_with("cgroup2 "))?;
        // Joined piece by piece: an empty one would add a slash.
        Some(Own { folder: inside.components().fold(top.clone(), |folder, part| folder.join(part)), top })
    };
    mounts.lines().rev().find_map(below)
}

/// Returns a path of mountinfo as it is: blanks and the like stand there as `\040` (proc(5)).
fn plain(text: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let octal = more.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        let code = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &more[3..] } else { more };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// Returns the groups that are ours to divide, the nearest first. `managed` says that a service manager runs, `marked`
/// whether it marked a group as delegated.
pub(super) fn ours(own: &Own, managed: bool, marked: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let has_root = !own.top.join("cgroup.type").exists();
    let mut found = Vec::new();
    for folder in own.folder.ancestors().take_while(|folder| folder.starts_with(&own.top)) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !folder.join("cgroup.type").exists() || !is_writable(folder) || name.starts_with(NAME) {
            break;
        }
        found.push(folder.to_path_buf());
        if marked(folder) {
            return found;
        }
        if [".scope", ".service", ".slice"].iter().any(|unit| name.ends_with(unit)) {
            // A unit that is not delegated is its manager's, and so is all above it.
            return if managed { Vec::new() } else { found };
        }
        if has_root && geteuid().is_root() {
            // Everything belongs to this user, which says nothing of the groups above.
            break;
        }
    }
    if managed { Vec::new() } else { found }
}

/// Returns whether our user's own service manager delegated a group: it leaves no mark there, but says in a file below `units`
/// what a unit was started with, as by `systemd-run --user -p Delegate=yes`.
pub(super) fn is_delegated_unit(folder: &Path, units: &Path) -> bool {
    let manager = format!("user@{}.service", geteuid().as_raw());
    let is_below = folder.ancestors().skip(1).any(|above| above.ends_with(&manager));
    let Some(name) = folder.file_name().filter(|_| is_below) else { return false };
    let text = fs::read_to_string(units.join(name)).unwrap_or_default();
    let said = text.lines().filter_map(|line| line.trim().strip_prefix("Delegate=")).next_back();
    // Controllers may be named instead; none are none.
    said.is_some_and(|said| !["", "no", "false", "off", "0"].contains(&said.trim()))
}

/// Returns whether a group belongs to our user, and can be divided and entered.
fn is_writable(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| found.uid() == geteuid().as_raw())
        && [folder.to_path_buf(), folder.join("cgroup.procs"), folder.join("cgroup.subtree_control")]
            .iter()
            .all(|path| access(path, Access::WRITE_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_where_it_is_mounted() {
        let check = |groups: &str, mounts: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(folder, top)| Own { folder: folder.into(), top: top.into() });
            assert_eq!(own(groups, mounts), expected, "{groups} in {mounts}");
        };
        let unified = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        check("0::/a.slice/b.scope\n", unified, Some(("/sys/fs/cgroup/a.slice/b.scope", "/sys/fs/cgroup")));
        check("0::/\n", unified, Some(("/sys/fs/cgroup", "/sys/fs/cgroup")));
        let hybrid = "31 29 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
            32 29 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let there = Some(("/sys/fs/cgroup/unified/x", "/sys/fs/cgroup/unified"));
        check("5:memory:/y\n0::/x\n", hybrid, there);
        check("5:memory:/y\n", hybrid, None);
        check("0::/x\n", "32 29 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", None);
        // A part of the hierarchy, as a container sees it, below a name with a blank.
        let part = "40 23 0:26 /box/7 /my\\040groups rw - cgroup2 cgroup2 rw\n";
        check("0::/box/7/x\n", part, Some(("/my groups/x", "/my groups")));
        check("0::/box/8\n", part, None);
        check("0::/../x\n", part, None);
    }

    #[test]
    fn only_what_was_delegated_is_ours() {
        let base = tempfile::tempdir().expect("a folder");
        let group = |path: &str| {
            let folder = base.path().join(path);
            fs::create_dir_all(&folder).expect("a folder");
            for file in ["cgroup.type", "cgroup.procs", "cgroup.subtree_control"] {
                fs::write(folder.join(file), "").expect("written");
            }
        };
        for path in ["", "u.slice", "u.slice/d.scope", "u.slice/d.scope/own", "u.slice/s.scope", "plain", "plain/own"] {
            group(path);
        }
        group("u.slice/d.scope/own/meow-1-2-3");
        group("u.slice/d.scope/own/meow-1-2-3/0");
        let check = |path: &str, managed: bool, marks: &[&str], expected: &[&str]| {
            let at = |path: &str| path.split('/').filter(|part| !part.is_empty()).fold(base.path().into(), push);
            let own = Own { folder: at(path), top: base.path().to_path_buf() };
            let found = ours(&own, managed, &|folder| marks.iter().any(|mark| at(mark) == folder));
            assert_eq!(found, expected.iter().map(|path| at(path)).collect::<Vec<_>>(), "{path}");
        };
        let scope = "u.slice/d.scope";
        check(scope, true, &[scope], &[scope]);
        check("u.slice/d.scope/own", true, &[scope], &["u.slice/d.scope/own", scope]);
        // What is delegated is the manager's of the units in it, not theirs.
        check("u.slice/s.scope", true, &["u.slice"], &[]);
        check("plain/own", true, &[], &[]);
        check("plain/own", false, &[], &["plain/own", "plain", ""]);
        // Within a limited step of another execution its own group, and nothing above that.
        check("u.slice/d.scope/own/meow-1-2-3/0", true, &[scope], &[]);
        check("u.slice/d.scope/own/meow-1-2-3/0", false, &[], &["u.slice/d.scope/own/meow-1-2-3/0"]);
        fs::remove_file(base.path().join("plain/cgroup.type")).expect("removed");
        check("plain/own", false, &[], &["plain/own"]);
    }

    #[test]
    fn the_own_service_manager_tells_of_a_unit_in_a_file() {
        let units = tempfile::tempdir().expect("a folder");
        let manager = format!("user@{}.service", geteuid().as_raw());
        let check = |text: &str, above: &str, expected: bool| {
            fs::write(units.path().join("run-1.scope"), text).expect("written");
            let group = Path::new("/sys/fs/cgroup/user.slice").join(above).join("app.slice/run-1.scope");
            assert_eq!(is_delegated_unit(&group, units.path()), expected, "{text} below {above}");
        };
        check("# made by hand\n[Scope]\nDelegate=yes\n", &manager, true);
        check("[Scope]\nDelegate=cpu memory pids\n", &manager, true);
        check("[Scope]\nDelegate=yes\nDelegate=no\n", &manager, false);
        check("[Scope]\nMemoryMax=1\n", &manager, false);
        check("[Scope]\nDelegate=yes\n", "user@4194999.service", false);
        assert!(!is_delegated_unit(&Path::new("/x").join(&manager).join("gone.scope"), units.path()));
    }

    fn push(mut path: PathBuf, part: &str) -> PathBuf {
        path.push(part);
        path
    }
}
