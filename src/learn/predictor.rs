//! What is predicted of an attempt, from a bounded summary a series.

use std::collections::HashMap;

use super::replay::{Came, Known, Predicted, Predictor};
use super::spread;
use crate::record::Outcome;
use crate::scan::Name;

/// How many of the latest durations of a series are kept.
const KEPT: usize = 60;

/// Predicts attempts as plans do.
#[derive(Debug, Clone, Default)]
pub struct Forecaster {
    durations: HashMap<(u32, Name, Name), Vec<f64>>,
}

impl Predictor for Forecaster {
    fn predict(&mut self, known: &Known) -> Predicted {
        let series = (known.repository, known.workflow, known.step);
        let durations = self.durations.get(&series).and_then(|durations| spread::predict(durations));
        Predicted { duration_ms: durations, failure: None }
    }

    fn observe(&mut self, known: &Known, came: &Came, _: &Predicted) {
        if came.outcome == Outcome::Passed && came.duration_ms.is_finite() && came.duration_ms >= 0.0 {
            let kept = self.durations.entry((known.repository, known.workflow, known.step)).or_default();
            kept.push(came.duration_ms);
            if kept.len() > KEPT {
                kept.remove(0);
            }
        }
    }
}
