//! A run's files without what is true on one machine only: its paths.

use std::fs;
use std::path::{Path, PathBuf};

use polder_optim::trajectory::{Durability, Origin, Trajectory, Writer};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::hub;
use crate::replay::PublishedWeights;

/// Where a plan and a header hold paths.
const PATHS: [&str; 4] = ["/model/path", "/task/data", "/task/file", "/facts/data/path"];

/// A run that is to be understood elsewhere.
pub(super) struct Portable<'a> {
    pub(super) run: &'a Path,
    /// The base on the Hub, where it is there.
    pub(super) base: Option<&'a Origin>,
    pub(super) published: &'a PublishedWeights,
}

impl Portable<'_> {
    /// The trajectory with the same records behind a header that names the base on the Hub, or by its last name.
    ///
    /// # Errors
    /// Records that can't be read or written.
    pub(super) fn trajectory(&self, log: &Trajectory, folder: &Path) -> Result<PathBuf> {
        let mut header = log.header().clone();
        header.model = match self.base {
            Some(base) => base.clone(),
            None => Origin { path: last_part(&header.model.path).to_owned(), revision: None },
        };
        let mut settings = Value::Object(header.settings);
        shorten(&mut settings);
        header.settings = settings.as_object().cloned().unwrap_or_default();
        let path = folder.join("trajectory");
        let mut writer = Writer::create(&path, &header, Durability::Process)?;
        for record in log.records() {
            writer.append(&record?)?;
        }
        writer.sync()?;
        Ok(path)
    }

    /// `plan.json`, which also says which weights were published, and `config.toml` as far as it is there.
    ///
    /// # Errors
    /// A plan that can't be read; files that can't be written.
    pub(super) fn plan_and_config(&self, folder: &Path) -> Result<Vec<(String, PathBuf)>> {
        let from = self.run.join("plan.json");
        let bytes = fs::read(&from).map_err(Error::io("read", &from))?;
        let plan: Value =
            serde_json::from_slice(&bytes).map_err(|e| Error::Damaged { path: from.clone(), reason: e.to_string() })?;
        let mut short = plan.clone();
        shorten(&mut short);
        if let (Some(base), Some(path)) = (self.base, short.pointer_mut("/model/path")) {
            *path = json!(hub::path_of(base));
        }
        short["published"] = json!(self.published);
        let write = |name: &str, text: String| -> Result<(String, PathBuf)> {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::io("write", &path))?;
            Ok((name.to_owned(), path))
        };
        let mut files = vec![write("plan.json", format!("{short:#}\n"))?];
        if let Ok(mut text) = fs::read_to_string(self.run.join("config.toml")) {
            for pointer in PATHS {
                let path = |plan: &Value| plan.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                if let (Some(long), Some(new)) = (path(&plan), path(&short)) {
                    text = text.replace(&long, &new);
                }
            }
            if let Some(home) = std::env::var("HOME").ok().filter(|home| home.len() > 1) {
                text = text.replace(&home, "~");
            }
            files.push(write("config.toml", text)?);
        }
        Ok(files)
    }
}

/// Cuts paths to their last parts; addresses stay.
fn shorten(value: &mut Value) {
    for pointer in PATHS {
        if let Some(path) = value.pointer_mut(pointer)
            && let Some(text) = path.as_str()
        {
            *path = json!(last_part(text));
        }
    }
    // The sentences of a plan may name places too.
    if let Some(notes) = value.pointer_mut("/facts/notes") {
        *notes = json!([]);
    }
}

/// The last part of a path; an address as it is.
pub(super) fn last_part(path: &str) -> &str {
    if path.starts_with("hf://") {
        return path;
    }
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_and_addresses_stay() {
        let mut plan = json!({
            "model": { "path": "/home/u/m.gguf" }, "task": { "data": "hf://datasets/o/n@abc" },
            "facts": { "data": { "path": "/home/u/data/sst2/" }, "notes": ["read from /home/u"] },
        });
        shorten(&mut plan);
        assert_eq!(plan["model"]["path"], "m.gguf");
        assert_eq!(plan["task"]["data"], "hf://datasets/o/n@abc");
        assert_eq!(plan["facts"]["data"]["path"], "sst2");
        assert!(!plan.to_string().contains("/home/u"));
    }
}
