//! The whole review as one page: over all first, then each repository.

mod branch;
mod changes;
mod flaky;
mod head;
mod open;
mod past;
mod steps;
mod timeline;
mod week;

use super::number::{self, At};
use super::{escape, frame};
use crate::report::review::{RepositoryReview, Review, WorkflowReview};

/// Returns the page as one HTML file.
///
/// Every number in it stands in an element that names its place in the JSON of the same page.
pub fn review(page: &Review) -> String {
    let at = At::default();
    let several = page.project_count > 1;
    let title = match page.repositories.first() {
        Some(only) if !several => format!("{} – meow", only.repository),
        _ => "meow".to_owned(),
    };
    let mut sections: Vec<(&str, &str, String)> = Vec::new();
    let mut add = |id: &'static str, title: &'static str, body: Option<String>| {
        sections.extend(body.map(|body| (id, title, body)));
    };
    add(
        "branch",
        "What the branch changes",
        page.comparison.as_ref().and_then(|comparison| branch::section(comparison, &at.key("comparison"))),
    );
    if !several {
        let own = page.repositories.first().map(|only| workflows(only, &at.key("repositories").item(0), 3));
        add("workflows", "Workflows", own);
    }
    add("week", "Where the week’s time went", page.week.as_ref().map(|spent| week::section(spent, &at.key("week"))));
    add("flaky", "Flakiest steps", Some(flaky::section(page, several)));
    add("open", "Open recommendations", Some(open::section(page)));
    if several {
        add("repositories", "Repositories", Some(repositories(page)));
    }
    add("skipped", "Skipped or damaged", skipped(page));
    let links: Vec<String> =
        sections.iter().map(|(id, title, _)| format!("<li><a href=\"#{id}\">{title}</a></li>")).collect();
    let body: Vec<String> = sections
        .iter()
        .map(|(id, title, body)| format!("<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"))
        .collect();
    let head = head::head(page, several);
    let content = format!(
        "<header>\n{head}<nav aria-label=\"Sections\"><ul>{}</ul></nav>\n</header>\n<main id=\"content\">\n{}</main>\n{}",
        links.concat(),
        body.concat(),
        head::foot(page),
    );
    frame::page(&title, &content)
}

/// Returns the repositories, each folded; one line each for those that do not fit.
fn repositories(page: &Review) -> String {
    let at = At::default();
    let mut shown = String::new();
    for (place, one) in page.repositories.iter().enumerate() {
        let at = at.key("repositories").item(place);
        let spent = one.week.as_ref().map_or_else(String::new, |spent| {
            format!(
                ", {} of work in the week",
                number::duration(&at.key("week").key("spent").key("passed_ms"), Some(spent.spent.passed_ms))
            )
        });
        let open = if place == 0 { " open" } else { "" };
        shown.push_str(&format!(
            "<details{open}>\n<summary><h3>{}</h3> <small class=\"soft\">{}{spent}</small></summary>\n",
            escape::name(&one.repository),
            head::counted(&one.total, &at.key("total")),
        ));
        shown.push_str(&workflows(one, &at, 4));
        if let Some(spent) = &one.week {
            shown.push_str(&format!("<h4>Where its week’s time went</h4>\n{}", week::section(spent, &at.key("week"))));
        }
        shown.push_str("</details>\n");
    }
    shown + &head::lines(page)
}

fn workflows(one: &RepositoryReview, at: &At, level: u8) -> String {
    let flows = one.workflows.iter().enumerate();
    let mut shown: String =
        flows.map(|(place, flow)| workflow(flow, &at.key("workflows").item(place), level)).collect();
    if one.workflows_left_out > 0 {
        let left = number::count(&at.key("workflows_left_out"), one.workflows_left_out);
        shown
            .push_str(&format!("<p class=\"note\">{left} more workflows, not executed as lately, are left out.</p>\n"));
    }
    shown
}

fn workflow(flow: &WorkflowReview, at: &At, level: u8) -> String {
    let below = level + 1;
    format!(
        "<h{level}>{}</h{level}>\n{}<h{below}>Last execution</h{below}>\n{}<h{below}>How long it took so far</h{below}>\n{}{}<h{below}>Steps</h{below}>\n{}",
        escape::name(&flow.workflow),
        head::workflow(flow, at),
        timeline::figure(&flow.last, &at.key("last")),
        past::figure(&flow.past, &at.key("past")),
        changes::table(&flow.past, &at.key("past")),
        steps::table(flow, at),
    )
}

fn skipped(page: &Review) -> Option<String> {
    let rows: Vec<String> = page
        .skipped
        .iter()
        .map(|one| format!("<li>{}: <bdi>{}</bdi></li>\n", escape::name(&one.repository), escape::text(&one.reason)))
        .collect();
    let left = left_out(&At::default().key("left_out").key("skipped"), page.left_out.skipped, "more things");
    (!rows.is_empty()).then(|| format!("<ul>\n{}</ul>\n{left}", rows.concat()))
}

/// Returns a note on what did not fit, nothing where all did.
fn left_out(at: &At, left: u64, what: &str) -> String {
    if left == 0 {
        return String::new();
    }
    format!("<p class=\"note\">{} {what} are left out.</p>\n", number::count(at, left))
}
