//! Reading meow's own HTML pages: strictly, so that whatever a stranger's name slipped in is found.

use std::collections::BTreeMap;

/// An element, or a text (without a tag).
#[derive(Debug, Default)]
pub struct Node {
    pub tag: String,
    pub text: String,
    pub attributes: BTreeMap<String, String>,
    pub children: Vec<Node>,
}

/// Elements that a page may hold.
pub const TAGS: [&str; 56] = [
    "a",
    "bdi",
    "body",
    "br",
    "caption",
    "circle",
    "code",
    "data",
    "dd",
    "desc",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "head",
    "header",
    "html",
    "li",
    "line",
    "main",
    "meta",
    "nav",
    "ol",
    "p",
    "path",
    "polyline",
    "rect",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "tspan",
    "ul",
    "pre",
    "em",
];
/// Attributes that a page may hold; none runs anything or fetches anything.
pub const ATTRIBUTES: [&str; 46] = [
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "charset",
    "class",
    "colspan",
    "content",
    "cx",
    "cy",
    "d",
    "data-at",
    "data-value",
    "datetime",
    "dx",
    "dy",
    "height",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
    "open",
    "points",
    "preserveAspectRatio",
    "r",
    "role",
    "rx",
    "scope",
    "tabindex",
    "text-anchor",
    "title",
    "value",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
    "vector-effect",
    "aria-describedby",
    "focusable",
    "data-of",
    "data-to",
    "transform",
];

/// Returns the page's `html` element.
///
/// Panics where a tag is unknown, is not closed, has an unknown attribute, leads out of the page, or where a text holds
/// what a terminal or a reader would be deceived by.
pub fn parse(page: &str) -> Node {
    let rest = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    let mut stack = vec![Node::default()];
    let mut rest = rest;
    while let Some(at) = rest.find('<') {
        text(&rest[..at], stack.last_mut().expect("open"));
        let end = rest[at..].find('>').expect("a tag ends") + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(closing) = tag.strip_prefix('/') {
            let node = stack.pop().expect("open");
            assert_eq!(node.tag, closing, "closed by another tag");
            stack.last_mut().expect("open").children.push(node);
            continue;
        }
        let node = element(tag.trim_end_matches('/'));
        let is_void = tag.ends_with('/') || matches!(node.tag.as_str(), "meta" | "br");
        if is_void {
            stack.last_mut().expect("open").children.push(node);
        } else {
            stack.push(node);
        }
        if stack.last().expect("open").tag == "style" {
            let end = rest.find("</style>").expect("the style ends");
            assert!(!rest[..end].contains(['<', '@']) || !rest[..end].contains("@import"), "the style fetches");
            assert!(!rest[..end].contains("url("), "the style fetches");
            rest = &rest[end..];
        }
    }
    assert!(rest.trim().is_empty() && stack.len() == 1, "something is open: {:?}", stack.last().map(|node| &node.tag));
    stack.remove(0).children.into_iter().find(|node| node.tag == "html").expect("html")
}

fn text(text: &str, into: &mut Node) {
    assert!(!text.contains(['>', '"', '\u{1b}', '\u{202e}', '\u{200b}', '\u{e0041}']), "{text:?}");
    if !text.trim().is_empty() {
        into.children.push(Node { text: plain(text), ..Node::default() });
    }
}

fn plain(text: &str) -> String {
    let known = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let entities = text.matches('&').count();
    let understood: usize = known.iter().map(|(entity, _)| text.matches(entity).count()).sum();
    assert_eq!(entities, understood, "an unknown entity: {text}");
    known.iter().fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

fn element(tag: &str) -> Node {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(TAGS.contains(&name), "<{tag}>");
    let mut node = Node { tag: name.to_owned(), ..Node::default() };
    while !rest.trim().is_empty() {
        let (key, after) = rest.trim_start().split_once('=').unwrap_or((rest.trim(), ""));
        let (key, value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let (value, after) = quoted.split_once('"').expect("a quoted value");
            (key, value, after)
        } else {
            assert!(!rest.contains('='), "a value without quotes: <{tag}>");
            (rest.trim(), "", "")
        };
        assert!(ATTRIBUTES.contains(&key), "{key} in <{tag}>");
        assert!(key != "href" || value.starts_with('#'), "<{tag}> leads out");
        node.attributes.insert(key.to_owned(), plain(value));
        rest = after;
    }
    node
}

impl Node {
    /// Calls `each` with this node and every one below it, outer ones first.
    pub fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a Node)) {
        each(self);
        for child in &self.children {
            child.visit(each);
        }
    }

    /// Returns everything below it with this tag.
    pub fn all(&self, tag: &str) -> Vec<&Node> {
        let mut found = Vec::new();
        self.visit(&mut |node| {
            if node.tag == tag {
                found.push(node);
            }
        });
        found
    }

    /// Returns the text below it.
    pub fn words(&self) -> String {
        let mut words = String::new();
        self.visit(&mut |node| words.push_str(&node.text));
        words
    }

    /// Returns an attribute's value, empty where it is absent.
    pub fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or("", String::as_str)
    }

    /// Returns the number at the start of an attribute, per cent or not.
    pub fn number(&self, attribute: &str) -> f64 {
        let text = self.get(attribute);
        text.trim_end_matches('%').parse().unwrap_or_else(|_| panic!("{attribute}=`{text}` in <{}>", self.tag))
    }
}
