//! Which files of a repository make a model.

use std::path::PathBuf;

use crate::address::{Address, Kind};
use crate::error::{Error, Result};
use crate::fetch::{Hub, MAIN};
use crate::watch::Watch;

/// What a model may have beside its configuration and weights: what `polder-models` keeps of a folder, and a run's plan.
const BESIDE: [&str; 13] = [
    "tokenizer.json",
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
    "plan.json",
];

/// A model on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedModel {
    /// Its folder, or its GGUF file.
    pub path: PathBuf,
    /// Its address with the commit that was fetched.
    pub address: Address,
    /// What a reader should know, in a sentence.
    pub note: Option<String>,
}

impl Hub {
    /// Fetches a model: configuration, safetensors (single or sharded), tokenizer and generation settings of a
    /// repository or a folder in it; the GGUF file that is named, or the only one there; or a trajectory with its plan.
    ///
    /// # Errors
    /// The address of a data set; nothing there that makes a model; several GGUF files and none named; all that keeps
    /// files from being fetched.
    pub fn model(&self, address: &Address, watch: &mut Watch<'_>) -> Result<FetchedModel> {
        self.chosen(address, &parts, watch)
    }

    /// Fetches a trajectory with its plan, also from a repository that holds weights too.
    ///
    /// # Errors
    /// As [`model`](Self::model); there is no trajectory.
    pub fn trajectory(&self, address: &Address, watch: &mut Watch<'_>) -> Result<FetchedModel> {
        let choose = |address: &Address, names: &[&str]| {
            let prefix = address.inside.as_ref().map(|inside| format!("{inside}/")).unwrap_or_default();
            let wanted = ["trajectory", "plan.json"].map(|name| format!("{prefix}{name}"));
            let files: Vec<String> = wanted.into_iter().filter(|name| names.contains(&name.as_str())).collect();
            match files.first() {
                Some(first) if first.ends_with("trajectory") => Ok(Parts { files, place: address.inside.clone() }),
                _ => Err(missing(address, "trajectory", names)),
            }
        };
        self.chosen(address, &choose, watch)
    }

    fn chosen(
        &self,
        address: &Address,
        choose: &dyn Fn(&Address, &[&str]) -> Result<Parts>,
        watch: &mut Watch<'_>,
    ) -> Result<FetchedModel> {
        if address.kind != Kind::Model {
            let reason = "it is a data set, and a model is wanted".to_owned();
            return Err(Error::Address { text: address.to_string(), reason });
        }
        let revision = address.revision.as_deref().unwrap_or(MAIN);
        let fetched = self.fetch(address, revision, &|names| Ok(choose(address, names)?.files), watch)?;
        let names: Vec<&str> = fetched.files.iter().map(String::as_str).collect();
        let place = choose(address, &names)?.place;
        // Joining nothing would leave a `/` behind.
        let path = place.as_ref().map_or_else(|| fetched.folder.clone(), |place| fetched.folder.join(place));
        Ok(FetchedModel { path, address: Address { inside: place, ..address.at(&fetched.commit) }, note: fetched.note })
    }
}

/// What makes a model: its files, and the folder or file that stands for it.
#[derive(Debug)]
struct Parts {
    files: Vec<String>,
    place: Option<String>,
}

fn parts(address: &Address, names: &[&str]) -> Result<Parts> {
    if let Some(file) = address.inside.as_deref().filter(|inside| names.contains(inside)) {
        return if file.ends_with(".gguf") {
            Ok(Parts { files: vec![file.to_owned()], place: Some(file.to_owned()) })
        } else {
            Err(missing(address, "GGUF file of that name; of other models the folder is named", names))
        };
    }
    let prefix = address.inside.as_ref().map(|inside| format!("{inside}/")).unwrap_or_default();
    // The files of the folder itself.
    let here: Vec<&str> =
        names.iter().filter_map(|name| name.strip_prefix(&prefix)).filter(|name| !name.contains('/')).collect();
    let weights: Vec<&str> = if here.contains(&"model.safetensors") {
        vec!["model.safetensors"]
    } else {
        here.iter().copied().filter(|name| is_shard(name) || *name == "model.safetensors.index.json").collect()
    };
    let of = |main: &[&str]| {
        let wanted = |name: &&&str| main.contains(*name) || BESIDE.contains(*name);
        here.iter().filter(wanted).map(|name| format!("{prefix}{name}")).collect()
    };
    if here.contains(&"config.json") && !weights.is_empty() {
        let main: Vec<&str> = weights.into_iter().chain(["config.json"]).collect();
        return Ok(Parts { files: of(&main), place: address.inside.clone() });
    }
    if here.contains(&"trajectory") {
        return Ok(Parts { files: of(&["trajectory"]), place: address.inside.clone() });
    }
    let mut gguf = here.iter().filter(|name| name.ends_with(".gguf"));
    match (gguf.next(), gguf.next()) {
        (Some(only), None) => {
            let file = format!("{prefix}{only}");
            Ok(Parts { files: vec![file.clone()], place: Some(file) })
        }
        (Some(_), Some(_)) => {
            Err(missing(address, "model without a file's name: name one, as hf://owner/name/FILE.gguf", names))
        }
        _ => Err(missing(
            address,
            "config.json with safetensors, no GGUF file and no trajectory (pickled weights are never read)",
            names,
        )),
    }
}

/// `model-00001-of-00003.safetensors`.
fn is_shard(name: &str) -> bool {
    let middle = name.strip_prefix("model-").and_then(|rest| rest.strip_suffix(".safetensors"));
    middle.is_some_and(|m| m.contains("-of-") && m.chars().all(|c| c.is_ascii_digit() || "-of".contains(c)))
}

fn missing(address: &Address, wanted: &str, names: &[&str]) -> Error {
    let inside = address.inside.as_ref().map(|inside| format!(" at `{inside}`")).unwrap_or_default();
    let wanted = format!("{wanted}{inside}");
    Error::NoFile { repo: address.repo(), wanted, files: names.iter().map(|name| (*name).to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(address: &str, names: &[&str]) -> Result<(Vec<String>, Option<String>)> {
        parts(&address.parse().unwrap(), names).map(|parts| (parts.files, parts.place))
    }

    #[test]
    fn a_model_is_its_weights_and_what_stands_beside_them() {
        let all = [
            "README.md",
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "model.fp16.safetensors",
            "onnx/model.safetensors",
            "pytorch_model.bin",
            "tokenizer.json",
            "trajectory",
        ];
        let (files, place) = chosen("hf://o/n", &all).unwrap();
        assert_eq!(place, None);
        assert_eq!(
            files,
            [
                "config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "model.safetensors.index.json",
                "tokenizer.json",
            ]
        );
        let (files, _) =
            chosen("hf://o/n", &["config.json", "model.safetensors", "model-00001-of-00002.safetensors"]).unwrap();
        assert_eq!(files, ["config.json", "model.safetensors"]);
        let (files, place) =
            chosen("hf://o/n/sub", &["config.json", "sub/config.json", "sub/model.safetensors"]).unwrap();
        assert_eq!((files.len(), place.as_deref()), (2, Some("sub")));
        assert_eq!(
            chosen("hf://o/n", &["README.md", "plan.json", "trajectory"]).unwrap().0,
            ["plan.json", "trajectory"]
        );
    }

    #[test]
    fn gguf_files_are_named_where_there_are_several() {
        assert_eq!(chosen("hf://o/n", &["a.gguf", "README.md"]).unwrap().1.as_deref(), Some("a.gguf"));
        assert_eq!(chosen("hf://o/n/b.gguf", &["a.gguf", "b.gguf"]).unwrap().0, ["b.gguf"]);
        let error = chosen("hf://o/n", &["a.gguf", "b.gguf"]).unwrap_err().to_string();
        assert!(error.contains("FILE.gguf") && error.contains("`b.gguf`"), "{error}");
        let error = chosen("hf://o/n", &["config.json", "pytorch_model.bin"]).unwrap_err().to_string();
        assert!(error.contains("pickled"), "{error}");
        assert!(
            chosen("hf://o/n/c.gguf", &["a.gguf"]).is_err()
                && chosen("hf://o/n/config.json", &["config.json"]).is_err()
        );
    }
}
