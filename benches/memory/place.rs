//! Repositories made for a measurement: segments committed one by one, in one pack, with their checkout where that is wanted.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use meow::store::segment;

use super::Outcome;
use super::replay::Replay;

/// A repository with segments.
pub struct Place {
    /// Its work tree.
    pub top: PathBuf,
    /// Segments that it holds.
    pub segments: usize,
    /// Rows in them.
    pub rows: usize,
    /// The ids of their blobs, one a line.
    pub blobs: String,
}

impl Place {
    /// Makes a repository of so many segments of so many executions each; `checkout` puts them into the work tree too.
    pub fn make(
        top: &Path,
        replay: &mut Replay,
        (segments, executions): (usize, usize),
        checkout: bool,
    ) -> Outcome<Self> {
        fs::create_dir_all(top)?;
        git(top, &["init", "--quiet", "--initial-branch=main"])?;
        let mut import =
            Command::new("git").args(["fast-import", "--quiet"]).current_dir(top).stdin(Stdio::piped()).spawn()?;
        let mut stream = std::io::BufWriter::new(import.stdin.take().ok_or("no pipe")?);
        let (mut rows, mut paths) = (0, Vec::new());
        for _ in 0..segments {
            let records = replay.batch(executions);
            rows += records.len();
            let bytes = segment::encode(&records)?;
            let sealed = records.last().map_or(Timestamp::UNIX_EPOCH, |record| record.execution.started_at);
            let path = format!(".meow/{}", segment::place(&records, "0123456789ab", sealed, &bytes));
            let time = sealed.as_second();
            write!(stream, "commit refs/heads/main\ncommitter a <a@b> {time} +0000\ndata 1\nx\n")?;
            write!(stream, "M 100644 inline {path}\ndata {}\n", bytes.len())?;
            stream.write_all(&bytes)?;
            stream.write_all(b"\n")?;
            if checkout {
                let file = top.join(&path);
                fs::create_dir_all(file.parent().unwrap_or(top))?;
                fs::write(file, &bytes)?;
            }
            paths.push(path);
        }
        drop(stream);
        if !import.wait()?.success() {
            return Err("git fast-import failed".into());
        }
        if checkout {
            git(top, &["read-tree", "HEAD"])?;
            // As in every checkout: the index knows sizes and times, so that nobody hashes all files again.
            git(top, &["update-index", "--refresh"])?;
        }
        let listed = git(top, &["ls-tree", "-r", "--format=%(objectname)", "HEAD", ".meow/records"])?;
        Ok(Self { top: top.to_path_buf(), segments, rows, blobs: listed })
    }

    /// Forgets what meow derived.
    pub fn without_cache(&self) -> Outcome<()> {
        match fs::remove_dir_all(self.top.join(".git/meow/cache")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Runs git; returns what it printed.
pub fn git(folder: &Path, args: &[&str]) -> Outcome<String> {
    let output = Command::new("git").args(args).current_dir(folder).output()?;
    if !output.status.success() {
        return Err(format!("git {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
