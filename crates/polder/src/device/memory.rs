//! The memory that a run takes on a GPU, by formula: what is alive at once in a pass of a model through a reader.
//!
//! Tensors are counted as the models of `polder-models` hold them and as the GPU reader of `polder-perturb` makes them:
//! every operation writes a new tensor of f32, a variable lives until its function ends, weights at points are made in a
//! scratch matrix, for which offloaded weights are sent first. A test runs the same passes on a device that counts (`tests/device_memory.rs`).

use polder_models::{Family, ModelConfig, expected_tensors};
use serde::Serialize;

use super::Kind;
use crate::config::Arithmetic;

/// What is set aside for a CUDA context with the loaded kernels, for cuBLAS' workspace (NVIDIA advises 32 MiB on Hopper
/// and 4 MiB before) and for the pool's rounding, in bytes. An allowance: no context was measured.
pub const ALLOWANCE: u64 = 640 << 20;

/// The most numbers of a scratch matrix, as in the GPU reader.
const SCRATCH: usize = 1 << 26;
/// A matrix of so few numbers is made whole for both points.
const SMALL: usize = 1 << 20;
/// Blocks have a multiple of so many rows.
const STEP: usize = 64;
/// Tokens of a block of the head.
const TOKENS: usize = 4096;
/// Queries that a group of lanes takes in attention.
const QUERIES: usize = 16;

/// The widths of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    /// Whether it is an OPT; otherwise a LLaMA.
    pub(super) opt: bool,
    pub(super) layers: usize,
    pub(super) hidden: usize,
    pub(super) ffn: usize,
    /// The width of all queries, and of all keys.
    pub(super) queries: usize,
    pub(super) keys: usize,
    head_dim: usize,
    /// The width of token embeddings, which is also that of the head's input.
    pub(super) embedding: usize,
    pub(super) vocab: usize,
    /// Whether linear layers have biases, norms have weights, and q and k norms of their own.
    biases: bool,
    qk_norm: bool,
    /// Whether norms come before attention and the feed-forward layer, as in all but one OPT, or after their sums.
    norm_first: bool,
    /// Numbers of all parameters.
    pub(super) parameters: usize,
}

/// A forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Points that are read together.
    pub points: usize,
    /// Tokens at one point.
    pub rows: usize,
    /// Tokens at one point after which something is scored.
    pub wanted: usize,
    /// The arithmetic of products.
    pub arithmetic: Arithmetic,
    /// The kind of GPU.
    pub kind: Kind,
    /// Bytes of a stored number, where the weights stay in the computer's memory and are sent for each product; 0 where
    /// they lie on the device.
    pub sent: usize,
}

/// What is held at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Moment {
    /// Activations.
    pub activations: u64,
    /// Weights at points, made for a product, and stored ones that were sent for it.
    pub scratch: u64,
    /// A block of logits, with what is kept of all of them.
    pub logits: u64,
}

impl Moment {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.activations.saturating_add(self.scratch).saturating_add(self.logits)
    }
}

/// The memory of a run on a GPU, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeviceMemory {
    /// The weights, once; 0 where they stay in the computer's memory.
    pub weights: u64,
    /// The optimiser's state; it lies beside the weights.
    pub state: u64,
    /// The moment of a pass at which most is held.
    pub pass: Moment,
    /// Keys and values that are kept from pass to pass, and a point's weights where they are made whole.
    pub kept: u64,
    /// [`ALLOWANCE`].
    pub allowance: u64,
}

impl DeviceMemory {
    /// All of it.
    pub fn total(&self) -> u64 {
        [self.state, self.pass.total(), self.kept, self.allowance].into_iter().fold(self.weights, u64::saturating_add)
    }
}

impl Architecture {
    /// The widths of a configuration; `None` for a family that the formulas do not know.
    pub fn of(config: &ModelConfig) -> Option<Self> {
        let tensors = expected_tensors(config);
        let parameters = tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        let qk_norm = tensors.iter().any(|(name, _)| name.ends_with("q_norm.weight"));
        let found = match config.family() {
            Family::Opt(c) => Self {
                opt: true,
                layers: c.layers,
                hidden: c.hidden,
                ffn: c.ffn,
                queries: c.hidden,
                keys: c.hidden,
                head_dim: c.hidden / c.heads.max(1),
                embedding: c.embedding,
                vocab: c.vocab,
                biases: c.bias,
                qk_norm,
                norm_first: c.norm_first,
                parameters,
            },
            Family::Llama(c) => Self {
                opt: false,
                layers: c.layers,
                hidden: c.hidden,
                ffn: c.ffn,
                queries: c.heads * c.head_dim,
                keys: c.kv_heads * c.head_dim,
                head_dim: c.head_dim,
                embedding: c.hidden,
                vocab: c.vocab,
                biases: c.qkv_bias || c.out_bias || c.mlp_bias,
                qk_norm,
                norm_first: true,
                parameters,
            },
            _ => return None,
        };
        Some(found)
    }

    /// Numbers of all parameters.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The moment of a pass at which most is held.
    pub fn peak(&self, pass: &Pass) -> Moment {
        let count = Count { a: self, pass };
        let layers = if self.opt { count.opt() } else { count.llama() };
        let around = count.kept();
        let all = layers.into_iter().chain(count.ends());
        let most = all.max_by_key(Moment::total).unwrap_or_default();
        Moment { activations: most.activations.saturating_add(around), ..most }
    }
}

/// Counts the bytes of one architecture's pass.
struct Count<'a> {
    a: &'a Architecture,
    pass: &'a Pass,
}

impl Count<'_> {
    /// Bytes of activations of so many numbers a row.
    fn rows(&self, width: usize) -> u64 {
        bytes(&[self.pass.points, self.pass.rows, width, 4])
    }

    /// Bytes of the scored rows.
    fn scored(&self, width: usize) -> u64 {
        bytes(&[self.pass.points, self.pass.wanted, width, 4])
    }

    /// Bytes of so many vectors at every point.
    fn vectors(&self, width: usize, count: usize) -> u64 {
        bytes(&[self.pass.points, width, count, 4])
    }

    /// Bytes of so many stored numbers, where they are sent.
    fn sent(&self, numbers: &[usize]) -> u64 {
        bytes(numbers).saturating_mul(self.pass.sent as u64)
    }

    /// A norm with `held` alive before it: its vectors are read before its rows are written.
    fn norm(&self, held: u64, width: usize) -> Moment {
        let vectors = self.vectors(width, if self.a.opt { 2 } else { 1 });
        let scratch = self.sent(&[width]).saturating_sub(self.rows(width));
        Moment { activations: held + self.rows(width) + vectors, scratch, logits: 0 }
    }

    /// A linear layer, `held` being alive with its output; the scratch is gone when the bias comes.
    fn linear(&self, held: u64, input: usize, out: usize) -> Moment {
        let bias = if self.a.biases { self.vectors(out, 1) + self.sent(&[out]) } else { 0 };
        let scratch = self.scratch(input, out, out) + self.sent(&[input, out]);
        let factor = match self.pass.arithmetic {
            Arithmetic::Bf16 => self.rows(input) / 2,
            _ => 0,
        };
        // Elsewhere than on CUDA a product is made apart before it goes to its place.
        let apart = if self.pass.kind == Kind::Metal { bytes(&[self.pass.rows, out, 4]) } else { 0 };
        Moment { activations: held + factor, scratch: (scratch + apart).max(bias), logits: 0 }
    }

    /// A block of a weight at one point or two, of `most` rows at most.
    fn scratch(&self, input: usize, out: usize, most: usize) -> u64 {
        let variants = self.pass.points.clamp(1, 2);
        let number = if self.pass.arithmetic == Arithmetic::Bf16 { 2 } else { 4 };
        let room = out.saturating_mul(input).clamp(SMALL, SCRATCH) / (variants * input.max(1));
        let block = if room >= STEP { room / STEP * STEP } else { room.max(1) };
        bytes(&[variants, block.min(out).min(most), input, number])
    }

    /// A layer of an OPT: x, its norm, q, k, v and what they give stay until the layer ends. Where norms come after the
    /// sums, attention reads x itself.
    fn opt(&self) -> Vec<Moment> {
        let (h, f) = (self.rows(self.a.hidden), self.rows(self.a.ffn));
        let (hidden, ffn) = (self.a.hidden, self.a.ffn);
        let plain = |activations| Moment { activations, ..Moment::default() };
        // What is there beside x, q, k, v while attention is computed, and after its sum.
        let own = if self.a.norm_first { h } else { 0 };
        let mut all = vec![
            self.linear(own + 4 * h, hidden, hidden),
            self.linear(own + 6 * h, hidden, hidden),
            plain(own + 7 * h),
            self.norm(own + 6 * h, hidden),
            self.linear(own + 7 * h + f, hidden, ffn),
            plain(own + 7 * h + 2 * f),
            self.linear(own + 8 * h + f, ffn, hidden),
            plain(own + 9 * h + f),
        ];
        all.push(if self.a.norm_first { self.norm(h, hidden) } else { self.norm(8 * h + f, hidden) });
        all
    }

    /// A layer of a LLaMA: x, q, k, v, what attention gives and the sum stay; norms go when they were multiplied.
    fn llama(&self) -> Vec<Moment> {
        let (h, f) = (self.rows(self.a.hidden), self.rows(self.a.ffn));
        let (q, k) = (self.rows(self.a.queries), self.rows(self.a.keys));
        let (hidden, ffn) = (self.a.hidden, self.a.ffn);
        let own = if self.a.qk_norm { q + k } else { 0 };
        let base = 2 * h + 2 * q + 2 * k + own;
        let plain = |activations| Moment { activations, ..Moment::default() };
        vec![
            self.norm(h, hidden),
            self.linear(2 * h + q + 2 * k, hidden, self.a.queries.max(self.a.keys)),
            plain(h + 2 * q + 2 * k + own),
            self.linear(base, self.a.queries, hidden),
            plain(base + h),
            self.norm(base, hidden),
            self.linear(base + h + 2 * f, hidden, ffn),
            plain(base + 3 * f),
            self.linear(base + f + h, ffn, hidden),
            plain(base + f + 2 * h),
        ]
    }

    /// Embeddings before the layers; norm and head after them.
    fn ends(&self) -> Vec<Moment> {
        let (a, h) = (self.a, self.rows(self.a.hidden));
        let plain = |activations| Moment { activations, ..Moment::default() };
        let narrow = if a.embedding == a.hidden { 0 } else { self.rows(a.embedding) };
        // Offloaded tables are read where they lie.
        let ids = if self.pass.sent > 0 { 0 } else { bytes(&[self.pass.rows, 8]) };
        let mut all = vec![plain(ids + narrow + if a.opt { 3 * h } else { h })];
        if narrow > 0 {
            all.push(self.linear(narrow + h, a.embedding, a.hidden));
            all.push(self.linear(self.scored(a.hidden) + self.scored(a.embedding), a.hidden, a.embedding));
        }
        let tokens = a.vocab.min(TOKENS);
        let blocks = a.vocab.div_ceil(TOKENS);
        // Two words a wanted token go up; its logit, and of every row three numbers a block, come back.
        let parts = self.scored(3 * blocks) + self.scored(1) + bytes(&[self.pass.wanted, 8]);
        let factor = if self.pass.arithmetic == Arithmetic::Bf16 { self.scored(a.embedding) / 2 } else { 0 };
        let apart = if self.pass.kind == Kind::Metal { bytes(&[self.pass.wanted, tokens, 4]) } else { 0 };
        all.push(Moment {
            activations: self.scored(a.embedding) + factor,
            scratch: self.scratch(a.embedding, a.vocab, tokens) + self.sent(&[a.embedding, tokens]) + apart,
            logits: self.scored(tokens) + parts,
        });
        all
    }

    /// What a reader keeps for all layers: angles, and how sequences attend (of a branch also what it comes after is listed,
    /// four bytes a key: left out, some hundred kilobytes at most).
    fn kept(&self) -> u64 {
        let Pass { rows, wanted, .. } = *self.pass;
        let angles = if self.a.opt { 0 } else { bytes(&[rows, self.a.head_dim, 4]) };
        angles + bytes(&[rows / QUERIES + wanted + 1, 16]) + bytes(&[rows, 4])
    }
}

/// A product of sizes, in bytes.
fn bytes(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1u64, |all, n| all.saturating_mul(*n as u64))
}
