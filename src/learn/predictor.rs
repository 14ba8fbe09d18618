//! What is predicted of an attempt: experts on its series, its machine and its inputs, mixed by their recent losses.

use std::collections::HashMap;

use super::bounds::{Bounds, Feedback, Mistakes};
use super::experts::{EXPERTS, WINDOW, Windows, experts, middle};
use super::failure::Failures;
use super::kin::{Kin, Said};
use super::line::Line;
use super::machines::{Machines, Own};
use super::mixture::{Losses, Manner, Pooled};
use super::near::Near;
use super::replay::{Came, Known, Predicted, Predictor};
use crate::plan::Interval;
use crate::record::Outcome;
use crate::scan::Name;

/// The experts on plain values, the same on values freed of their machines, four lines in the size of inputs, and what
/// inputs of about this size took.
const VOICES: usize = 2 * EXPERTS + 5;

/// Shortest duration that is told apart from nothing, in milliseconds.
const SHORTEST: f64 = 1e-6;

/// A line may lead outside what was seen by this factor: e⁵.
const OUTSIDE: f64 = 5.0;

/// Own samples from which on a step's kin have no say.
const FEW: u64 = 5;

/// What kin of the same name are worth, in own samples.
const KIN: f64 = 0.2;

/// Attempts that may run at once; the predictions of more are made again when they end.
const RUNNING: usize = 100_000;

/// The constants that its bench varies, to score each set of histories with those chosen on the others: how voices are
/// weighed by their losses, which are absolute errors in the logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// How many losses of its own outweigh those of all other series.
    pub own: f64,
    /// How sharply worse voices are left out.
    pub sharpness: f64,
    /// What a series keeps of its past losses at every step.
    pub forget: f64,
}

impl Default for Constants {
    fn default() -> Self {
        Self { own: 10.0, sharpness: 15.0, forget: 0.95 }
    }
}

/// Predicts attempts as plans do: a summary of fixed size a series, and what all series have in common.
///
/// Durations are taken in the logarithm, in which all that is told here adds up. Only passed attempts teach them, and
/// only durations above 0: nothing takes no time, it was not measured.
#[derive(Debug, Clone)]
pub struct Forecaster {
    manner: Manner,
    /// Boxed, since they are large and a map keeps room for twice as many as it holds.
    series: HashMap<(u32, Name, Name), Box<Series>>,
    machines: Machines,
    kin: Kin,
    voices: Pooled<VOICES>,
    feedback: Feedback,
    /// Absent where only durations are asked for.
    failures: Option<Failures>,
    /// What a series keeps of its mistakes before it made one.
    unmistaken: Mistakes,
    /// What was said of attempts that still run, by execution, workflow, step and attempt.
    running: HashMap<(u32, Name, Name, u32), Forecast>,
}

/// What is kept of one step of a workflow.
#[derive(Debug, Clone, Default)]
struct Series {
    n: u64,
    /// The latest durations with their machines, oldest first.
    latest: Vec<(f64, Option<Name>)>,
    losses: Losses<VOICES>,
    machines: Own<Measured>,
    sizes: Measured,
    near: Near,
    mistakes: Option<Box<Mistakes>>,
}

/// Boxed, since most steps declare no inputs.
type Measured = Option<Box<Sizes>>;

/// Duration against the size of inputs: duration in size, and both in the logarithm.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    straight: Line,
    power: Line,
}

/// A prediction with all that is needed to learn from its mistake.
#[derive(Debug, Clone, Copy)]
struct Forecast {
    voices: [f64; VOICES],
    middle: f64,
    bounds: Bounds,
    n: u64,
}

impl Sizes {
    /// Learns a duration, with the variance growing as the duration does, as that of a sum of parts.
    fn add(&mut self, size: f64, duration: f64) {
        self.straight.add(size, duration, 1.0 / duration);
        self.power.add(size.ln(), duration.ln(), 1.0);
    }

    /// Returns what the power law and the straight line say, in the logarithm.
    fn at(&self, size: f64) -> [Option<f64>; 2] {
        [self.power.at(size.ln()), self.straight.at(size).map(|duration| duration.max(SHORTEST).ln())]
    }
}

impl Predictor for Forecaster {
    fn predict(&mut self, known: &Known) -> Predicted {
        let forecast = self.forecast(known);
        if let Some(forecast) = forecast.filter(|_| self.running.len() < RUNNING) {
            self.running.insert((known.execution, known.workflow, known.step, known.attempt), forecast);
        }
        Predicted {
            duration_ms: self.interval(known, forecast.as_ref()),
            failure: self.failures.as_mut().map(|failures| failures.predict(known)),
        }
    }

    fn observe(&mut self, known: &Known, came: &Came, _: &Predicted) {
        if let Some(failures) = &mut self.failures {
            failures.observe(known, came);
        }
        let said = self.running.remove(&(known.execution, known.workflow, known.step, known.attempt));
        if came.outcome == Outcome::Passed && came.duration_ms.is_finite() && came.duration_ms > 0.0 {
            self.learn(known, came.duration_ms, said.as_ref());
        }
    }
}

impl Default for Forecaster {
    fn default() -> Self {
        Self { failures: Some(Failures::default()), ..Self::of_durations() }
    }
}

impl Forecaster {
    /// Makes room for so many steps at once: a table that grows is there twice for a moment.
    pub(crate) fn expect_steps(&mut self, steps: usize) {
        self.series.reserve(steps);
        self.kin.expect_steps(steps);
    }

    /// Returns one that says nothing of failures.
    pub(crate) fn of_durations() -> Self {
        Self::by(Constants::default())
    }

    /// Returns one of durations alone, with these constants.
    pub fn by(Constants { own, sharpness, forget }: Constants) -> Self {
        Self {
            manner: Manner { own, sharpness, cap: 5.0, forget, slowest: 0.05 },
            series: HashMap::new(),
            machines: Machines::default(),
            kin: Kin::default(),
            voices: Pooled::default(),
            feedback: Feedback::default(),
            unmistaken: Mistakes::default(),
            failures: None,
            running: HashMap::new(),
        }
    }

    /// Returns what is likely to come out of an attempt whose end will not be told.
    pub(crate) fn ask(&self, known: &Known) -> Predicted {
        let failure = self.failures.as_ref().map(|failures| failures.ask(known));
        Predicted { duration_ms: self.duration(known), failure }
    }

    /// Returns how long an attempt will run where it passes; `None` where neither its step nor one like it ever passed.
    pub fn duration(&self, known: &Known) -> Option<Interval> {
        self.interval(known, self.forecast(known).as_ref())
    }

    /// Returns the interval of a forecast: with few own samples what the step's kin say has a part in it, without any all.
    fn interval(&self, known: &Known, forecast: Option<&Forecast>) -> Option<Interval> {
        if let Some(forecast) = forecast.filter(|forecast| forecast.n >= FEW) {
            return Some(forecast.interval(None));
        }
        let unknown = Own::<Measured>::default();
        let series = self.series.get(&(known.repository, known.workflow, known.step));
        let offset = self.machines.offset(series.map_or(&unknown, |series| &series.machines), known.machine);
        let said = self.kin.say(known).map(|said| Said { middle: said.middle + offset, ..said });
        match forecast {
            Some(forecast) => Some(forecast.interval(said.filter(|said| said.namesakes).as_ref())),
            None => said.map(|Said { middle, width, n, .. }| around(middle, [width; 2], n)),
        }
    }

    fn forecast(&self, known: &Known) -> Option<Forecast> {
        let series = self.series.get(&(known.repository, known.workflow, known.step))?;
        let offset = self.machines.offset(&series.machines, known.machine);
        let plain: Vec<f64> = series.latest.iter().map(|(value, _)| *value).collect();
        let of_plain = Windows::of(&plain);
        let mut voices = [0.0; VOICES];
        voices[..EXPERTS].copy_from_slice(&experts(&plain, &of_plain));
        let (values, windows) = if series.machines.differ(known.machine) {
            let values = series.freed(&self.machines, offset);
            let windows = Windows::of(&values);
            (values, windows)
        } else {
            (plain, of_plain)
        };
        voices[EXPERTS..2 * EXPERTS].copy_from_slice(&experts(&values, &windows));
        // Where the size says nothing, lines say what the median of 10 does.
        let median = voices[EXPERTS + 3];
        voices[2 * EXPERTS..].fill(median);
        let size = size(known);
        if let Some(size) = size {
            series.lines(size, known.machine, offset, &mut voices);
        }
        let middle = series.losses.mix(&voices, self.manner, &self.voices);
        let mistakes = series.mistakes.as_deref().unwrap_or(&self.unmistaken);
        let bounds = self.feedback.bounds(mistakes, middle, &values, &windows, size.is_some());
        Some(Forecast { voices, middle, bounds, n: series.n })
    }

    fn learn(&mut self, known: &Known, duration: f64, said: Option<&Forecast>) {
        let duration = duration.max(SHORTEST);
        let value = duration.ln();
        let again = if said.is_none() { self.forecast(known) } else { None };
        let series = self.series.entry((known.repository, known.workflow, known.step)).or_default();
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let n = series.n as f64;
        if let Some(said) = said.or(again.as_ref()) {
            let losses = said.voices.map(|voice| (voice - value).abs());
            series.losses.learn(&losses, n, self.manner, &mut self.voices);
            self.feedback.learn(series.mistakes.get_or_insert_default(), value - said.middle, &said.bounds, n);
        }
        if known.machine.is_some() && series.n > 0 {
            let offset = self.machines.offset(&series.machines, known.machine);
            let level = middle(&series.freed(&self.machines, offset));
            self.machines.learn(&mut series.machines, known.machine, value - level);
        }
        let offset = self.machines.offset(&series.machines, known.machine);
        self.kin.learn(known, value - offset);
        let own = series.machines.entry(known.machine);
        if let Some(size) = size(known) {
            series.sizes.get_or_insert_default().add(size, (value - offset).exp());
            series.near.add(size.ln(), value - offset);
            if let Some((.., sizes)) = own {
                sizes.get_or_insert_default().add(size, duration);
            }
        }
        if series.latest.is_empty() {
            // Many steps ran once.
            series.latest.reserve_exact(1);
        }
        if series.latest.len() == WINDOW {
            series.latest.remove(0);
        }
        series.latest.push((value, known.machine));
        series.n += 1;
    }
}

impl Series {
    /// Returns the latest values as they would have been on a machine with this offset.
    fn freed(&self, machines: &Machines, offset: f64) -> Vec<f64> {
        // The latest attempts ran on a few machines.
        let mut before: Vec<(Option<Name>, f64)> = Vec::with_capacity(4);
        let mut own = |machine: Option<Name>| {
            let known = before.iter().find(|(known, _)| *known == machine).map(|(_, offset)| *offset);
            known.unwrap_or_else(|| {
                let offset = machines.offset(&self.machines, machine);
                before.push((machine, offset));
                offset
            })
        };
        self.latest.iter().map(|(value, machine)| value - own(*machine) + offset).collect()
    }

    /// Lets the lines speak, over all machines with the machine's offset and the machine's own, and the neighbours.
    fn lines(&self, size: f64, machine: Option<Name>, offset: f64, voices: &mut [f64; VOICES]) {
        let values = self.latest.iter().map(|(value, _)| *value);
        let (low, high) = (
            values.clone().fold(f64::INFINITY, f64::min) - OUTSIDE,
            values.fold(f64::NEG_INFINITY, f64::max) + OUTSIDE,
        );
        let at = |sizes: &Measured| sizes.as_ref().map_or([None; 2], |sizes| sizes.at(size));
        let all = at(&self.sizes).map(|said| said.map(|said| said + offset));
        let own = self.machines.get(machine).map_or([None; 2], at);
        let near = self.near.at(size.ln()).map(|said| said + offset);
        let said = [all[0], all[1], own[0].or(all[0]), own[1].or(all[1]), near];
        for (voice, said) in voices[2 * EXPERTS..].iter_mut().zip(said) {
            *voice = said.map_or(*voice, |said| said.clamp(low, high));
        }
    }
}

impl Forecast {
    /// Returns the interval, drawn towards what kin say as far as own samples are few.
    fn interval(&self, kin: Option<&Said>) -> Interval {
        let [above, below] = self.bounds.widths;
        let n = self.n;
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let share = kin.map_or(0.0, |_| KIN / (n as f64 + KIN));
        let middle = self.middle + share * kin.map_or(0.0, |kin| kin.middle - self.middle);
        around(middle, [above, below], n)
    }
}

/// Returns the interval of logarithms; what is past all numbers is the largest.
fn around(middle: f64, [above, below]: [f64; 2], n: u64) -> Interval {
    let told = |value: f64| value.exp().min(f64::MAX);
    Interval { p10: told(middle - below), p50: told(middle), p90: told(middle + above), n }
}

/// Returns the size that durations may follow: bytes of inputs, else the first metric known at the start.
fn size(known: &Known) -> Option<f64> {
    let metric = known.metrics.first().map_or(f64::NAN, |(_, value)| *value);
    [known.inputs_bytes, metric].into_iter().find(|size| size.is_finite() && *size > 0.0)
}
