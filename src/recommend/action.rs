//! Decisions about recommendations, as committed files, and the life of a recommendation that follows from them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Advice, Gain};
use crate::record::Digest;

/// What was decided; one file under `.meow/actions`, never changed. What is taken back gets a file of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Action {
    /// What was done.
    pub kind: ActionKind,
    /// When.
    pub at: Timestamp,
    /// The workflow it is about.
    pub workflow: String,
    /// The step, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The metric whose new level was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The id of the recommendation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<String>,
    /// The id of the action that this one takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// The rule behind the recommendation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The recommendation's line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Why, in a person's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Executions that proved the recommendation then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// How many executions or attempts it rested on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// The probability that it gains, as it was seen then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The gain that was expected, in minutes a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Gain>,
    /// How the workflow file was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
}

/// What an action does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// A recommendation was carried out.
    Applied,
    /// A recommendation was turned down.
    Dismissed,
    /// A new level was accepted as the norm.
    Accepted,
    /// An earlier action was taken back.
    Undone,
    /// Something that is no decision about recommendations.
    #[default]
    #[serde(other)]
    Other,
}

impl ActionKind {
    /// Returns the kind's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Dismissed => "dismissed",
            Self::Accepted => "accepted",
            Self::Undone => "undone",
            Self::Other => "other",
        }
    }
}

/// One place of a workflow file that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The file, relative to the project.
    pub file: String,
    /// The key that was added, as in `steps.test.timeout`.
    pub key: String,
    /// Its value as TOML.
    pub value: String,
    /// The hash of the file before.
    pub before: Digest,
    /// The hash of the file after.
    pub after: Digest,
    /// Where the texts differ, in bytes from the start.
    pub place: usize,
    /// What stood there.
    pub old: String,
    /// What stands there since.
    pub new: String,
}

impl Action {
    /// Returns an action of this kind about a recommendation, with what was known of it then.
    pub fn about(kind: ActionKind, advice: &Advice, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            workflow: advice.workflow.clone(),
            step: advice.step.clone(),
            recommendation: Some(advice.id.clone()),
            rule: Some(advice.rule.clone()),
            title: Some(advice.title.clone()),
            evidence: advice.evidence.clone(),
            n: Some(advice.n),
            confidence: Some(advice.confidence),
            expected: Some(advice.gain),
            ..Self::default()
        }
    }
}

/// What was decided about recommendations: the actions that stand, and those that were taken back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decisions {
    /// Applied, dismissed and accepted, by time: (id, action).
    pub all: Vec<(String, Action)>,
    /// The ids of those that were taken back.
    pub undone: BTreeSet<String>,
}

/// Where a recommendation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// Nothing was decided.
    Open,
    /// It was carried out.
    Applied,
    /// It was turned down.
    Dismissed,
    /// A decision was taken back: it is open again.
    Undone,
}

impl Life {
    /// Returns whether a person has still to decide.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Undone)
    }

    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Applied => "applied",
            Self::Dismissed => "dismissed",
            Self::Undone => "undone",
        }
    }
}

impl Decisions {
    /// Returns what actions, by id, come to.
    pub fn of(actions: BTreeMap<String, Action>) -> Self {
        let undone = actions.values().filter_map(|action| action.undoes.clone()).collect();
        let mut all: Vec<(String, Action)> = actions
            .into_iter()
            .filter(|(_, action)| !matches!(action.kind, ActionKind::Undone | ActionKind::Other))
            .collect();
        all.sort_by(|(a, one), (b, other)| one.at.cmp(&other.at).then(a.cmp(b)));
        Self { all, undone }
    }

    /// Returns the actions that were not taken back, oldest first.
    pub fn standing(&self) -> impl DoubleEndedIterator<Item = &(String, Action)> {
        self.all.iter().filter(|(id, _)| !self.undone.contains(id))
    }

    /// Returns where a recommendation stands.
    pub fn life(&self, recommendation: &str) -> Life {
        let about = |(_, action): &&(String, Action)| action.recommendation.as_deref() == Some(recommendation);
        match self.standing().rev().find(about).map(|(_, action)| action.kind) {
            Some(ActionKind::Applied) => Life::Applied,
            Some(ActionKind::Dismissed) => Life::Dismissed,
            _ if self.all.iter().any(|action| about(&action)) => Life::Undone,
            _ => Life::Open,
        }
    }

    /// Returns the recommendations that a person has still to decide.
    pub fn open(&self, mut advice: Vec<Advice>) -> Vec<Advice> {
        advice.retain(|advice| self.life(&advice.id).is_open());
        advice
    }

    /// Returns since when, in milliseconds since 1970, a metric's level of a step counts as the norm; without a step,
    /// of the whole workflow.
    pub fn accepted(&self, metric: &str) -> BTreeMap<(String, Option<String>), i64> {
        let accepted = self.standing().filter(|(_, action)| action.kind == ActionKind::Accepted);
        accepted
            .filter(|(_, action)| action.metric.as_deref() == Some(metric))
            .map(|(_, action)| ((action.workflow.clone(), action.step.clone()), action.at.as_millisecond()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn action(second: i64, kind: ActionKind, recommendation: Option<&str>, undoes: Option<&str>) -> Action {
        let at = Timestamp::from_second(second).expect("in range");
        let own = |text: &str| text.to_owned();
        Action { kind, at, recommendation: recommendation.map(own), undoes: undoes.map(own), ..Action::default() }
    }

    #[test]
    fn life_follows_from_the_actions_that_stand() {
        use ActionKind::{Applied, Dismissed, Undone};
        let of = |actions: &[(&str, Action)]| {
            Decisions::of(actions.iter().map(|(id, action)| ((*id).to_owned(), action.clone())).collect()).life("r")
        };
        let applied = ("a", action(1, Applied, Some("r"), None));
        let undone = ("b", action(2, Undone, Some("r"), Some("a")));
        let dismissed = ("c", action(3, Dismissed, Some("r"), None));
        let other = ("d", action(4, Applied, Some("s"), None));
        for (actions, life) in [
            (&[][..], Life::Open),
            (slice::from_ref(&other), Life::Open),
            (slice::from_ref(&applied), Life::Applied),
            (&[applied.clone(), undone.clone()], Life::Undone),
            (&[applied.clone(), undone.clone(), dismissed.clone()], Life::Dismissed),
            (&[dismissed.clone(), applied.clone()], Life::Dismissed),
            (&[applied.clone(), dismissed, ("e", action(5, Undone, Some("r"), Some("c")))], Life::Applied),
        ] {
            assert_eq!(of(actions), life, "{actions:?}");
        }
    }

    #[test]
    fn an_action_survives_its_file_and_other_kinds_are_no_decisions() {
        let whole = Action {
            expected: Some(Gain { low: 1.0, median: 2.0, high: 3.5 }),
            edit: Some(Edit {
                file: "ci.toml".into(),
                key: "steps.a.timeout".into(),
                value: "\"3s\"".into(),
                before: Digest::of(b"a"),
                after: Digest::of(b"b"),
                place: 7,
                old: String::new(),
                new: "timeout = \"3s\"\n".into(),
            }),
            evidence: vec!["e".into()],
            ..action(1, ActionKind::Applied, Some("r"), None)
        };
        let text = toml::to_string(&whole).expect("TOML");
        assert_eq!(toml::from_str::<Action>(&text).expect("an action"), whole);
        let purged: Action = toml::from_str("kind = \"purged\"\nrecords = [\"x\"]").expect("tolerated");
        assert_eq!(Decisions::of(BTreeMap::from([("p".to_owned(), purged)])), Decisions::default());
    }
}
