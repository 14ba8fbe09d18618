//! Seeded histories: without any effect, in which nobody may claim anything, and with one, which has to be found.

use std::collections::BTreeMap;
use std::sync::Arc;

use meow::record::{Attempt, Digest, Execution, ExecutionId, Outcome, Record, Source};
use meow::scan::Change;

/// Draws numbers that depend on the seed alone (`SplitMix64`; Steele, Lea and Flood 2014).
pub struct Draw(u64);

impl Draw {
    /// Returns a source of its own for `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// Returns the next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number between 0 and 1, neither of them.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Returns a standard normal number (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Returns whether something of this probability happens.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns one of `of`.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.bits() % of.len() as u64).expect("a place")]
    }

    fn digest(&mut self) -> Digest {
        Digest::of(&self.bits().to_le_bytes())
    }
}

/// One step of a made-up workflow.
#[derive(Clone)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// Steps it needs, by place.
    pub needs: Vec<usize>,
    /// Median duration in milliseconds.
    pub median_ms: f64,
    /// Probability that it fails on a tree, whenever it runs on it.
    pub broken_trees: f64,
    /// Probability that an attempt fails whatever the tree is.
    pub flaky: f64,
    /// Probability that it hangs for an hour until a person stops it.
    pub hangs: f64,
}

impl Made {
    /// Returns a step that always passes.
    pub fn new(id: &str, needs: &[usize], median_ms: f64) -> Self {
        Self { id: id.into(), needs: needs.to_vec(), median_ms, broken_trees: 0.0, flaky: 0.0, hangs: 0.0 }
    }
}

/// A made-up workflow and how it is used.
#[derive(Clone)]
pub struct Shape {
    /// Its steps, each after those it needs.
    pub steps: Vec<Made>,
    /// Executions.
    pub executions: usize,
    /// Standard deviation of the logarithm of durations.
    pub sigma: f64,
    /// Machine classes, each with its factor on durations.
    pub machines: Vec<(&'static str, f64)>,
    /// Slots of every execution.
    pub slots: usize,
    /// Probability that an execution repeats the tree before it, after a pass and after a failure.
    pub repeats: (f64, f64),
    /// Mean time between executions in minutes.
    pub every_minutes: f64,
}

/// Returns a shape without any effect: equal steps, durations around one level, failures that the trees decide.
pub fn null_shape(draw: &mut Draw) -> Shape {
    let count = draw.one(&[1, 2, 3, 4, 6]);
    let graph = draw.one(&["chain", "fan", "both"]);
    let median_ms = draw.one(&[300.0, 4_000.0, 45_000.0, 600_000.0]);
    let broken_trees = draw.one(&[0.0, 0.01, 0.03]);
    let steps = (0..count)
        .map(|place| Made {
            id: format!("step-{place}"),
            needs: match graph {
                "chain" => (0..place).rev().take(1).collect(),
                "fan" => (0..place).take(1).collect(),
                _ if place == count - 1 => (1..place).collect(),
                _ => (0..place).take(1).collect(),
            },
            median_ms,
            broken_trees,
            flaky: 0.0,
            hangs: 0.0,
        })
        .collect();
    let two = vec![("linux-x86_64-8c-16g", 1.0), ("linux-x86_64-8c-32g", 1.4)];
    Shape {
        steps,
        executions: draw.one(&[5, 8, 12, 20, 40, 80, 120, 200]),
        sigma: draw.one(&[0.03, 0.1, 0.3, 0.6, 1.0]),
        machines: if draw.happens(0.5) { two } else { two[..1].to_vec() },
        slots: 8,
        repeats: (0.1, 0.3),
        every_minutes: draw.one(&[60.0, 240.0, 1_000.0]),
    }
}

/// Returns the records of a history in which nothing changes, nothing is flaky and nothing stands out.
pub fn null_history(seed: u64) -> Vec<Record> {
    let mut draw = Draw::new(seed);
    let shape = null_shape(&mut draw);
    history(&shape, &mut draw)
}

/// Returns the records of a workflow of this shape.
pub fn history(shape: &Shape, draw: &mut Draw) -> Vec<Record> {
    let commands: Vec<Digest> = shape.steps.iter().map(|_| draw.digest()).collect();
    let mut now_ms = 1_760_000_000_000.0;
    let mut tree = draw.digest();
    let mut broken: Vec<bool> = shape.steps.iter().map(|step| draw.happens(step.broken_trees)).collect();
    let mut records = Vec::new();
    for _ in 0..shape.executions {
        now_ms += -draw.unit().ln() * shape.every_minutes * 60_000.0;
        let (machine, factor) = draw.one(&shape.machines);
        let attempts = execute(shape, &commands, &broken, factor, draw);
        let all_passed =
            attempts.len() == shape.steps.len() && attempts.iter().all(|attempt| attempt.outcome == Outcome::Passed);
        let hung = attempts.iter().any(|attempt| attempt.outcome == Outcome::Cancelled);
        let outcome = match (all_passed, hung) {
            (true, _) => Outcome::Passed,
            (_, true) => Outcome::Cancelled,
            _ => Outcome::Failed,
        };
        let execution = Arc::new(Execution {
            id: ExecutionId::from_bytes(*draw.digest().bytes()),
            workflow: "ci".into(),
            started_at: jiff::Timestamp::from_second(whole(now_ms / 1000.0)).expect("in range"),
            duration_ms: Some(attempts.iter().map(end_ms).fold(0.0, f64::max)),
            outcome,
            trigger: "person".into(),
            machine: Some(machine.into()),
            slots: u32::try_from(shape.slots).ok(),
            variables: BTreeMap::new(),
            source: Source {
                commit: Some(tree),
                tree: Some(tree),
                dirty: Some(false),
                branch: Some(draw.one(&["main", "main", "8d1f0c"]).into()),
                ..Source::default()
            },
            resumes: None,
        });
        now_ms += execution.duration_ms.unwrap_or(0.0);
        records.extend(attempts.into_iter().map(|attempt| Record { execution: Arc::clone(&execution), attempt }));
        if !draw.happens(if all_passed { shape.repeats.0 } else { shape.repeats.1 }) {
            tree = draw.digest();
            broken = shape.steps.iter().map(|step| draw.happens(step.broken_trees)).collect();
        }
    }
    records
}

/// Returns what the commits of these records touch, a few of eight folders each; where one touches `lib/`, an attempt of
/// the step `fails` fails with this probability.
pub fn changed(records: &mut [Record], fails: &str, probability: f64, draw: &mut Draw) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut touches_lib = false;
    for record in records {
        let commit = record.execution.source.commit.expect("a commit");
        let last = changes.last().map(|change| change.commit);
        if last != Some(commit) {
            let folders = ["app", "docs", "etc", "lib", "site", "tests", "tools", "web"];
            let folders: Vec<&str> = folders.into_iter().filter(|_| draw.happens(0.25)).collect();
            touches_lib = folders.contains(&"lib");
            let file = |folder: &&str| format!("{folder}/file-{}.txt", draw.bits() % 6);
            let paths: Vec<String> = folders.iter().map(file).collect();
            let files = u32::try_from(paths.len()).expect("few");
            let time_s = record.execution.started_at.as_second();
            let parents = last.into_iter().collect();
            changes.push(Change { commit, parents, time_s, files, paths });
        }
        if touches_lib && record.attempt.step == fails && draw.happens(probability) {
            record.attempt.outcome = Outcome::Failed;
        }
    }
    changes
}

/// Runs the steps over the slots, in their order, each as early as it can.
fn execute(shape: &Shape, commands: &[Digest], broken: &[bool], factor: f64, draw: &mut Draw) -> Vec<Attempt> {
    let mut free = vec![0.0_f64; shape.slots];
    let mut ends: Vec<Option<f64>> = Vec::new();
    let mut attempts: Vec<Attempt> = Vec::new();
    for (place, step) in shape.steps.iter().enumerate() {
        let Some(needs) = step.needs.iter().map(|need| ends[*need]).collect::<Option<Vec<f64>>>() else {
            ends.push(None);
            continue;
        };
        let ready = needs.into_iter().fold(0.0, f64::max).ceil();
        let slot = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b])).expect("a slot");
        let started = (ready.max(free[slot]) + draw.unit()).ceil();
        let hangs = draw.happens(step.hangs);
        let fails = broken[place] | draw.happens(step.flaky);
        let outcome = match (hangs, fails) {
            (true, _) => Outcome::Cancelled,
            (_, true) => Outcome::Failed,
            _ => Outcome::Passed,
        };
        let usual = step.median_ms * factor * (shape.sigma * draw.normal()).exp();
        let duration = if hangs { 3_600_000.0 + usual } else { usual };
        free[slot] = started + duration;
        ends.push((outcome == Outcome::Passed).then_some(started + duration));
        attempts.push(Attempt {
            ready_ms: u64::try_from(whole(ready)).ok(),
            started_ms: u64::try_from(whole(started)).expect("not negative"),
            duration_ms: Some(duration),
            outcome,
            exit_code: Some(i32::from(fails)),
            user_ms: u64::try_from(whole(duration * 0.8)).ok(),
            system_ms: Some(1),
            peak_memory_bytes: u64::try_from(whole(5e7 * (0.05 * draw.normal()).exp())).ok(),
            slot: u32::try_from(slot).ok(),
            needs: step.needs.iter().map(|need| shape.steps[*need].id.clone()).collect(),
            command: Some(commands[place]),
            ..Attempt::new(step.id.clone(), 1)
        });
    }
    attempts
}

fn end_ms(attempt: &Attempt) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of one execution")]
    let started = attempt.started_ms as f64;
    started + attempt.duration_ms.unwrap_or(0.0)
}

#[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
fn whole(number: f64) -> i64 {
    number as i64
}

#[test]
fn a_seed_makes_one_history() {
    let text = |seed| format!("{:?}", null_history(seed));
    assert_eq!(text(3), text(3));
    assert_ne!(text(3), text(4));
    let counts: Vec<usize> = (0..100).map(|seed| null_history(seed).len()).collect();
    assert!(counts.iter().any(|count| *count < 10) && counts.iter().any(|count| *count > 400), "{counts:?}");
}
