//! Declared limits as a command of the shell in front of a step's own: `ulimit` and then `exec`, so that nothing of the
//! step ever runs without them.
//!
//! No limit on address space: Go, Java and Node reserve far more of it than they use. Memory is watched instead.

use crate::workflow::Resources;

/// Returns the words that go in front of a command's words so that it runs within its declared limits; none where
/// nothing of the kind is declared. Costs one `exec` of `/bin/sh`.
pub(super) fn prefix(resources: &Resources) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(time) = resources.cpu_time {
        // Whole seconds; the process gets SIGXCPU at the soft limit, and is killed at the hard one, a second later.
        let seconds = time.as_millis().div_ceil(1_000).max(1);
        limits.extend([format!("-S -t {seconds}"), format!("-H -t {}", seconds + 1)]);
    }
    if let Some(bytes) = resources.file_bytes {
        // In blocks of 512 bytes (POSIX); the process gets SIGXFSZ.
        limits.push(format!("-f {}", bytes.div_ceil(512)));
    }
    if let Some(files) = resources.open_files {
        limits.push(format!("-n {files}"));
    }
    if limits.is_empty() {
        return Vec::new();
    }
    // A limit that cannot be set is one above the limit that holds already.
    let set: String = limits.iter().fold(String::new(), |set, limit| set + "ulimit " + limit + " 2>/dev/null; ");
    ["/bin/sh", "-c", &format!("{set}exec \"$@\""), "sh"].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    fn said(resources: &Resources, words: &[&str]) -> String {
        let prefix = prefix(resources);
        let all: Vec<&str> = prefix.iter().map(String::as_str).chain(words.iter().copied()).collect();
        let output = Command::new(all[0]).args(&all[1..]).output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).trim().replace('\n', " ")
    }

    #[test]
    fn limits_hold_for_the_command_and_its_children() {
        assert!(prefix(&Resources { cpu: Some(2.0), memory_bytes: Some(1), ..Resources::default() }).is_empty());
        let resources = Resources {
            cpu_time: Some(Duration::from_millis(61_500)),
            file_bytes: Some(1_000_000),
            open_files: Some(40),
            ..Resources::default()
        };
        let script = "ulimit -t; ulimit -n; sh -c 'ulimit -f'; echo \"$1\"";
        assert_eq!(said(&resources, &["/bin/sh", "-c", script, "sh", "a b$c"]), "62 40 1954 a b$c");
    }
}
