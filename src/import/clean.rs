//! What an import found, without secrets, users and hosts in the names that the other tool wrote; names stay apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::batch::{Found, Texts};
use crate::redact::Redactor;

impl Found {
    /// Takes secrets, users and hosts out of every name that the other tool wrote.
    ///
    /// Steps of one execution and metrics of one attempt whose names are the same after that stay apart, as `name` and
    /// `name (2)`, in the order in which the file names them. Between executions they are one step: a name that holds a new token each
    /// time would have no history otherwise.
    #[must_use]
    pub fn cleaned(mut self, redactor: &Redactor) -> Self {
        let mut is_changed = false;
        for text in &mut self.texts.texts {
            if let Cow::Owned(cleaned) = redactor.clean(text) {
                *text = cleaned.into();
                is_changed = true;
            }
        }
        // Names are looked up no more.
        self.texts.numbers.clear();
        if is_changed {
            self.part();
            self.part_metrics();
        }
        self
    }

    /// Parts the steps of an execution that have the same name by now.
    fn part(&mut self) {
        let mut written: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        for (start, end) in &self.order {
            let rows = &mut self.rows[*start as usize..*end as usize];
            // The file's order: texts are numbered as they come.
            let steps: BTreeSet<u32> = rows.iter().map(|row| row.step).collect();
            let mut taken: BTreeSet<Arc<str>> = BTreeSet::new();
            let twice: Vec<u32> =
                steps.into_iter().filter(|step| !taken.insert(Arc::clone(&self.texts.texts[*step as usize]))).collect();
            for step in twice {
                let own = free(step, &mut taken, &mut written, &mut self.texts);
                rows.iter_mut().filter(|row| row.step == step).for_each(|row| row.step = own);
            }
        }
    }

    /// Parts the metrics of an attempt that have the same name by now.
    fn part_metrics(&mut self) {
        let mut written: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.metric_count > 1) {
            let mut taken: BTreeSet<Arc<str>> = BTreeSet::new();
            let metrics = &mut self.metrics[row.metrics as usize..(row.metrics + row.metric_count) as usize];
            let mut twice = Vec::new();
            for (place, (metric, _)) in metrics.iter().enumerate() {
                if !taken.insert(Arc::clone(&self.texts.texts[*metric as usize])) {
                    twice.push(place);
                }
            }
            for place in twice {
                metrics[place].0 = free(metrics[place].0, &mut taken, &mut written, &mut self.texts);
            }
        }
    }
}

/// Returns the number of the first of `name (2)`, `name (3)` and so on that is not taken.
fn free(text: u32, taken: &mut BTreeSet<Arc<str>>, written: &mut BTreeMap<Arc<str>, u32>, texts: &mut Texts) -> u32 {
    let name = Arc::clone(&texts.texts[text as usize]);
    let numbered = |number: u32| Arc::from(format!("{name} ({number})"));
    let name: Arc<str> = (2..=u32::MAX).map(numbered).find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(Arc::clone(&name));
    *written.entry(Arc::clone(&name)).or_insert_with(|| texts.add(name))
}

#[cfg(test)]
mod tests {
    use super::super::{Options, read_rows};
    use super::*;
    use crate::redact::Known;

    #[test]
    fn metrics_that_are_cleaned_alike_stay_apart() {
        let row = r#"{"execution":"1","workflow":"w","step":"s","attempt":1,"started_at":"2026-01-02T03:04:05Z","duration_ms":1,"outcome":"passed","metrics":{"of A-secret-of-length":1,"of B-secret-of-length":2,"of C-secret-of-length":3,"of [secret] (2)":4,"z":5}}"#;
        let variables = ["A", "B", "C"].map(|name| (format!("{name}_TOKEN"), format!("{name}-secret-of-length")));
        let redactor = Redactor::new(&Known { variables: variables.to_vec(), hosts: Vec::new() });
        let options = Options { workflow: None, branch: &|_| None };
        let found = read_rows(row.as_bytes(), "f", &options).expect("a row").cleaned(&redactor);
        let records: Vec<_> = found.executions().flatten().collect();
        let metrics: Vec<(&str, f64)> =
            records[0].attempt.metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        // In the order of their names as they were written.
        let numbered = [("of [secret] (2)", 4.0), ("of [secret] (3)", 2.0), ("of [secret] (4)", 3.0)];
        assert_eq!(metrics, [&[("of [secret]", 1.0)][..], &numbered, &[("z", 5.0)]].concat());
    }

    #[test]
    fn names_that_are_cleaned_alike_stay_apart() {
        let row = |execution: &str, step: &str| {
            format!(
                "{{\"execution\":\"{execution}\",\"workflow\":\"w\",\"step\":\"{step}\",\"attempt\":1,\
                 \"started_at\":\"2026-01-02T03:04:05Z\",\"duration_ms\":1,\"outcome\":\"passed\"}}\n"
            )
        };
        let variables = ["A", "B", "C"].map(|name| (format!("{name}_TOKEN"), format!("{name}-secret-of-length")));
        let redactor = Redactor::new(&Known { variables: variables.to_vec(), hosts: Vec::new() });
        let [a, b, c] = ["A", "B", "C"].map(|name| format!("as {name}-secret-of-length"));
        let text =
            [("1", "as [secret] (2)"), ("1", &a), ("1", &b), ("1", &c), ("1", "z"), ("2", &c), ("2", &a), ("3", &b)];
        let text: String = text.map(|(execution, step)| row(execution, step)).concat();
        let found = read_rows(text.as_bytes(), "f", &Options { workflow: None, branch: &|_| None }).expect("rows");
        let found = found.cleaned(&redactor);
        let names: Vec<Vec<String>> =
            found.executions().map(|records| records.into_iter().map(|record| record.attempt.step).collect()).collect();
        let mut sizes: Vec<usize> = names.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 2, 5]);
        for names in names {
            match names.len() {
                1 => assert_eq!(names, ["as [secret]"]),
                // In the order in which the file first names them: A before C.
                2 => assert_eq!(names, ["as [secret] (2)", "as [secret]"]),
                _ => assert_eq!(names, ["as [secret] (2)", "as [secret]", "as [secret] (3)", "as [secret] (4)", "z"]),
            }
        }
    }
}
