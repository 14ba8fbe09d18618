//! Records to bytes and back: the journal while an execution runs, Parquet segments for ever, TOML beside them.
