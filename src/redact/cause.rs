//! What a failure is recognised by: a hash of those lines of its output that tell why, without what differs each time.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::normal::Normaliser;
use super::tail;

/// Most lines of which a fingerprint is made.
const MOST: usize = 30;

/// Where no line tells why, the last ones stand for it.
const LAST: usize = 3;

/// Sets these hashes apart from any other use of a project's first commit.
const PURPOSE: &str = "meow 2026-11 fingerprints of errors";

/// 12 bytes by which a failure is recognised: equal for equal causes in one project, and in no other project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 12]);

impl Fingerprint {
    /// Returns the fingerprint with these bytes.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// Returns the fingerprint of a failure with this `ending` (an exit code, a signal) and this `cause`, see [`lines`].
    ///
    /// `project` is the id of the project's first commit: whoever has that finds the same, and nobody else can try texts.
    pub fn of(project: &[u8], ending: &str, cause: &[String]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&blake3::derive_key(PURPOSE, project));
        for text in [ending].into_iter().chain(cause.iter().map(String::as_str)) {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..12]);
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 12];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            *byte = pair.ok_or_else(|| serde::de::Error::custom("24 hex digits are expected"))?;
        }
        Ok(Self(bytes))
    }
}

/// Returns the lines of the end of an output that tell why it failed, each once, sorted (programs that work side by side
/// fail in any order), without numbers, times, ids, folders and all else that differs from one time to the next.
///
/// These are the last 30 that speak of an error, each with the line after it where it ends with a colon; where none
/// does, the last three. `root` is the project's folder: paths below it are kept as relative ones.
pub fn lines(output: &str, root: &str) -> Vec<String> {
    let normaliser = Normaliser::new(root);
    let drawn: Vec<String> = output.lines().map(tail::drawn).filter(|line| !line.trim().is_empty()).collect();
    let mut found = BTreeSet::new();
    for (at, line) in drawn.iter().enumerate().rev().filter(|(_, line)| speaks(line)) {
        let next = drawn.get(at + 1).filter(|_| line.trim_end().ends_with(':'));
        for line in [Some(line), next].into_iter().flatten() {
            let line = normaliser.line(line);
            if found.len() < MOST && line.contains(char::is_alphabetic) {
                found.insert(line);
            }
        }
        if found.len() >= MOST {
            break;
        }
    }
    if !found.is_empty() {
        return found.into_iter().collect();
    }
    let last = drawn.len().saturating_sub(LAST);
    drawn[last..].iter().map(|line| normaliser.line(line)).filter(|line| !line.is_empty()).collect()
}

/// Returns whether a line speaks of something that went wrong.
fn speaks(line: &str) -> bool {
    const WORDS: &str = "errors?|fatal|panic(?:s|ked)?|fail(?:s|ed|ure|ures|ing)?|exceptions?|abort(?:s|ed|ing)?|assertion|\
        traceback|segmentation|killed|core dumped|denied|refused|unreachable|timed out|time-?out|unable|cannot|can't|\
        could ?n[o']t|not found|no such|no space|not permitted|unknown|unrecognized|undefined|unresolved|unexpected|\
        unsupported|invalid|missing|mismatch|conflicts?|corrupt(?:ed)?|exceeded|out of memory|reset by peer|not ok|\
        does ?n[o']t exist|already in use";
    static SPEAKS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i:(?:^|[^\w-])(?:{WORDS})(?:$|[^\w-]))|\w(?:Error|Exception|Panic)\b|\bERR!|^E\s\s|\*\*\*"
        ))
    });
    static NOTHING: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)\b(?:0|no|without|without any) (?:errors?|fail(?:ed|ures?)|unexpected|invalid|missing|conflicts?)\b",
        )
    });
    static REMARK: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"(?i)^[^a-z]*(?:warn(?:ing)?|note|info|debug|trace|help|hint|notice|compiling|downloading|running)\b")
    });
    static GOOD: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:ok|pass|passed)\W*(?:\([^)]*\))?$"));
    let said = NOTHING.replace_all(line, "");
    let good = GOOD.is_match(line) && !line.contains("not ok");
    !good && !REMARK.is_match(line) && SPEAKS.is_match(&said)
}

/// Compiles a pattern of this room's own; letters, digits and spaces are those of ASCII, which is ready several times sooner.
pub(super) fn pattern(text: &str) -> Regex {
    let ascii =
        [(r"\d", "[0-9]"), (r"\w", "[0-9A-Za-z_]"), (r"\W", "[^0-9A-Za-z_]"), (r"\s", r"[ \t]"), (r"\b", r"(?-u:\b)")];
    let text = ascii.iter().fold(text.to_owned(), |text, (class, plain)| text.replace(class, plain));
    Regex::new(&text).expect("a pattern that is part of the program")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(output: &str) -> Fingerprint {
        Fingerprint::of(b"root", "exit:1", &lines(output, "/src/project"))
    }

    #[test]
    fn one_cause_has_one_fingerprint() {
        for (one, other) in PAIRS {
            assert_eq!(of(one), of(other), "{:#?}\n{:#?}", lines(one, "/src/project"), lines(other, "/src/project"));
        }
    }

    #[test]
    fn other_causes_projects_and_endings_have_others() {
        let mut seen = std::collections::BTreeMap::new();
        for (one, _) in PAIRS {
            assert_eq!(seen.insert(of(one), one), None, "{one}");
        }
        let cause = lines("error: no", "");
        let own = Fingerprint::of(b"a", "exit:1", &cause);
        assert_ne!(own, Fingerprint::of(b"b", "exit:1", &cause));
        assert_ne!(own, Fingerprint::of(b"a", "exit:2", &cause));
        assert_ne!(Fingerprint::of(b"a", "x", &["a".into(), "b".into()]), Fingerprint::of(b"a", "x", &["ab".into()]));
        assert_ne!(Fingerprint::of(b"a", "x", &[]), Fingerprint::of(b"a", "y", &[]), "silent ones by their ending");
    }

    #[test]
    fn text_and_back() {
        let own = of("error: no");
        let text = serde_json::to_string(&own).expect("plain");
        assert_eq!((text.len(), serde_json::from_str::<Fingerprint>(&text).expect("its own")), (26, own));
        for wrong in ["\"\"", "\"é0102fdfeff1011121314\"", "3", "\"zz0102fdfeff101112131415\""] {
            assert!(serde_json::from_str::<Fingerprint>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_that_speak_are_chosen_and_the_last_stand_for_silence() {
        let check = |output: &str, expected: &[&str]| assert_eq!(lines(output, "/src/project"), expected, "{output}");
        check("", &[]);
        check("a\n\nb 1\nc\nd\n", &["b #", "c", "d"]);
        check("Compiling thiserror v1.0.1\n0 errors\ntest parse_error ... ok\nerror: it broke\n", &["error: it broke"]);
        check("z failed\na failed\nz failed\n", &["a failed", "z failed"]);
        check(
            "thread 'x' panicked at src/a.rs:3:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\n",
            &["boom", "thread 'x' panicked at src/a.rs:#:"],
        );
        let many: Vec<String> = (0..99).map(|at| format!("error: {}", "x".repeat(at + 1))).collect();
        assert_eq!(lines(&many.join("\n"), "").len(), MOST);
        assert!(lines(&"error ".repeat(100_000), "")[0].len() < 1_000);
    }

    /// What tools say of one cause at two times and places; each pair is another cause.
    const PAIRS: &[(&str, &str)] = &[
        // rustc: the line moved, other folders.
        (
            "error[E0308]: mismatched types\n  --> src/main.rs:4:18\n  |\n4 |     let x: u32 = \"a\";\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
            "\u{1b}[31merror[E0308]\u{1b}[0m: mismatched types\n  --> src/main.rs:27:9\nwarning: build failed, waiting for other jobs to finish...\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
        ),
        (
            "error[E0425]: cannot find value `x` in this scope\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
            "   Compiling demo v0.1.0 (/src/project)\nerror[E0425]: cannot find value `x` in this scope\nerror: could not compile `demo` (bin \"demo\") due to 1 previous error\n",
        ),
        // cargo test: other times, threads, order of tests.
        (
            "test a::ok ... ok\ntest a::bad ... FAILED\n\nfailures:\n\n---- a::bad stdout ----\n\nthread 'a::bad' (1171) panicked at src/a.rs:7:5:\nassertion `left == right` failed\n  left: 1\n right: 2\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; finished in 0.01s\n",
            "test a::bad ... FAILED\ntest a::ok ... ok\n\nfailures:\n\n---- a::bad stdout ----\n\nthread 'a::bad' (98) panicked at src/a.rs:8:5:\nassertion `left == right` failed\n  left: 3\n right: 4\n\ntest result: FAILED. 12 passed; 1 failed; 0 ignored; finished in 1.27s\n",
        ),
        // The network: ports, times, hosts by number.
        (
            "curl: (7) Failed to connect to 127.0.0.1 port 41231 after 0 ms: Couldn't connect to server\n",
            "curl: (7) Failed to connect to 10.1.2.3 port 9 after 1021 ms: Couldn't connect to server\n",
        ),
        ("curl: (6) Could not resolve host: example.org\n", "curl: (6) Could not resolve host: example.org\n"),
        (
            "curl: (22) The requested URL returned error: 503\n",
            "  % Total    % Received\n100 17 100 17\ncurl: (22) The requested URL returned error: 503\n",
        ),
        ("curl: (22) The requested URL returned error: 404\n", "curl: (22) The requested URL returned error: 404\n"),
        (
            "fatal: unable to access 'https://ann:tok3n@example.org/a/b.git/': Recv failure: Connection reset by peer\n",
            "fatal: unable to access 'https://example.org/a/b.git/': Recv failure: Connection reset by peer\n",
        ),
        (
            "error: failed to download from `https://static.crates.io/crates/serde/1.0.1/download?x=1`\n\nCaused by:\n  [28] Timeout was reached (Operation timed out after 30001 milliseconds with 0 bytes received)\n",
            "error: failed to download from `https://static.crates.io/crates/serde/1.0.228/download`\n\nCaused by:\n  [28] Timeout was reached (Operation timed out after 30.4 s with 8 KiB received)\n",
        ),
        // npm, with its log of the day.
        (
            "npm ERR! code ECONNRESET\nnpm ERR! network aborted\nnpm ERR! A complete log of this run can be found in:\nnpm ERR!     /home/ann/.npm/_logs/2025-11-23T06_48_44_123Z-debug-0.log\n",
            "npm ERR! code ECONNRESET\nnpm ERR! network aborted\nnpm ERR! A complete log of this run can be found in:\nnpm ERR!     /root/.npm/_logs/2024-01-02T16_08_01_001Z-debug-0.log\n",
        ),
        // pytest.
        (
            "=========== FAILURES ===========\n____ test_sum ____\nE       assert 3 == 4\n\n/tmp/pytest-of-ann/pytest-3/test_a.py:4: AssertionError\n===== short test summary info =====\nFAILED tests/test_a.py::test_sum - assert 3 == 4\n===== 1 failed, 7 passed in 0.12s =====\n",
            "=================== FAILURES ===================\n________ test_sum ________\nE       assert 30 == 40\n\n/var/lib/x/test_a.py:14: AssertionError\n======= short test summary info =======\nFAILED tests/test_a.py::test_sum - assert 30 == 40\n======= 1 failed, 19 passed in 2.42s =======\n",
        ),
        // Python.
        (
            "Traceback (most recent call last):\n  File \"/src/project/a.py\", line 3, in <module>\n    open('/tmp/tmpab_d9xq/x')\nFileNotFoundError: [Errno 2] No such file or directory: '/tmp/tmpab_d9xq/x'\n",
            "Traceback (most recent call last):\n  File \"/src/project/a.py\", line 8, in <module>\n    open('/tmp/tmpzz12e_pq/x')\nFileNotFoundError: [Errno 2] No such file or directory: '/tmp/tmpzz12e_pq/x'\n",
        ),
        // The linker, with files of a compiler's own.
        (
            "/usr/bin/ld: /tmp/ccXk1d9a.o: in function `main':\nmain.c:(.text+0x9): undefined reference to `foo'\ncollect2: error: ld returned 1 exit status\nmake: *** [Makefile:2: all] Error 1\n",
            "/usr/bin/ld: /tmp/ccabcdef.o: in function `main':\nmain.c:(.text+0x1f): undefined reference to `foo'\ncollect2: error: ld returned 1 exit status\nmake: *** [Makefile:7: all] Error 1\n",
        ),
        // Go.
        (
            "--- FAIL: TestServe (0.03s)\n    serve_test.go:14: dial tcp [::1]:39211: connect: connection refused\nFAIL\nFAIL\texample.org/serve\t0.041s\n",
            "--- FAIL: TestServe (12.40s)\n    serve_test.go:14: dial tcp 127.0.0.1:1: connect: connection refused\nFAIL\nFAIL\texample.org/serve\t12.5s\n",
        ),
        // A service's log.
        (
            "2025-11-23T06:48:44.123Z ERROR [worker-3] db: connection to db-7f9c6d5b4-x7k2d lost (request 6f1f3bd0-83cb-4a2e-9d0e-1f7b7a1c2d3e)\n",
            "2024-02-01T23:08:00.9Z ERROR [worker-12] db: connection to db-6d4cf56db6-q9m4z lost (request 0a1b2c3d-0000-1111-2222-333344445555)\n",
        ),
        (
            "[06:48:44] Mon Nov 23 06:48:44 UTC 2026 backup failed: disk sda1 is full (98.2% of 12.1 GB)\n",
            "[16:08:04] Tue Jan  3 16:08:04 CET 2023 backup failed: disk sda1 is full (99% of 900 MiB)\n",
        ),
        // Java.
        (
            "Exception in thread \"main\" java.lang.NullPointerException: com.example.A@1b2c3d4e\n\tat A.main(A.java:3)\n",
            "Exception in thread \"main\" java.lang.NullPointerException: com.example.A@7f0e1d2c\n\tat A.main(A.java:9)\n",
        ),
        // Docker.
        (
            "Error response from daemon: container 4f6c1e0a9d3b is not running\n",
            "Error response from daemon: container a1b2c3d4e5f6 is not running\n",
        ),
        ("sh: 1: foo: not found\n", "sh: 12: foo: not found\n"),
        ("sh: 1: bar: not found\n", "sh: 4: bar: not found\n"),
        ("Segmentation fault (core dumped)\n", "line 3: 2121\nSegmentation fault (core dumped)\n"),
        ("error TS2304: Cannot find name 'x'.\n", "error TS2304: Cannot find name 'x'.\n\n0 errors elsewhere\n"),
        ("error TS2322: Cannot find name 'x'.\n", "error TS2322: Cannot find name 'x'.\n"),
    ];
}
