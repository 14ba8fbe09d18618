//! A badge: how a workflow's last execution ended and how long it usually takes, as a small drawing.

use super::format;
use super::html::escape;
use super::html::svg::short;
use crate::learn::Knowledge;
use crate::record::Outcome;
use crate::scan::History;

/// Longest name on a badge, in characters.
const LONGEST: usize = 40;

/// Returns the badge of a workflow as SVG; `None` where no execution of it is recorded.
///
/// It says in words what its colour says, and asks the network for nothing.
pub fn badge(history: &History, knowledge: &Knowledge, workflow: &str) -> Option<String> {
    let executions = &history.executions;
    let is_own =
        |place: &usize| history.names.text(executions.workflow[*place]) == workflow && !history.is_partial(*place);
    let last = (0..executions.len()).rev().find(is_own)?;
    let outcome = executions.outcome[last];
    let usual = knowledge.workflows.get(workflow).and_then(|pattern| pattern.duration_ms);
    let usual = usual.map_or_else(String::new, |known| format!(", usually {}", format::duration(known.p50)));
    let colour = match outcome {
        Outcome::Passed => "#0b5cad",
        Outcome::Failed => "#bf4a08",
        Outcome::Cancelled => "#59636e",
    };
    let name: String = workflow.chars().take(LONGEST).collect();
    Some(draw(&name, &format!("{}{usual}", outcome.word()), colour))
}

fn draw(label: &str, value: &str, colour: &str) -> String {
    let (label, value) = (escape::text(label), escape::text(value));
    let (left, right) = (width(&label), width(&value));
    let whole = short(left + right);
    let text = |x: f64, width: f64, said: &str| {
        // The given length keeps the letters within their half, whatever font is there.
        format!("<text x=\"{}\" y=\"14\" textLength=\"{}\">{said}</text>", short(x + 7.0), short(width - 14.0))
    };
    let (from, reach) = (short(left), short(right - 3.0));
    let (label_text, value_text) = (text(0.0, left, &label), text(left, right, &value));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" aria-label=\"{label}: {value}\">\
         <title>{label}: {value}</title><rect width=\"{whole}\" height=\"20\" rx=\"3\" fill=\"#333a42\"/>\
         <path d=\"M{from} 0h{reach}a3 3 0 0 1 3 3v14a3 3 0 0 1 -3 3h-{reach}z\" fill=\"{colour}\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">{label_text}{value_text}</g></svg>\n"
    )
}

/// Returns about how wide a text is in pixels at this size, with its margins.
fn width(text: &str) -> f64 {
    let letter = |letter: char| match letter {
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | '.' | ',' | ':' | '\'' | ' ' | '|' => 4.2,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 10.0,
        letter if letter.is_ascii() => 7.0,
        _ => 11.0,
    };
    (14.0 + text.chars().map(letter).sum::<f64>()).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_says_what_its_colour_says_and_holds_no_markup_of_strangers() {
        let drawn = draw("</title><script>\"x", "passed, usually 1.2 s", "#0b5cad");
        assert!(drawn.contains("&lt;script&gt;&quot;x: passed, usually 1.2 s"), "{drawn}");
        assert_eq!(drawn.matches("<script").count() + drawn.matches("</title>").count(), 1, "{drawn}");
    }
}
