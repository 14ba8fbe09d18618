//! Pages as plain data, rendered as text, Markdown and JSON.
