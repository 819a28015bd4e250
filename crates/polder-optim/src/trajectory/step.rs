//! A step's record, and its compact form.

use polder_perturb::Seed;

use super::frame::{push_varint, take_varint};
use crate::error::{Error, Result};
use crate::estimator::StepContext;
use crate::optimizer::Applied;
use crate::seeds::{rounding_seed, step_seeds};

const BATCH: u8 = 1;
const COUNTS: u8 = 2;
const DECAY: u8 = 4;
const RATE: u8 = 8;
const ROUNDING: u8 = 16;
const SEEDS: u8 = 32;
const ALL: u8 = BATCH | COUNTS | DECAY | RATE | ROUNDING | SEEDS;

/// One step: what was applied, and the losses that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The step, from 0.
    pub step: u64,
    /// The minibatch's number.
    pub batch: u64,
    /// The exact numbers of the update.
    pub applied: Applied,
    /// The mean loss at each point that was read, in nats.
    pub losses: Vec<f64>,
    /// The learning rate.
    pub lr: f64,
}

impl Step {
    /// The record of a step.
    pub fn new(context: &StepContext, applied: &Applied, losses: Vec<f64>, lr: f64) -> Self {
        Self { step: context.step, batch: context.batch.0, applied: applied.clone(), losses, lr }
    }
}

/// How many numbers of each sort a step has.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Counts {
    terms: usize,
    scalars: usize,
    losses: usize,
}

/// What the compact form of a step leaves out, because the steps before it say it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Codec {
    run: Seed,
    steps: u64,
    batch: u64,
    counts: Counts,
    decay: f32,
    lr: f64,
}

impl Codec {
    /// Before the first step of a run with that seed.
    pub(super) fn new(run: u64) -> Self {
        Self { run: Seed(run), steps: 0, batch: 0, counts: Counts::default(), decay: 0.0, lr: 0.0 }
    }

    /// How many steps there were.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes note that this step was made.
    pub(super) fn advance(&mut self, step: &Step) {
        self.steps = self.steps.saturating_add(1);
        self.batch = step.batch.wrapping_add(1);
        self.counts = counts_of(step);
        self.decay = step.applied.decay;
        self.lr = step.lr;
    }

    /// The compact form of the next step.
    ///
    /// # Errors
    /// It is not the next one.
    pub(super) fn encode(&self, step: &Step) -> Result<Vec<u8>> {
        if step.step != self.steps {
            return Err(Error::Record { why: format!("step {} comes after {} steps", step.step, self.steps) });
        }
        let Step { applied, .. } = step;
        let counts = counts_of(step);
        let derived = step_seeds(self.run, step.step, counts.terms);
        let mut flags = 0;
        let mut flag = |bit, set: bool| {
            flags |= if set { bit } else { 0 };
            set
        };
        let mut head = Vec::new();
        if flag(BATCH, step.batch != self.batch) {
            push_varint(&mut head, step.batch);
        }
        if flag(COUNTS, counts != self.counts) {
            [counts.terms, counts.scalars, counts.losses].iter().for_each(|n| push_varint(&mut head, *n as u64));
        }
        if flag(DECAY, applied.decay.to_bits() != self.decay.to_bits()) {
            head.extend_from_slice(&applied.decay.to_le_bytes());
        }
        if flag(RATE, step.lr.to_bits() != self.lr.to_bits()) {
            head.extend_from_slice(&step.lr.to_le_bytes());
        }
        if flag(ROUNDING, applied.rounding_seed != rounding_seed(self.run, step.step)) {
            head.extend_from_slice(&applied.rounding_seed.0.to_le_bytes());
        }
        if flag(SEEDS, applied.terms.iter().map(|(seed, _)| seed).ne(&derived)) {
            applied.terms.iter().for_each(|(seed, _)| head.extend_from_slice(&seed.0.to_le_bytes()));
        }
        let mut out = vec![flags];
        out.append(&mut head);
        applied.terms.iter().for_each(|(_, coeff)| out.extend_from_slice(&coeff.to_le_bytes()));
        applied.scalars.iter().for_each(|scalar| out.extend_from_slice(&scalar.to_le_bytes()));
        step.losses.iter().for_each(|loss| out.extend_from_slice(&loss.to_le_bytes()));
        Ok(out)
    }

    /// The next step, from its compact form; the reason, where it is malformed.
    pub(super) fn decode(&self, payload: &[u8]) -> Result<Step, &'static str> {
        let cut = "a step's record is cut off";
        let mut rest = payload;
        let [flags] = take(&mut rest).ok_or(cut)?;
        if flags & !ALL != 0 {
            return Err("a step's record has unknown flags");
        }
        let has = |bit| flags & bit != 0;
        let batch = if has(BATCH) { take_varint(&mut rest).ok_or(cut)? } else { self.batch };
        let counts = if has(COUNTS) { take_counts(&mut rest).ok_or(cut)? } else { self.counts };
        let decay = if has(DECAY) { f32::from_le_bytes(take(&mut rest).ok_or(cut)?) } else { self.decay };
        let lr = if has(RATE) { f64::from_le_bytes(take(&mut rest).ok_or(cut)?) } else { self.lr };
        let rounding = match has(ROUNDING) {
            true => Seed(u64::from_le_bytes(take(&mut rest).ok_or(cut)?)),
            false => rounding_seed(self.run, self.steps),
        };
        let needed = counts.bytes(has(SEEDS)).ok_or("a step's record has impossible counts")?;
        if rest.len() != needed {
            return Err("a step's record has another length than its counts say");
        }
        let seeds = match has(SEEDS) {
            true => take_all(&mut rest, counts.terms, |b| Seed(u64::from_le_bytes(b))).ok_or(cut)?,
            false => step_seeds(self.run, self.steps, counts.terms),
        };
        let coeffs = take_all(&mut rest, counts.terms, f32::from_le_bytes).ok_or(cut)?;
        let scalars = take_all(&mut rest, counts.scalars, f32::from_le_bytes).ok_or(cut)?;
        let losses = take_all(&mut rest, counts.losses, f64::from_le_bytes).ok_or(cut)?;
        let terms = seeds.into_iter().zip(coeffs).collect();
        let applied = Applied { terms, decay, rounding_seed: rounding, scalars };
        Ok(Step { step: self.steps, batch, applied, losses, lr })
    }
}

impl Counts {
    /// The bytes of the numbers that these counts speak of.
    fn bytes(self, seeds: bool) -> Option<usize> {
        let term = if seeds { 12 } else { 4 };
        let terms = self.terms.checked_mul(term)?;
        let scalars = self.scalars.checked_mul(4)?;
        let losses = self.losses.checked_mul(8)?;
        terms.checked_add(scalars)?.checked_add(losses)
    }
}

fn counts_of(step: &Step) -> Counts {
    Counts { terms: step.applied.terms.len(), scalars: step.applied.scalars.len(), losses: step.losses.len() }
}

fn take_counts(rest: &mut &[u8]) -> Option<Counts> {
    let mut count = || usize::try_from(take_varint(rest)?).ok();
    Some(Counts { terms: count()?, scalars: count()?, losses: count()? })
}

/// Takes N bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

/// Takes `count` numbers of N bytes off the front.
fn take_all<const N: usize, T>(rest: &mut &[u8], count: usize, read: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let bytes = rest.get(..count.checked_mul(N)?)?;
    *rest = rest.get(bytes.len()..)?;
    let (chunks, _) = bytes.as_chunks::<N>();
    Some(chunks.iter().map(|chunk| read(*chunk)).collect())
}
