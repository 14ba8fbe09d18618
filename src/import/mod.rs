//! Other tools' files, read into the same records.
