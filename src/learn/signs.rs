//! What is known at an attempt's start about whether it will fail, as numbers of one size for a logistic model.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use super::replay::Known;
use super::touch::Touch;
use crate::scan::Name;

/// How many branches, commits and executions are kept, the latest of each.
const KEPT: usize = 4096;

/// How many metrics of a workflow are read, the first that are seen.
const METRICS: usize = 32;

/// Numbers that every attempt has; those of its metrics follow.
pub(crate) const COMMON: usize = 25;

/// Numbers that each metric gives.
pub(crate) const PER_METRIC: usize = 4;

/// Numbers that what an execution changes gives.
pub(crate) const OF_TOUCH: usize = 5;

/// What a mark of a change is worth before it was met, in trials at the step's own rate.
const UNMET: f64 = 2.0;

const HOUR_US: f64 = 3.6e9;
const DAY_US: f64 = 8.64e10;

/// Failures and trials, older ones counting less.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    failed: f64,
    trials: f64,
}

impl Rate {
    fn see(&mut self, failed: bool, fading: f64) {
        self.failed = self.failed * fading + f64::from(failed);
        self.trials = self.trials * fading + 1.0;
    }

    /// Returns the posterior mean under a prior that is worth `worth` trials at the rate `prior`.
    fn against(self, prior: f64, worth: f64) -> f64 {
        (self.failed + worth * prior) / (self.trials + worth)
    }
}

/// What is kept of one step of a workflow.
#[derive(Debug, Clone, Default)]
struct Series {
    /// Moves a fifth of the way to each outcome; starts at the workflow's rate.
    fast: f64,
    middle: Rate,
    slow: Rate,
    all: Rate,
    /// Failures in a row, or passes as a negative number.
    streak: f64,
    last_us: i64,
    last_failed_us: Option<i64>,
    metrics: BTreeMap<Name, Seen>,
    /// By mark of what executions changed, where that is known.
    marks: Option<Box<Latest<Name, Rate>>>,
}

/// What is kept of one metric of a step: the last value, the largest that failed and the smallest that passed.
#[derive(Debug, Clone)]
struct Seen {
    last: f64,
    failed: f64,
    passed: f64,
}

/// What is kept of one workflow.
#[derive(Debug, Clone, Default)]
struct Workflow {
    all: Rate,
    fast: Rate,
    slow: Rate,
    executions: f64,
    /// In the order in which they were first seen: samples, mean and sum of squared deviations.
    metrics: Vec<(Name, [f64; 3])>,
    /// The same of the files and the folders that executions changed.
    touched: [[f64; 3]; 2],
}

/// A rate and the last outcome.
type Past = (Rate, bool);

/// The latest entries of a map that would grow with history.
#[derive(Debug, Clone)]
struct Latest<K, V> {
    entries: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Hash + Eq + Copy, V: Default> Latest<K, V> {
    fn entry(&mut self, key: K) -> &mut V {
        if !self.entries.contains_key(&key) {
            self.order.push_back(key);
            if self.order.len() > KEPT {
                self.order.pop_front().map(|oldest| self.entries.remove(&oldest));
            }
        }
        self.entries.entry(key).or_default()
    }
}

/// The summaries behind the numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summaries {
    series: HashMap<(u32, Name, Name), Series>,
    workflows: HashMap<(u32, Name), Workflow>,
    branches: Latest<(u32, Name, Name), Past>,
    branch_steps: Latest<(u32, Name, Name, Name), Past>,
    commits: Latest<(u32, Name, Name), Past>,
    commit_steps: Latest<(u32, Name, Name, Name), Past>,
    executions: Latest<u32, Rate>,
    execution_steps: Latest<(u32, Name), bool>,
}

/// What is known at an attempt's start.
#[derive(Debug, Clone)]
pub(crate) struct Signs {
    /// [`COMMON`] numbers, then [`PER_METRIC`] for each metric of the workflow.
    pub numbers: Vec<f64>,
    /// What its execution changes; absent where that is unknown.
    pub touch: Option<[f64; OF_TOUCH]>,
    /// The plain rules: the step's moving average, its slower one backed by the workflow, and the branch's backed by that.
    pub rates: [f64; 3],
}

impl Summaries {
    /// Returns how many attempts of one execution count as one outcome: what befalls them together teaches once.
    pub fn weight(&self, known: &Known) -> f64 {
        let workflow = self.workflows.get(&(known.repository, known.workflow));
        let together = workflow.map_or(1.0, |workflow| workflow.all.trials / workflow.executions.max(1.0));
        // The design effect of equal clusters with a correlation of 0.3 (Kish 1965, Survey Sampling, section 5.4).
        1.0 / (1.0 + 0.3 * (together - 1.0).max(0.0))
    }

    /// Returns what is known of an attempt at its start.
    #[expect(clippy::cast_precision_loss, reason = "times stay far below 2^53")]
    pub fn signs(&self, known: &Known) -> Signs {
        let (repository, workflow, step) = (known.repository, known.workflow, known.step);
        let (unseen, untried) = (Workflow::default(), Series::default());
        let whole = self.workflows.get(&(repository, workflow)).unwrap_or(&unseen);
        let base = whole.all.against(0.5, 2.0);
        let lately = whole.fast.against(base, 5.0);
        let level = whole.slow.against(base, 20.0);
        let seen = self.series.get(&(repository, workflow, step));
        let series = seen.unwrap_or(&untried);
        let fast = seen.map_or(base, |series| series.fast);
        let (all, slow) = (series.all.against(level, 2.0), series.slow.against(level, 2.0));
        let middle = seen.map_or(level, |series| series.middle.against(slow, 1.0));
        let branch_past = known.branch.and_then(|branch| self.branches.entries.get(&(repository, workflow, branch)));
        let here_before =
            known.branch.and_then(|branch| self.branch_steps.entries.get(&(repository, workflow, step, branch)));
        let commit_past = known.commit.and_then(|commit| self.commits.entries.get(&(repository, workflow, commit)));
        let again =
            known.commit.and_then(|commit| self.commit_steps.entries.get(&(repository, workflow, step, commit)));
        let branch = here_before.map_or(middle, |(rate, _)| rate.against(middle, 1.0));
        let upstream = self.executions.entries.get(&known.execution);
        let retried =
            (known.attempt > 1).then(|| self.execution_steps.entries.get(&(known.execution, step))).flatten().copied();
        let since = |before: i64| known.started_us.saturating_sub(before).max(0) as f64;
        let hour = (known.started_us as f64 / HOUR_US).rem_euclid(24.0) / 24.0 * std::f64::consts::TAU;
        let weekday = ((known.started_us as f64 / DAY_US).floor() + 4.0).rem_euclid(7.0);
        let sign = |failed: bool| if failed { 1.0 } else { -1.0 };
        let excess = |rate: Option<Rate>| rate.map_or(0.0, |rate| logit(rate.against(level, 2.0)) - logit(level));
        let mut numbers = vec![
            1.0,
            logit(fast) / 2.0,
            logit(middle) / 2.0,
            logit(slow) / 2.0,
            logit(all) / 2.0,
            logit(lately) / 2.0,
            logit(level) / 2.0,
            logit(base) / 2.0,
            logit(branch) / 2.0,
            logit(branch_past.map_or(level, |(rate, _)| rate.against(level, 2.0))) / 2.0,
            seen.map_or(0.0, |series| series.streak.signum()),
            series.streak.max(0.0).ln_1p(),
            (-series.streak).max(0.0).ln_1p() / 2.0,
            series.last_failed_us.map_or(0.0, |failed| 1.0 / (1.0 + (since(failed) / DAY_US).ln_1p())),
            seen.map_or(0.0, |series| (since(series.last_us) / HOUR_US).ln_1p() / 3.0),
            here_before.map_or(0.0, |(_, failed)| sign(*failed)),
            again.map_or(0.0, |(_, failed)| sign(*failed)),
            excess(commit_past.map(|(rate, _)| *rate)),
            excess(upstream.copied()) / 2.0,
            retried.map_or(0.0, sign),
            f64::from(known.attempt > 1),
            f64::from(known.attempt.max(1)).ln(),
            hour.sin(),
            hour.cos(),
            f64::from(!(0.5..5.5).contains(&weekday)),
        ];
        debug_assert_eq!(numbers.len(), COMMON);
        for (metric, moments) in &whole.metrics {
            numbers.extend(of_metric(known, *metric, moments, series));
        }
        let touch = known.touch.as_ref().map(|touch| of_touch(touch, whole, series, slow));
        Signs { numbers, touch, rates: [fast, middle, branch] }
    }

    /// Takes in how an attempt ended.
    pub fn see(&mut self, known: &Known, failed: bool) {
        let (repository, workflow, step) = (known.repository, known.workflow, known.step);
        let whole = self.workflows.entry((repository, workflow)).or_default();
        let fast = whole.all.against(0.5, 2.0);
        whole.all.see(failed, 1.0);
        whole.fast.see(failed, 0.95);
        whole.slow.see(failed, 0.998);
        let execution = self.executions.entry(known.execution);
        whole.executions += f64::from(execution.trials == 0.0);
        execution.see(failed, 1.0);
        *self.execution_steps.entry((known.execution, step)) = failed;
        let series =
            self.series.entry((repository, workflow, step)).or_insert_with(|| Series { fast, ..Series::default() });
        series.see(known, failed);
        for (metric, value) in usable(known) {
            if !whole.metrics.iter().any(|(known, _)| *known == metric) && whole.metrics.len() < METRICS {
                whole.metrics.push((metric, [0.0; 3]));
            }
            if let Some((_, moments)) = whole.metrics.iter_mut().find(|(known, _)| *known == metric) {
                welford(moments, value);
            }
        }
        for (moments, value) in whole.touched.iter_mut().zip(known.touch.iter().flat_map(|touch| sizes(touch))) {
            welford(moments, value);
        }
        let note = |(rate, last): &mut Past, fading: f64| {
            rate.see(failed, fading);
            *last = failed;
        };
        if let Some(branch) = known.branch {
            note(self.branches.entry((repository, workflow, branch)), 0.9);
            note(self.branch_steps.entry((repository, workflow, step, branch)), 0.7);
        }
        if let Some(commit) = known.commit {
            note(self.commits.entry((repository, workflow, commit)), 1.0);
            note(self.commit_steps.entry((repository, workflow, step, commit)), 1.0);
        }
    }
}

impl Series {
    fn see(&mut self, known: &Known, failed: bool) {
        self.fast += 0.2 * (f64::from(failed) - self.fast);
        self.middle.see(failed, 0.9);
        self.slow.see(failed, 0.97);
        self.all.see(failed, 1.0);
        self.streak = if failed { self.streak.max(0.0) + 1.0 } else { self.streak.min(0.0) - 1.0 };
        self.last_us = known.started_us;
        if failed {
            self.last_failed_us = Some(known.started_us);
        }
        for mark in known.touch.iter().flat_map(|touch| &touch.marks) {
            self.marks.get_or_insert_default().entry(*mark).see(failed, 1.0);
        }
        for (metric, value) in usable(known) {
            let start = Seen { last: value, failed: f64::NEG_INFINITY, passed: f64::INFINITY };
            let seen = self.metrics.entry(metric).or_insert(start);
            seen.last = value;
            if failed {
                seen.failed = seen.failed.max(value);
            } else {
                seen.passed = seen.passed.min(value);
            }
        }
    }
}

/// Returns an attempt's finite metrics, their size on a logarithmic scale and their sign kept.
fn usable(known: &Known) -> impl Iterator<Item = (Name, f64)> {
    let finite = known.metrics.iter().filter(|(_, value)| value.is_finite());
    finite.map(|(metric, value)| (*metric, value.signum() * value.abs().ln_1p()))
}

/// Returns a metric's distance from the workflow's mean and from the step's last, and on which side of what failed and
/// what passed it lies; zeros where the attempt does not have it.
fn of_metric(known: &Known, metric: Name, [samples, mean, squares]: &[f64; 3], series: &Series) -> [f64; PER_METRIC] {
    let Some((_, value)) = usable(known).find(|(name, _)| *name == metric) else {
        return [0.0; PER_METRIC];
    };
    let distance = distance(value, [*samples, *mean, *squares]);
    let seen = series.metrics.get(&metric);
    let step = seen.map_or(0.0, |seen| (value - seen.last).clamp(-4.0, 4.0));
    let failed = seen.is_some_and(|seen| value <= seen.failed + 1e-9);
    let passed = seen.is_some_and(|seen| value >= seen.passed - 1e-9);
    [distance, step, f64::from(failed), f64::from(passed)]
}

/// Returns how far the change's files and folders are from the workflow's mean, and how much more often than usual the
/// step failed under changes with the same marks: the worst of them, their mean, and the best.
fn of_touch(touch: &Touch, whole: &Workflow, series: &Series, usual: f64) -> [f64; OF_TOUCH] {
    let [files, folders] = sizes(touch);
    let known = series.marks.as_ref();
    let met = touch.marks.iter().filter_map(|mark| known?.entries.get(mark));
    let excess: Vec<f64> = met.map(|rate| logit(rate.against(usual, UNMET)) - logit(usual)).collect();
    let [worst, mean, best] = if excess.is_empty() {
        [0.0; 3]
    } else {
        #[expect(clippy::cast_precision_loss, reason = "at most a hundred marks")]
        let mean = excess.iter().sum::<f64>() / excess.len() as f64;
        let of = |pick: fn(f64, f64) -> f64, start| excess.iter().copied().fold(start, pick);
        [of(f64::max, f64::NEG_INFINITY), mean, of(f64::min, f64::INFINITY)]
    };
    [distance(files, whole.touched[0]), distance(folders, whole.touched[1]), worst / 2.0, mean / 2.0, best / 2.0]
}

/// Returns the files and folders of a change on a logarithmic scale.
fn sizes(touch: &Touch) -> [f64; 2] {
    [touch.files.ln_1p(), touch.folders.ln_1p()]
}

/// Takes a value into samples, mean and sum of squared deviations (Knuth, TAOCP volume 2, 4.2.2: Welford).
fn welford(moments: &mut [f64; 3], value: f64) {
    moments[0] += 1.0;
    let distance = value - moments[1];
    moments[1] += distance / moments[0];
    moments[2] += distance * (value - moments[1]);
}

/// Returns a value's distance from the mean in standard deviations, at most 4.
fn distance(value: f64, [samples, mean, squares]: [f64; 3]) -> f64 {
    let deviation = (squares / samples.max(1.0)).sqrt();
    if deviation < 1e-9 { 0.0 } else { ((value - mean) / deviation).clamp(-4.0, 4.0) }
}

fn logit(probability: f64) -> f64 {
    let bounded = probability.clamp(1e-4, 1.0 - 1e-4);
    (bounded / (1.0 - bounded)).ln()
}
