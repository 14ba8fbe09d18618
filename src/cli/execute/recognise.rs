//! Failures by what they said: the fingerprint of an error, salted with the project's first commit.

use std::sync::{Arc, Mutex, OnceLock};

use crate::cli::redaction::Lazy;
use crate::execute::{Ending, Recognise};
use crate::git::{Oid, Repository};
use crate::redact::cause::{Fingerprint, lines};

/// Returns what recognises failures of steps that run in `root`, from output that is cleaned first: no hash may hold a
/// secret, and the same error of two people is the same only without their names.
///
/// It gives nothing where the project's first commit is not known, as in a shallow clone that is not told of it in
/// `project`: its fingerprints would be no one else's.
pub(super) fn recogniser(repository: &Repository, root: &str, project: Option<&str>, redactor: Arc<Lazy>) -> Recognise {
    let told = project.and_then(Oid::from_hex);
    let (repository, root) = (Mutex::new(repository.clone()), root.to_owned());
    // Finding it takes a walk through the history, which only failures are worth.
    let project: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    Arc::new(move |_, ending, output| {
        let found = || repository.lock().ok()?.root_commit().ok()?;
        let find = || found().or(told).map(|root| root.bytes().to_vec());
        let project = project.get_or_init(find).as_deref()?;
        let output = match ending {
            Ending::NotStarted { reason } => reason.into(),
            _ => String::from_utf8_lossy(output),
        };
        let redactor = redactor.get();
        let cause = lines(&redactor.clean(&output), &redactor.clean(&root));
        Some(Fingerprint::of(project, &word(ending), &cause))
    })
}

/// Returns how an attempt ended as a word that is the same each time.
fn word(ending: &Ending) -> String {
    match ending {
        Ending::Exited { code } => format!("exit:{code}"),
        Ending::Signaled { signal } => format!("signal:{signal}"),
        Ending::TimedOut { .. } => "timeout".to_owned(),
        Ending::OverLimit { resource, .. } => resource.metric().to_owned(),
        Ending::Cancelled => "cancelled".to_owned(),
        Ending::NotStarted { .. } => "not-started".to_owned(),
    }
}
