//! What is learnt of every workflow and step, as a page.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::learn::insight::SlotUse;
use crate::learn::{BySize, Knowledge, Trend, WorkflowPattern};

/// The page: patterns by workflow, and what changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// The version of this form.
    pub schema_version: u32,
    /// Patterns by workflow name.
    pub workflows: BTreeMap<String, WorkflowPattern>,
    /// Where the time of each workflow's slots went, where slots are recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<SlotUse>,
    /// What steps took by the size of their inputs, where that is known and varies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<BySize>,
    /// What changed; absent where nothing did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Trend>,
}

impl Analysis {
    /// Returns the page with where the time of slots went in the workflows it shows.
    #[must_use]
    pub fn with_slots(mut self, slots: Vec<SlotUse>) -> Self {
        let shown = |used: &SlotUse| self.workflows.values().any(|pattern| pattern.workflow == used.workflow);
        self.slots = slots.into_iter().filter(shown).collect();
        self
    }

    /// Returns the page with what steps of the workflows it shows took by the size of their inputs.
    #[must_use]
    pub fn with_sizes(mut self, sizes: Vec<BySize>) -> Self {
        let shown = |step: &BySize| self.workflows.values().any(|pattern| pattern.workflow == step.workflow);
        self.sizes = sizes.into_iter().filter(shown).collect();
        self
    }

    /// Returns the page with what changed in the workflows it shows.
    #[must_use]
    pub fn with_changes(mut self, trends: Vec<Trend>) -> Self {
        let shown = |trend: &Trend| self.workflows.values().any(|pattern| pattern.workflow == trend.workflow);
        self.changes = trends.into_iter().filter(shown).collect();
        self
    }
}

/// Returns the page of what is known, of one workflow or of all.
pub fn analysis(knowledge: Knowledge, workflow: Option<&str>) -> Analysis {
    let wanted =
        |key: &String, pattern: &WorkflowPattern| workflow.is_none_or(|name| key == name || pattern.workflow == name);
    let workflows = knowledge.workflows.into_iter().filter(|(key, pattern)| wanted(key, pattern)).collect();
    Analysis { schema_version: 1, workflows, slots: Vec::new(), sizes: Vec::new(), changes: Vec::new() }
}
