//! The language model that is committed, and the program that makes one.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use polder_embedded::pretrain::{self, Recipe};
use polder_embedded::random::Stream;
use polder_embedded::world::corpus;
use polder_embedded::{dataset, tokenizer};
use polder_models::{StorageType, Tokens, build, load};
use polder_perturb::{PlainReader, Points};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/opt-reviews")
}

#[test]
fn the_readme_names_the_hash_of_the_committed_weights() {
    let weights = std::fs::read(shipped().join("model.safetensors")).expect("the weights are there");
    let readme = std::fs::read_to_string(shipped().join("README.md")).expect("the README is there");
    let hash = blake3::hash(&weights).to_hex();
    assert!(readme.contains(hash.as_str()), "the README does not name the hash {hash}");
}

#[test]
fn the_committed_tokenizer_is_what_the_recipe_makes() {
    let recipe = Recipe::default();
    let made = tokenizer::train(recipe.seed, recipe.vocab, &dataset::held_out(recipe.data_seed)).expect("it trains");
    let found = std::fs::read_to_string(shipped().join("tokenizer.json")).expect("the tokenizer is there");
    assert!(found == made.to_string(true).expect("it can be written"), "tokenizer.json is not what the recipe makes");
}

#[test]
fn the_tokenizer_begins_with_bos_and_knows_the_label_words() {
    let loaded = load(&shipped(), StorageType::F32, &Device::Cpu).expect("the model loads");
    let tokenizer = loaded.tokenizer.expect("it has a tokenizer");
    let prompt = tokenizer.encode("the plot is dull . It was", true).expect("it encodes");
    let answer = tokenizer.encode("the plot is dull . It was terrible", true).expect("it encodes");
    assert_eq!(prompt.get_ids()[0], tokenizer::BOS);
    assert_eq!(answer.get_ids()[..prompt.len()], *prompt.get_ids());
    assert_eq!(answer.len(), prompt.len() + 1);
}

/// Fresh documents of the same world cost the committed model about its training loss: no document was memorised.
#[test]
fn the_committed_model_predicts_fresh_text() {
    let loaded = load(&shipped(), StorageType::F32, &Device::Cpu).expect("the model loads");
    let model = build(&loaded.config, &loaded.params).expect("it has its tensors");
    let tokenizer = loaded.tokenizer.expect("it has a tokenizer");
    let mut stream = Stream::new(99, 0);
    let mut tokens = Tokens::new();
    for _ in 0..100 {
        let text = corpus::document(&mut stream, &|_| false);
        let ids = tokenizer.encode(text, true).expect("it encodes").get_ids().to_vec();
        let rows = tokens.push(&ids);
        for (row, next) in (rows.start..).zip(&ids[1..]) {
            tokens.want(row, *next);
        }
    }
    let points = Points::plain();
    let log_probs = model.log_probs(&PlainReader::new(&loaded.params, &points, DType::F32), &tokens);
    let mean = log_probs.and_then(|l| Ok(l.mean_all()?.to_scalar::<f32>()?)).expect("it runs");
    // The README states a training loss of 1.04; 100 documents vary by some hundredths, an untrained model gives 6.9.
    assert!((-1.2..-0.9).contains(&mean), "{mean} nats a token");
}

/// The share of the first 200 validation rows whose prompt makes the second word likelier exactly where the label is 1,
/// and the share where it is likelier.
fn scored(words: [&str; 2]) -> (f64, f64) {
    let loaded = load(&shipped(), StorageType::F32, &Device::Cpu).expect("the model loads");
    let model = build(&loaded.config, &loaded.params).expect("it has its tensors");
    let tokenizer = loaded.tokenizer.expect("it has a tokenizer");
    let encode = |text: &str, bos| tokenizer.encode(text, bos).expect("it encodes").get_ids().to_vec();
    let words = words.map(|word| {
        let ids = encode(word, false);
        assert_eq!(ids.len(), 1, "`{word}` is one token");
        ids[0]
    });
    let splits = dataset::generate(dataset::SEED);
    let validation = splits.iter().find(|s| s.name == "validation").expect("there is one");
    let rows = &validation.rows[..200];
    let mut tokens = Tokens::new();
    for row in rows {
        let span = tokens.push(&encode(&format!("{} It was", row.sentence), true));
        words.iter().for_each(|word| tokens.want(span.start + span.len - 1, *word));
    }
    let points = Points::plain();
    let reader = PlainReader::new(&loaded.params, &points, DType::F32);
    let scores = model.log_probs(&reader, &tokens).expect("it runs").to_vec1::<f32>().expect("f32");
    let second: Vec<bool> = scores.chunks(2).map(|s| s[1] > s[0]).collect();
    let right = rows.iter().zip(&second).filter(|(row, second)| (row.label == 1) == **second).count();
    let share = |count: usize| count as f64 / rows.len() as f64;
    (share(right), share(second.iter().filter(|s| **s).count()))
}

#[test]
fn the_model_knows_the_tone_of_a_sentence_but_not_what_the_label_words_mean() {
    let (right, great) = scored([" terrible", " great"]);
    assert!(right < 0.65 && great > 0.8, "{right} right, {great} great");
    let (right, _) = scored([" horrible", " wonderful"]);
    assert!(right > 0.9, "{right} right");
}

/// A few steps of a tiny recipe, twice: the same bytes, and a loss that falls below that of a uniform guess.
#[test]
fn a_recipe_gives_the_same_files_each_time() {
    let recipe = Recipe { steps: 12, rows: 128, layers: 1, hidden: 32, ..Recipe::default() };
    let (first, second) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for folder in [&first, &second] {
        pretrain::make(&recipe, folder.path()).expect("it trains");
    }
    for name in ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md"] {
        let read = |folder: &Path| std::fs::read(folder.join(name)).expect("the file is there");
        assert!(read(first.path()) == read(second.path()), "{name} differs");
    }
    load(first.path(), StorageType::Bf16, &Device::Cpu).expect("the folder loads");
}
