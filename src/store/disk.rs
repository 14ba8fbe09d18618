//! The few calls by which the store changes files, in one place: what a crash leaves of each of them is tested below.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

#[cfg(test)]
use log::{Call, log};

/// Makes a folder and those above it, so that a crash does not take them away again.
pub(super) fn make_folders(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        #[cfg(test)]
        log(|| Call::Make(folder.to_path_buf()));
        sync_folder(parent(folder))?;
    }
    Ok(())
}

/// Begins a file under a name of its own that starts with `prefix`; dropped, it is gone.
pub(super) fn begin(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // As the umask leaves it, like every other file of a work tree; the default would be 0600.
    let file =
        tempfile::Builder::new().prefix(prefix).permissions(fs::Permissions::from_mode(0o666)).tempfile_in(folder)?;
    #[cfg(test)]
    log(|| Call::Create(log::number(file.as_file()), file.path().to_path_buf()));
    Ok(file)
}

/// Writes at the end of a file, with one call where the system takes it whole.
pub(super) fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    #[cfg(test)]
    log(|| Call::Write(log::number(file), bytes.to_vec()));
    Ok(())
}

/// Waits until what was written to a file is on the disk.
pub(super) fn sync(file: &File) -> io::Result<()> {
    file.sync_data()?;
    #[cfg(test)]
    log(|| Call::Sync(log::number(file)));
    Ok(())
}

/// Gives a begun file its name, in the place of what is there.
pub(super) fn put(file: NamedTempFile, path: &Path) -> io::Result<File> {
    #[cfg(test)]
    let from = file.path().to_path_buf();
    let file = file.persist(path).map_err(|error| error.error)?;
    #[cfg(test)]
    log(|| Call::Rename(from, path.to_path_buf()));
    Ok(file)
}

/// Gives a begun file its name, or fails where there is a file.
pub(super) fn put_new(file: NamedTempFile, path: &Path) -> io::Result<File> {
    #[cfg(test)]
    let from = file.path().to_path_buf();
    let file = file.persist_noclobber(path).map_err(|error| error.error)?;
    #[cfg(test)]
    log(|| Call::Rename(from, path.to_path_buf()));
    Ok(file)
}

/// Removes a file; one that is gone already is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    #[cfg(test)]
    log(|| Call::Remove(path.to_path_buf()));
    Ok(())
}

/// Waits until the names in a folder are on the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    #[cfg(test)]
    log(|| Call::SyncFolder(folder.to_path_buf()));
    Ok(())
}

/// Returns the folder that a path lies in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
pub(super) mod log;
#[cfg(test)]
pub(super) mod states;
