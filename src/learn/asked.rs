//! What a history teaches about one workflow, learnt when somebody asks: a page about a thousand repositories asks for few.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::state::{State, project};
use super::{WorkflowPattern, next, patterns};
use crate::scan::{History, Name};

/// One workflow of one project.
#[derive(Debug)]
pub(crate) struct Course {
    /// What it is called among all.
    pub name: String,
    pub project: String,
    /// Its own name.
    pub workflow: String,
    /// Its executions, oldest first.
    pub executions: Vec<usize>,
}

/// Returns every workflow of a history, called as in the knowledge that comes of it, by project and name.
pub(crate) fn courses(history: &History) -> Vec<Course> {
    let mut places: HashMap<(u32, Name), Vec<usize>> = HashMap::new();
    let executions = &history.executions;
    for (place, key) in executions.repository.iter().copied().zip(executions.workflow.iter().copied()).enumerate() {
        places.entry(key).or_default().push(place);
    }
    let mut found: BTreeMap<(String, String), (&str, Vec<usize>)> = BTreeMap::new();
    for ((repository, workflow), places) in places {
        let key = (project(history, repository), history.names.text(workflow).to_owned());
        let name = history.repositories[repository as usize].name.as_str();
        let known = found.entry(key).or_insert((name, Vec::new()));
        known.0 = known.0.min(name);
        known.1.extend(places);
    }
    let called = patterns::names(found.iter().map(|(key, (repository, _))| (key, *repository)));
    let mut courses = Vec::with_capacity(called.len());
    for (((project, workflow), (_, mut executions)), name) in found.into_iter().zip(called) {
        executions.sort_unstable();
        courses.push(Course { name, project, workflow, executions });
    }
    courses
}

/// Returns the pattern of a workflow, the same as learning the whole history gives; only the memory to set aside for a step
/// without a peak goes by this workflow's others instead of the project's. `rows` are those of each execution.
pub(crate) fn pattern(history: &History, rows: &[Range<usize>], course: &Course) -> WorkflowPattern {
    let state = State::of(history, rows, course.executions.iter().copied());
    let known = patterns::knowledge(&state, &next::next(&state, |_| None));
    known.workflows.into_values().next().unwrap_or_default()
}

/// Returns how many of these executions there are a week, as the pattern says it.
pub(crate) fn weekly(history: &History, course: &Course) -> f64 {
    patterns::weekly(history, &course.executions)
}
