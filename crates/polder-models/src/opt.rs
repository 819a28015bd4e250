//! OPT in all its variants (Zhang et al. 2022, arXiv 2205.01068).

use candle_core::Tensor;
use polder_perturb::{Attention, Linear, Norm, NormKind, ParamSet, Reader, Site};

use crate::config::OptConfig;
use crate::error::Result;
use crate::language_model::{Around, Description, LanguageModel, linear, linear_tensors};
use crate::tokens::Tokens;

/// The table of token embeddings; also the head, where they are tied.
pub(crate) const EMBEDDINGS: &str = "model.decoder.embed_tokens.weight";
const POSITIONS: &str = "model.decoder.embed_positions.weight";
const DECODER: &str = "model.decoder";

/// PyTorch's default constant of `LayerNorm`, which OPT uses.
const EPS: f64 = 1e-5;

/// An OPT model over the sites of a parameter set.
#[derive(Debug)]
pub(crate) struct Opt {
    config: OptConfig,
    embeddings: Site,
    positions: Site,
    project_in: Option<Linear>,
    project_out: Option<Linear>,
    layers: Vec<Layer>,
    final_norm: Option<Norm>,
    head: Linear,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Norm,
    qkv: [Linear; 3],
    out: Linear,
    ffn_norm: Norm,
    up: Linear,
    down: Linear,
}

/// The canonical names and shapes of the parameters.
pub(crate) fn tensors(c: &OptConfig) -> Vec<(String, Vec<usize>)> {
    let mut list = vec![
        (EMBEDDINGS.to_owned(), vec![c.vocab, c.embedding]),
        (POSITIONS.to_owned(), vec![c.positions + OptConfig::POSITION_OFFSET, c.hidden]),
    ];
    if c.embedding != c.hidden {
        linear_tensors(&mut list, &format!("{DECODER}.project_in"), [c.hidden, c.embedding], false);
        linear_tensors(&mut list, &format!("{DECODER}.project_out"), [c.embedding, c.hidden], false);
    }
    for layer in 0..c.layers {
        let at = format!("{DECODER}.layers.{layer}");
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            linear_tensors(&mut list, &format!("{at}.self_attn.{name}"), [c.hidden, c.hidden], c.bias);
        }
        norm_tensors(&mut list, &format!("{at}.self_attn_layer_norm"), c);
        linear_tensors(&mut list, &format!("{at}.fc1"), [c.ffn, c.hidden], c.bias);
        linear_tensors(&mut list, &format!("{at}.fc2"), [c.hidden, c.ffn], c.bias);
        norm_tensors(&mut list, &format!("{at}.final_layer_norm"), c);
    }
    if c.final_norm {
        norm_tensors(&mut list, &format!("{DECODER}.final_layer_norm"), c);
    }
    if !c.tied {
        list.push(("lm_head.weight".to_owned(), vec![c.vocab, c.embedding]));
    }
    list
}

fn norm_tensors(list: &mut Vec<(String, Vec<usize>)>, prefix: &str, c: &OptConfig) {
    if c.norm_affine {
        list.push((format!("{prefix}.weight"), vec![c.hidden]));
        list.push((format!("{prefix}.bias"), vec![c.hidden]));
    }
}

fn norm(params: &ParamSet, prefix: &str, c: &OptConfig) -> Result<Norm> {
    let affine = if c.norm_affine { Some(linear(params, prefix, true)?) } else { None };
    Ok(Norm {
        kind: NormKind::Layer,
        weight: affine.map(|a| a.weight),
        bias: affine.and_then(|a| a.bias),
        width: c.hidden,
        eps: EPS,
    })
}

impl Opt {
    /// Finds the sites of a checked set of parameters.
    pub(crate) fn new(c: &OptConfig, params: &ParamSet) -> Result<Self> {
        let layer = |i: usize| -> Result<Layer> {
            let at = format!("{DECODER}.layers.{i}");
            let projection = |name: &str| linear(params, &format!("{at}.self_attn.{name}"), c.bias);
            Ok(Layer {
                attention_norm: norm(params, &format!("{at}.self_attn_layer_norm"), c)?,
                qkv: [projection("q_proj")?, projection("k_proj")?, projection("v_proj")?],
                out: projection("out_proj")?,
                ffn_norm: norm(params, &format!("{at}.final_layer_norm"), c)?,
                up: linear(params, &format!("{at}.fc1"), c.bias)?,
                down: linear(params, &format!("{at}.fc2"), c.bias)?,
            })
        };
        let project = |name: &str| match c.embedding == c.hidden {
            true => Ok(None),
            false => linear(params, &format!("{DECODER}.{name}"), false).map(Some),
        };
        let final_norm = || norm(params, &format!("{DECODER}.final_layer_norm"), c);
        let embeddings = params.site(EMBEDDINGS)?;
        let head = if c.tied { embeddings } else { params.site("lm_head.weight")? };
        Ok(Self {
            config: c.clone(),
            embeddings,
            positions: params.site(POSITIONS)?,
            project_in: project("project_in")?,
            project_out: project("project_out")?,
            layers: (0..c.layers).map(layer).collect::<Result<_>>()?,
            final_norm: if c.final_norm { Some(final_norm()?) } else { None },
            head: Linear { weight: head, bias: None },
        })
    }

    /// Token embeddings, projected to the width of the stream, plus positions.
    fn embed(&self, at: &dyn Reader, input: &Tokens) -> Result<Tensor> {
        let offset = OptConfig::POSITION_OFFSET as u32;
        let places: Vec<u32> = input.positions.iter().map(|p| p + offset).collect();
        let tokens = at.embed(self.embeddings, &input.ids)?;
        let tokens = match self.project_in {
            Some(layer) => at.linear(&tokens, layer)?,
            None => tokens,
        };
        Ok(at.add(tokens, &at.embed(self.positions, &places)?)?)
    }

    /// One layer; after its attention only `keep` rows go on.
    fn layer(
        &self,
        at: &dyn Reader,
        i: usize,
        x: Tensor,
        pass: (&Tokens, &mut Around<'_>),
        keep: Option<&[u32]>,
    ) -> Result<Tensor> {
        let (l, (input, around)) = (&self.layers[i], pass);
        let first = self.config.norm_first;
        let spec = Attention {
            sequences: &input.sequences,
            heads: self.config.heads,
            kv_heads: self.config.heads,
            head_dim: self.config.hidden / self.config.heads,
            scale: ((self.config.hidden / self.config.heads) as f64).powf(-0.5),
            window: None,
            stem: around.before(i),
            after: input.before(),
        };
        let normed = if first { at.norm(&x, &l.attention_norm)? } else { x.clone() };
        let qkv = at.linears(&normed, &l.qkv)?;
        around.keep(&qkv[1], &qkv[2]);
        let mixed = at.attention(&qkv[0], &qkv[1], &qkv[2], &spec)?;
        let (mixed, x) = match keep {
            Some(rows) => (at.select(&mixed, rows)?, at.select(&x, rows)?),
            None => (mixed, x),
        };
        let x = at.add(at.linear(&mixed, l.out)?, &x)?;
        let x = if first { x } else { at.norm(&x, &l.attention_norm)? };
        let normed = if first { at.norm(&x, &l.ffn_norm)? } else { x.clone() };
        let wide = at.activate(at.linear(&normed, l.up)?, self.config.activation)?;
        let x = at.add(at.linear(&wide, l.down)?, &x)?;
        if first { Ok(x) } else { Ok(at.norm(&x, &l.ffn_norm)?) }
    }
}

impl LanguageModel for Opt {
    fn hidden_rows(
        &self,
        at: &dyn Reader,
        input: &Tokens,
        rows: Option<&[u32]>,
        around: &mut Around<'_>,
    ) -> Result<Tensor> {
        input.check(self.config.vocab, self.config.positions)?;
        around.check(input, at, self.layers.len())?;
        let mut x = self.embed(at, input)?;
        for i in 0..self.layers.len() {
            let last = i + 1 == self.layers.len();
            x = self.layer(at, i, x, (input, around), rows.filter(|_| last))?;
        }
        if let Some(norm) = &self.final_norm {
            x = at.norm(&x, norm)?;
        }
        match self.project_out {
            Some(layer) => Ok(at.linear(&x, layer)?),
            None => Ok(x),
        }
    }

    fn head(&self) -> Linear {
        self.head
    }

    fn describe(&self) -> Description {
        let c = &self.config;
        Description {
            layers: c.layers,
            hidden: c.hidden,
            ffn: c.ffn,
            heads: c.heads,
            kv_heads: c.heads,
            head_dim: c.hidden / c.heads,
            vocab: c.vocab,
            positions: c.positions,
            tied: c.tied,
        }
    }
}
