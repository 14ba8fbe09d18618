//! `meow status --watch`: what runs now, from the journals of other processes, until nothing does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::Context;
use crate::cli::execute::{left, name};
use crate::error::{Error, Kind, Result};
use crate::git::Repository;
use crate::record::{Attempt, ExecutionId, Outcome};
use crate::report::format::duration as time;
use crate::store::journal::{JournalContent, State};
use crate::store::spool::{Spool, Spooled};

/// How often the journals are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Digits of ids that people read.
const SHORT: usize = 8;
/// Most running steps that are shown of one execution.
const MOST: usize = 12;

/// Watches the executions that run, or the one whose id starts with `prefix`, until they have ended or a person interrupts.
///
/// # Errors
/// The spool cannot be read, or the output not be written.
pub fn watch(repository: &Repository, prefix: Option<&str>, context: &Context) -> Result<u8> {
    let spool = Spool::new(&repository.private_dir());
    let interrupts = interrupts()?;
    let mut watch = Watch { context, screen: screen(context), told: BTreeMap::new(), over: BTreeSet::new() };
    loop {
        let wanted = |spooled: &Spooled| prefix.is_none_or(|prefix| spooled.execution.to_string().starts_with(prefix));
        let runs = watch.look(spool.list()?.into_iter().filter(wanted))?;
        if !runs {
            if let Some(screen) = &watch.screen {
                screen.finish_and_clear();
            }
            if watch.told.is_empty() {
                context.terminal.result("nothing runs")?;
            }
            return Ok(0);
        }
        if interrupts.recv_timeout(LOOK).is_ok() {
            if let Some(screen) = &watch.screen {
                screen.finish_and_clear();
            }
            return Ok(0);
        }
    }
}

/// Returns what hears of the keys and signals that end the watching.
fn interrupts() -> Result<Receiver<i32>> {
    let refused = |error: std::io::Error| Error::new(Kind::Bug, "no signal handlers").cause(error);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(refused)?;
    let (sender, interrupts) = mpsc::channel();
    let hear = move || {
        for signal in signals.forever() {
            // Whoever watched is gone, and the program with it.
            let _ = sender.send(signal);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(hear).map_err(refused)?;
    Ok(interrupts)
}

fn screen(context: &Context) -> Option<ProgressBar> {
    context.terminal.draws().then(|| {
        let style = ProgressStyle::with_template("{msg}").expect("a template that is part of the program");
        ProgressBar::new_spinner().with_style(style)
    })
}

/// What was seen so far.
struct Watch<'a> {
    context: &'a Context,
    screen: Option<ProgressBar>,
    /// By execution that was seen running: how many ends of attempts were told.
    told: BTreeMap<ExecutionId, usize>,
    /// Those whose end was told.
    over: BTreeSet<ExecutionId>,
}

impl Watch<'_> {
    /// Looks at the journals once; returns whether something runs.
    fn look(&mut self, journals: impl Iterator<Item = Spooled>) -> Result<bool> {
        let mut drawn = String::new();
        let mut seen = BTreeSet::new();
        for spooled in journals {
            if self.over.contains(&spooled.execution) {
                continue;
            }
            // One that is being sealed may go while it is read.
            let Ok(journal) = spooled.read() else { continue };
            let known = self.told.contains_key(&spooled.execution);
            if journal.state != State::Running && !known {
                self.over.insert(spooled.execution);
                continue;
            }
            seen.insert(spooled.execution);
            self.tell_ends(spooled.execution, &journal)?;
            if journal.state == State::Running {
                self.draw(&journal, &mut drawn);
            } else {
                self.over.insert(spooled.execution);
                self.say(&end(&journal))?;
            }
        }
        let lost: Vec<ExecutionId> =
            self.told.keys().filter(|id| !seen.contains(id) && !self.over.contains(id)).copied().collect();
        for id in lost {
            self.over.insert(id);
            self.say(&format!("{} has ended", short(id)))?;
        }
        if let Some(screen) = &self.screen {
            screen.set_message(drawn.trim_end().to_owned());
            screen.tick();
        }
        Ok(self.told.keys().any(|id| !self.over.contains(id)))
    }

    /// Says which attempts ended since the last look; what had ended before the first one is not said.
    fn tell_ends(&mut self, id: ExecutionId, journal: &JournalContent) -> Result<()> {
        let ended: Vec<&Attempt> = journal.attempts.iter().filter(|one| one.duration_ms.is_some()).collect();
        let before = self.told.insert(id, ended.len()).unwrap_or(ended.len());
        for attempt in ended.iter().skip(before) {
            let took = attempt.duration_ms.map(time).unwrap_or_default();
            let word = match attempt.outcome {
                Outcome::Passed => "pass",
                Outcome::Failed => "fail",
                Outcome::Cancelled => "stop",
            };
            let again = if attempt.attempt > 1 { format!("  attempt {}", attempt.attempt) } else { String::new() };
            let workflow = name(&journal.execution.workflow);
            self.say(&format!("{word}  {workflow}  {}  {took}{again}", name(&attempt.step)))?;
        }
        Ok(())
    }

    /// Draws an execution that runs: how far it is, what is left, and its running steps.
    fn draw(&self, journal: &JournalContent, drawn: &mut String) {
        let now = self.context.settings.clock.now();
        let now_ms = now.duration_since(journal.execution.started_at).as_secs_f64().max(0.0) * 1e3;
        let passed: BTreeSet<&str> =
            journal.attempts.iter().filter(|one| one.outcome == Outcome::Passed).map(step).collect();
        let failed: BTreeSet<&str> =
            journal.attempts.iter().filter(|one| one.outcome == Outcome::Failed).map(step).collect();
        let failed = failed.difference(&passed).count();
        let mut line =
            format!("{} {}  {}", name(&journal.execution.workflow), short(journal.execution.id), passed.len());
        if let Some(outline) = &journal.outline {
            line.push_str(&format!(" of {}", outline.count()));
        }
        line.push_str(" steps passed");
        if failed > 0 {
            line.push_str(&format!(", {failed} failed"));
        }
        line.push_str(&format!("  {}", time(now_ms)));
        if let Some(pace) = journal.outline.as_ref().and_then(|outline| outline.pace(&journal.attempts)) {
            line.push_str(&format!(", {}", left(pace.remaining_ms(now_ms), pace.factor(now_ms))));
        }
        // Writing to a string cannot fail.
        let _ = writeln!(drawn, "{line}");
        let running = journal.attempts.iter().filter(|one| one.duration_ms.is_none());
        for attempt in running.clone().take(MOST) {
            let since = now_ms - f64::from(u32::try_from(attempt.started_ms).unwrap_or(u32::MAX));
            let expected =
                attempt.predicted.map(|known| format!(" of about {}", time(known.p50_ms))).unwrap_or_default();
            let _ = writeln!(drawn, "  {}  {}{expected}", name(&attempt.step), time(since.max(0.0)));
        }
        let more = running.count().saturating_sub(MOST);
        if more > 0 {
            let _ = writeln!(drawn, "  and {more} more");
        }
    }

    fn say(&self, line: &str) -> Result<()> {
        match &self.screen {
            Some(screen) => screen.suspend(|| self.context.terminal.result(line)),
            None => self.context.terminal.result(line),
        }
    }
}

fn step(attempt: &Attempt) -> &str {
    &attempt.step
}

fn end(journal: &JournalContent) -> String {
    let execution = &journal.execution;
    let what = format!("{} {}", name(&execution.workflow), short(execution.id));
    match (journal.state, execution.duration_ms) {
        (State::Finished, Some(took)) => format!("{what} {} in {}", execution.outcome.word(), time(took)),
        (State::Finished, None) => format!("{what} {}", execution.outcome.word()),
        _ => format!("{what} was interrupted: its program died"),
    }
}

fn short(id: ExecutionId) -> String {
    id.to_string().chars().take(SHORT).collect()
}
