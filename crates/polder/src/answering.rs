//! The loss `−F1` of generated answers, as estimators see it.

use polder_optim::Losses;
use polder_perturb::{Law, Points, Shift};
use polder_tasks::LossKind;
use tokenizers::Tokenizer;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::generation::{Question, Questions, answers, f1, makes_whole};

/// What generating answers takes beside a model.
#[derive(Debug, Clone, Copy)]
pub struct Answering<'a> {
    /// The questions, and how they are answered.
    pub questions: &'a Questions,
    /// What texts are made with.
    pub tokenizer: &'a Tokenizer,
    /// Whether a point's weights are made whole; where absent, as memory allows. No bit depends on it.
    pub whole: Option<bool>,
}

impl Answering<'_> {
    /// The losses of some training rows at points, one point after the other: each answer counts −F1, with weight 1.
    ///
    /// `on_pass` is asked again and again, and may end it.
    ///
    /// # Errors
    /// As [`answers`].
    pub fn losses(
        &self,
        engine: &Engine<'_>,
        law: Law,
        rows: &[usize],
        shifts: &[Shift],
        on_pass: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Losses> {
        let questions: Vec<&Question> = rows.iter().filter_map(|row| self.questions.train.get(*row)).collect();
        let whole = makes_whole(self.whole, engine);
        let mut losses = Losses { points: Vec::with_capacity(shifts.len()), weights: vec![1.0; questions.len()] };
        for shift in shifts {
            on_pass()?;
            let points = Points::new(law, std::slice::from_ref(shift));
            let settings = &self.questions.settings;
            let texts = answers(engine, &points, whole, self.tokenizer, &questions, settings, &mut |_| on_pass())?;
            losses.points.push(f1(&questions, &texts).into_iter().map(|score| -score).collect());
        }
        Ok(losses)
    }
}

/// What is said of a loss of generated answers where nothing generates.
pub(crate) fn not_here() -> Error {
    Error::NotOfScores { kind: LossKind::F1 }
}
