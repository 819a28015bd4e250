//! Which files of a repository make a data set, by split.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::address::{Address, Kind};
use crate::cache::replace_link;
use crate::error::{Error, Result};
use crate::fetch::{Hub, MAIN};
use crate::watch::Watch;

/// The branch where the Hub keeps each data set as Parquet files.
const CONVERTED: &str = "refs/convert/parquet";
/// The kinds of files that are read, the best first.
const ENDINGS: [&str; 5] = ["parquet", "jsonl", "json", "csv", "tsv"];
/// How the names of splits begin, and how they are written here.
const SPLITS: [(&str, &str); 7] = [
    ("train", "train"),
    ("validation", "validation"),
    ("valid", "validation"),
    ("val", "validation"),
    ("dev", "validation"),
    ("test", "test"),
    ("eval", "validation"),
];

/// A data set on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedData {
    /// A folder with a file a split (`train.parquet`), or several (`train-00000-of-00002.parquet`): links into the cache.
    pub path: PathBuf,
    /// Its address with the commit that was fetched.
    pub address: Address,
    /// What a reader should know, in a sentence.
    pub note: Option<String>,
}

impl Hub {
    /// Fetches a data set: without a revision the Parquet files that the Hub made of it, else those, or the JSONL, JSON,
    /// CSV or TSV files, of the repository at that revision. What follows the name is the configuration (`…/glue/sst2`).
    /// The folder with a file a split is made under `links`.
    ///
    /// # Errors
    /// The address of a model; no files that can be read; several configurations and none named; all that keeps files
    /// from being fetched.
    pub fn dataset(&self, address: &Address, links: &Path, watch: &mut Watch<'_>) -> Result<FetchedData> {
        if address.kind != Kind::Dataset {
            let reason = "it is a model, and a data set is wanted: hf://datasets/owner/name".to_owned();
            return Err(Error::Address { text: address.to_string(), reason });
        }
        let choose = |names: &[&str]| Ok(splits(address, names)?.into_values().flatten().collect());
        let fetched = match &address.revision {
            Some(revision) => self.fetch(address, revision, &choose, watch)?,
            None => match self.fetch(address, CONVERTED, &choose, watch) {
                // The Hub has not made Parquet files of it.
                Err(Error::NoRevision { .. } | Error::NoFile { .. } | Error::Offline { .. }) => {
                    self.fetch(address, MAIN, &choose, watch)?
                }
                other => other?,
            },
        };
        let names: Vec<&str> = fetched.files.iter().map(String::as_str).collect();
        let splits = splits(address, &names)?;
        let inside = address.inside.as_ref().map(|inside| inside.replace('/', "--"));
        let folder = links
            .join(address.id.replace('/', "--"))
            .join(&fetched.commit)
            .join(inside.as_deref().unwrap_or("default"));
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        for (split, files) in &splits {
            for (number, file) in files.iter().enumerate() {
                let content = fetched.folder.join(file);
                let content = content.canonicalize().map_err(Error::io("read", &content))?;
                let link = folder.join(shard(split, number, files.len(), file));
                // One that is there is right: the folder is that of a commit.
                if !link.exists() {
                    replace_link(&link, &content, &content)?;
                }
            }
        }
        Ok(FetchedData { path: folder, address: address.at(&fetched.commit), note: fetched.note })
    }
}

/// `train.parquet`, or `train-00000-of-00002.parquet`.
fn shard(split: &str, number: usize, of: usize, file: &str) -> String {
    let ending = file.rsplit('.').next().unwrap_or(file);
    if of == 1 { format!("{split}.{ending}") } else { format!("{split}-{number:05}-of-{of:05}.{ending}") }
}

/// The files of each split of the configuration that is asked for.
fn splits(address: &Address, names: &[&str]) -> Result<BTreeMap<String, Vec<String>>> {
    let within = |name: &str| match &address.inside {
        Some(inside) => name == inside || name.strip_prefix(inside.as_str()).is_some_and(|rest| rest.starts_with('/')),
        None => true,
    };
    for ending in ENDINGS {
        let mut configurations: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for name in names.iter().filter(|name| within(name) && name.ends_with(&format!(".{ending}"))) {
            if let Some((configuration, split)) = place(name) {
                configurations.entry(configuration).or_default().entry(split).or_default().push((*name).to_owned());
            }
        }
        let mut found = match (configurations.len(), configurations.contains_key("default")) {
            (0, _) => continue,
            (2.., false) => return Err(many(address, configurations.keys())),
            (1, _) => configurations.into_values().next().unwrap_or_default(),
            (.., true) => configurations.remove("default").unwrap_or_default(),
        };
        found.values_mut().for_each(|files| files.sort());
        return Ok(found);
    }
    let inside = address.inside.as_ref().map(|inside| format!(" in `{inside}`")).unwrap_or_default();
    let wanted = format!("Parquet, JSONL, JSON, CSV or TSV file of a split (train, validation, test){inside}");
    Err(Error::NoFile { repo: address.repo(), wanted, files: names.iter().map(|n| (*n).to_owned()).collect() })
}

fn many<'a>(address: &Address, configurations: impl Iterator<Item = &'a String>) -> Error {
    let names = configurations.map(|name| Address { inside: Some(name.clone()), ..address.clone() }.to_string());
    Error::Configurations { repo: address.repo(), addresses: names.collect() }
}

/// A data file's configuration and split: `sst2/train/0000.parquet`, `data/train-00000-of-00001-ab12.parquet`,
/// `sst2/train-00000-of-00001.parquet`, `train.jsonl`.
fn place(name: &str) -> Option<(String, String)> {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    // A shard's number and hash are no part of the split's name.
    let own = stem.split_once("-0").map_or(stem, |(split, _)| split);
    let (configuration, split) = match split_of(own) {
        Some(split) => (folders, split),
        None => {
            let (above, folder) = folders.rsplit_once('/').unwrap_or(("", folders));
            (above, split_of(folder.strip_prefix("partial-").unwrap_or(folder))?)
        }
    };
    let configuration = if configuration.is_empty() || configuration == "data" { "default" } else { configuration };
    Some((configuration.to_owned(), split))
}

/// A split's name as it is written here; `validation_matched` keeps its end.
fn split_of(name: &str) -> Option<String> {
    SPLITS.iter().find_map(|(begin, written)| {
        let end = name.strip_prefix(begin)?;
        (end.is_empty() || end.starts_with(['_', '-', '.'])).then(|| format!("{written}{end}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str, names: &[&str]) -> Vec<(String, Vec<String>)> {
        splits(&address.parse().unwrap(), names).unwrap().into_iter().collect()
    }

    #[test]
    fn splits_are_found_by_folder_and_by_name() {
        for (name, configuration, split) in [
            ("sst2/train/0000.parquet", "sst2", "train"),
            ("default/partial-train/0001.parquet", "default", "train"),
            ("data/train-00000-of-00001-ab12cd.parquet", "default", "train"),
            ("mnli/validation_matched-00000-of-00001.parquet", "mnli", "validation_matched"),
            ("dev.jsonl", "default", "validation"),
            ("plain_text/test/0000.parquet", "plain_text", "test"),
            ("SetFit/test.jsonl", "SetFit", "test"),
        ] {
            assert_eq!(place(name), Some((configuration.to_owned(), split.to_owned())), "{name}");
        }
        for name in ["README.md", "dataset_infos.json", "training_args.json", "data/extra.parquet"] {
            assert_eq!(place(name), None, "{name}");
        }
    }

    #[test]
    fn one_configuration_is_taken() {
        let glue =
            ["cola/train/0000.parquet", "sst2/train/0000.parquet", "sst2/train/0001.parquet", "sst2/test/0000.parquet"];
        let sst2 = found("hf://datasets/nyu-mll/glue/sst2", &glue);
        assert_eq!(sst2.len(), 2);
        assert_eq!(sst2[1].1, ["sst2/train/0000.parquet", "sst2/train/0001.parquet"]);
        let error = splits(&"hf://datasets/nyu-mll/glue".parse().unwrap(), &glue).unwrap_err().to_string();
        assert!(error.contains("hf://datasets/nyu-mll/glue/cola, hf"), "{error}");
        let error = splits(&"hf://datasets/nyu-mll/glue/rte".parse().unwrap(), &glue).unwrap_err().to_string();
        assert!(error.contains("in `rte`"), "{error}");
        assert_eq!(found("hf://datasets/o/n", &["train.csv", "train.jsonl"])[0].1, ["train.jsonl"]);
        assert_eq!(found("hf://datasets/o/n", &["default/train.csv", "b/train.csv"])[0].1, ["default/train.csv"]);
        assert_eq!(shard("train", 1, 2, "a/0001.parquet"), "train-00001-of-00002.parquet");
        assert_eq!(shard("test", 0, 1, "a/0000.parquet"), "test.parquet");
    }
}
