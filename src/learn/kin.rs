//! What is expected of a step that ran seldom or never: what steps of its name took elsewhere, or its workflow's others.

use std::collections::HashMap;

use super::beta::student_quantile;
use super::replay::Known;
use super::spread::median;
use crate::scan::Name;

/// Steps of one name, or of one workflow, whose levels are kept: those that ran last.
const MOST: usize = 32;

/// How much of each new value a level takes.
const SHARE: f64 = 0.3;

/// What is assumed of the spread between steps before they tell: a factor of e, worth one step.
const PRIOR: f64 = 1.0;

/// No step is expected to be further away than a factor of e³ = 20.
const WIDEST: f64 = 3.0;

/// A step of a workflow of a repository.
type Series = (u32, Name, Name);

/// Who is alike, the closest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Group {
    /// Steps of one name in one repository.
    Namesakes(u32, Name),
    /// The same step of workflows of one name, across repositories.
    Elsewhere(Name, Name),
    /// Steps of one name, across repositories and workflows.
    Anywhere(Name),
    /// The steps of one workflow.
    Workflow(u32, Name),
}

/// Levels of steps, in the logarithm and freed of their machines, by who is alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kin {
    groups: HashMap<Group, Vec<(Series, f64)>>,
}

/// What the kin of a step say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Said {
    /// Their middle, in the logarithm.
    pub middle: f64,
    /// The distance to p10 and to p90.
    pub width: f64,
    /// How many there are.
    pub n: u64,
    /// Whether they bear the step's name.
    pub namesakes: bool,
}

impl Kin {
    /// Makes room for so many steps: each has a group of namesakes in its repository, elsewhere and anywhere.
    pub fn expect_steps(&mut self, steps: usize) {
        self.groups.reserve(3 * steps);
    }

    /// Learns that an attempt took `value`.
    pub fn learn(&mut self, known: &Known, value: f64) {
        let own = series(known);
        for group in groups(known) {
            // Most groups of a workflow of many steps hold one of them.
            let levels = self.groups.entry(group).or_insert_with(|| Vec::with_capacity(1));
            let level = match levels.iter().position(|(series, _)| *series == own) {
                Some(place) => levels.remove(place).1,
                None => value,
            };
            if levels.len() == MOST {
                levels.remove(0);
            }
            levels.push((own, level + SHARE * (value - level)));
        }
    }

    /// Returns what the closest kin of a step say; `None` where it has none.
    ///
    /// The median of their levels, and Student's t under a scaled inverse-χ² prior on the variance between them (Gelman
    /// et al., Bayesian Data Analysis, 3rd edition, section 2.6).
    pub fn say(&self, known: &Known) -> Option<Said> {
        let own = series(known);
        groups(known).into_iter().find_map(|group| {
            let levels: Vec<f64> =
                self.groups.get(&group)?.iter().filter(|(series, _)| *series != own).map(|(_, level)| *level).collect();
            let middle = median(&levels)?;
            #[expect(clippy::cast_precision_loss, reason = "a few levels")]
            let n = levels.len() as f64;
            let squares: f64 = levels.iter().map(|level| (level - middle).powi(2)).sum();
            let deviation = ((PRIOR * PRIOR + squares) / (1.0 + n)).sqrt() * (1.0 + 1.0 / n).sqrt();
            let width = (student_quantile(0.9, 1.0 + n) * deviation).min(WIDEST);
            let namesakes = !matches!(group, Group::Workflow(..));
            Some(Said { middle, width, n: levels.len() as u64, namesakes })
        })
    }
}

fn series(known: &Known) -> Series {
    (known.repository, known.workflow, known.step)
}

fn groups(known: &Known) -> [Group; 4] {
    let Known { repository, workflow, step, .. } = *known;
    [
        Group::Namesakes(repository, step),
        Group::Elsewhere(workflow, step),
        Group::Anywhere(step),
        Group::Workflow(repository, workflow),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_kin_speak() {
        let known = |repository: u32, workflow: u32, step: u32| Known {
            execution: 0,
            repository,
            workflow: Name(workflow),
            step: Name(step),
            attempt: 1,
            started_us: 0,
            commit: None,
            branch: None,
            machine: None,
            inputs_bytes: f64::NAN,
            metrics: Box::default(),
            touch: None,
        };
        let mut kin = Kin::default();
        assert_eq!(kin.say(&known(0, 0, 0)), None);
        let mut check = |learn: (u32, u32, u32, f64), expected: f64| {
            kin.learn(&known(learn.0, learn.1, learn.2), learn.3);
            let said = kin.say(&known(0, 0, 0)).expect("kin");
            assert!((said.middle - expected).abs() < 1e-9 && said.width > 0.5, "{learn:?}: {said:?}");
        };
        check((0, 0, 5, 1.0), 1.0);
        check((7, 7, 0, 2.0), 2.0);
        check((7, 0, 0, 3.0), 3.0);
        check((0, 7, 0, 4.0), 4.0);
        check((0, 0, 0, 9.0), 4.0);
    }
}
