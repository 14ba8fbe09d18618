//! How far a step is kept apart from the machine: the keys `sandbox`, `network`, `writes` and `reads`.

use super::document::Table;
use crate::error::Result;

/// Most paths of one key.
const MOST_PATHS: usize = 100;

/// Whether steps are kept in a sandbox; a later one is stricter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sandbox {
    /// They run as the person.
    #[default]
    Off,
    /// In a sandbox where the machine can make one, else open, and it is said.
    Auto,
    /// In a sandbox, or not at all.
    Required,
}

/// What a workflow or a step says of it; what is not said is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Whether a sandbox is wanted.
    pub sandbox: Option<Sandbox>,
    /// Whether the network can be reached from within; not, where nothing is said.
    pub network: Option<bool>,
    /// Paths besides the work tree that can be written: absolute, below `~/`, or relative to the project.
    pub writes: Option<Vec<String>>,
    /// Paths of the hidden part of the machine, such as caches in the home folder, that can be read.
    pub reads: Option<Vec<String>>,
}

impl Sandbox {
    /// Every mode with its word.
    pub const ALL: [(Self, &str); 3] = [(Self::Off, "off"), (Self::Auto, "auto"), (Self::Required, "required")];

    /// Returns its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Required => "required",
        }
    }

    /// Returns the mode with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(mode, _)| mode)
    }
}

impl Confinement {
    /// Returns what this says, and where it says nothing, what `outer` says.
    #[must_use]
    pub fn or(&self, outer: &Self) -> Self {
        Self {
            sandbox: self.sandbox.or(outer.sandbox),
            network: self.network.or(outer.network),
            writes: self.writes.as_ref().or(outer.writes.as_ref()).cloned(),
            reads: self.reads.as_ref().or(outer.reads.as_ref()).cloned(),
        }
    }
}

/// Reads the keys of a workflow or a step.
///
/// # Errors
/// One holds nonsense.
pub(super) fn read(table: &Table<'_, '_>) -> Result<Confinement> {
    let sandbox = match table.text("sandbox")? {
        Some(word) => Some(Sandbox::from_word(&word).ok_or_else(|| {
            let known = Sandbox::ALL.map(|(_, word)| word).join("`, `");
            table.wrong("sandbox", format!("is `{}`; known is `{known}`", word.escape_debug()))
        })?),
        None => None,
    };
    let network = table.switch("network")?;
    Ok(Confinement { sandbox, network, writes: paths(table, "writes")?, reads: paths(table, "reads")? })
}

fn paths(table: &Table<'_, '_>, key: &str) -> Result<Option<Vec<String>>> {
    if !table.has(key) {
        return Ok(None);
    }
    let paths = table.texts(key, false)?;
    if paths.len() > MOST_PATHS {
        return Err(table.wrong(key, format!("names more than {MOST_PATHS} paths")));
    }
    for path in &paths {
        if let Err(what) = path_is_plain(&path.value) {
            let shown = path.value.escape_debug();
            let what = format!("`{}` holds `{shown}`, which {what}", table.named(key));
            return Err(table
                .page
                .error(path.line, what)
                .hint("a path is `/absolute`, `~/below/home` or `in/the/project`"));
        }
    }
    Ok(Some(paths.into_iter().map(|path| path.value).collect()))
}

fn path_is_plain(path: &str) -> std::result::Result<(), &'static str> {
    let inner = path.strip_prefix("~/").unwrap_or(path);
    let parts = || inner.split('/').filter(|part| !part.is_empty() && *part != ".");
    if path.contains(char::is_control) || path.starts_with('~') && !path.starts_with("~/") {
        Err("is no path")
    } else if parts().any(|part| part == "..") {
        Err("leads upwards")
    } else if parts().next().is_none() {
        Err("names everything")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_word_counts() {
        let outer = Confinement { sandbox: Some(Sandbox::Auto), network: Some(true), ..Confinement::default() };
        let inner =
            Confinement { network: Some(false), reads: Some(vec!["~/.cargo".to_owned()]), ..Confinement::default() };
        let found = inner.or(&outer);
        assert_eq!((found.sandbox, found.network, found.writes), (Some(Sandbox::Auto), Some(false), None));
        assert_eq!(found.reads, Some(vec!["~/.cargo".to_owned()]));
        assert!(Sandbox::Off < Sandbox::Auto && Sandbox::Auto < Sandbox::Required);
    }

    #[test]
    fn paths_lead_where_they_say() {
        for good in ["~/.cargo", "/opt/sdk", "target", "a/./b", "..a"] {
            assert_eq!(path_is_plain(good), Ok(()), "{good}");
        }
        for bad in ["", "/", "~", "~/", "~other/x", ".", "../x", "a/../../b", "/usr/..", "a\nb", "~/../x"] {
            assert!(path_is_plain(bad).is_err(), "{bad}");
        }
    }
}
