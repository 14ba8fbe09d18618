//! How likely an attempt is to fail: plain rates and logistic models, each heard as far as it was right so far.

use std::collections::{BTreeMap, HashMap};

use super::logistic::Logistic;
use super::replay::{Came, Known};
use super::signs::{COMMON, OF_TOUCH, PER_METRIC, Signs, Summaries};
use crate::record::Outcome;
use crate::scan::Name;

/// The workflow's own model, the one over all workflows, the three plain rates, and the workflow's model that also hears
/// what executions change.
const VOICES: usize = 6;

/// How much of a past loss counts after each outcome: a memory of about 100.
const FADING: f64 = 0.99;

/// The share of a workflow's latest attempts of which it has to be known what their executions change. Where it is known of
/// some alone, of commits that are still here and of nothing that was thrown away, those tend to be the ones that passed, and
/// a model of them says nothing of the others.
const KNOWN: f64 = 0.95;

/// How much of an attempt counts for that share after each other one: a memory of about 500.
const LATELY: f64 = 0.998;

/// Attempts that may run at once; from more of them the models learn nothing.
const RUNNING: usize = 100_000;

/// Probabilities are told within these bounds.
const BOUNDS: (f64, f64) = (1e-5, 1.0 - 1e-5);

/// Means at which the coefficients of the step's fast, middle and slow rates start: about what those rates say.
const TRUSTED: [(usize, f64); 3] = [(1, 0.6), (2, 0.4), (3, 0.8)];

/// Variances at which the coefficients of common numbers and of metrics start.
const VARIANCE: (f64, f64) = (1.0, 0.05);

/// Predicts failures and learns from what came out, in order of time.
///
/// Six voices: moving averages of the step, of the step backed by its workflow, and of the branch and step backed by
/// those; a logistic model of the workflow, one over all workflows of the history, and where it is known what executions
/// change, and it is known of nearly all attempts, one of the workflow that hears that too. Each is weighted by how well it
/// predicted lately (exponential weights under log loss: Cesa-Bianchi and Lugosi 2006, Prediction, Learning, and Games,
/// section 3.3), so that a model speaks only where its own back-test beats the plain rates.
#[derive(Debug, Clone, Default)]
pub struct Failures {
    summaries: Summaries,
    own: HashMap<(u32, Name), Logistic>,
    touched: HashMap<(u32, Name), Logistic>,
    /// Attempts of each workflow, older ones counting less: of how many it was known what they change, and all.
    known: HashMap<(u32, Name), [f64; 2]>,
    all: Logistic,
    losses: HashMap<(u32, Name), [f64; VOICES]>,
    /// What was said of attempts that have not finished yet.
    started: BTreeMap<(u32, Name, u32), (Signs, [f64; VOICES])>,
}

impl Failures {
    /// Returns the probability that an attempt fails, from attempts observed before.
    pub fn predict(&mut self, known: &Known) -> f64 {
        let (odds, signs, voices) = self.say(known);
        if self.started.len() < RUNNING {
            self.started.insert((known.execution, known.step, known.attempt), (signs, voices));
        }
        odds
    }

    /// The same for an attempt whose end will not be told.
    pub fn ask(&self, known: &Known) -> f64 {
        self.say(known).0
    }

    fn say(&self, known: &Known) -> (f64, Signs, [f64; VOICES]) {
        let signs = self.summaries.signs(known);
        let key = (known.repository, known.workflow);
        let [fast, middle, branch] = signs.rates;
        // A model that has not met a metric yet hears only the numbers it knows.
        let told = |model: &Logistic| if model.len() == 0 { fast } else { model.probability(&signs.numbers) };
        let own = self.own.get(&key).map_or(fast, told);
        let is_known = self.known.get(&key).is_some_and(|[known, all]| *known >= KNOWN * all);
        let hears = signs.touch.zip(self.touched.get(&key)).filter(|_| is_known);
        let touched = hears.map_or(own, |(touch, model)| model.probability(&with(&signs.numbers, touch)));
        let voices = [own, told(&self.all), fast, middle, branch, touched];
        let losses = self.losses.get(&key).copied().unwrap_or_default();
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let mut weights = losses.map(|loss| (least - loss).exp());
        if hears.is_none() {
            // Nobody speaks twice.
            weights[VOICES - 1] = 0.0;
        }
        let sum: f64 = voices.iter().zip(weights).map(|(voice, weight)| voice * weight).sum();
        ((sum / weights.iter().sum::<f64>()).clamp(BOUNDS.0, BOUNDS.1), signs, voices)
    }

    /// Learns how an attempt ended; cancelled ones teach nothing.
    pub fn observe(&mut self, known: &Known, came: &Came) {
        let started = self.started.remove(&(known.execution, known.step, known.attempt));
        if came.outcome == Outcome::Cancelled {
            return;
        }
        let failed = came.outcome == Outcome::Failed;
        let key = (known.repository, known.workflow);
        let [touches, all] = self.known.entry(key).or_default();
        *touches = *touches * LATELY + f64::from(known.touch.is_some());
        *all = *all * LATELY + 1.0;
        if let Some((signs, voices)) = started {
            let weight = self.summaries.weight(known);
            for (loss, voice) in self.losses.entry(key).or_default().iter_mut().zip(voices) {
                let voice = voice.clamp(1e-4, 1.0 - 1e-4);
                *loss = *loss * FADING.powf(weight) - weight * if failed { voice.ln() } else { (-voice).ln_1p() };
            }
            let own = self.own.entry(key).or_default();
            grow(own, signs.numbers.len());
            own.learn(&signs.numbers, failed, weight);
            if let Some(touch) = signs.touch {
                let model = self.touched.entry(key).or_default();
                if model.len() == 0 {
                    grow(model, COMMON);
                    model.extend(&[(0.0, VARIANCE.0); OF_TOUCH]);
                }
                let numbers = with(&signs.numbers, touch);
                model.extend(&vec![(0.0, VARIANCE.1); numbers.len().saturating_sub(model.len())]);
                model.learn(&numbers, failed, weight);
            }
            grow(&mut self.all, COMMON);
            self.all.learn(&signs.numbers[..COMMON], failed, weight);
        }
        self.summaries.see(known, failed);
    }
}

/// Returns the common numbers, those of what is changed, and those of metrics.
fn with(numbers: &[f64], touch: [f64; OF_TOUCH]) -> Vec<f64> {
    [&numbers[..COMMON], &touch, &numbers[COMMON..]].concat()
}

/// Gives a model the coefficients that it does not have yet.
fn grow(model: &mut Logistic, wanted: usize) {
    debug_assert_eq!((wanted - COMMON) % PER_METRIC, 0);
    for place in model.len()..wanted {
        let mean = TRUSTED.iter().find(|(trusted, _)| *trusted == place).map_or(0.0, |(_, mean)| *mean);
        model.extend(&[(mean, if place < COMMON { VARIANCE.0 } else { VARIANCE.1 })]);
    }
}
