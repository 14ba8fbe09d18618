//! What objects cost: the bytes that they take in packs, or as loose files.

use gix::odb::pack::Find;

use super::{Oid, Repository, trouble};
use crate::error::Result;

impl Repository {
    /// Returns how many bytes these objects take in the object database, compressed as they are; absent ones take none.
    ///
    /// # Errors
    /// A pack cannot be read.
    pub fn stored_bytes(&self, ids: impl IntoIterator<Item = Oid>) -> Result<u64> {
        let wrong = || format!("the objects of {} cannot be read", self.common_dir().display());
        let mut handle = (*self.inner.objects).clone();
        handle.prevent_pack_unload();
        handle.ignore_replacements = true;
        let objects = self.common_dir().join("objects");
        let (mut bytes, mut buffer) = (0, Vec::new());
        for id in ids {
            let loose = || {
                let hex = id.to_string();
                objects.join(&hex[..2]).join(&hex[2..]).metadata().map_or(0, |file| file.len())
            };
            let packed = handle.location_by_oid(&id.0, &mut buffer).map_err(trouble(wrong()))?;
            bytes += packed.map_or_else(loose, |packed| packed.entry_size as u64);
        }
        Ok(bytes)
    }
}
