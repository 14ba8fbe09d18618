//! What an import found, without secrets, users and hosts in the names that the other tool wrote; names stay apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::batch::Found;
use crate::redact::Redactor;

impl Found {
    /// Takes secrets, users and hosts out of every name that the other tool wrote.
    ///
    /// Steps of one execution whose names are the same after that stay steps of their own, as `name` and `name (2)`, in
    /// the order in which the file names them. Between executions they are one step: a name that holds a new token each
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
                let name = &self.texts.texts[step as usize];
                let mut free = (2..)
                    .map(|number: u32| Arc::from(format!("{name} ({number})")))
                    .skip_while(|name| taken.contains(name));
                let Some(name): Option<Arc<str>> = free.next() else { continue };
                taken.insert(Arc::clone(&name));
                let own = *written.entry(Arc::clone(&name)).or_insert_with(|| self.texts.add(name));
                rows.iter_mut().filter(|row| row.step == step).for_each(|row| row.step = own);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, read_rows};
    use super::*;
    use crate::redact::Known;

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
