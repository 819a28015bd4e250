//! A Hugging Face folder.

use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use crate::error::{Error, Result};
use crate::load::{Format, Parts, SideFile, bounded, byte_level, shards, tokens};

/// Those side files that hold an object in JSON: one that is cut short would else be as if it were not there, and the model another.
const OBJECTS: [&str; 4] =
    ["tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "chat_template.json"];

/// What is kept of a folder, beside its configuration and weights.
const SIDE_FILES: [&str; 12] = [
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "LICENSE",
    "LICENSE.txt",
];
pub(super) const TOKENIZER: &str = "tokenizer.json";
const LARGEST_CONFIG: u64 = 16 << 20;
const LARGEST_SIDE_FILE: u64 = 256 << 20;

/// Opens a folder: reads everything but the weights, and checks where those lie.
///
/// # Errors
/// No config.json; a file that is damaged or too large.
pub(super) fn open(folder: &Path) -> Result<Parts> {
    let config_file = folder.join("config.json");
    if !config_file.exists() {
        let reason = "there is no `config.json`".to_owned();
        return Err(Error::NoModel { path: folder.to_owned(), reason });
    }
    let Value::Object(config) = bounded::read_object(&config_file, "model configuration", LARGEST_CONFIG)? else {
        return Err(Error::Json { file: config_file, reason: "it holds no JSON object".to_owned() });
    };
    let tensors = shards::open(folder)?.into_iter().map(|extent| (extent.name.clone(), extent)).collect();
    let mut files = side_files(folder)?;
    let tokenizer = tokenizer(folder, &mut files)?;
    Ok(Parts { config, config_file, tensors, tokenizer, files, format: Format::HuggingFace })
}

fn side_files(folder: &Path) -> Result<Vec<SideFile>> {
    let mut files = Vec::new();
    for name in SIDE_FILES {
        let path = folder.join(name);
        if path.exists() {
            let bytes = bounded::read(&path, "file of a tokenizer", LARGEST_SIDE_FILE)?;
            if OBJECTS.contains(&name)
                && let Err(error) = serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes)
            {
                return Err(Error::Json { file: path, reason: error.to_string() });
            }
            files.push(SideFile::new(name, bytes));
        }
    }
    Ok(files)
}

/// The tokenizer of the side files; one that exists only as vocabulary and merges gets its tokenizer.json.
fn tokenizer(folder: &Path, files: &mut Vec<SideFile>) -> Result<Option<Tokenizer>> {
    if let Some(file) = files.iter().find(|f| f.name == TOKENIZER) {
        return tokens::parse(&folder.join(TOKENIZER), &file.bytes).map(Some);
    }
    let Some(spec) = byte_level::spec(folder, files)? else {
        return Ok(None);
    };
    let built = tokens::build(&folder.join("vocab.json"), &spec)?;
    files.extend(built.files.into_iter().filter(|f| f.name == TOKENIZER));
    Ok(Some(built.tokenizer))
}
