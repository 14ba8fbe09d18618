//! While it runs: live lines on a terminal, one plain line per end of a step anywhere else.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::forecast::{milliseconds, name, range};
use super::summary::told;
use crate::cli::terminal::Terminal;
use crate::execute::{Ending, Event};
use crate::plan::{Interval, Known, Pace, Plan, Skip};
use crate::report::format::{count, duration as time};
use crate::workflow::StepId;

/// Shows an execution as it happens.
pub(super) struct Progress<'a> {
    terminal: &'a Terminal,
    known: BTreeMap<StepId, Interval>,
    /// Steps that nobody needs to be told are left out: a person left them out, or they had passed before.
    silent: BTreeSet<StepId>,
    live: Option<Live>,
}

/// What is drawn on a terminal.
struct Live {
    screen: MultiProgress,
    overall: ProgressBar,
    running: RefCell<BTreeMap<StepId, ProgressBar>>,
    places: BTreeMap<StepId, usize>,
    left: Arc<Mutex<Left>>,
}

/// The time left, worked out anew at most so often: for thousands of steps that takes milliseconds.
struct Left {
    pace: Pace,
    /// When it was worked out, and what came out.
    told: Option<(f64, f64)>,
}

/// How long a time left is counted down before it is worked out anew, in milliseconds.
const COUNTED_DOWN_MS: f64 = 1_000.0;

impl<'a> Progress<'a> {
    /// Returns the view; with `questions` to a person nothing is drawn, because drawing would run over them.
    pub(super) fn new(plan: &Plan, terminal: &'a Terminal, keep_going: bool, questions: bool) -> Self {
        let known = plan.steps.iter().filter_map(|step| Some((step.id().clone(), step.hint.duration_ms?))).collect();
        let is_silent = |skip: &Skip| matches!(skip, Skip::NotSelected | Skip::Passed(_));
        let silent = plan.steps.iter().filter(|step| step.skip.as_ref().is_some_and(is_silent));
        let silent = silent.map(|step| step.id().clone()).collect();
        Self { terminal, known, silent, live: (terminal.draws() && !questions).then(|| Live::new(plan, keep_going)) }
    }

    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::AttemptStarted { step, attempt, started_ms, .. } => {
                if let Some(live) = &self.live {
                    live.pace(step, |pace, at| pace.started(at, milliseconds(*started_ms)));
                    live.start(step, *attempt, self.known.get(step));
                }
            }
            Event::AttemptFinished { step, attempt, duration_ms, ending, .. } => {
                if let Some(live) = &self.live {
                    live.pace(step, |pace, at| pace.ended(at, *duration_ms, ending.passed()));
                    live.finish(step);
                }
                if self.terminal.talks() {
                    self.say(&self.ended(step, *attempt, *duration_ms, ending));
                }
            }
            Event::LimitNear { step, ran_ms, limit_ms, .. } => {
                let ran = time(milliseconds(*ran_ms));
                let then = match limit_ms {
                    Some(limit_ms) => format!("and will be stopped at {}", time(milliseconds(*limit_ms))),
                    None => "far longer than any attempt that passed".to_owned(),
                };
                self.say(&format!("slow  {}  has run {ran} {then}", name(step.as_str())));
            }
            Event::RetryScheduled { step, attempt, wait_ms, known } => {
                if let Some(live) = &self.live {
                    let now_ms = live.overall.elapsed().as_secs_f64() * 1e3;
                    live.pace(step, |pace, at| pace.retried(at, now_ms + milliseconds(*wait_ms)));
                    live.overall.set_position(live.overall.position().saturating_sub(1));
                }
                let wait = time(milliseconds(*wait_ms));
                let why = known.map(|known| why(&known)).unwrap_or_default();
                self.say(&format!("wait  {}  attempt {attempt} in {wait}{why}", name(step.as_str())));
            }
            Event::StepSkipped { step, .. } if self.silent.contains(step) => {}
            Event::StepSkipped { step, reason } => {
                self.say(&format!("skip  {}  {}", name(step.as_str()), name(reason)));
            }
            Event::StepUndone { step, duration_ms, ending } => {
                let how = if ending.passed() { String::new() } else { format!("  {}", told(ending)) };
                self.say(&format!("undo  {}  {}{how}", name(step.as_str()), time(*duration_ms)));
            }
            Event::Warned { what } => self.off_screen(|| self.terminal.warn(&name(what))),
            Event::Started { .. } | Event::Finished { .. } => {}
        }
    }

    /// Takes everything drawn off the screen.
    pub(super) fn end(&self) {
        if let Some(live) = &self.live {
            live.overall.finish_and_clear();
            // A terminal that went away needs no cleaning.
            let _ = live.screen.clear();
        }
    }

    fn ended(&self, step: &StepId, attempt: u32, duration_ms: f64, ending: &Ending) -> String {
        let word = match ending {
            Ending::Exited { code: 0 } => self.terminal.painted("32", "pass"),
            Ending::Cancelled => self.terminal.painted("33", "stop"),
            _ => self.terminal.painted("31", "fail"),
        };
        let mut line = format!("{word}  {}  {}", name(step.as_str()), time(duration_ms));
        if let Some(known) = self.known.get(step) {
            line.push_str(&format!(" (predicted {})", range(known.p50, known.p90)));
        }
        if attempt > 1 {
            line.push_str(&format!("  attempt {attempt}"));
        }
        if !ending.passed() && *ending != Ending::Cancelled {
            line.push_str(&format!("  {}", told(ending)));
        }
        line
    }

    fn say(&self, line: &str) {
        self.off_screen(|| self.terminal.say(line));
    }

    fn off_screen(&self, print: impl FnOnce()) {
        match &self.live {
            Some(live) => live.screen.suspend(print),
            None => print(),
        }
    }
}

impl Live {
    fn new(plan: &Plan, keep_going: bool) -> Self {
        let screen = MultiProgress::new();
        let overall = screen.add(ProgressBar::new(plan.prediction.steps as u64));
        let left = Arc::new(Mutex::new(Left { pace: Pace::of(plan, keep_going), told: None }));
        let style = if plan.prediction.duration_ms.is_some() {
            let left = Arc::clone(&left);
            let words = move |state: &ProgressState, out: &mut dyn Write| {
                let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
                // Drawing to a string cannot fail.
                let _ = out.write_str(&left.words(state.elapsed().as_secs_f64() * 1e3));
            };
            style("{bar:24} {pos}/{len} steps  {elapsed}, {left}").with_key("left", words)
        } else {
            style("{bar:24} {pos}/{len} steps  {elapsed}")
        };
        overall.set_style(style);
        overall.enable_steady_tick(Duration::from_millis(200));
        let places = plan.order.iter().map(|index| (plan.steps[index.at()].id().clone(), index.at())).collect();
        Self { screen, overall, running: RefCell::default(), places, left }
    }

    /// Tells the pace what happened to a step.
    fn pace(&self, step: &StepId, tell: impl FnOnce(&mut Pace, usize)) {
        if let Some(&at) = self.places.get(step) {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            tell(&mut left.pace, at);
            left.told = None;
        }
    }

    fn start(&self, step: &StepId, attempt: u32, known: Option<&Interval>) {
        let line = self.screen.insert_before(&self.overall, ProgressBar::new_spinner());
        line.set_style(style("{spinner} {prefix}  {elapsed}{msg}"));
        let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        line.set_prefix(format!("{}{again}", name(step.as_str())));
        line.set_message(known.map(|known| format!(" of {}", range(known.p50, known.p90))).unwrap_or_default());
        line.enable_steady_tick(Duration::from_millis(200));
        self.running.borrow_mut().insert(step.clone(), line);
    }

    fn finish(&self, step: &StepId) {
        if let Some(line) = self.running.borrow_mut().remove(step) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        self.overall.inc(1);
    }
}

impl Left {
    fn words(&mut self, now_ms: f64) -> String {
        let (at_ms, left_ms) = match self.told {
            Some(told) if now_ms - told.0 < COUNTED_DOWN_MS => told,
            _ => *self.told.insert((now_ms, self.pace.remaining_ms(now_ms))),
        };
        left(left_ms - (now_ms - at_ms), self.pace.factor(now_ms))
    }
}

/// Returns why an attempt follows that nobody declared.
fn why(known: &Known) -> String {
    let Known { seen, passed } = known;
    format!(": this error was seen {}, and passed on the next try {passed} of them", count(*seen, "time"))
}

/// Returns the time left in words, with the pace where it is far from the predicted one.
pub(in crate::cli) fn left(left_ms: f64, factor: f64) -> String {
    let pace = match factor {
        factor if factor >= 1.1 => format!(", {factor:.1} × slower than predicted"),
        factor if factor <= 1.0 / 1.1 => format!(", {:.1} × faster than predicted", 1.0 / factor),
        _ => String::new(),
    };
    if left_ms > 0.0 { format!("about {} left{pace}", time(left_ms)) } else { format!("about to end{pace}") }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a template that is part of the program")
}
