//! A series as it is written: each moment once, and samples by its place.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::flaky::Trials;
use super::state::Series;
use super::window::{Moment, Window};
use crate::record::{Digest, ExecutionId};

/// A moment: start, execution, attempt.
type When = (i64, [u8; 12], u32);

/// A series' numbers; its windows in the order of [`windows`].
#[derive(Serialize, Deserialize)]
struct Packed {
    counts: [u64; 8],
    longest: Option<f64>,
    moments: Vec<When>,
    windows: [Vec<(u32, f64)>; 7],
    /// What the attempts ran on, and whether they failed.
    trials: Vec<(u32, [u8; 12], bool)>,
}

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let windows = windows(self).map(Window::samples);
        let mut moments: Vec<Moment> =
            windows.iter().flat_map(|samples| samples.iter().map(|(when, _)| *when)).collect();
        moments.extend(self.trials.samples().iter().map(|(when, ..)| *when));
        moments.sort_unstable();
        moments.dedup();
        let place = |when: &Moment| {
            let place = moments.binary_search(when).unwrap_or_default();
            u32::try_from(place).unwrap_or(u32::MAX)
        };
        // Every field by name, so that a new one cannot be forgotten here.
        let Self {
            passed,
            failed,
            first_attempts,
            first_failed,
            retries,
            retries_passed,
            longest,
            trials,
            duration: _,
            failing: _,
            memory: _,
            cpu: _,
            queue: _,
            slack: _,
            wall_share: _,
            timelines,
            critical,
        } = self;
        let counts = [passed, failed, first_attempts, first_failed, retries, retries_passed, timelines, critical];
        let packed = Packed {
            counts: counts.map(|count| *count),
            longest: *longest,
            windows: windows.map(|samples| samples.iter().map(|(when, value)| (place(when), *value)).collect()),
            trials: trials
                .samples()
                .iter()
                .map(|(when, inputs, failed)| (place(when), *inputs.bytes(), *failed))
                .collect(),
            moments: moments.iter().map(|(started, id, attempt)| (*started, *id.bytes(), *attempt)).collect(),
        };
        packed.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Series {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let packed = Packed::deserialize(deserializer)?;
        let moments: Vec<Moment> = packed
            .moments
            .iter()
            .map(|(started, id, attempt)| (*started, ExecutionId::from_bytes(*id), *attempt))
            .collect();
        let when = |place: u32| {
            moments.get(place as usize).copied().ok_or_else(|| D::Error::custom("a sample of no known moment"))
        };
        let [passed, failed, first_attempts, first_failed, retries, retries_passed, timelines, critical] =
            packed.counts;
        let mut series = Self {
            passed,
            failed,
            first_attempts,
            first_failed,
            retries,
            retries_passed,
            timelines,
            critical,
            longest: packed.longest,
            ..Self::default()
        };
        let Self { duration, failing, memory, cpu, queue, slack, wall_share, .. } = &mut series;
        for (window, samples) in
            [duration, failing, memory, cpu, queue, slack, wall_share].into_iter().zip(packed.windows)
        {
            let samples = samples.into_iter().map(|(place, value)| Ok((when(place)?, value)));
            *window = Window::of(samples.collect::<Result<_, D::Error>>()?);
        }
        let trials = packed
            .trials
            .into_iter()
            .map(|(place, inputs, failed)| Ok((when(place)?, Digest::from_bytes(inputs), failed)));
        series.trials = Trials::of(trials.collect::<Result<_, D::Error>>()?);
        Ok(series)
    }
}

fn windows(series: &Series) -> [&Window; 7] {
    let Series { duration, failing, memory, cpu, queue, slack, wall_share, .. } = series;
    [duration, failing, memory, cpu, queue, slack, wall_share]
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = |((started, id, attempt), value): &(Moment, f64)| ((*started, *id.bytes(), *attempt), *value);
        serializer.collect_seq(self.samples().iter().map(plain))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let samples = Vec::<(When, f64)>::deserialize(deserializer)?.into_iter();
        let sample = |((started, id, attempt), value)| ((started, ExecutionId::from_bytes(id), attempt), value);
        Ok(Self::of(samples.map(sample).collect()))
    }
}
