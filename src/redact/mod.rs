//! Text in, text out without secrets; and text that is safe to show.

pub mod inert;
pub mod tail;
