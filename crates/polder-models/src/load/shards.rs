//! The weight files of a Hugging Face folder: one, or shards with an index.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::load::bounded;
use crate::load::extent::Extent;
use crate::load::safetensors;

/// The file that holds an unsharded model.
pub(crate) const SINGLE: &str = "model.safetensors";
/// The file that names the shards.
pub(crate) const INDEX: &str = "model.safetensors.index.json";
const LARGEST_INDEX: u64 = 64 << 20;

/// The tensors of a folder.
///
/// # Errors
/// Neither a model file nor an index; an index that is damaged, points outside of its folder, or names tensors that
/// the shards lack; a damaged shard; a tensor in two shards.
pub(crate) fn open(folder: &Path) -> Result<Vec<Extent>> {
    // transformers looks for the single file first, and so it is here.
    let single = folder.join(SINGLE);
    if single.exists() {
        return safetensors::open(&single);
    }
    let index = folder.join(INDEX);
    if !index.exists() {
        let pickled = ["pytorch_model.bin", "pytorch_model.bin.index.json"].iter().any(|f| folder.join(f).exists());
        return Err(Error::NoModel {
            path: folder.to_owned(),
            reason: if pickled {
                "its weights are pickled (pytorch_model.bin), which is never read; convert them to safetensors"
                    .to_owned()
            } else {
                format!("there is neither `{SINGLE}` nor `{INDEX}`")
            },
        });
    }
    let owners = owners(&index)?;
    let shards: BTreeSet<&str> = owners.iter().map(|(_, shard)| shard.as_str()).collect();
    let mut found: HashMap<String, Extent> = HashMap::new();
    let mut order = Vec::new();
    for shard in shards {
        let file = folder.join(shard);
        for extent in safetensors::open(&file)? {
            order.push(extent.name.clone());
            if let Some(second) = found.insert(extent.name.clone(), extent) {
                return Err(Error::DuplicateTensor { file, tensor: second.name });
            }
        }
    }
    let lost: Vec<&str> = owners.iter().map(|(name, _)| name.as_str()).filter(|&n| !found.contains_key(n)).collect();
    if !lost.is_empty() {
        return Err(Error::MissingTensors { path: folder.to_owned(), names: super::names::list(&lost) });
    }
    Ok(order.into_iter().filter_map(|name| found.remove(&name)).collect())
}

/// The index's map from tensor to shard.
fn owners(index: &Path) -> Result<Vec<(String, String)>> {
    let wrong = |reason: String| Error::Json { file: index.to_owned(), reason };
    let mut json = bounded::read_object(index, "model index", LARGEST_INDEX)?;
    let Some(Value::Object(map)) = json.get_mut("weight_map").map(Value::take) else {
        return Err(wrong("it has no `weight_map`".to_owned()));
    };
    let mut owners = Vec::with_capacity(map.len());
    for (tensor, shard) in map {
        let Value::String(shard) = shard else {
            return Err(wrong(format!("the shard of `{tensor}` is no file name")));
        };
        if !is_plain_name(&shard) {
            return Err(Error::ShardOutside { index: index.to_owned(), shard });
        }
        owners.push((tensor, shard));
    }
    Ok(owners)
}

/// Whether the name is one component of a path, and not a special one, on any system.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0'])
}
