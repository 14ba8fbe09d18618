//! Drives a plan with real processes and tells what happens as a stream of events.

pub mod event;

pub use event::{Ending, Event, Usage};
