//! Whether the keys of a task fit each other.

use crate::spec::OptionsSpec;
use crate::{Error, LossKind, Metric, Result, TaskSpec};

/// What is wrong with the keys, and how to put it right.
type Fault = Option<(&'static str, &'static str)>;

impl TaskSpec {
    /// Whether the keys make a task.
    pub(crate) fn check(&self) -> Result<()> {
        let fault = self.needed().or_else(|| self.labelling()).or_else(|| match &self.options {
            Some(options) => self.choosing(options),
            None => self.generating(),
        });
        match fault {
            None => Ok(()),
            Some((reason, hint)) => Err(Error::TaskKeys { name: self.name.clone(), reason: reason.to_owned(), hint }),
        }
    }

    fn needed(&self) -> Fault {
        if self.prompt.is_none() {
            return Some((
                "`prompt` is missing",
                "give the text in front of the options, such as prompt = \"{{ text }}\\nSentiment:\"",
            ));
        }
        if self.options.is_none() && self.target.is_none() {
            return Some((
                "neither `options` nor `target` is given",
                "give options = [\"no\", \"yes\"] and a label column, or a target column",
            ));
        }
        None
    }

    fn labelling(&self) -> Fault {
        if self.label.is_some() && self.target.is_some() {
            return Some((
                "both `label` and `target` are given",
                "keep `label` for a number or name, `target` for the text itself",
            ));
        }
        if self.options.is_none() && (self.label.is_some() || self.labels.is_some()) {
            return Some((
                "`label` or `labels` is given, but no `options`",
                "give the options that the label chooses among",
            ));
        }
        if self.labels.is_some() && self.label.is_none() {
            return Some(("`labels` is given, but no `label`", "name the column that holds the label"));
        }
        None
    }

    /// Faults of a task with options.
    fn choosing(&self, options: &OptionsSpec) -> Fault {
        if let OptionsSpec::Each(options) = options {
            if options.len() < 2 {
                return Some(("there are fewer than two options", "give at least two, or a `target` without options"));
            }
            if has_equal(options) {
                return Some((
                    "two options are equal",
                    "give options that differ, since equal ones have the same score",
                ));
            }
            if matches!(&self.labels, Some(OptionsSpec::Each(labels)) if labels.len() != options.len()) {
                return Some((
                    "`options` and `labels` differ in length",
                    "give one label value an option, in the same order",
                ));
            }
        }
        if self.metric.is_some_and(Metric::of_texts) {
            return Some((
                "f1 and exact-match score generated texts, but there are `options`",
                "give metric = \"accuracy\", \"macro-f1\" or \"binary-f1\", or a `target` without options",
            ));
        }
        if self.loss == Some(LossKind::F1) {
            return Some((
                "the loss \"f1\" is that of generated answers, but there are `options`",
                "give loss = \"accuracy\", or a `target` without options",
            ));
        }
        if self.answers.is_some() || self.stop.is_some() || self.max_new_tokens.is_some() {
            return Some((
                "`answers`, `stop` or `max_new_tokens` is given, but with `options` nothing is generated",
                "leave them out, or give a `target` without options",
            ));
        }
        None
    }

    /// Faults of a task without options.
    fn generating(&self) -> Fault {
        if self.loss.is_some_and(LossKind::compares_options) {
            return Some(("the loss over options needs `options`", "give options, or loss = \"target\""));
        }
        if self.metric.is_some_and(|metric| metric.needs_predictions() && !metric.of_texts()) {
            return Some((
                "without `options` nothing is predicted",
                "give options, or metric = \"loss\", \"f1\" or \"exact-match\"",
            ));
        }
        if self.continuation.is_some() || self.calibrate.is_some() || self.normalize.is_some() {
            return Some((
                "`continuation`, `calibrate` or `normalize` is given, but no `options`",
                "give the options whose scores these are for",
            ));
        }
        if self.max_new_tokens == Some(0) {
            return Some(("`max_new_tokens` is 0", "give the most tokens that an answer may have, such as 50"));
        }
        if self.stop.as_ref().is_some_and(|stop| stop.iter().any(String::is_empty)) {
            return Some(("a text of `stop` is empty", "give texts that end an answer, such as stop = [\"\\n\"]"));
        }
        None
    }
}

/// Whether two entries are equal.
fn has_equal(entries: &[String]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    !entries.iter().all(|entry| seen.insert(entry.trim()))
}
