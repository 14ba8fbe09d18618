//! How many files meow may have open: more than most shells allow by themselves, where many steps run at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What one slot has open at most at once: both ends of its pipe, the log, the account and the metrics of its step, and what
/// it looks up below `/proc`.
const A_SLOT: u64 = 8;
/// What all of them share, and what meow has open besides.
const OTHERS: u64 = 128;

/// The limit as it was, for as long as it is raised.
#[derive(Debug)]
pub(super) struct Files(Option<Rlimit>);

impl Files {
    /// Raises the limit to what so many slots need, as far as that is allowed.
    pub(super) fn for_slots(slots: usize) -> Self {
        let wanted = OTHERS + A_SLOT * slots as u64;
        let before = getrlimit(Resource::Nofile);
        let most = before.maximum.map_or(wanted, |most| most.min(wanted));
        let raised = before.current.is_some_and(|current| current < most)
            && setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..before }).is_ok();
        Self(raised.then_some(before))
    }

    /// Returns what holds for steps, where it is not what holds for meow: there are programs that count on a low one.
    pub(super) fn of_steps(&self) -> Option<&Rlimit> {
        self.0.as_ref()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            // To lower it is always allowed.
            let _ = setrlimit(Resource::Nofile, before);
        }
    }
}
