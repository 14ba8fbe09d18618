//! Who hears what when: an event is kept before the next process starts, and shown once there is time.

use std::sync::PoisonError;
use std::sync::mpsc::{self, Sender};
use std::thread::{Builder, Scope};

use super::Drive;

/// Has what was kept shown by a thread of its own. Nobody reads it, or a terminal is held: that thread waits, and not the
/// one that watches over time limits.
pub(super) struct Teller(Option<Sender<()>>);

impl Drive<'_> {
    /// Returns who shows what the first thread has kept; the thread ends once nobody can call it any more.
    pub(super) fn teller<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Teller {
        let (call, calls) = mpsc::channel();
        let thread = Builder::new().name("teller".to_owned()).stack_size(256 * 1024);
        let thread = thread.spawn_scoped(scope, move || calls.into_iter().for_each(|()| self.show()));
        Teller(thread.is_ok().then_some(call))
    }

    /// Has everybody told what happened, in order, without waiting for those to whom it is shown.
    pub(super) fn tell_by(&self, teller: &Teller) {
        self.keep();
        match &teller.0 {
            _ if self.state().unshown.is_empty() => {}
            // It is there until the teller is gone.
            Some(call) => drop(call.send(())),
            None => self.show(),
        }
    }

    /// Tells everybody what happened, in order.
    pub(super) fn tell(&self) {
        self.keep();
        self.show();
    }

    /// Has what happened kept, in order; all of it is once this returns.
    pub(super) fn keep(&self) {
        let mut keep = self.keep.lock().unwrap_or_else(PoisonError::into_inner);
        let events = std::mem::take(&mut self.state().events);
        if !events.is_empty() {
            keep(&events);
            self.state().unshown.extend(events);
        }
    }

    /// Shows what was kept, in order. Where another thread is showing, it shows this too.
    pub(super) fn show(&self) {
        while let Ok(mut show) = self.show.try_lock() {
            let mut state = self.state();
            let events = std::mem::take(&mut state.unshown);
            if events.is_empty() {
                // Let go before the state is: who adds an event after this can show it.
                drop(show);
                return;
            }
            drop(state);
            show(&events);
        }
    }
}
