//! Models to files: a Hugging Face folder that `transformers` loads, written whole or not at all.

mod config;
mod gguf;
mod place;
mod weights;

use std::fs::File;
use std::io::Write;
use std::path::Path;

use candle_core::DType;
use polder_perturb::ParamSet;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::load::{SideFile, StorageType};
pub use gguf::{GgufFile, GgufType, save_gguf};
use place::Place;

/// How a model is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaveOptions {
    /// The type of the weights in the file; as they are in memory by default, which for bf16+8 is f32.
    pub storage: Option<StorageType>,
    /// The most bytes of a file of weights, unless a single tensor is larger; 5 GB by default, as in transformers.
    pub shard_bytes: u64,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { storage: None, shard_bytes: 5_000_000_000 }
    }
}

/// Writes a Hugging Face folder: config.json, model.safetensors (or shards with an index) and the side files.
///
/// Everything goes into a new folder beside `folder`, is flushed to the disk, and then takes its place in one rename,
/// so that `folder` holds the old model or the new one at any time, also after a power cut. Tied weights are written
/// once, under their canonical name. `config` is what [`crate::Loaded::config_json`] holds; the storage type and both
/// styles of rope settings are put into it.
///
/// # Errors
/// A disk that is full, or a folder that may not be written (what was at `folder` is intact then); a `folder` that
/// holds other things than a model; a weight that is not finite in the chosen storage.
pub fn save(folder: &Path, params: &ParamSet, config: &Value, files: &[SideFile], options: &SaveOptions) -> Result<()> {
    save_with(folder, params, config, files, options, None)
}

/// Whether [`save`] could write weights there, so that work whose end that is can be refused before it is begun.
///
/// # Errors
/// A place that may not be written, or that holds other things than a model.
pub fn check_place(folder: &Path, params: &ParamSet, options: &SaveOptions) -> Result<()> {
    let needed = weights::plan(params, options).iter().map(weights::Shard::bytes).sum();
    Place::new(folder, needed, &[], None).map(drop)
}

/// A large file that goes into a model's folder and is written by its owner.
pub struct ExtraFile<'a> {
    /// Its name in the folder; not one of a model's own files.
    pub name: &'a str,
    /// Its size, about, in bytes.
    pub bytes: u64,
    /// Writes it.
    pub write: &'a dyn Fn(&Path) -> std::io::Result<()>,
}

/// The same with one more file, which takes its place together with the others.
///
/// # Errors
/// As [`save`]; what the file's owner fails with.
pub fn save_with(
    folder: &Path,
    params: &ParamSet,
    config: &Value,
    files: &[SideFile],
    options: &SaveOptions,
    extra: Option<&ExtraFile<'_>>,
) -> Result<()> {
    let shards = weights::plan(params, options);
    let config =
        config::for_saving(config, params.largest().map_or(DType::F32, |p| weights::dtype(p, options.storage)));
    let config = pretty(&config);
    let index = weights::index(&shards).map(|index| pretty(&index));
    let small = files.iter().map(|f| f.bytes.len()).sum::<usize>() + config.len() + index.as_ref().map_or(0, Vec::len);
    let needed = shards.iter().map(weights::Shard::bytes).sum::<u64>() + small as u64 + extra.map_or(0, |e| e.bytes);

    let place = Place::new(folder, needed, files, extra.map(|e| e.name))?;
    for shard in &shards {
        let path = place.path(&shard.name);
        place.check(&path, File::create(&path).and_then(|file| shard.write(file)))?;
    }
    if let Some(index) = &index {
        write(&place, weights::INDEX, index)?;
    }
    for file in files {
        write(&place, &file.name, &file.bytes)?;
    }
    if let Some(extra) = extra {
        let path = place.path(extra.name);
        place.check(&path, (extra.write)(&path).and_then(|()| File::open(&path)?.sync_all()))?;
    }
    write(&place, config::NAME, &config)?;
    place.take()
}

fn write(place: &Place<'_>, name: &str, bytes: &[u8]) -> Result<()> {
    let path = place.path(name);
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    place.check(&path, written)
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Whether a side file's name is a plain one that no other file of the folder has.
fn is_side_name(name: &str) -> bool {
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0']);
    plain && name != config::NAME && !name.ends_with(".safetensors") && name != weights::INDEX
}

/// A failure to write, from one of tensors: those are already errors of this crate.
impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
