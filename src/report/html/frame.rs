//! The frame of a page: one file that asks the network for nothing and runs nothing.

use super::escape;

/// How pages look; light and dark, wide, narrow and printed.
const STYLE: &str = include_str!("style.css");

/// Nothing may be fetched, run, framed or sent from a page; its own style is all that it may use.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Returns a whole page around `body`, which is HTML; `title` is text.
pub fn page(title: &str, body: &str) -> String {
    let title = escape::text(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n{body}\n</body>\n</html>\n"
    )
}
