//! The handle that stops an execution from outside: pulled once it ends gently, pulled again at once.
//!
//! Signals pull it: SIGINT, SIGTERM and SIGHUP once, SIGQUIT, which ends a program on the spot, twice. What meow was started
//! with as ignored stays so: `nohup` means what it says, and a shell keeps the keys of its terminal from what it runs in
//! the background.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::drive::Wake;
use crate::clock::Clock;

/// How long an execution whose steps were killed may take to end, before a further signal ends meow itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stops an execution: the first pull starts nothing more and asks what runs to end, the second kills it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pulls: AtomicU32,
    listener: Mutex<Option<Sender<Wake>>>,
}

impl Stop {
    /// Pulls the handle.
    pub fn pull(&self) {
        self.0.pulls.fetch_add(1, Ordering::SeqCst);
        let listener = self.0.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = &*listener {
            // Nobody listens any more once the execution is over.
            let _ = listener.send(Wake::Look);
        }
    }

    /// Lets signals pull the handle from now on. Where that has killed what runs and meow goes on, since nobody reads what
    /// it says, a further one ends meow.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub fn on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new(heard(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT]))?;
        let (stop, clock) = (self.clone(), Clock::system());
        let mut killed = None;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                if killed.is_some_and(|at| clock.elapsed().saturating_sub(at) > PATIENCE) {
                    // It cannot be refused for a signal that was heard.
                    let _ = emulate_default_handler(signal);
                }
                stop.pull();
                if signal == SIGQUIT {
                    stop.pull();
                }
                if stop.pulls() > 1 {
                    killed.get_or_insert(clock.elapsed());
                }
            }
        })?;
        Ok(())
    }

    /// Returns how often the handle was pulled.
    pub fn pulls(&self) -> u32 {
        self.0.pulls.load(Ordering::SeqCst)
    }

    pub(super) fn wake(&self, listener: Sender<Wake>) {
        *self.0.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }
}

/// Returns those of some signals that meow was not started with as ignored.
#[expect(unsafe_code, reason = "nothing safe tells what becomes of a signal")]
pub(super) fn heard(signals: &[i32]) -> Vec<i32> {
    let is_heard = |signal: &i32| {
        // SAFETY: it only asks, and fills the local, for which zeros are valid. Numbers that are no signal are refused.
        let held = unsafe {
            let mut held: libc::sigaction = std::mem::zeroed();
            libc::sigaction(*signal, std::ptr::null(), &raw mut held);
            held
        };
        held.sa_sigaction != libc::SIG_IGN
    };
    signals.iter().copied().filter(is_heard).collect()
}
