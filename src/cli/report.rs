//! `meow report`: what a branch changes, or where many repositories lose time.

pub mod github;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::history::{self, normed};
use super::kept::Asked;
use super::page::{self, Format, Since};
use super::{Context, decisions, learnt, recommendations, sources};
use crate::error::{Error, Result};
use crate::git::{Repository, State};
use crate::learn::{self, Knowledge};
use crate::recommend::{self, Decisions};
use crate::record::Digest;
use crate::report::review::Source;
use crate::report::{self, Comparison, Document, Found, Names, Side, gate};
use crate::scan::{History, Looked};

/// Show what a branch changes, or where many repositories lose time
///
/// Without paths: this branch against its base; where there is nothing on the branch, this week against last. With
/// paths: a ranking of lost time over all repositories at or below them. Claims such as "slower" hold with 98 %
/// confidence for all comparisons of a page together; with fewer than 5 executions a step is at most "unusual".
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  meow report --base main             # Markdown for the pull request\n  meow report ~/src/* --format text   # where time is lost\n  meow report --format html -o report.html\n  meow report --base main --gate      # exit code 1 where something got worse\n  meow report --github                # in a job of GitHub Actions\n  meow report --badge > badge.svg"
)]
pub struct Args {
    /// Repositories, or folders to search for them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Compare with this branch, tag or commit [default: the default branch]
    #[arg(long, value_name = "REV", conflicts_with = "paths")]
    base: Option<String>,
    /// Only executions from then on: 30d, 12h, 2w or a date
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// The form of the page
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// In a job of GitHub Actions: into its summary, claims as annotations, and with `gh` one comment kept up to date
    #[arg(long, group = "road", conflicts_with_all = ["json", "format", "full", "output"])]
    github: bool,
    /// Print the body of a GitLab merge request's note as JSON
    #[arg(long, group = "road", conflicts_with_all = ["json", "format", "full"])]
    gitlab: bool,
    /// Print a badge of this workflow as SVG: how it ended last, how long it usually takes [default: `workflow`]
    #[arg(long, group = "road", value_name = "WORKFLOW", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["json", "format", "full", "paths"])]
    badge: Option<String>,
    /// Everything that `--format html` shows, as JSON: last executions, histories, the week, flaky steps
    #[arg(long)]
    full: bool,
    /// End with exit code 1 where a step got slower than the threshold allows, or fails more often
    #[arg(long, conflicts_with = "paths")]
    gate: bool,
    /// How much slower a step may get before the gate fails, in percent [default: each step's own noise floor]
    #[arg(long, value_name = "PERCENT", requires = "gate")]
    threshold: Option<f64>,
    /// Write the page to this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Prints the page.
///
/// # Errors
/// There is no repository or no such base, or git or the output fails.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    let looked = history::look(&args.paths, context)?;
    let format = if args.json { Format::Json } else { args.format };
    if args.full && matches!(format, Format::Text | Format::Markdown) {
        return Err(Error::request("--full is a page for browsers and programs").hint("add --json or --format html"));
    }
    let own = if args.paths.is_empty() { Some(context.project()?) } else { None };
    let repository = own.as_ref().and_then(|own| own.repository.clone());
    let state = match &repository {
        Some(repository) if args.badge.is_none() => Some(repository.state()?),
        _ => None,
    };
    let taken = decisions::decisions(&context.project()?, context);
    let asked = asked(args, format, &looked, (repository.as_ref(), state.as_ref(), &taken), context);
    if let Some(page) = asked.as_ref().and_then(|asked| asked.again(context)) {
        page::deliver(&page, args.output.as_deref(), context)?;
        return Ok(0);
    }
    let found = history::read(looked, context);
    let history = match args.since {
        Some(since) => since.cut(found, context),
        None => found,
    };
    // What is shown of many places is where time is lost: of a workflow no more is learnt than its recommendations ask for.
    let is_ranking = own.is_none() && !args.full && format != Format::Html;
    let knowledge = match &own {
        None if is_ranking => Knowledge::default(),
        None => learn::learn(learn::State::default(), &history).1,
        Some(own) => {
            let lived = normed(history.clone(), own, context);
            if args.since.is_none() {
                learnt::knowledge(&lived, true, own, context)
            } else {
                learn::learn(learn::State::default(), &lived).1
            }
        }
    };
    let advice = taken.open(if is_ranking {
        recommend::recommend_from(&history)
    } else {
        recommend::recommend(&knowledge, &history)
    });
    if let Some(workflow) = &args.badge {
        let workflow = if workflow.is_empty() { &context.settings.workflow } else { workflow };
        let drawn = report::badge(&history, &knowledge, workflow).ok_or_else(|| {
            Error::request(format!("no execution of workflow `{}` is recorded", workflow.escape_debug()))
        })?;
        page::deliver(&drawn, args.output.as_deref(), context)?;
        return Ok(0);
    }
    let mut comparison = None;
    let now = context.settings.clock.now();
    let mut until_ms = i64::MAX;
    if let Some((repository, state)) = repository.as_ref().zip(state.as_ref()) {
        let (sides, found, names) = sides(args.base.as_deref(), (repository, state), &history, context)?;
        until_ms = report::next_side_ms(&history, now.as_millisecond());
        let accepted = taken.accepted(recommendations::DURATION);
        let compared = report::compare(&history, &sides, names, &knowledge, &advice, &accepted);
        let gate = args.gate.then(|| {
            let threshold = threshold(args.threshold)?;
            gate::gate(&history, &sides, &accepted, &compared, threshold)
        });
        comparison = Some(Comparison { found, gate: gate.transpose()?, ..compared });
    }
    let failed = comparison.as_ref().and_then(|comparison| comparison.gate.as_ref()).is_some_and(|gate| !gate.passed);
    if args.github || args.gitlab {
        let words = comparison.as_ref().map_or_else(|| report::losses(&history, &advice).document(), gated);
        if args.github {
            github::publish(&words, comparison.as_ref(), context)?;
        } else {
            let note = report::json(&serde_json::json!({ "body": report::markdown(&words) }));
            page::deliver(&note, args.output.as_deref(), context)?;
        }
        return Ok(u8::from(failed));
    }
    let shown = if args.full || format == Format::Html {
        let trends = learn::trends(&history);
        let source = Source { history: &history, knowledge: &knowledge, trends: &trends, advice: &advice, now };
        let review = report::review(&source, comparison);
        if format == Format::Html { report::html::review(&review) } else { report::json(&review) }
    } else if let Some(comparison) = &comparison {
        page::form(comparison, &gated(comparison), format, context)
    } else {
        let losses = report::losses(&history, &advice);
        page::form(&losses, &losses.document(), format, context)
    };
    page::deliver(&shown, args.output.as_deref(), context)?;
    if let Some(asked) = asked.filter(|_| history::is_whole(&history)) {
        asked.keep(&shown, until_ms, context);
    }
    Ok(u8::from(failed))
}

/// Returns what is asked for where the page says nothing but what stands in the records, in commits and decisions. A page
/// about a project is kept in its git directory, one about many places in the person's own folder.
fn asked(
    args: &Args,
    format: Format,
    looked: &Looked,
    (repository, state, taken): (Option<&Repository>, Option<&State>, &Decisions),
    context: &Context,
) -> Option<Asked> {
    let leads_elsewhere = args.github || args.gitlab || args.badge.is_some() || args.gate;
    if leads_elsewhere || args.full || args.since.is_some() || format == Format::Html {
        return None;
    }
    let Some((repository, state)) = repository.zip(state) else {
        let places = (&context.settings.directory, &args.paths);
        let places = Digest::of(format!("{places:?}").as_bytes()).to_string();
        // The last page of each of sixteen sets of places.
        let name = format!("report-{}", &places[..1]);
        let rest = (format, places, taken);
        return Asked::new(context.settings.state.as_deref(), &name, looked.mark(), &rest, context);
    };
    let base = args.base.as_ref().or(state.default_branch.as_ref());
    let commit = base.and_then(|base| repository.resolve(base).ok());
    // Without what is in the work tree, which is absent where there is too much, it is not known what the page says.
    let tree = state.tree?;
    let rest = (format, base, commit, tree, repository.head().ok()?, taken);
    Asked::new(Some(&repository.private_dir()), "report", looked.mark(), &rest, context)
}

/// Returns a threshold in percent as a ratio.
fn threshold(percent: Option<f64>) -> Result<Option<f64>> {
    match percent {
        Some(percent) if !(percent.is_finite() && percent >= 0.0) => {
            Err(Error::request(format!("a threshold of {percent} % is none")).hint("give a number such as 10"))
        }
        percent => Ok(percent.map(|percent| 1.0 + percent / 100.0)),
    }
}

fn gated(comparison: &Comparison) -> Document {
    let page = comparison.document();
    comparison.gate.as_ref().map_or(page.clone(), |gate| gate.document(page))
}

/// Returns which execution stands on which side: branch against base where there is a branch, else week against week.
fn sides(
    base: Option<&str>,
    (repository, state): (&Repository, &State),
    history: &History,
    context: &Context,
) -> Result<(Vec<Option<Side>>, Option<Found>, Names)> {
    let base = base.map(str::to_owned).or_else(|| state.default_branch.clone());
    if let Some(base) = base
        && let Some(sources) = sources::sources(repository, state, &base, history)?
    {
        let (sides, found) = report::by_source(history, &sources);
        say_absent(repository, history, context)?;
        let committed = !sources.head.commits.is_empty();
        if committed || sides.contains(&Some(Side::Head)) {
            let head = if committed { "this branch" } else { "uncommitted work" };
            return Ok((sides, Some(found), Names { base, head: head.to_owned() }));
        }
    }
    let now = context.settings.clock.now().as_millisecond();
    let names = Names { base: "last week".to_owned(), head: "this week".to_owned() };
    Ok((report::by_week(history, now), None, names))
}

/// Says how many executions name commits that a shallow or partial clone lacks: they can only be recognised by tree or
/// patch.
fn say_absent(repository: &Repository, history: &History, context: &Context) -> Result<()> {
    if repository.limits().is_empty() {
        return Ok(());
    }
    let mut here = BTreeMap::new();
    let mut absent = 0;
    for commit in history.executions.commit.iter().flatten() {
        let is_here = match here.get(commit) {
            Some(known) => *known,
            None => repository.has_object(commit.bytes())?,
        };
        here.insert(*commit, is_here);
        absent += u64::from(!is_here);
    }
    if absent > 0 {
        let absent = report::format::count(absent, "execution");
        context.terminal.warn(&format!("{absent} ran on commits that this clone lacks"));
    }
    Ok(())
}
