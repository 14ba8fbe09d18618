//! A workflow as its files state it, `extends` resolved; values of variables make it a [`Workflow`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::condition::{Comparison, Condition};
use super::confinement::Confinement;
use super::document::{At, Source, Table};
use super::draft::Draft;
use super::sheet::{self, Sheet};
use super::variables::{self, Filler, Use, Variable, filled};
use super::{Stated, Step, StepId, Warning, Workflow, graph};
use crate::error::{Error, Result};

/// Most files that one workflow may be put together from.
const MOST_FILES: usize = 32;
/// Most steps of one workflow; the largest real formula known has 1,025.
const MOST_STEPS: usize = 10_000;

/// A workflow whose graph is checked and whose variables have no values yet.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The name, from the key `formula`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its variables by name.
    pub variables: BTreeMap<String, Variable>,
    drafts: Vec<Draft>,
    undo: Option<bool>,
    confinement: Arc<Confinement>,
    warnings: Vec<Warning>,
}

/// Finds the source of a workflow by name: the name and the file that extends it in, its source out.
pub type Find<'a> = dyn FnMut(&str, &str) -> Result<Source> + 'a;

/// Reads a workflow file and those it extends.
///
/// # Errors
/// The text is no workflow; file, line and key are named.
pub fn parse(source: &Source, find: &mut Find<'_>) -> Result<Definition> {
    let mut family = Family { find, path: Vec::new(), done: BTreeSet::new(), sheets: Vec::new() };
    family.add(source, None)?;
    let whole = family.sheets.into_iter().fold(Sheet::default(), extended);
    let own = &source.file;
    if whole.drafts.is_empty() {
        return Err(Error::request(format!("{own}:1: the workflow has no steps"))
            .hint("add [[steps]] with an `id` and a `run`"));
    }
    if whole.drafts.len() > MOST_STEPS {
        return Err(Error::request(format!("{own}:1: the workflow has more than {MOST_STEPS} steps")));
    }
    graph::check(&whole.drafts)?;
    Ok(Definition {
        name: whole.name,
        description: whole.description,
        variables: whole.variables,
        drafts: whole.drafts,
        undo: whole.undo,
        confinement: Arc::new(whole.confinement),
        warnings: whole.warnings,
    })
}

/// The files of one workflow, parents first, each once.
struct Family<'a, 'f> {
    find: &'a mut Find<'f>,
    /// The names from the first file to the one being read.
    path: Vec<String>,
    done: BTreeSet<String>,
    sheets: Vec<Sheet>,
}

impl Family<'_, '_> {
    fn add(&mut self, source: &Source, wanted: Option<&str>) -> Result<()> {
        let sheet = sheet::read(source)?;
        self.path.push(wanted.unwrap_or(&sheet.name).to_owned());
        for parent in &sheet.extends {
            let place = format!("{}:{}: ", source.file, parent.line);
            if self.path.contains(&parent.value) {
                let path = format!("{} → {}", self.path.join(" → "), parent.value.escape_debug());
                return Err(Error::request(format!("{place}workflows extend each other: {path}"))
                    .hint("take one of these `extends` away"));
            }
            if self.done.contains(&parent.value) {
                continue;
            }
            if self.done.len() + self.path.len() >= MOST_FILES {
                return Err(Error::request(format!("{place}more than {MOST_FILES} files extend each other")));
            }
            let found = (self.find)(&parent.value, &source.file).map_err(|error| {
                let hint = error.hint_text().map(str::to_owned);
                let outer =
                    Error::request(format!("{place}`extends` names `{}`", parent.value.escape_debug())).cause(error);
                match hint {
                    Some(hint) => outer.hint(hint),
                    None => outer,
                }
            })?;
            self.add(&found, Some(&parent.value))?;
        }
        self.done.insert(self.path.pop().expect("pushed above"));
        self.sheets.push(sheet);
        Ok(())
    }
}

/// Returns a parent with its child's additions: a step with a known id takes the parent's place, a new one comes last.
fn extended(parent: Sheet, child: Sheet) -> Sheet {
    let mut drafts = parent.drafts;
    let places: BTreeMap<String, usize> =
        drafts.iter().enumerate().map(|(place, draft)| (draft.id.clone(), place)).collect();
    let mut replaced = BTreeSet::new();
    for draft in child.drafts {
        match places.get(&draft.id) {
            // The second of two equal ids in the child is appended, where the graph's check finds it.
            Some(place) if replaced.insert(*place) => drafts[*place] = draft,
            _ => drafts.push(draft),
        }
    }
    let mut variables = parent.variables;
    variables.extend(child.variables);
    let mut warnings = parent.warnings;
    warnings.extend(child.warnings);
    let description = if child.description.is_empty() { parent.description } else { child.description };
    let undo = child.undo.or(parent.undo);
    let confinement = child.confinement.or(&parent.confinement);
    Sheet { name: child.name, description, extends: child.extends, variables, drafts, undo, confinement, warnings }
}

impl Definition {
    /// Returns how many steps it has, conditions aside.
    pub fn steps(&self) -> usize {
        self.drafts.len()
    }

    /// Returns how many of its steps have a command.
    pub fn commands(&self) -> usize {
        self.drafts.iter().filter(|draft| draft.run.is_some()).count()
    }

    /// Returns the workflow with its variables filled in from the given values and the defaults.
    ///
    /// # Errors
    /// A value is missing, unknown or not allowed, or a step uses an unknown variable.
    pub fn fill(&self, given: &BTreeMap<String, String>) -> Result<Workflow> {
        let values = variables::values(&self.name, &self.variables, given)?;
        let mut filler = Filler::new(&values);
        // Of a known size: of many steps, collecting what may fail takes twice the memory.
        let mut steps = Vec::with_capacity(self.drafts.len());
        for draft in &self.drafts {
            steps.push(step(&mut filler, draft, &self.confinement)?);
        }
        let recorded = |(name, value): (&String, &String)| {
            self.variables.get(name).is_some_and(|variable| variable.record).then(|| (name.clone(), value.clone()))
        };
        let warnings = self.warnings.iter().cloned().chain(filler.warnings).collect();
        Ok(Workflow {
            name: self.name.clone(),
            description: self.description.clone(),
            recorded_variables: values.iter().filter_map(recorded).collect(),
            steps,
            undo: self.undo.unwrap_or(false),
            warnings,
        })
    }
}

fn step(filler: &mut Filler<'_>, draft: &Draft, outer: &Arc<Confinement>) -> Result<Step> {
    let title = filled(filler, draft, draft.title.as_ref(), Use::Prose)?;
    let description = filled(filler, draft, draft.description.as_ref(), Use::Prose)?;
    let run = filled(filler, draft, draft.run.as_ref(), Use::Command)?;
    let own = draft.confinement != Confinement::default();
    let mut env = BTreeMap::new();
    for (name, value) in &draft.env {
        env.insert(name.clone(), filler.fill(draft, &value.value, value.line, Use::Command)?);
    }
    Ok(Step::from(Stated {
        id: StepId(draft.id.clone()),
        title: title.filter(|title| !title.trim().is_empty()).unwrap_or_else(|| draft.id.clone()),
        description: description.unwrap_or_default(),
        template: draft.run.as_ref().map(|run| &run.value).filter(|text| run.as_ref() != Some(text)).cloned(),
        run,
        needs: draft.needs.iter().map(|need| StepId(need.value.clone())).collect(),
        skip: skip(filler, draft)?,
        timeout: draft.timeout,
        retry: draft.retry.clone().map(Box::new),
        resources: draft.resources,
        locks: draft.locks.clone(),
        inputs_bytes: draft.inputs_bytes,
        series: draft.series.clone(),
        inputs: draft.inputs.iter().map(|pattern| input(filler, draft, pattern)).collect::<Result<_>>()?,
        env,
        undo: filled(filler, draft, draft.undo.as_ref(), Use::Command)?,
        confinement: if own { Arc::new(draft.confinement.or(outer)) } else { Arc::clone(outer) },
    }))
}

/// Returns a pattern of inputs with its values; it names nothing outside the project.
fn input(filler: &mut Filler<'_>, draft: &Draft, pattern: &At<String>) -> Result<String> {
    let text = filler.fill(draft, &pattern.value, pattern.line, Use::Command)?;
    if text.is_empty() || text.starts_with('/') || text.split('/').any(|part| part == "..") {
        let what = format!("an input of step `{}` is `{}`", draft.id, text.escape_debug());
        return Err(draft
            .error(pattern.line, what)
            .hint("name files and folders below the project's root, such as \"src/**/*.rs\""));
    }
    Ok(text)
}

/// Returns why the step is left out, if its condition does not hold.
fn skip(filler: &mut Filler<'_>, draft: &Draft) -> Result<Option<String>> {
    let Some(condition) = &draft.condition else { return Ok(None) };
    let mut side = |text: &str| filler.fill(draft, text, condition.line, Use::Command);
    let compared: Option<(Comparison, String)> = match &condition.value.compared {
        Some((comparison, right)) => Some((*comparison, side(right)?)),
        None => None,
    };
    let condition = Condition { left: side(&condition.value.left)?, compared, negated: condition.value.negated };
    Ok((!condition.holds()).then(|| format!("its condition does not hold: {}", condition.shown())))
}

/// Reads the steps of a list with the children of each.
pub(super) fn drafts(table: &Table<'_, '_>) -> Result<Vec<Draft>> {
    let mut drafts = Vec::new();
    for step in table.tables("steps")? {
        super::foreign::with_children(&step, &[], 0, &mut drafts)?;
    }
    Ok(drafts)
}
