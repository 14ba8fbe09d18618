//! What the person's environment says must not be kept, for the room that cleans texts.

use std::sync::OnceLock;

use super::settings::Settings;
use crate::redact::{Known, Redactor};

/// Where Linux tells the machine's name; elsewhere only the environment does.
const HOST: &str = "/proc/sys/kernel/hostname";

/// Returns what cleans texts that are kept or shown beside the record; see [`known`].
pub fn redactor<'a>(settings: &Settings, more: impl IntoIterator<Item = (&'a String, &'a String)>) -> Redactor {
    Redactor::new(&known(settings, more))
}

/// Returns what is known of the person and the machine.
///
/// `more` are variables that the environment does not hold, such as those of a workflow's steps.
pub fn known<'a>(settings: &Settings, more: impl IntoIterator<Item = (&'a String, &'a String)>) -> Known {
    let lossy = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let environment = settings.environment.iter().map(|(name, value)| (lossy(name), lossy(value)));
    let variables = environment.chain(more.into_iter().map(|(name, value)| (name.clone(), value.clone()))).collect();
    let hosts = std::fs::read_to_string(HOST).into_iter().collect();
    Known { variables, hosts }
}

/// A redactor that is made once somebody needs it: an execution that passes shows no output.
#[derive(Debug)]
pub struct Lazy {
    known: Known,
    made: OnceLock<Redactor>,
}

impl Lazy {
    /// Returns one of what is [`known`].
    pub fn new(known: Known) -> Self {
        Self { known, made: OnceLock::new() }
    }

    /// Returns the redactor.
    pub fn get(&self) -> &Redactor {
        self.made.get_or_init(|| Redactor::new(&self.known))
    }
}
