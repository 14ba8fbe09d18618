//! The steps that fail by chance, over everything that was read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Project;
use crate::learn::{Knowledge, Verdict};
use crate::plan::Odds;

/// A step that fails by chance, or may.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FlakyStep {
    /// The repository.
    pub repository: String,
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// How sure it is.
    pub verdict: Verdict,
    /// Inputs on which it both passed and failed.
    pub contradicted: u64,
    /// The odds that it fails: where it is flaky, on inputs on which it can pass.
    pub failure: Option<Odds>,
    /// Attempts that passed or failed.
    pub attempts: u64,
    /// Failed reruns on the inputs of the last failure that would settle that it is broken there; 0 where it is flaky.
    pub reruns: u32,
}

/// Returns the steps, proven ones first, then by how often they fail.
pub(super) fn steps(knowledge: &Knowledge, projects: &[Project]) -> Vec<FlakyStep> {
    let mut found = Vec::new();
    let by_id: BTreeMap<&str, &Project> = projects.iter().map(|project| (project.id.as_str(), project)).collect();
    for pattern in knowledge.workflows.values() {
        let Some(project) = by_id.get(pattern.project.as_str()) else { continue };
        for step in pattern.steps.iter().filter(|step| step.machine.is_none()) {
            let Some(known) = step.flakiness else { continue };
            found.push(FlakyStep {
                repository: project.name.clone(),
                workflow: pattern.workflow.clone(),
                step: step.step.clone(),
                verdict: known.verdict,
                contradicted: known.contradicted,
                failure: known.failure.or(step.failure),
                attempts: step.attempts,
                reruns: known.reruns,
            });
        }
    }
    let often = |step: &FlakyStep| step.failure.map_or(0.0, |odds| odds.mean);
    let place = |step: &FlakyStep| (step.repository.clone(), step.workflow.clone(), step.step.clone());
    found.sort_by(|a, b| {
        let proven = |step: &FlakyStep| step.verdict == Verdict::Flaky;
        proven(b).cmp(&proven(a)).then(often(b).total_cmp(&often(a))).then_with(|| place(a).cmp(&place(b)))
    });
    found
}
