//! The handle that stops an execution from outside: pulled once it ends gently, pulled again at once.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::drive::Wake;

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

    /// Lets SIGINT, SIGTERM and SIGHUP pull the handle from now on.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub fn on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let stop = self.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for _ in signals.forever() {
                stop.pull();
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
