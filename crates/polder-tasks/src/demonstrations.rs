//! Demonstrations: answered examples in front of every prompt (in-context learning).

use crate::permutation::Draws;
use crate::{DataFolder, Drawn, Error, Example, Result, Split, Task, labelled};

/// Answered examples that stand in front of every prompt, the same for all.
///
/// As in MeZO's code: each is the prompt with its right answer, without white space at its ends; they are parted from each
/// other and from the prompt by [`Task::demonstration_joint`]. The task's instruction stands once in front of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demonstrations {
    rows: Vec<usize>,
    text: String,
}

impl Demonstrations {
    /// Draws `count` rows of the train split: the first of a seeded permutation of it (ChaCha8, Fisher–Yates), in that
    /// order, so that more demonstrations begin with those of fewer.
    ///
    /// # Errors
    /// [`Error::NoSuchSplit`] without a train split, [`Error::TooFewRows`], [`Error::Unlabelled`], and as
    /// [`Task::example`].
    pub fn draw(folder: &DataFolder, task: &dyn Task, count: usize, seed: u64) -> Result<Self> {
        if count == 0 {
            return Ok(Self::default());
        }
        let rows = folder.rows(Split::Train, None)?;
        if rows.len() < count {
            let reason =
                format!("its train split has {} rows, fewer than the {count} demonstrations wanted", rows.len());
            return Err(Error::TooFewRows { path: folder.path().to_owned(), reason });
        }
        let mut order = Draws::new(seed, b"shots   ").permutation(rows.len());
        order.truncate(count);
        let drawn = rows.pick(&order)?;
        let text = text(task, &labelled(task, &drawn).map_err(|error| folder.within(Split::Train, error))?);
        Ok(Self { rows: drawn.iter().map(|drawn| drawn.number).collect(), text })
    }

    /// The numbers of the rows in the train split's file, in the order of the demonstrations.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The demonstrations as they stand in front of a prompt, the last joint included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes these rows out of those to be evaluated, where these come from the train split too; says how many.
    pub fn leave_out(&self, split: Split, rows: &mut Vec<Drawn>) -> usize {
        let before = rows.len();
        if split == Split::Train {
            rows.retain(|drawn| !self.rows.contains(&drawn.number));
        }
        before - rows.len()
    }

    /// Puts the demonstrations in front of an example's prompts, behind the task's instruction.
    pub fn put_before(&self, task: &dyn Task, example: &mut Example) {
        if self.rows.is_empty() {
            return;
        }
        let prompts = std::iter::once(&mut example.prompt).chain(&mut example.prompts);
        for prompt in prompts.chain(&mut example.content_free) {
            let own = prompt.strip_prefix(task.instruction()).unwrap_or(prompt).trim_start_matches(' ');
            *prompt = format!("{}{}{own}", task.instruction(), self.text);
        }
    }
}

fn text(task: &dyn Task, examples: &[Example]) -> String {
    let joint = task.demonstration_joint();
    let whole = |example: &Example| example.gold.and_then(|gold| example.text(gold)).unwrap_or_default();
    let each = examples.iter().map(whole).map(|text| {
        let own = text.strip_prefix(task.instruction()).unwrap_or(&text);
        format!("{}{joint}", own.trim())
    });
    each.collect()
}
