//! Text from ids as they come.

use polder_tasks::TextStream;
use tokenizers::Tokenizer;

/// Bytes as tokens, in the byte-level alphabet: id b is byte b; id 256 is special, 257 the text " stop", 258 " st".
fn bytes() -> Tokenizer {
    let mut vocab = serde_json::Map::new();
    let mut others = 256..;
    for byte in 0..256u32 {
        let own = (33..=126).contains(&byte) || (161..=172).contains(&byte) || byte >= 174;
        let letter = if own { byte } else { others.next().expect("a letter") };
        vocab.insert(char::from_u32(letter).expect("a letter").to_string(), byte.into());
    }
    vocab.insert("<end>".to_owned(), 256.into());
    vocab.insert("\u{120}stop".to_owned(), 257.into());
    vocab.insert("\u{120}st".to_owned(), 258.into());
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
        "added_tokens": [{ "id": 256, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
                           "normalized": false, "special": true }],
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": [] },
    });
    Tokenizer::from_bytes(json.to_string()).expect("a tokenizer")
}

/// The pieces of some ids after a prompt, what came at the end, and whether it was stopped before.
fn pieces(prompt: &str, ids: &[u32], stops: &[&str]) -> (Vec<String>, String, bool) {
    let tokenizer = bytes();
    let prompt: Vec<u32> = prompt.bytes().map(u32::from).collect();
    let stops: Vec<String> = stops.iter().map(|s| (*s).to_owned()).collect();
    let mut stream = TextStream::after(&tokenizer, &prompt, &stops);
    let mut all = Vec::new();
    for id in ids {
        let piece = stream.push(*id).expect("text");
        all.push(piece.text);
        if piece.stopped {
            return (all, String::new(), true);
        }
    }
    let last = stream.finish().expect("text");
    (all, last.text, last.stopped)
}

fn of(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

#[test]
fn a_character_comes_whole_or_not_at_all() {
    let (parts, rest, _) = pieces("é", &of("a€🙂b"), &[]);
    assert_eq!(parts, ["a", "", "", "€", "", "", "", "🙂", "b"]);
    assert_eq!(rest, "");
    // One that is not ended is left out; special tokens say nothing.
    let mut ids = of("x€");
    ids.pop();
    let (parts, rest, _) = pieces("é", &ids, &[]);
    assert_eq!((parts.concat().as_str(), rest.as_str()), ("x", ""));
    let (parts, rest, _) = pieces("", &[120, 256, 121], &[]);
    assert_eq!((parts.concat() + &rest).as_str(), "xy");
    // Bytes that never make a character are shown as such once something follows.
    let (parts, rest, _) = pieces("", &[120, 0x80, 121], &[]);
    assert_eq!((parts.concat() + &rest).as_str(), "x\u{FFFD}y");
}

#[test]
fn text_ends_before_a_stop_text_wherever_tokens_part_it() {
    for ids in [of("go stop now"), [of("go"), vec![257], of(" now")].concat(), [of("go"), vec![258], of("op")].concat()]
    {
        let (parts, _, stopped) = pieces("p", &ids, &[" stop"]);
        assert!(stopped, "{ids:?}");
        assert_eq!(parts.concat(), "go", "{ids:?}");
        // Nothing that might begin the stop text was given away before.
        assert!(parts.iter().all(|p| !p.contains(' ')), "{parts:?}");
    }
    // What was held back comes once it is none, or at the end.
    assert_eq!(pieces("", &of("a sta"), &[" stop"]).0, ["a", "", "", "", " sta"]);
    assert_eq!(
        pieces("", &of("a st"), &[" stop"]),
        (["a", "", "", ""].map(str::to_owned).to_vec(), " st".to_owned(), false)
    );
    // The earliest of several stops; empty ones are none.
    let (parts, _, stopped) = pieces("", &of("ab\n\nc"), &["\n\n", "", "c", "b"]);
    assert_eq!((parts.concat().as_str(), stopped), ("a", true));
    // The prompt's end is no part of it.
    let (parts, rest, stopped) = pieces("a st", &of("op"), &[" stop"]);
    assert_eq!((parts.concat() + &rest, stopped), ("op".to_owned(), false));
}
