//! One key added to a step of a workflow's text; comments and formatting stay as they are.

use std::fmt;

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::document::{Dialect, Source};
use super::{did_you_mean, document, nesting, sheet};
use crate::error::{Error, Result};

/// A key of a step with its value, as in `steps.test.timeout` and `"90s"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepKey<'a> {
    /// The step's id.
    pub step: &'a str,
    /// The key below the step.
    pub key: &'a str,
    /// The value as TOML.
    pub value: &'a str,
}

impl fmt::Display for StepKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "steps.{}.{}", self.step, self.key)
    }
}

/// Returns the file's text with the key added; every other byte is as it was.
///
/// # Errors
/// The file is no workflow of meow's own, has no such step, has the key already, or cannot be changed without touching
/// anything else.
pub fn add(source: &Source, wanted: &StepKey<'_>) -> Result<String> {
    let file = &source.file;
    let text = document::text(source)?;
    if source.dialect == Dialect::Foreign {
        return Err(Error::request(format!("{file} also belongs to other tools, which refuse keys they do not know"))
            .hint(format!("add `{} = {}` to step `{}` by hand", wanted.key, wanted.value, wanted.step)));
    }
    let before = sheet::read(source)?;
    if !before.drafts.iter().any(|draft| draft.id == wanted.step) {
        let what = format!("{file} has no step `{}`", wanted.step.escape_debug());
        let known = before.drafts.iter().map(|draft| draft.id.as_str());
        return Err(did_you_mean(Error::request(what), wanted.step, known));
    }
    let value: Value = wanted
        .value
        .parse()
        .map_err(|error| Error::request(format!("`{}` is no TOML value", wanted.value)).cause(error))?;
    // Where every line ends as on Windows, so does the new one.
    let windows = text.matches('\n').count() == text.matches("\r\n").count() && text.contains('\n');
    let plain = if windows { text.replace("\r\n", "\n") } else { text.to_owned() };
    if nesting::too_deep(&plain).is_some() {
        return Err(Error::request(format!("{file} is no TOML: it nests too deeply")));
    }
    let mut page: DocumentMut =
        plain.parse().map_err(|error| Error::request(format!("{file} is no TOML")).cause(error))?;
    insert(&mut page, wanted, value)?.ok_or_else(|| {
        Error::request(format!("{file} already says `{wanted}`"))
            .hint("what stands there was decided by somebody; change it by hand")
    })?;
    let after = page.to_string();
    let after = if windows { after.replace('\n', "\r\n") } else { after };
    proven(source, text, &after, wanted)?;
    Ok(after)
}

/// Returns the command of a step as it stands in the file, before variables are filled in.
pub fn template(source: &Source, step: &str) -> Option<String> {
    let drafts = sheet::read(source).ok()?.drafts;
    drafts.into_iter().find(|draft| draft.id == step)?.run.map(|run| run.value)
}

/// Adds the key to the step; `None` where the step has it.
fn insert(page: &mut DocumentMut, wanted: &StepKey<'_>, value: Value) -> Result<Option<()>> {
    let is_wanted = |id: Option<&str>| id == Some(wanted.step);
    match page.get_mut("steps") {
        Some(Item::ArrayOfTables(steps)) => {
            let step = steps.iter_mut().find(|step: &&mut Table| is_wanted(step.get("id").and_then(Item::as_str)));
            if let Some(step) = step {
                if step.contains_key(wanted.key) {
                    return Ok(None);
                }
                step.insert(wanted.key, Item::Value(value));
                return Ok(Some(()));
            }
        }
        Some(Item::Value(Value::Array(steps))) => {
            let mut tables = steps.iter_mut().filter_map(Value::as_inline_table_mut);
            let step = tables.find(|step: &&mut InlineTable| is_wanted(step.get("id").and_then(Value::as_str)));
            if let Some(step) = step {
                if step.contains_key(wanted.key) {
                    return Ok(None);
                }
                // The space before the closing brace belongs to the last value.
                let last = step.iter_mut().last().map(|(_, value)| value.decor_mut());
                let space = last.and_then(|last| last.suffix().cloned().inspect(|_| last.set_suffix("")));
                let mut value = value;
                value.decor_mut().set_suffix(space.unwrap_or_default());
                step.insert(wanted.key, value);
                return Ok(Some(()));
            }
        }
        _ => {}
    }
    Err(Error::request(format!("step `{}` stands where it cannot be edited", wanted.step)).hint("edit it by hand"))
}

/// Checks that the new text is a workflow that says this key more and nothing else, and that only one place changed.
fn proven(source: &Source, before: &str, after: &str, wanted: &StepKey<'_>) -> Result<()> {
    let refuse = || {
        Error::request(format!("{} cannot be changed without touching more than `{wanted}`", source.file))
            .hint(format!("add `{} = {}` to the step by hand", wanted.key, wanted.value))
    };
    let splice = Splice::between(before, after);
    if !splice.old.is_empty() {
        return Err(refuse());
    }
    let edited = Source { file: source.file.clone(), dialect: source.dialect, bytes: after.as_bytes().to_vec() };
    sheet::read(&edited)?;
    let parsed = |text: &str| toml::from_str::<toml::Table>(text).map_err(|error| refuse().cause(error));
    let (mut then, now) = (parsed(before)?, parsed(after)?);
    let value = now.get("steps").and_then(toml::Value::as_array).and_then(|steps| {
        let step = steps.iter().find(|step| step.get("id").and_then(toml::Value::as_str) == Some(wanted.step))?;
        step.get(wanted.key).cloned()
    });
    let steps = then.get_mut("steps").and_then(toml::Value::as_array_mut).ok_or_else(refuse)?;
    let step = steps.iter_mut().find(|step| step.get("id").and_then(toml::Value::as_str) == Some(wanted.step));
    let step = step.and_then(toml::Value::as_table_mut).ok_or_else(refuse)?;
    step.insert(wanted.key.to_owned(), value.ok_or_else(refuse)?);
    if then == now { Ok(()) } else { Err(refuse()) }
}

/// One place in which two texts differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Splice {
    /// Where, in bytes from the start.
    pub at: usize,
    /// What stood there.
    pub old: String,
    /// What stands there now.
    pub new: String,
}

impl Splice {
    /// Returns the shortest splice that makes `after` of `before`.
    pub fn between(before: &str, after: &str) -> Self {
        let start = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let start = (0..=start).rev().find(|at| before.is_char_boundary(*at) && after.is_char_boundary(*at));
        let start = start.unwrap_or(0);
        let most = before.len().min(after.len()) - start;
        let end = before.bytes().rev().zip(after.bytes().rev()).take(most).take_while(|(a, b)| a == b).count();
        let is_boundary =
            |end: &usize| before.is_char_boundary(before.len() - end) && after.is_char_boundary(after.len() - end);
        let end = (0..=end).rev().find(is_boundary).unwrap_or(0);
        let middle = |text: &str| text[start..text.len() - end].to_owned();
        Self { at: start, old: middle(before), new: middle(after) }
    }

    /// Returns the text as it was before, if it still has what this splice put there.
    pub fn taken_back(&self, text: &str) -> Option<String> {
        let (head, rest) = (text.get(..self.at)?, text.get(self.at..)?);
        Some(format!("{head}{}{}", self.old, rest.strip_prefix(self.new.as_str())?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: StepKey<'_> = StepKey { step: "b", key: "timeout", value: "\"90s\"" };

    fn source(text: &str) -> Source {
        Source { file: "ci.toml".to_owned(), dialect: Dialect::Own, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_key_joins_its_step_and_nothing_else_moves() {
        for (before, after) in [
            (
                "# top\nformula = \"x\"\n\n[[steps]] # one\nid   = \"a\"\n\n# about b\n[[steps]]\nid = \"b\" # b\nrun = '''\nx\n'''\n\n# end\n[[steps]]\nid=\"c\"\n",
                "# top\nformula = \"x\"\n\n[[steps]] # one\nid   = \"a\"\n\n# about b\n[[steps]]\nid = \"b\" # b\nrun = '''\nx\n'''\ntimeout = \"90s\"\n\n# end\n[[steps]]\nid=\"c\"\n",
            ),
            (
                "formula = \"x\"\n[[steps]]\nid = \"b\"\n[steps.env]\nA = \"1\"\n",
                "formula = \"x\"\n[[steps]]\nid = \"b\"\ntimeout = \"90s\"\n[steps.env]\nA = \"1\"\n",
            ),
            (
                "formula = \"x\"\nsteps = [{ id = \"a\" }, { id = \"b\" }]\n",
                "formula = \"x\"\nsteps = [{ id = \"a\" }, { id = \"b\", timeout = \"90s\" }]\n",
            ),
            (
                "formula = \"x\"\r\n[[steps]]\r\nid = \"b\"\r\n",
                "formula = \"x\"\r\n[[steps]]\r\nid = \"b\"\r\ntimeout = \"90s\"\r\n",
            ),
        ] {
            assert_eq!(add(&source(before), &KEY).expect(before), after);
            let splice = Splice::between(before, after);
            assert_eq!(splice.taken_back(after).as_deref(), Some(before));
        }
    }

    #[test]
    fn what_cannot_be_added_is_refused_with_the_reason() {
        let step = "formula = \"x\"\n[[steps]]\nid = \"b\"\n";
        for (text, key, reason) in [
            (format!("{step}timeout = \"5s\"\n"), KEY, "already says `steps.b.timeout`"),
            (format!("{step}[steps.retry]\nattempts = 2\n"), StepKey { key: "retry", ..KEY }, "already says"),
            (step.to_owned(), StepKey { step: "c", ..KEY }, "has no step `c`"),
            (step.to_owned(), StepKey { value: "\"soon\"", ..KEY }, "a time such as"),
            (step.to_owned(), StepKey { value: "1\nx = 2", ..KEY }, "is no TOML value"),
            (format!("{step}nonsense = 1\n"), KEY, "unknown key"),
            (step.replacen('\n', "\r\n", 1), KEY, "without touching more"),
        ] {
            let error = add(&source(&text), &key).expect_err(&text);
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
        let foreign = Source { dialect: Dialect::Foreign, ..source(step) };
        assert!(add(&foreign, &KEY).expect_err("refused").to_string().contains("other tools"));
    }

    proptest! {
        #[test]
        fn a_splice_is_taken_back(before in "[aé\n]{0,12}", after in "[aé\n]{0,12}") {
            let splice = Splice::between(&before, &after);
            prop_assert_eq!(splice.taken_back(&after), Some(before));
        }
    }
}
