//! The text of one hook: what a shell decides by itself, and when it asks meow.

use std::fs;
use std::path::Path;

/// Begins the line by which a hook of meow's is known; what follows is the hash of the lines below it.
const MARK: &str = "# Put here by `meow hooks install`";
/// What the first versions wrote, by its hash: a pre-commit hook that only sealed.
const FORMER: &str = "c3f53021199c";

/// What a hook is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The event of git.
    pub event: &'static str,
    /// Whether a workflow runs at it.
    pub runs: bool,
    /// Whether the folder of hooks was made for it, and goes with the last of them.
    pub made_folder: bool,
}

/// How the hook that was there before is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// As a program of its own.
    Program,
    /// By this shell under the name of meow's hook, because it asks for its own name.
    Sourced(&'static str),
}

/// Returns the whole hook.
///
/// It may stop git only by the exit code of the hook that was there before, or by a workflow that ran and failed: where there is
/// neither, a meow that is killed stops nothing. 126 and 127 are the shell's words for a meow that does not start. A pre-commit
/// hook that only seals starts nothing at all while the spool, which lies beside the usual folder of hooks, is empty and no
/// move of references was cut off.
pub fn script(wanted: Wanted, before: Before) -> String {
    let Wanted { event, runs, made_folder } = wanted;
    let run = if runs { " --workflow" } else { "" };
    let start = match before {
        Before::Program => "set -- \"$before\" \"$@\"".to_owned(),
        Before::Sourced(shell) => {
            format!("set -- {shell} -c '. \"${{0%/*}}/{event}.before-meow\"' \"$0\" \"$@\"")
        }
    };
    let idle = match (runs, event) {
        (true, _) => "",
        (false, "pre-commit") => {
            "# An empty spool has nothing to seal.\n\
             if [ $# = 0 ] && [ -f \"$folder/../HEAD\" ] && [ -d \"$folder/../objects\" ] && [ ! -s \"$folder/../meow/moving\" ]; then\n    \
                 for journal in \"$folder\"/../meow/spool/*/*.journal; do\n        \
                     [ -e \"$journal\" ] || exit 0\n        \
                     break\n    \
                 done\n\
             fi\n"
        }
        (false, _) => "[ $# = 0 ] && exit 0\n",
    };
    let nothing = if runs { "" } else { "[ $# = 0 ] && exit 0\n" };
    let made = if made_folder { "# The folder was made for it.\n" } else { "" };
    marked(&format!(
        "{made}folder=\"${{0%/*}}\"\n\
         before=\"$folder/{event}.before-meow\"\n\
         if [ -x \"$before\" ]; then\n    \
             {start}\n\
         else\n    \
             set --\n\
         fi\n\
         if [ \"$MEOW\" = 0 ] || ! command -v meow >/dev/null 2>&1; then\n    \
             [ $# = 0 ] || exec \"$@\"\n    \
             exit 0\n\
         fi\n\
         {idle}\
         meow hook {event}{run} -- \"$@\"\n\
         code=$?\n\
         {nothing}\
         # 126 and 127: meow itself could not start.\n\
         if [ $code = 126 ] || [ $code = 127 ]; then\n    \
             [ $# = 0 ] || exec \"$@\"\n    \
             exit 0\n\
         fi\n\
         exit $code\n"
    ))
}

fn marked(body: &str) -> String {
    format!("#!/bin/sh\n{MARK} ({}); `meow hooks uninstall` restores what was here before.\n{body}", hash(body))
}

fn hash(body: &str) -> String {
    blake3::hash(body.as_bytes()).to_hex()[..12].to_owned()
}

/// Returns whether a text is a hook of meow's, edited or not.
pub fn is_ours(text: &str) -> bool {
    text.lines().nth(1).is_some_and(|line| line.starts_with(MARK))
}

/// Returns whether a hook of meow's is as some version of meow wrote it.
pub fn is_unedited(text: &str) -> bool {
    let body = || text.splitn(3, '\n').nth(2).unwrap_or_default();
    hash(text) == FORMER || text == marked(body())
}

/// Returns whether a hook of meow's runs a workflow.
pub fn runs(text: &str) -> bool {
    text.contains(" --workflow -- ")
}

/// Returns whether the folder was made for a hook of meow's.
pub fn made_folder(text: &str) -> bool {
    text.lines().nth(2) == Some("# The folder was made for it.")
}

/// Returns how the hook at `path` can be started from another place, or why it cannot.
pub fn before(path: &Path) -> Result<Before, &'static str> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let husky = path.parent().is_some_and(|folder| folder.join("husky.sh").exists() || folder.join("h").exists());
    let asks = husky || text.contains("${0##*/}") || text.contains("basename") && text.contains("$0");
    if !asks {
        return Ok(Before::Program);
    }
    let first = text.lines().next().unwrap_or_default();
    let shell = first.strip_prefix("#!").map(|line| line.trim().rsplit(['/', ' ']).next().unwrap_or_default());
    match shell {
        None | Some("sh" | "dash") => Ok(Before::Sourced("sh")),
        Some("bash") => Ok(Before::Sourced("bash")),
        Some(_) => Err("asks for its own name, which chaining would change"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `meow hooks install` wrote before workflows ran at hooks.
    const FIRST: &str = r#"#!/bin/sh
# Put here by `meow hooks install`; `meow hooks uninstall` restores what was here before.
before="$(dirname "$0")/pre-commit.before-meow"
if [ -x "$before" ]; then
    "$before" "$@" || exit $?
fi
if [ "$MEOW" != 0 ] && command -v meow >/dev/null 2>&1; then
    meow hook pre-commit </dev/null || :
fi
exit 0
"#;

    #[test]
    fn a_hook_is_known_whatever_version_wrote_it_and_an_edit_is_seen() {
        for runs in [false, true] {
            let text = script(Wanted { event: "pre-push", runs, made_folder: !runs }, Before::Program);
            assert!(is_ours(&text) && is_unedited(&text), "{text}");
            assert_eq!((super::runs(&text), made_folder(&text)), (runs, !runs));
            let edited = text + "echo mine\n";
            assert!(is_ours(&edited) && !is_unedited(&edited));
        }
        assert!(is_ours(FIRST) && is_unedited(FIRST), "{}", hash(FIRST));
        assert!(!is_ours("#!/bin/sh\necho mine\n") && !is_ours(""));
    }
}
