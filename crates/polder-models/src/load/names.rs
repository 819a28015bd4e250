//! From the names in checkpoints to canonical names, and what may be passed over.

use std::collections::HashSet;

/// Wrappers that leave a prefix on every name: `torch.compile` and data-parallel training.
const WRAPPERS: [&str; 2] = ["_orig_mod.", "module."];

/// The canonical name of a tensor: one of `known`, or the name itself where none fits.
///
/// Base models are saved without the head's `model.` prefix: `layers.0…` for LLaMA, `decoder.layers.0…` for OPT.
pub(crate) fn canonical(name: &str, known: &HashSet<&str>) -> String {
    let mut bare = name;
    while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| bare.strip_prefix(wrapper)) {
        bare = inner;
    }
    let prefixed = format!("model.{bare}");
    if !known.contains(bare) && known.contains(prefixed.as_str()) { prefixed } else { bare.to_owned() }
}

/// Whether a tensor is known to hold nothing that the model does not compute: rotary tables, causal masks, position
/// counters and format versions that older releases saved.
pub(crate) fn is_derived(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(last, "inv_freq" | "masked_bias" | "position_ids" | "version")
        || name.ends_with(".rotary_emb.cos_cached")
        || name.ends_with(".rotary_emb.sin_cached")
}

/// `a`, `b` and `c`, at most five, and how many more.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len().saturating_sub(5) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_base_models() {
        let known =
            HashSet::from(["model.decoder.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "lm_head.weight"]);
        let cases = [
            ("decoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"),
            ("model.decoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"),
            ("layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
            ("module._orig_mod.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
            ("lm_head.weight", "lm_head.weight"),
            ("score.weight", "score.weight"),
        ];
        for (name, expected) in cases {
            assert_eq!(canonical(name, &known), expected);
        }
    }

    #[test]
    fn lists_stop_at_five() {
        assert_eq!(list(&["a", "b"]), "`a`, `b`");
        assert_eq!(list(&["a"; 8]), "`a`, `a`, `a`, `a`, `a` and 3 more");
    }
}
