//! Who hears what when: an event is kept before the next process starts, and shown once there is time.

use std::sync::PoisonError;

use super::Drive;

impl Drive<'_> {
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
