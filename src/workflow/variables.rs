//! Variables: how they are declared, which values they take, and their places in texts filled in.
//!
//! `{{name}}` is replaced as plain text, as make does it: nothing is quoted for the shell, so a value is part of the
//! command that the person runs. A workflow that takes values from strangers narrows them with `enum` or `pattern`, or
//! passes them through `env` and quotes `"$NAME"`. Braces that hold no plain name, such as `{{.State.Status}}` or
//! `{{ json . }}`, stay as they are; `{{{{` writes two braces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::Warning;
use super::document::{At, Table};
use super::draft::Draft;
use super::nearest::did_you_mean;
use crate::error::{Error, Result};

/// Bytes that all texts of a workflow together may have once variables are filled in.
const MOST_FILLED: usize = 32 << 20;
/// Bytes that a pattern may have: an expression takes hundreds of times its text while it is read.
const MOST_PATTERN: usize = 4 << 10;
/// What a variable's table may hold.
pub(super) const KEYS: [&str; 6] = ["description", "default", "required", "enum", "pattern", "record"];

/// A declared variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// What it is for.
    pub description: String,
    /// Its value where none is given; a variable without one is empty unless required.
    pub default: Option<String>,
    /// Whether a value must be given.
    pub required: bool,
    /// Its possible values; empty means any.
    pub allowed: Vec<String>,
    /// What its value must match.
    pub pattern: Option<Regex>,
    /// Whether its value is recorded in clear text.
    pub record: bool,
    /// Any of these given makes it optional.
    unless: Vec<String>,
    file: Arc<str>,
    line: usize,
}

/// Reads `[vars]`, or a convoy's `[inputs]`.
pub(super) fn read(table: &Table<'_, '_>) -> Result<BTreeMap<String, Variable>> {
    let mut variables = BTreeMap::new();
    for key in table.keys() {
        if !is_name(key.value) {
            return Err(table.wrong(key.value, "is no variable name; letters, digits, `_` and `-` make one"));
        }
        let variable = match table.table(key.value) {
            Ok(Some(long)) => declared(&long)?,
            _ => short(table, table.scalar(key.value)?, key.line),
        };
        variables.insert(key.value.to_owned(), variable);
    }
    Ok(variables)
}

/// Reads the short form, `name = "default"`.
fn short(table: &Table<'_, '_>, default: Option<String>, line: usize) -> Variable {
    Variable {
        description: String::new(),
        default,
        required: false,
        allowed: Vec::new(),
        pattern: None,
        record: false,
        unless: Vec::new(),
        file: Arc::clone(&table.page.name),
        line,
    }
}

fn declared(table: &Table<'_, '_>) -> Result<Variable> {
    let own = table.page.own();
    let mut known = KEYS.to_vec();
    if !own {
        known.extend(["type", "required_unless"]);
    }
    table.only(&known)?;
    let default = table.scalar("default")?;
    let unless: Vec<String> = table.texts("required_unless", false)?.into_iter().map(|name| name.value).collect();
    let required = match table.switch("required")? {
        Some(true) if own && default.is_some() => {
            return Err(table
                .wrong("required", "stands beside a `default`")
                .hint("a variable with a default needs no value: take one of the two away"));
        }
        // Some real formulas ask for both; a default is then as good as a value.
        Some(required) => required && default.is_none(),
        None => default.is_none() && (own || !unless.is_empty()),
    };
    let pattern = table.text("pattern")?.map(|pattern| {
        if pattern.len() > MOST_PATTERN {
            return Err(table.wrong("pattern", format!("is longer than {} KiB", MOST_PATTERN >> 10)));
        }
        RegexBuilder::new(&pattern).size_limit(1 << 20).build().map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            table.wrong("pattern", format!("is no regular expression: {}", reason.escape_debug()))
        })
    });
    Ok(Variable {
        description: table.text("description")?.unwrap_or_default(),
        default,
        required,
        allowed: table.scalars("enum")?.into_iter().map(|value| value.value).collect(),
        pattern: pattern.transpose()?,
        record: table.switch("record")?.unwrap_or(false),
        unless,
        file: Arc::clone(&table.page.name),
        line: table.line,
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_' || char == '-')
        && text.len() <= 128
}

/// Returns every variable's value: the given one, else the default, else nothing.
///
/// # Errors
/// A given variable is not declared, a required one is not given, or a value is not among those allowed.
pub(super) fn values(
    workflow: &str,
    declared: &BTreeMap<String, Variable>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        let error = Error::request(format!("workflow `{workflow}` has no variable `{}`", name.escape_debug()));
        return Err(did_you_mean(error, name, declared.keys().map(String::as_str)));
    }
    let missing: Vec<&str> = declared
        .iter()
        .filter(|(name, variable)| {
            variable.required
                && !given.contains_key(*name)
                && !variable.unless.iter().any(|other| given.contains_key(other))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !missing.is_empty() {
        let flags: Vec<String> = missing.iter().map(|name| format!("--var {name}=…")).collect();
        let verb = if missing.len() == 1 { "needs" } else { "need" };
        let what = format!("workflow `{workflow}`: `{}` {verb} a value", missing.join("`, `"));
        return Err(Error::request(what).hint(format!("add {}", flags.join(" "))));
    }
    declared
        .iter()
        .map(|(name, variable)| {
            let value = match (given.get(name), &variable.default) {
                (Some(value), _) => variable.check(name, value).map(|()| value.clone()),
                (None, Some(value)) => variable.check(name, value).map(|()| value.clone()).map_err(|error| {
                    Error::request(format!("{}:{}: the default is wrong", variable.file, variable.line)).cause(error)
                }),
                (None, None) => Ok(String::new()),
            };
            Ok((name.clone(), value?))
        })
        .collect()
}

impl Variable {
    fn check(&self, name: &str, value: &str) -> Result<()> {
        let shown: String = value.chars().take(80).collect();
        let shown = shown.escape_debug();
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == value) {
            let error = Error::request(format!("variable `{name}` is `{shown}`, which is not among its values"));
            return Err(did_you_mean(error, value, self.allowed.iter().map(String::as_str)));
        }
        match &self.pattern {
            Some(pattern) if !pattern.is_match(value) => Err(Error::request(format!(
                "variable `{name}` is `{shown}`, which does not match `{}`",
                pattern.as_str().escape_debug()
            ))),
            _ => Ok(()),
        }
    }
}

/// Fills values into texts, within a bound for all of them together.
pub(super) struct Filler<'a> {
    values: &'a BTreeMap<String, String>,
    left: usize,
    warned: BTreeSet<String>,
    pub warnings: Vec<Warning>,
}

/// What a text is for: a hole in a command is never left open, one in foreign prose may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Command,
    Prose,
}

impl<'a> Filler<'a> {
    pub fn new(values: &'a BTreeMap<String, String>) -> Self {
        Self { values, left: MOST_FILLED, warned: BTreeSet::new(), warnings: Vec::new() }
    }

    /// Returns the text with its variables filled in.
    ///
    /// # Errors
    /// It names an unknown variable, or all texts together become too long.
    pub fn fill(&mut self, draft: &Draft, text: &str, line: usize, purpose: Use) -> Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            if draft.own && rest.starts_with("{{{{") {
                filled.push_str("{{");
                rest = &rest[4..];
                continue;
            }
            // No name holds a brace; looking past the next one would take the square of the time.
            let inner = rest[2..].find(['{', '}']).map(|end| &rest[2..2 + end]);
            let inner = inner.filter(|inner| rest[2 + inner.len()..].starts_with("}}"));
            let name = inner.map(|inner| if draft.own { inner.trim() } else { inner.trim().trim_start_matches('.') });
            let Some((inner, name)) = inner.zip(name).filter(|(_, name)| is_name(name)) else {
                filled.push_str("{{");
                rest = &rest[2..];
                continue;
            };
            let whole = inner.len() + 4;
            match self.values.get(name) {
                Some(value) => {
                    self.spend(draft, value.len())?;
                    filled.push_str(value);
                }
                None if draft.own || purpose == Use::Command => return Err(self.unknown(draft, name, line)),
                None => {
                    self.odd(draft, inner, name, line);
                    filled.push_str(&rest[..whole]);
                }
            }
            rest = &rest[whole..];
        }
        filled.push_str(rest);
        self.spend(draft, text.len())?;
        if purpose == Use::Command && filled.contains('\0') {
            return Err(draft.error(line, "holds a NUL byte, which no command can carry"));
        }
        Ok(filled)
    }

    fn spend(&mut self, draft: &Draft, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            draft.error(draft.line, "the workflow's texts are longer than 32 MiB once variables are filled in")
        })?;
        Ok(())
    }

    fn unknown(&self, draft: &Draft, name: &str, line: usize) -> Error {
        let error = draft.error(line, format!("step `{}` uses `{{{{{name}}}}}`, which is no variable", draft.id));
        if self.values.is_empty() {
            return error
                .hint(format!("declare it: [vars] {name} = \"…\"; for the braces themselves write `{{{{{{{{`"));
        }
        did_you_mean(error, name, self.values.keys().map(String::as_str))
    }

    /// Warns once about what looks like a variable in a foreign file; template words of other engines are no variables.
    fn odd(&mut self, draft: &Draft, inner: &str, name: &str, line: usize) {
        let template = inner.trim().starts_with('.') || matches!(name, "else" | "end");
        if !template && self.warned.insert(name.to_owned()) {
            let what = format!("`{{{{{name}}}}}` in step `{}` is no variable and stays as it is", draft.id);
            self.warnings.push(Warning { file: draft.file.to_string(), line: Some(line), what });
        }
    }
}

/// Returns a text with its variables filled in, where the file has it.
pub(super) fn filled(
    filler: &mut Filler<'_>,
    draft: &Draft,
    text: Option<&At<String>>,
    purpose: Use,
) -> Result<Option<String>> {
    text.map(|text| filler.fill(draft, &text.value, text.line, purpose)).transpose()
}
