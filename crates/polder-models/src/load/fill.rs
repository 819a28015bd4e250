//! From tensors in files to a model's parameters: every check first, then one tensor after the other.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use candle_core::Device;
use polder_perturb::ParamSet;

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::load::extent::Extent;
use crate::load::names;
use crate::load::storage::StorageType;
use crate::{expected_tensors, tied_aliases};

/// Reads the configuration's parameters in their order.
///
/// # Errors
/// As [`crate::load()`] says of tensors.
pub(super) fn fill(
    path: &Path,
    tensors: Vec<(String, Extent)>,
    config: &ModelConfig,
    storage: StorageType,
    device: &Device,
) -> Result<ParamSet> {
    let expected = expected_tensors(config);
    let aliases = tied_aliases(config);
    let found = sort(path, tensors, &expected, &aliases)?;
    let mut chosen = Vec::with_capacity(expected.len());
    let mut missing = Vec::new();
    for (name, shape) in expected {
        // A file of a tied model may hold the one tensor under its other name.
        let other = || aliases.iter().find(|(_, of)| *of == name).and_then(|(alias, _)| found.get(alias));
        match found.get(&name).or_else(other) {
            Some(extent) => chosen.push((name, shape, extent)),
            None => missing.push(name),
        }
    }
    if !missing.is_empty() {
        return Err(Error::MissingTensors { path: path.to_owned(), names: names::list(&missing) });
    }
    for (_, shape, extent) in &chosen {
        check(extent, shape)?;
    }
    let mut params = ParamSet::new();
    for (name, _, extent) in chosen {
        extent.read(storage)?.insert_into(&mut params, &name, &extent.shape, device)?;
    }
    for (alias, name) in &aliases {
        params.tie(alias, name)?;
    }
    Ok(params)
}

/// The tensors that the configuration knows, by canonical name; derived ones are passed over, others refused.
fn sort(
    path: &Path,
    tensors: Vec<(String, Extent)>,
    expected: &[(String, Vec<usize>)],
    aliases: &[(String, String)],
) -> Result<HashMap<String, Extent>> {
    let shared = aliases.iter().map(|(alias, _)| alias.as_str());
    let known: HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).chain(shared).collect();
    let mut found = HashMap::with_capacity(known.len());
    let mut strange = Vec::new();
    for (name, extent) in tensors {
        let canonical = names::canonical(&name, &known);
        if !known.contains(canonical.as_str()) {
            if !names::is_derived(&canonical) {
                strange.push(extent.name);
            }
        } else if let Some(second) = found.insert(canonical, extent) {
            return Err(Error::DuplicateTensor { file: second.file.path.clone(), tensor: second.name });
        }
    }
    if strange.is_empty() {
        Ok(found)
    } else {
        Err(Error::UnexpectedTensors { path: path.to_owned(), names: names::list(&strange) })
    }
}

fn check(extent: &Extent, expected: &[usize]) -> Result<()> {
    if extent.encoding.is_none() {
        return Err(extent.unknown_type());
    }
    if extent.shape != expected {
        return Err(Error::TensorShape {
            file: extent.file.path.clone(),
            tensor: extent.name.clone(),
            found: extent.shape.clone(),
            expected: expected.to_vec(),
        });
    }
    Ok(())
}
