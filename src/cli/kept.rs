//! Pages as they were shown last: where nothing that they say has changed, they are shown again without reading a record.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::Context;
use crate::learn;
use crate::record::Digest;
use crate::store;

/// The page that a person asks for, and what stands behind it.
pub struct Asked {
    file: PathBuf,
    key: Digest,
}

/// What is kept of a page.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: Digest,
    /// From when to when it says the same, in milliseconds since 1970: what a page says of a week changes with time.
    from_ms: i64,
    until_ms: i64,
    page: String,
}

impl Asked {
    /// Returns what is asked for: a page called `name` that says what the history with this mark and the `rest` say.
    /// `folder` is one of meow's own, the repository's or the person's. `None` where that cannot be told.
    pub fn new(
        folder: Option<&Path>,
        name: &str,
        mark: Option<Digest>,
        rest: &impl Debug,
        context: &Context,
    ) -> Option<Self> {
        let build = build(&context.settings.program)?;
        let width = context.terminal.width;
        let text = format!("{} {} {build} {width} {:?} {rest:?}", learn::FORMAT, env!("CARGO_PKG_VERSION"), mark?);
        let file = folder?.join(store::cache::FOLDER).join("pages").join(format!("{name}.json"));
        Some(Self { file, key: Digest::of(text.as_bytes()) })
    }

    /// Returns the page where it was kept and still holds.
    pub fn again(&self, context: &Context) -> Option<String> {
        let now = context.settings.clock.now().as_millisecond();
        let kept = store::cache::get::<Kept>(&self.file).filter(|kept| kept.key == self.key)?;
        (kept.from_ms <= now && now < kept.until_ms).then_some(kept.page)
    }

    /// Keeps the page, which says the same until then (milliseconds since 1970).
    pub fn keep(self, page: &str, until_ms: i64, context: &Context) {
        let from_ms = context.settings.clock.now().as_millisecond();
        let kept = Kept { key: self.key, from_ms, until_ms, page: page.to_owned() };
        if let Err(error) = store::cache::put(&self.file, &kept) {
            context.terminal.detail(&format!("the page is not kept for the next time: {error}"));
        }
    }
}

/// Returns what tells this build of meow from another one of the same version.
fn build(program: &Path) -> Option<String> {
    let file = program.metadata().ok()?;
    let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", file.len(), changed.as_nanos()))
}
