//! LLaMA (Touvron et al. 2023, arXiv 2302.13971) and the models built alike: Mistral, Qwen 2 and 3, SmolLM.

use candle_core::Tensor;
use polder_perturb::{Attention, Linear, Norm, NormKind, ParamSet, Reader, RopeTable, Site};

use crate::config::LlamaConfig;
use crate::error::Result;
use crate::language_model::{Around, Description, LanguageModel, linear, linear_tensors};
use crate::rope::Rotary;
use crate::tokens::Tokens;

/// The table of token embeddings; also the head, where they are tied.
pub(crate) const EMBEDDINGS: &str = "model.embed_tokens.weight";

/// A LLaMA-like model over the sites of a parameter set.
#[derive(Debug)]
pub(crate) struct Llama {
    config: LlamaConfig,
    embeddings: Site,
    layers: Vec<Layer>,
    final_norm: Norm,
    head: Linear,
    rotary: Rotary,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Norm,
    qkv: [Linear; 3],
    qk_norm: Option<(Norm, Norm)>,
    out: Linear,
    ffn_norm: Norm,
    gate_up: [Linear; 2],
    down: Linear,
    window: Option<usize>,
}

/// The canonical names and shapes of the parameters.
pub(crate) fn tensors(c: &LlamaConfig) -> Vec<(String, Vec<usize>)> {
    let (wide, narrow) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let mut list = vec![(EMBEDDINGS.to_owned(), vec![c.vocab, c.hidden])];
    for layer in 0..c.layers {
        let at = format!("model.layers.{layer}");
        for (name, width) in [("q_proj", wide), ("k_proj", narrow), ("v_proj", narrow)] {
            linear_tensors(&mut list, &format!("{at}.self_attn.{name}"), [width, c.hidden], c.qkv_bias);
        }
        linear_tensors(&mut list, &format!("{at}.self_attn.o_proj"), [c.hidden, wide], c.out_bias);
        if c.qk_norm {
            list.push((format!("{at}.self_attn.q_norm.weight"), vec![c.head_dim]));
            list.push((format!("{at}.self_attn.k_norm.weight"), vec![c.head_dim]));
        }
        linear_tensors(&mut list, &format!("{at}.mlp.gate_proj"), [c.ffn, c.hidden], c.mlp_bias);
        linear_tensors(&mut list, &format!("{at}.mlp.up_proj"), [c.ffn, c.hidden], c.mlp_bias);
        linear_tensors(&mut list, &format!("{at}.mlp.down_proj"), [c.hidden, c.ffn], c.mlp_bias);
        list.push((format!("{at}.input_layernorm.weight"), vec![c.hidden]));
        list.push((format!("{at}.post_attention_layernorm.weight"), vec![c.hidden]));
    }
    list.push(("model.norm.weight".to_owned(), vec![c.hidden]));
    if !c.tied {
        list.push(("lm_head.weight".to_owned(), vec![c.vocab, c.hidden]));
    }
    list
}

impl Llama {
    /// Finds the sites of a checked set of parameters.
    pub(crate) fn new(c: &LlamaConfig, params: &ParamSet) -> Result<Self> {
        let norm = |name: String, width: usize| -> Result<Norm> {
            let weight = Some(params.site(&format!("{name}.weight"))?);
            Ok(Norm { kind: NormKind::Rms, weight, bias: None, width, eps: c.eps })
        };
        let layer = |(i, window): (usize, &Option<usize>)| -> Result<Layer> {
            let at = format!("model.layers.{i}");
            let qkv = |name: &str| linear(params, &format!("{at}.self_attn.{name}"), c.qkv_bias);
            let mlp = |name: &str| linear(params, &format!("{at}.mlp.{name}"), c.mlp_bias);
            let head_norm = |name: &str| norm(format!("{at}.self_attn.{name}"), c.head_dim);
            Ok(Layer {
                attention_norm: norm(format!("{at}.input_layernorm"), c.hidden)?,
                qkv: [qkv("q_proj")?, qkv("k_proj")?, qkv("v_proj")?],
                qk_norm: if c.qk_norm { Some((head_norm("q_norm")?, head_norm("k_norm")?)) } else { None },
                out: linear(params, &format!("{at}.self_attn.o_proj"), c.out_bias)?,
                ffn_norm: norm(format!("{at}.post_attention_layernorm"), c.hidden)?,
                gate_up: [mlp("gate_proj")?, mlp("up_proj")?],
                down: mlp("down_proj")?,
                window: *window,
            })
        };
        let embeddings = params.site(EMBEDDINGS)?;
        let head = if c.tied { embeddings } else { params.site("lm_head.weight")? };
        Ok(Self {
            config: c.clone(),
            embeddings,
            layers: c.windows.iter().enumerate().map(layer).collect::<Result<_>>()?,
            final_norm: norm("model.norm".to_owned(), c.hidden)?,
            head: Linear { weight: head, bias: None },
            rotary: Rotary::new(&c.rope, c.head_dim, c.positions),
        })
    }

    /// One layer; after its attention only `keep` rows go on.
    fn layer(
        &self,
        at: &dyn Reader,
        i: usize,
        x: Tensor,
        pass: &mut Pass<'_, '_>,
        keep: Option<&[u32]>,
    ) -> Result<Tensor> {
        let (c, l) = (&self.config, &self.layers[i]);
        let [q, k, v]: [Tensor; 3] = three(at.linears(&at.norm(&x, &l.attention_norm)?, &l.qkv)?)?;
        let (q, k) = match &l.qk_norm {
            Some((q_norm, k_norm)) => (at.norm(&q, q_norm)?, at.norm(&k, k_norm)?),
            None => (q, k),
        };
        let q = at.rope(q, pass.table, &pass.input.positions)?;
        let k = at.rope(k, pass.table, &pass.input.positions)?;
        let spec = Attention {
            sequences: &pass.input.sequences,
            heads: c.heads,
            kv_heads: c.kv_heads,
            head_dim: c.head_dim,
            scale: (c.head_dim as f64).powf(-0.5),
            window: l.window,
            stem: pass.around.before(i),
            after: pass.input.before(),
        };
        pass.around.keep(&k, &v);
        let mixed = at.attention(&q, &k, &v, &spec)?;
        let (mixed, x) = match keep {
            Some(rows) => (at.select(&mixed, rows)?, at.select(&x, rows)?),
            None => (mixed, x),
        };
        let x = at.add(at.linear(&mixed, l.out)?, &x)?;
        let mut wide = at.linears(&at.norm(&x, &l.ffn_norm)?, &l.gate_up)?;
        let up = wide.pop();
        let gated = match (wide.pop(), up) {
            (Some(gate), Some(up)) => at.gate(gate, &up, c.activation)?,
            _ => return Err(lost("gate and up")),
        };
        Ok(at.add(at.linear(&gated, l.down)?, &x)?)
    }
}

/// What all layers of one pass share.
struct Pass<'a, 'b> {
    input: &'a Tokens,
    table: &'a RopeTable,
    around: &'a mut Around<'b>,
}

fn three(tensors: Vec<Tensor>) -> Result<[Tensor; 3]> {
    tensors.try_into().map_err(|_| lost("q, k and v"))
}

/// A reader that gave fewer results than layers were asked for.
fn lost(what: &str) -> crate::Error {
    candle_core::Error::Msg(format!("the reader did not give {what}")).into()
}

impl LanguageModel for Llama {
    fn hidden_rows(
        &self,
        at: &dyn Reader,
        input: &Tokens,
        rows: Option<&[u32]>,
        around: &mut Around<'_>,
    ) -> Result<Tensor> {
        input.check(self.config.vocab, self.config.positions)?;
        around.check(input, at, self.layers.len())?;
        let longest = input.positions.iter().max().map_or(0, |p| *p as usize + 1);
        let table = self.rotary.table(longest);
        let mut pass = Pass { input, table: &table, around };
        let mut x = at.embed(self.embeddings, &input.ids)?;
        for i in 0..self.layers.len() {
            let last = i + 1 == self.layers.len();
            x = self.layer(at, i, x, &mut pass, rows.filter(|_| last))?;
        }
        Ok(at.norm(&x, &self.final_norm)?)
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
            kv_heads: c.kv_heads,
            head_dim: c.head_dim,
            vocab: c.vocab,
            positions: c.positions,
            tied: c.tied,
        }
    }
}
