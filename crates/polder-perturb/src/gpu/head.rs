//! Log-probabilities of wanted tokens and what may follow, the vocabulary in blocks; one read-back a pass.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use super::launch::{Launch, Shape};
use super::linear::Target;
use super::shift::unwritten;
use super::text::LANES;
use super::{GpuReader, shape};
use crate::cpu::head::log_sum_exp;
use crate::cpu::next::best_of;
use crate::error::{Error, Result};
use crate::reader::{Linear, Next};

/// Tokens of a block; the same whatever else is in a pass.
pub(super) const TOKENS: usize = 4096;

/// A kernel's SoftmaxArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct SoftmaxArgs {
    tokens: u64,
    rows: u64,
    stride: u64,
    first: u64,
}

/// A kernel's PickArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct PickArgs {
    pairs: u64,
    points: u64,
    rows: u64,
    first: u64,
    tokens: u64,
}

/// What was read back of the blocks: each row's largest logit, its sum and its first likeliest token, block by block.
struct Parts {
    numbers: Vec<f32>,
    rows: usize,
}

impl Parts {
    /// The parts of a row, in the order of the blocks.
    fn of(&self, row: usize) -> impl Iterator<Item = (f32, f32, u32)> + Clone {
        let blocks = self.numbers.chunks_exact((3 * self.rows).max(1));
        blocks.enumerate().map(move |(block, x)| {
            let token = x[2 * self.rows + row] as usize + block * TOKENS;
            (x[row], x[self.rows + row], token as u32)
        })
    }

    fn log_sum(&self, row: usize) -> f64 {
        log_sum_exp(self.of(row).map(|(most, sum, _)| (most, sum)))
    }
}

impl GpuReader<'_> {
    pub(super) fn wanted(&self, x: &Tensor, head: Linear, pairs: &[(u32, u32)]) -> Result<Tensor> {
        let (x, rows, width) = self.input(x, None, "the head's input")?;
        let vocabulary = self.matrix(head, width)?.tensor.dims()[0];
        for (row, token) in pairs {
            for (what, index, len) in [("row", *row, rows), ("token id", *token, vocabulary)] {
                if index as usize >= len {
                    return Err(Error::Index { what, index: index as usize, len });
                }
            }
        }
        let points = self.points.count();
        let index = self.upload(&pairs.iter().flat_map(|(row, token)| [*row, *token]).collect::<Vec<_>>())?;
        // Wanted logits first, then the parts: all of it comes back at once.
        let wanted = points * pairs.len();
        let blocks = vocabulary.div_ceil(TOKENS);
        let flat = unwritten(wanted + blocks * 3 * points * rows, DType::F32, &self.device)?;
        self.blocks(&x, rows, head, None, |logits, tokens| {
            let block = tokens.start / TOKENS;
            self.parts(logits, &tokens, rows, &flat, wanted + block * 3 * points * rows)?;
            let [pairs, points, rows, first] = [pairs.len(), points, rows, tokens.start].map(|n| n as u64);
            let args = PickArgs { pairs, points, rows, first, tokens: tokens.len() as u64 };
            let shape = Shape::Threads(wanted as u64);
            Launch { kernel: "pick", shape, others: &[logits.out, &index], args }.onto(&flat)
        })?;
        let mut logits = flat.to_vec1::<f32>()?;
        let parts = Parts { numbers: logits.split_off(wanted), rows: points * rows };
        let row = |n: usize| n / pairs.len() * rows + pairs[n % pairs.len()].0 as usize;
        let mut sums = vec![None; points * rows];
        let log_probs = logits
            .iter()
            .enumerate()
            .map(|(n, logit)| f64::from(*logit) - *sums[row(n)].get_or_insert_with(|| parts.log_sum(row(n))));
        let log_probs: Vec<f64> = log_probs.collect();
        Ok(Tensor::from_vec(log_probs, wanted, &Device::Cpu)?)
    }

    pub(super) fn following(&self, x: &Tensor, head: Linear, whole: bool) -> Result<Vec<Next>> {
        let (x, rows, width) = self.input(x, None, "the head's input")?;
        let vocabulary = self.matrix(head, width)?.tensor.dims()[0];
        let all = rows * self.points.count();
        let logits = match whole {
            true => Some(unwritten((all, vocabulary), DType::F32, &self.device)?),
            false => None,
        };
        let flat = unwritten(vocabulary.div_ceil(TOKENS) * 3 * all, DType::F32, &self.device)?;
        self.blocks(&x, rows, head, logits.as_ref(), |logits, tokens| {
            self.parts(logits, &tokens, rows, &flat, tokens.start / TOKENS * 3 * all)
        })?;
        let parts = Parts { numbers: flat.to_vec1()?, rows: all };
        let mut logits = logits.map_or(Ok(Vec::new()), |x| x.to_vec2::<f32>())?.into_iter();
        let one = |row: usize| {
            let (token, logit) = best_of(parts.of(row).map(|(most, _, token)| (token, most)));
            Next { token, logit, log_sum: parts.log_sum(row), logits: logits.next().unwrap_or_default() }
        };
        Ok((0..all).map(one).collect())
    }

    /// Makes the logits of one block of tokens after the other, in `whole` or each in a matrix of its own.
    fn blocks(
        &self,
        x: &Tensor,
        rows: usize,
        head: Linear,
        whole: Option<&Tensor>,
        mut each: impl FnMut(&Target<'_>, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let param = self.matrix(head, x.dim(1)?)?;
        let vocabulary = param.tensor.dims()[0];
        let bias = head.bias.map(|bias| self.vectors(bias, vocabulary)).transpose()?;
        let x = self.factor(x)?;
        for first in (0..vocabulary).step_by(TOKENS) {
            let tokens = first..(first + TOKENS).min(vocabulary);
            let own;
            let logits = match whole {
                Some(out) => Target { out, first, stride: vocabulary },
                None => {
                    own = unwritten((rows * self.points.count(), tokens.len()), DType::F32, &self.device)?;
                    Target { out: &own, first: 0, stride: tokens.len() }
                }
            };
            self.multiply(&x, rows, param, tokens.clone(), &logits)?;
            if let Some(bias) = &bias {
                self.add_bias(&logits, rows, bias, tokens.clone())?;
            }
            each(&logits, tokens)?;
        }
        Ok(())
    }

    /// Writes a block's parts into `flat`, from `at` on.
    fn parts(&self, logits: &Target<'_>, tokens: &Range<usize>, rows: usize, flat: &Tensor, at: usize) -> Result<()> {
        let rows = rows * self.points.count();
        if logits.out.dim(0)? != rows {
            return Err(shape("logits", logits.out.dims(), format!("{rows} rows")));
        }
        let [tokens, all, stride, first] = [tokens.len(), rows, logits.stride, logits.first].map(|n| n as u64);
        let args = SoftmaxArgs { tokens, rows: all, stride, first };
        let shape = Shape::Groups(all, LANES);
        let out = flat.narrow(0, at, 3 * rows)?;
        Launch { kernel: "softmax_parts", shape, others: &[logits.out], args }.onto(&out)
    }
}
