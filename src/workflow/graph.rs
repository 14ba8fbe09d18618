//! The graph's sanity: ids once, needs known, no cycle.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::nearest::did_you_mean;
use crate::error::Result;

/// Checks the steps as a graph.
///
/// # Errors
/// An id stands twice, a need is no step, or steps wait for each other in a circle.
pub(super) fn check(drafts: &[Draft]) -> Result<()> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, draft) in drafts.iter().enumerate() {
        if let Some(first) = places.insert(&draft.id, place) {
            let line = drafts[first].line;
            return Err(draft
                .error(draft.line, format!("the step id `{}` stands twice, first in line {line}", draft.id))
                .hint("give each step an id of its own"));
        }
    }
    let mut edges: Vec<Vec<usize>> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let known = draft.needs.iter().map(|need| {
            places.get(need.value.as_str()).copied().ok_or_else(|| {
                let what = format!("step `{}` needs `{}`, which is no step", draft.id, need.value.escape_debug());
                did_you_mean(draft.error(need.line, what), &need.value, places.keys().copied())
            })
        });
        edges.push(known.collect::<Result<_>>()?);
    }
    let Some(cycle) = cycle(&edges) else { return Ok(()) };
    let first = &drafts[cycle[0]];
    let path = cycle.iter().chain(&cycle[..1]).map(|step| drafts[*step].id.as_str()).collect::<Vec<_>>();
    Err(first
        .error(first.line, format!("steps wait for each other: {}", shortened(&path)))
        .hint("read `a → b` as \"a needs b\"; take one of these needs away"))
}

/// Returns a path as text; of a long one the ends.
fn shortened(path: &[&str]) -> String {
    if path.len() <= 12 {
        return path.join(" → ");
    }
    format!("{} → … ({} more) → {}", path[..6].join(" → "), path.len() - 11, path[path.len() - 5..].join(" → "))
}

/// Returns the steps of one cycle in the order of their needs, or `None`. Depth first with an own stack, since a chain may
/// be longer than the thread's.
fn cycle(edges: &[Vec<usize>]) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Never,
        OnPath,
        Done,
    }
    let mut seen = vec![Seen::Never; edges.len()];
    for start in 0..edges.len() {
        if seen[start] != Seen::Never {
            continue;
        }
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        seen[start] = Seen::OnPath;
        while let Some((step, next)) = path.last_mut() {
            let Some(need) = edges[*step].get(*next).copied() else {
                seen[*step] = Seen::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match seen[need] {
                Seen::Done => {}
                Seen::Never => {
                    seen[need] = Seen::OnPath;
                    path.push((need, 0));
                }
                Seen::OnPath => {
                    let from = path.iter().position(|(step, _)| *step == need).expect("what is on the path is on it");
                    return Some(path[from..].iter().map(|(step, _)| *step).collect());
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_found() {
        for (edges, expected) in [
            (vec![vec![], vec![0], vec![0, 1]], None),
            (vec![vec![0]], Some(vec![0])),
            (vec![vec![], vec![3], vec![1], vec![0, 2]], Some(vec![1, 3, 2])),
            ((0..100_000).map(|step| if step == 0 { vec![] } else { vec![step - 1] }).collect(), None),
            ((0..100_000).map(|step: usize| vec![(step + 1) % 100_000]).collect(), Some((0..100_000).collect())),
        ] {
            assert_eq!(cycle(&edges), expected);
        }
    }
}
