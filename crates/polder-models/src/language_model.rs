//! The seam between a model and whoever wants its log-probabilities.

use std::fmt::Debug;

use candle_core::{DType, Tensor};
use polder_perturb::{KeysValues, Linear, ParamSet, Reader};

use crate::config::{Family, ModelConfig};
use crate::error::{Error, Result};
use crate::tokens::Tokens;
use crate::{llama, opt};

/// A causal language model: packed tokens in, log-probabilities at the wanted places out.
///
/// It holds no weights, only the sites of a [`ParamSet`]; the [`Reader`] that it is given reads them, at its points.
pub trait LanguageModel: Debug + Send + Sync {
    /// What the head multiplies: `[P·U, width]`, after the last norm and projection, of the given rows (all: `None`).
    ///
    /// After the last attention only those rows are worked on, which by row invariance changes no bit of them. `around`
    /// says what comes before the input, and what is to be remembered of it.
    ///
    /// # Errors
    /// An input that fits neither itself nor the model nor the stem; a failing operation.
    fn hidden_rows(
        &self,
        at: &dyn Reader,
        input: &Tokens,
        rows: Option<&[u32]>,
        around: &mut Around<'_>,
    ) -> Result<Tensor>;

    /// The head, which turns hidden rows into logits.
    fn head(&self) -> Linear;

    /// Layers, widths, heads.
    fn describe(&self) -> Description;

    /// [`LanguageModel::hidden_rows`] of every row: `[P·R, width]`.
    ///
    /// # Errors
    /// As there.
    fn hidden(&self, at: &dyn Reader, input: &Tokens) -> Result<Tensor> {
        self.hidden_rows(at, input, None, &mut Around::default())
    }

    /// `log p(token | everything up to and including row)` of each wanted pair, `[P·wanted.len()]`, in nats.
    ///
    /// # Errors
    /// As [`LanguageModel::hidden_rows`].
    fn log_probs(&self, at: &dyn Reader, input: &Tokens) -> Result<Tensor> {
        self.log_probs_after(at, None, input)
    }

    /// The same after a stem, which was made at the same points: bit for bit what sequences that begin with it give.
    ///
    /// # Errors
    /// As [`LanguageModel::hidden_rows`].
    fn log_probs_after(&self, at: &dyn Reader, stem: Option<&Stem>, input: &Tokens) -> Result<Tensor> {
        let about = self.describe();
        input.check(about.vocab, about.positions)?;
        let (rows, pairs) = input.wanted_rows();
        if pairs.is_empty() {
            return Ok(Tensor::zeros(0, DType::F32, &at.device())?);
        }
        let all = rows.len() == input.rows();
        let around = &mut Around { stem, keep: None };
        let hidden = self.hidden_rows(at, input, if all { None } else { Some(&rows) }, around)?;
        Ok(at.log_probs(&hidden, self.head(), &pairs)?)
    }

    /// Runs the tokens that many sequences begin with, for passes over what follows them.
    ///
    /// # Errors
    /// As [`LanguageModel::hidden_rows`].
    fn stem(&self, at: &dyn Reader, ids: &[u32]) -> Result<Stem> {
        let mut input = Tokens::new();
        input.push(ids);
        let mut layers = Vec::new();
        // Nothing is wanted of the last layer but its keys and values, so one row goes on after it.
        self.hidden_rows(at, &input, Some(&[0]), &mut Around { stem: None, keep: Some(&mut layers) })?;
        Ok(Stem { len: ids.len(), points: at.points(), layers })
    }

    /// Tokens in the vocabulary: every id is below.
    fn vocab_size(&self) -> usize {
        self.describe().vocab
    }

    /// The largest number of tokens of a sequence.
    fn max_positions(&self) -> usize {
        self.describe().positions
    }
}

/// What a model keeps of the tokens that many sequences begin with: every layer's keys and values, at some points.
#[derive(Debug, Clone)]
pub struct Stem {
    pub(crate) len: usize,
    pub(crate) points: usize,
    pub(crate) layers: Vec<KeysValues>,
}

impl Stem {
    /// How many tokens.
    pub fn tokens(&self) -> usize {
        self.len
    }
}

/// What is around a pass: the stem that comes before its input, and where its own keys and values are kept.
#[derive(Debug, Default)]
pub struct Around<'a> {
    /// What comes before every sequence.
    pub stem: Option<&'a Stem>,
    /// Gets the keys and values of every layer.
    pub keep: Option<&'a mut Vec<KeysValues>>,
}

impl<'a> Around<'a> {
    /// Checks that the stem is what the input follows, at as many points and over as many layers.
    pub(crate) fn check(&self, input: &Tokens, at: &dyn Reader, layers: usize) -> Result<()> {
        let stem = self.stem.map_or(0, |stem| stem.len);
        if input.stem != stem {
            return Err(Error::InputStem { what: "tokens", found: stem, expected: input.stem });
        }
        match self.stem {
            Some(stem) if stem.points != at.points() => {
                Err(Error::InputStem { what: "points", found: stem.points, expected: at.points() })
            }
            Some(stem) if stem.layers.len() != layers => {
                Err(Error::InputStem { what: "layers", found: stem.layers.len(), expected: layers })
            }
            _ => Ok(()),
        }
    }

    /// What comes before layer `i`.
    pub(crate) fn before(&self, i: usize) -> Option<&'a KeysValues> {
        self.stem.map(|stem| &stem.layers[i])
    }

    /// Keeps a layer's keys and values, where they are asked for.
    pub(crate) fn keep(&mut self, keys: &Tensor, values: &Tensor) {
        if let Some(kept) = &mut self.keep {
            kept.push(KeysValues { keys: keys.clone(), values: values.clone() });
        }
    }
}

/// A model's shape, for people and for plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Layers.
    pub layers: usize,
    /// The width of the residual stream.
    pub hidden: usize,
    /// The width of the feed-forward layer.
    pub ffn: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// The width of a head.
    pub head_dim: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// The largest number of tokens of a sequence.
    pub positions: usize,
    /// Whether the head is the table of embeddings.
    pub tied: bool,
}

/// The model of a configuration, over the parameters of a set.
///
/// # Errors
/// A parameter that is not there, or has another shape than the configuration asks for.
pub fn build(config: &ModelConfig, params: &ParamSet) -> Result<Box<dyn LanguageModel>> {
    for (name, expected) in expected_tensors(config) {
        let found = params.get(params.site(&name)?).tensor.dims();
        if found != expected {
            return Err(Error::ParamShape { tensor: name, found: found.to_vec(), expected });
        }
    }
    Ok(match config.family() {
        Family::Opt(c) => Box::new(opt::Opt::new(c, params)?),
        Family::Llama(c) => Box::new(llama::Llama::new(c, params)?),
    })
}

/// The canonical names and shapes of a configuration's parameters, in order, tied ones once.
pub fn expected_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    match config.family() {
        Family::Opt(c) => opt::tensors(c),
        Family::Llama(c) => llama::tensors(c),
    }
}

/// Names that files may use for a parameter that has another canonical name: (alias, canonical name).
pub fn tied_aliases(config: &ModelConfig) -> Vec<(String, String)> {
    let table = match config.family() {
        Family::Opt(_) => opt::EMBEDDINGS,
        Family::Llama(_) => llama::EMBEDDINGS,
    };
    if config.tied() { vec![("lm_head.weight".to_owned(), table.to_owned())] } else { Vec::new() }
}

/// The layer `{prefix}.weight`, with `{prefix}.bias` where it has one.
pub(crate) fn linear(params: &ParamSet, prefix: &str, bias: bool) -> Result<Linear> {
    let weight = params.site(&format!("{prefix}.weight"))?;
    let bias = if bias { Some(params.site(&format!("{prefix}.bias"))?) } else { None };
    Ok(Linear { weight, bias })
}

/// Adds the names and shapes of a linear layer.
pub(crate) fn linear_tensors(list: &mut Vec<(String, Vec<usize>)>, prefix: &str, shape: [usize; 2], bias: bool) {
    list.push((format!("{prefix}.weight"), shape.to_vec()));
    if bias {
        list.push((format!("{prefix}.bias"), vec![shape[0]]));
    }
}
