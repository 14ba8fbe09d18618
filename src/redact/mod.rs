//! Text in, text out without secrets; and text that is safe to show.

mod arguments;
pub mod cause;
mod encoded;
mod forms;
pub mod inert;
mod names;
mod normal;
mod people;
mod providers;
mod redactor;
#[cfg(test)]
mod samples;
pub mod tail;
mod values;

pub use redactor::{Known, Redactor};
