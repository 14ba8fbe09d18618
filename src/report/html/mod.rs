//! Pages as HTML: one file each, readable everywhere, with strangers' text inert.

mod blocks;
pub mod escape;
mod frame;
pub mod number;
mod review;
pub mod svg;

pub use blocks::{blocks, line};
pub use frame::page;
pub use review::review;

use super::document::{Block, Document};

/// Returns a page in words as one HTML file; its first title is the page's.
pub fn html(document: &Document) -> String {
    let title = document.blocks.iter().find_map(|block| match block {
        Block::Title(title) => Some(blocks::plain(title)),
        _ => None,
    });
    page(title.as_deref().unwrap_or("meow"), &format!("<main id=\"content\">\n{}</main>", blocks(&document.blocks)))
}
