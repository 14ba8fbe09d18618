//! Generated text against the file that holds it; `MEOW_BLESS=1` writes the files anew.

use std::path::Path;

/// Asserts that the file at `path` (below the package) holds `text`.
pub fn golden(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("MEOW_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, text).expect("written");
        return;
    }
    let held = std::fs::read_to_string(&file).unwrap_or_default();
    if held == text {
        return;
    }
    let differs = held.lines().zip(text.lines()).position(|(held, text)| held != text);
    let line = differs.unwrap_or_else(|| held.lines().count().min(text.lines().count()));
    panic!(
        "{path} has drifted at line {}; `MEOW_BLESS=1 cargo test` writes it anew\n  held: {}\n   now: {}",
        line + 1,
        held.lines().nth(line).unwrap_or("(end)"),
        text.lines().nth(line).unwrap_or("(end)"),
    );
}
