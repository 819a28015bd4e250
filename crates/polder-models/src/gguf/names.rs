//! llama.cpp's names of tensors, and the canonical ones.

use crate::error::Result;
use crate::gguf::config::Model;
use crate::load::extent::Extent;

/// The parts of a layer.
const PARTS: [(&str, &str); 11] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The tensors under their canonical names, with the rows of queries and keys marked where they are interleaved.
///
/// Names that are not known are kept, so that whoever fills the model refuses them by name.
///
/// # Errors
/// Queries or keys whose rows are not whole heads.
pub(crate) fn canonical(model: &Model<'_>, tensors: Vec<Extent>) -> Result<Vec<(String, Extent)>> {
    let mut named = Vec::with_capacity(tensors.len());
    for mut tensor in tensors {
        // Its factors are in the configuration by now.
        if tensor.name == "rope_freqs.weight" {
            continue;
        }
        let name = canonical_name(&tensor.name).unwrap_or_else(|| tensor.name.clone());
        if model.arch == "llama" {
            tensor.interleaved = interleaved(model, &name, &tensor)?;
        }
        named.push((name, tensor));
    }
    Ok(named)
}

/// llama.cpp interleaves the halves of each head in the architecture `llama` alone; the others rotate as they lie.
fn interleaved(model: &Model<'_>, name: &str, tensor: &Extent) -> Result<Option<usize>> {
    let heads = match () {
        () if name.contains(".q_proj.") => model.heads,
        () if name.contains(".k_proj.") => model.kv_heads,
        () => return Ok(None),
    };
    let rows = tensor.shape.first().copied().unwrap_or(0) as u64;
    if !model.head_dim.is_multiple_of(2) || heads.checked_mul(model.head_dim) != Some(rows) {
        let (name, width) = (&tensor.name, model.head_dim);
        return Err(model.metadata.wrong(format!("`{name}` has {rows} rows, not {heads} heads of {width}")));
    }
    Ok(Some(heads as usize))
}

/// llama.cpp's name of a canonical one.
pub(crate) fn gguf_name(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".to_owned()),
        "model.norm.weight" => return Some("output_norm.weight".to_owned()),
        "lm_head.weight" => return Some("output.weight".to_owned()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, what) = rest.rsplit_once('.')?;
    let (theirs, _) = PARTS.iter().find(|(_, canonical)| *canonical == part)?;
    Some(format!("blk.{layer}.{theirs}.{what}"))
}

fn canonical_name(name: &str) -> Option<String> {
    match name {
        "token_embd.weight" => return Some("model.embed_tokens.weight".to_owned()),
        "output_norm.weight" => return Some("model.norm.weight".to_owned()),
        "output.weight" => return Some("lm_head.weight".to_owned()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, what) = rest.split_once('.')?;
    let (_, canonical) = PARTS.iter().find(|(theirs, _)| *theirs == part)?;
    Some(format!("model.layers.{layer}.{canonical}.{what}"))
}
