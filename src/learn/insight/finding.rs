//! What can be found: each pattern, change and anomaly by its name, with its numbers.

use serde::Serialize;

use super::Capacity;

/// The kinds, then the names, of findings, as people choose among them.
pub const NAMES: [&str; 24] = [
    "anomaly",
    "anti-pattern",
    "best-practice",
    "bottleneck",
    "change",
    "retry-storm",
    "vain-retries",
    "unused-retries",
    "retries-pay",
    "always-red",
    "fails-late",
    "fails-fast",
    "timeout-near-median",
    "serial-chain",
    "memory-collision",
    "cold-cache-mornings",
    "oversized-cpu",
    "oversized-memory",
    "undersized-memory",
    "queueing",
    "idle-slots",
    "flaky",
    "changed",
    "far-outside",
];

/// A finding with its numbers. Times in milliseconds, memory in bytes, shares from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "fields are what their names and the line above them say")]
pub enum Finding {
    /// Many executions need a second try of a step.
    RetryStorm { retried: u64, executions: u64, lost_ms: f64 },
    /// Retries of a step hardly ever pass.
    VainRetries { passed: u64, retries: u64, lost_ms: f64 },
    /// A declared retry that is hardly ever needed.
    UnusedRetries { attempts: u64, failed: u64 },
    /// Retries of a step mostly pass.
    RetriesPay { passed: u64, retries: u64 },
    /// A step has only failed for a while.
    AlwaysRed { executions: u64, trees: u64, passed_before: bool },
    /// A step that often fails runs after long others.
    FailsLate { failed: u64, executions: u64, before_ms: f64 },
    /// Most failing executions fail soon.
    FailsFast { fast: u64, failed: u64, share: f64 },
    /// A healthy attempt would reach the time limit now and then.
    TimeoutNearMedian { limit_ms: f64, median_ms: f64, stopped: u64, attempts: u64, declared: bool },
    /// A step waits for another that it has run without.
    SerialChain { need: String, passed: u64, tried: u64, saved_ms: f64, wall_ms: f64 },
    /// A step fails more often while others fill the machine's memory.
    MemoryCollision { crowded_failed: u64, crowded: u64, free_failed: u64, free: u64 },
    /// A step takes longer after a long pause.
    ColdCacheMornings { ratio: f64, low: f64, high: f64, cold: u64, warm: u64 },
    /// A step declares far more processors than it uses.
    OversizedCpu { declared: f64, used: f64 },
    /// A step declares far more memory than it uses.
    OversizedMemory { declared: f64, used: f64 },
    /// A step uses more memory than it declares.
    UndersizedMemory { declared: f64, above: u64, attempts: u64 },
    /// One step of several holds up most of the time.
    Bottleneck { share: f64, dominated: u64, executions: u64 },
    /// Steps wait for a free slot most of the time.
    Queueing { share: f64, waited: u64, executions: u64, capacity: Option<Capacity> },
    /// Slots are idle though a step is ready; `cause` is why in most of that time.
    IdleSlots { share: f64, held: u64, executions: u64, held_ms: f64, cause: Held },
    /// A step passes and fails on the same inputs.
    Flaky { contradicted: u64, rate: f64, low: f64, high: f64 },
    /// A measure of a step has changed.
    Changed {
        measure: String,
        machine: Option<String>,
        before: f64,
        after: f64,
        better: Option<bool>,
        low: Option<f64>,
        high: Option<f64>,
    },
    /// One attempt, or one execution as a whole, took far longer or shorter than it ever does.
    FarOutside { took_ms: f64, p10_ms: f64, p50_ms: f64, p90_ms: f64 },
}

/// Why a ready step is not started though a slot is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// Another step held a lock that it needs.
    Locks,
    /// It would not have fitted into the machine's memory.
    Memory,
    /// It would not have fitted onto the machine's processors.
    Processors,
    /// No record tells, such as another execution on the machine.
    Other,
}

/// What kind of finding it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A habit that costs.
    AntiPattern,
    /// A habit that pays.
    BestPractice,
    /// Where the time goes.
    Bottleneck,
    /// What became different.
    Change,
    /// A single attempt or execution far from all others.
    Anomaly,
}

impl Finding {
    /// Returns its name, as in the JSON form.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RetryStorm { .. } => "retry-storm",
            Self::VainRetries { .. } => "vain-retries",
            Self::UnusedRetries { .. } => "unused-retries",
            Self::RetriesPay { .. } => "retries-pay",
            Self::AlwaysRed { .. } => "always-red",
            Self::FailsLate { .. } => "fails-late",
            Self::FailsFast { .. } => "fails-fast",
            Self::TimeoutNearMedian { .. } => "timeout-near-median",
            Self::SerialChain { .. } => "serial-chain",
            Self::MemoryCollision { .. } => "memory-collision",
            Self::ColdCacheMornings { .. } => "cold-cache-mornings",
            Self::OversizedCpu { .. } => "oversized-cpu",
            Self::OversizedMemory { .. } => "oversized-memory",
            Self::UndersizedMemory { .. } => "undersized-memory",
            Self::Bottleneck { .. } => "bottleneck",
            Self::Queueing { .. } => "queueing",
            Self::IdleSlots { .. } => "idle-slots",
            Self::Flaky { .. } => "flaky",
            Self::Changed { .. } => "changed",
            Self::FarOutside { .. } => "far-outside",
        }
    }

    /// Returns its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::RetriesPay { .. } | Self::FailsFast { .. } => Kind::BestPractice,
            Self::Bottleneck { .. } | Self::Queueing { .. } | Self::IdleSlots { .. } => Kind::Bottleneck,
            Self::Changed { .. } => Kind::Change,
            Self::FarOutside { .. } => Kind::Anomaly,
            _ => Kind::AntiPattern,
        }
    }
}

impl Kind {
    /// Returns its words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AntiPattern => "anti-pattern",
            Self::BestPractice => "best practice",
            Self::Bottleneck => "bottleneck",
            Self::Change => "change",
            Self::Anomaly => "anomaly",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json_form() {
        let findings = [
            Finding::RetryStorm { retried: 1, executions: 2, lost_ms: 3.0 },
            Finding::OversizedCpu { declared: 1.0, used: 2.0 },
            Finding::Flaky { contradicted: 1, rate: 0.1, low: 0.0, high: 0.2 },
        ];
        for finding in findings {
            assert_eq!(serde_json::to_value(&finding).expect("plain")["name"], finding.name());
            assert!(NAMES.contains(&finding.name()));
            assert!(NAMES.contains(&finding.kind().words().replace(' ', "-").as_str()));
        }
    }
}
