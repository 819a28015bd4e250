//! A byte-level BPE tokenizer of a few merges.

use serde_json::{Value, json};
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

/// The BOS token's id.
pub(crate) const BOS: u32 = 0;
/// The EOS token's id.
pub(crate) const EOS: u32 = 1;

/// Merges, written with spaces as the alphabet's `Ġ`, become tokens of their own; all bytes are tokens.
pub(crate) fn tokenizer(merges: &[(&str, &str)], post_processor: Value) -> Tokenizer {
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let mut vocabulary = serde_json::Map::new();
    vocabulary.insert("<s>".to_owned(), json!(BOS));
    vocabulary.insert("</s>".to_owned(), json!(EOS));
    for symbol in alphabet {
        vocabulary.insert(symbol.to_string(), json!(vocabulary.len()));
    }
    for (first, second) in merges {
        vocabulary.insert(format!("{first}{second}"), json!(vocabulary.len()));
    }
    let added = |id: u32, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let merges: Vec<String> = merges.iter().map(|(first, second)| format!("{first} {second}")).collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(BOS, "<s>"), added(EOS, "</s>")],
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": post_processor, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": merges},
    });
    file.to_string().parse().expect("the tokenizer of the tests")
}

/// A post-processor that puts BOS in front, and EOS behind where asked.
pub(crate) fn bos_and(eos: bool) -> Value {
    let special = |token: &str| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let mut single = vec![special("<s>"), text("A")];
    if eos {
        single.push(special("</s>"));
    }
    json!({"type": "TemplateProcessing", "single": single, "pair": [text("A"), text("B")],
        "special_tokens": {
            "<s>": {"id": "<s>", "ids": [BOS], "tokens": ["<s>"]},
            "</s>": {"id": "</s>", "ids": [EOS], "tokens": ["</s>"]}}})
}
