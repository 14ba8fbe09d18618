//! Fingerprints of real failures: what real tools say of one cause, in two folders, at two times and at moved lines, has one
//! fingerprint, and that of another cause has another.

use std::collections::BTreeMap;
use std::path::Path;

use meow::redact::cause::{Fingerprint, lines};

use crate::space::{Space, peer};

/// A program that fails: the tool it takes, a file and its text (`PAD` becomes other lines each time), and a command.
type Cause = (&'static str, &'static str, &'static str, &'static str);

const CAUSES: &[Cause] = &[
    ("sh", "a", "", "no-such-command --now"),
    ("sh", "a", "", "another-command"),
    ("sh", "a", "", "cat missing-file"),
    ("sh", "a", "", "cat /root/x/missing-too"),
    ("sh", "a", "", "mkdir a/b"),
    ("sh", "a", "", "echo half; kill -SEGV $$"),
    ("sh", "a", "", "head -c 9 /dev/urandom | od; date; echo; echo 'ERROR: quota of 5 GB exceeded' >&2; exit 1"),
    ("sh", "a", "", "date +'%F %T.%N [worker-'$$'] ERROR lease lost'; exit 1"),
    ("sh", "a", "", "exit 3"),
    ("sh", "a", "", "exit 4"),
    ("git", "a", "", "git init -q r; git -C r checkout no-such-branch"),
    ("git", "a", "", "git init -q r; git -C r cat-file -p 1234567890123456789012345678901234567890"),
    ("git", "a", "", "git clone http://127.0.0.1:9/x.git"),
    ("git", "a", "", "git clone /nowhere/at/all"),
    ("git", "a", "", "git init -q r; cd r; touch a; git add a b"),
    ("curl", "a", "", "curl -sS http://127.0.0.1:9/"),
    ("curl", "a", "", "curl -sS http://no-such-host.invalid/"),
    ("cc", "a.c", "PADint main(void) { return x; }\n", "cc a.c"),
    ("cc", "a.c", "PADint main(void) { return 0 }\n", "cc a.c"),
    ("cc", "a.c", "PADint f(void); int main(void) { return f(); }\n", "cc a.c"),
    ("cc", "a.c", "PADint main(void) { return *(volatile int *)0; }\n", "cc -w a.c -o a && ./a"),
    ("make", "Makefile", "PADall: one\none:\n\t@sleep 0.0$$(($$$$ % 9)); false\n", "make"),
    ("make", "Makefile", "PADall: two\n", "make"),
    (
        "make",
        "Makefile",
        "PADall: x y\nx:\n\t@echo x is broken: error; false\ny:\n\t@echo y is broken: error; false\n",
        "make -k -j2",
    ),
    ("python3", "a.py", "PADimport json\njson.loads('{')\n", "python3 a.py"),
    ("python3", "a.py", "PADprint({}['key'])\n", "python3 a.py"),
    ("python3", "a.py", "PADimport nothing_like_it\n", "python3 a.py"),
    ("python3", "a.py", "PADimport tempfile, os\nos.rmdir(tempfile.mkdtemp() + '/x')\n", "python3 a.py"),
    ("python3", "a.py", "PADraise RuntimeError(f'{object()} is closed')\n", "python3 a.py"),
    ("python3", "a.py", "PADimport socket\nsocket.create_connection(('127.0.0.1', 9))\n", "python3 a.py"),
    (
        "python3",
        "test_a.py",
        "PADimport unittest\nclass T(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(1 + 1, 3)\n",
        "python3 -m unittest test_a",
    ),
    (
        "python3",
        "test_a.py",
        "PADimport unittest\nclass T(unittest.TestCase):\n    def test_product(self):\n        self.assertEqual(1 * 1, 3)\n",
        "python3 -m unittest test_a",
    ),
    ("node", "a.js", "PADnull.x\n", "node a.js"),
    ("node", "a.js", "PADrequire('nothing-like-it')\n", "node a.js"),
    ("node", "a.js", "PADlet x = ;\n", "node a.js"),
    ("node", "a.js", "PADrequire('assert').equal(process.pid, 0)\n", "node a.js"),
    (
        "node",
        "a.test.js",
        "PADconst { test } = require('node:test')\ntest('adds', () => { throw new Error('no sum') })\ntest('fine', () => {})\n",
        "node --test a.test.js",
    ),
    ("rustc", "a.rs", "PADfn main() { let _x: u32 = \"a\"; }\n", "rustc a.rs"),
    ("rustc", "a.rs", "PADfn main() { y; }\n", "rustc a.rs"),
    ("rustc", "a.rs", "PADfn main() { let s = String::new(); drop(s); drop(s); }\n", "rustc a.rs"),
    ("rustc", "a.rs", "PADfn main() { None::<u8>.unwrap(); }\n", "rustc a.rs && ./a"),
    ("rustc", "a.rs", "PADfn main() { panic!(\"lost {}\", std::process::id()) }\n", "rustc a.rs && ./a"),
    (
        "rustc",
        "a.rs",
        "PAD#[test] fn good() {}\n#[test] fn bad() { assert_eq!(std::process::id(), 0) }\n#[test] fn fine() {}\n",
        "rustc --test a.rs && ./a",
    ),
    (
        "rustc",
        "a.rs",
        "PAD#[test] fn good() {}\n#[test] fn worse() { assert_eq!(std::process::id(), 0) }\n#[test] fn fine() {}\n",
        "rustc --test a.rs && ./a",
    ),
];

/// Returns the fingerprint of one failure in a folder of its own, and what it is made of.
fn fail(cause: &Cause, round: usize) -> (Fingerprint, Vec<String>) {
    let (tool, file, text, command) = cause;
    let space = Space::empty();
    let place = format!("{}/{file}", ["one", "two/deeper"][round]);
    let comment = if matches!(*tool, "python3" | "make") { "# moved\n" } else { "// moved\n" };
    space.write(&place, &text.replace("PAD", &comment.repeat(3 * round)));
    let folder = space.root().join(Path::new(&place).parent().expect("a folder"));
    // The home folder is another one, where `rustup` finds no toolchain.
    let tools = std::env::var_os("CARGO").map(std::path::PathBuf::from);
    let tools =
        tools.as_deref().and_then(Path::parent).map_or_else(String::new, |tools| format!("{}:", tools.display()));
    let said = space.run_in(&folder, "sh", &["-c", &format!("exec 2>&1; PATH={tools}$PATH; {command}")]);
    assert_ne!(said.code, 0, "{command}: {}", said.out);
    let noise = format!("step of round {round} on {} begins\n", folder.display());
    let cause = lines(&(noise + &said.out), &folder.to_string_lossy());
    (Fingerprint::of(b"project", &format!("exit:{}", said.code), &cause), cause)
}

#[test]
fn real_failures_are_told_apart_and_found_again() {
    let mut seen: BTreeMap<Fingerprint, &Cause> = BTreeMap::new();
    let (mut causes, mut same, mut alike) = (0, 0, 0);
    for cause in CAUSES.iter().filter(|(tool, ..)| peer(tool)) {
        let (one, other) = (fail(cause, 0), fail(cause, 1));
        causes += 1;
        if one.0 == other.0 {
            same += 1;
        } else {
            println!("two fingerprints of one cause, {cause:?}:\n{:#?}\n{:#?}", one.1, other.1);
        }
        if let Some(before) = seen.insert(one.0, cause) {
            alike += 1;
            println!("one fingerprint of two causes: {before:?} and {cause:?}: {:#?}", one.1);
        }
    }
    println!("{causes} causes: {same} found again, {alike} taken for another one");
    assert_eq!((same, alike), (causes, 0));
}
