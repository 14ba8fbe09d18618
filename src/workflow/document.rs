//! A TOML text as tables that know their file and line: every value asked for by key and type, unknown keys found.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::did_you_mean;
use super::{Warning, nesting};
use crate::error::{Error, Result};

/// Largest file that is read, in bytes; the largest real formula known has 149 kB, and ten thousand short steps
/// fit. A text of nothing but brackets takes a hundred times its size to read.
pub const MAX_BYTES: usize = 512 << 10;

/// Whose rules a file follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// meow's own: an unknown key is an error.
    Own,
    /// A formula of the Gas Town family: an unknown key is a warning, and braces in prose may be anything.
    Foreign,
}

/// A file's bytes, handed in.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as messages name it.
    pub file: String,
    /// Whose rules it follows.
    pub dialect: Dialect,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A value with the line it stands on, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub value: T,
    pub line: usize,
}

/// The file behind the tables: its name, its lines and what was odd in it.
#[derive(Debug)]
pub(super) struct Page {
    pub name: Arc<str>,
    pub dialect: Dialect,
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
    warnings: RefCell<Vec<Warning>>,
    /// Keys already warned about: once a file is enough.
    warned: RefCell<BTreeSet<String>>,
}

/// Returns the text of a source.
///
/// # Errors
/// It is too large, empty, or not UTF-8.
pub(super) fn text(source: &Source) -> Result<&str> {
    let file = &source.file;
    if source.bytes.len() > MAX_BYTES {
        return Err(Error::request(format!("{file} is larger than the limit of 512 KiB for a workflow file"))
            .hint("is this the right file? Long scripts belong into a file of their own that a step runs"));
    }
    let text = str::from_utf8(&source.bytes).map_err(|error| {
        let line = source.bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        Error::request(format!("{file}:{line}: not valid UTF-8")).hint("save the file as UTF-8")
    })?;
    if text.trim().is_empty() {
        return Err(Error::request(format!("{file}:1: the file is empty"))
            .hint("a workflow needs `formula = \"<name>\"` and at least one [[steps]]"));
    }
    Ok(text)
}

impl Page {
    pub fn new(source: &Source, text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self {
            name: source.file.as_str().into(),
            dialect: source.dialect,
            lines,
            warnings: RefCell::default(),
            warned: RefCell::default(),
        }
    }

    pub fn own(&self) -> bool {
        self.dialect == Dialect::Own
    }

    /// Returns the line, from 1, on which the byte stands.
    pub fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }

    /// Returns an error that names file and line.
    pub fn error(&self, line: usize, what: impl std::fmt::Display) -> Error {
        Error::request(format!("{}:{line}: {what}", self.name))
    }

    pub fn warn(&self, line: usize, what: impl Into<String>) {
        let warning = Warning { file: self.name.to_string(), line: Some(line), what: what.into() };
        self.warnings.borrow_mut().push(warning);
    }

    pub fn warnings(self) -> Vec<Warning> {
        self.warnings.into_inner()
    }
}

/// Parses a text, or a piece of it that begins at a byte, into its root table.
pub(super) fn parse<'t>(page: &Page, text: &'t str, begin: usize) -> Result<DeTable<'t>> {
    if let Some(at) = nesting::too_deep(text) {
        return Err(page.error(page.line(begin + at), "not valid TOML: it nests too deeply"));
    }
    DeTable::parse(text).map(Spanned::into_inner).map_err(|error| {
        let line = page.line(begin + error.span().map_or(0, |span| span.start));
        page.error(line, format!("not valid TOML: {}", error.message().replace('\n', ", ").escape_debug()))
    })
}

/// A table of a file, with the name that messages give it: empty for the root, else such as `steps.retry`.
#[derive(Debug, Clone)]
pub(super) struct Table<'p, 't> {
    pub page: &'p Page,
    pub name: String,
    pub line: usize,
    inner: &'p DeTable<'t>,
    /// Where the piece of the text begins that it was parsed from, in bytes.
    begin: usize,
}

impl<'p, 't> Table<'p, 't> {
    pub fn root(page: &'p Page, inner: &'p DeTable<'t>, begin: usize) -> Self {
        Self { page, name: String::new(), line: 1, inner, begin }
    }

    /// Returns the line on which something begins.
    fn line_at(&self, span: Range<usize>) -> usize {
        self.page.line(self.begin + span.start)
    }

    pub fn has(&self, key: &str) -> bool {
        self.inner.contains_key(key)
    }

    /// Returns the line of a key, or of the table where it has none.
    pub fn line_of(&self, key: &str) -> usize {
        self.inner.get_key_value(key).map_or(self.line, |(key, _)| self.line_at(key.span()))
    }

    /// Returns keys and lines, sorted by key.
    pub fn keys(&self) -> impl Iterator<Item = At<&str>> {
        self.inner.keys().map(|key| At { value: key.get_ref().as_ref(), line: self.line_at(key.span()) })
    }

    /// Returns the name of a key as messages give it.
    pub fn named(&self, key: &str) -> String {
        let key = key.escape_debug();
        if self.name.is_empty() { key.to_string() } else { format!("{}.{key}", self.name) }
    }

    /// Returns an error about a key.
    pub fn wrong(&self, key: &str, what: impl std::fmt::Display) -> Error {
        self.page.error(self.line_of(key), format!("`{}` {what}", self.named(key)))
    }

    /// Finds keys other than the known ones: an error in meow's own files, a warning in foreign ones.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        for key in self.keys().filter(|key| !known.contains(&key.value)) {
            let name = self.named(key.value);
            if self.page.own() {
                let error = self.page.error(key.line, format!("unknown key `{name}`"));
                return Err(did_you_mean(error, key.value, known.iter().copied()));
            }
            if self.page.warned.borrow_mut().insert(name.clone()) {
                self.page.warn(key.line, format!("unknown key `{name}` has no effect"));
            }
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<At<&'p DeValue<'t>>> {
        let value = self.inner.get(key)?;
        Some(At { value: value.get_ref(), line: self.line_at(value.span()) })
    }

    fn of_type<T>(&self, key: &str, wanted: &str, get: impl Fn(&'p DeValue<'t>) -> Option<T>) -> Result<Option<T>> {
        self.value(key).map_or(Ok(None), |value| {
            let wrong = || self.wrong(key, format!("is {}, {wanted} is expected", kind(value.value)));
            get(value.value).map(Some).ok_or_else(wrong)
        })
    }

    /// Returns a text.
    pub fn text(&self, key: &str) -> Result<Option<String>> {
        self.of_type(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// Returns a text, number or switch as text.
    pub fn scalar(&self, key: &str) -> Result<Option<String>> {
        self.of_type(key, "a text, a number, true or false", scalar)
    }

    /// Returns a whole number.
    pub fn whole(&self, key: &str) -> Result<Option<i64>> {
        self.of_type(key, "a whole number", whole)
    }

    /// Returns a finite number.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        self.of_type(key, "a number", |value| {
            let text = match value {
                DeValue::Integer(_) => whole(value)?.to_string(),
                DeValue::Float(float) => float.as_str().to_owned(),
                _ => return None,
            };
            text.parse().ok().filter(|number: &f64| number.is_finite())
        })
    }

    /// Returns a switch.
    pub fn switch(&self, key: &str) -> Result<Option<bool>> {
        self.of_type(key, "true or false", DeValue::as_bool)
    }

    /// Returns a list of texts with their lines; one text counts as a list of one where `single` allows it.
    pub fn texts(&self, key: &str, single: bool) -> Result<Vec<At<String>>> {
        self.list(key, "a list of texts", single, |value| value.as_str().map(str::to_owned))
    }

    /// Returns a list of scalars as texts.
    pub fn scalars(&self, key: &str) -> Result<Vec<At<String>>> {
        self.list(key, "a list of texts or numbers", false, scalar)
    }

    fn list(
        &self,
        key: &str,
        wanted: &str,
        single: bool,
        get: impl Fn(&DeValue<'t>) -> Option<String>,
    ) -> Result<Vec<At<String>>> {
        let Some(At { value, line }) = self.value(key) else { return Ok(Vec::new()) };
        match value {
            DeValue::Array(items) => items
                .iter()
                .map(|item| {
                    let line = self.line_at(item.span());
                    get(item.get_ref()).map(|value| At { value, line }).ok_or_else(|| {
                        let kind = kind(item.get_ref());
                        self.page.error(line, format!("`{}` holds {kind}, {wanted} is expected", self.named(key)))
                    })
                })
                .collect(),
            other if single => get(other)
                .map(|value| vec![At { value, line }])
                .ok_or_else(|| self.wrong(key, format!("is {}, {wanted} is expected", kind(other)))),
            other => Err(self.wrong(key, format!("is {}, {wanted} is expected", kind(other)))),
        }
    }

    /// Returns a table.
    pub fn table(&self, key: &str) -> Result<Option<Table<'p, 't>>> {
        let inner = self.of_type(key, "a table", DeValue::as_table)?;
        Ok(inner.map(|inner| Table { name: self.named(key), line: self.line_of(key), inner, ..*self }))
    }

    /// Returns the tables of a list, `[[key]]` in the file.
    pub fn tables(&self, key: &str) -> Result<Vec<Table<'p, 't>>> {
        let Some(items) = self.of_type(key, "a list of tables", DeValue::as_array)? else { return Ok(Vec::new()) };
        let table = |item: &'p Spanned<DeValue<'t>>| {
            let line = self.line_at(item.span());
            let inner = item.get_ref().as_table().ok_or_else(|| {
                let kind = kind(item.get_ref());
                self.page.error(line, format!("`{}` holds {kind}, a list of tables is expected", self.named(key)))
            })?;
            Ok(Table { name: self.named(key), line, inner, ..*self })
        };
        items.iter().map(table).collect()
    }
}

fn whole(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(_) => whole(value).map(|whole| whole.to_string()),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        _ => None,
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
