//! The model of a run: found, loaded, ready to be asked.

use std::path::{Path, PathBuf};

use polder_models::{ChatSource, LanguageModel, Loaded, StorageType, build, load};
use polder_tasks::{BosPolicy, ChatTemplate, Encoder};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::run::Checkpoints;

/// Where a model's files lie, and how that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// A Hugging Face folder or a GGUF file.
    pub path: PathBuf,
    /// What was chosen, where there was a choice.
    pub note: Option<String>,
}

/// Finds a model: a Hugging Face folder, a GGUF file, or a run folder, of which the best weights are taken and, where
/// there are none, the last, and where the run has not ended, its newest checkpoint.
///
/// # Errors
/// Nothing there; a run without weights; a Hub id.
pub fn find(path: &Path) -> Result<Found> {
    if path.to_str().is_some_and(|p| p.starts_with("hf://")) {
        return Err(Error::HubId { id: path.display().to_string() });
    }
    let is_run = path.join("plan.json").is_file() && !path.join("config.json").is_file();
    if !is_run {
        return Ok(Found { path: path.to_owned(), note: None });
    }
    for (name, what) in [("best", "best dev"), ("final", "last")] {
        let folder = path.join(name);
        if folder.join("config.json").is_file() {
            let note = format!("`{}` is a run; its {what} weights are read from `{name}`", path.display());
            return Ok(Found { path: folder, note: Some(note) });
        }
    }
    // A run that was ended early.
    let all = Checkpoints::new(path.join("checkpoints")).list();
    let Some(latest) = all.into_iter().find(|c| c.path.join("config.json").is_file()) else {
        return Err(Error::RunWithoutWeights { path: path.to_owned() });
    };
    let note = format!(
        "`{}` is a run that has not ended; the weights of its latest checkpoint, after {} steps, are read",
        path.display(),
        latest.state.step
    );
    Ok(Found { path: latest.path, note: Some(note) })
}

/// A loaded model.
#[derive(Debug)]
pub struct Model {
    /// Weights, tokenizer and the files beside them.
    pub loaded: Loaded,
    /// The forward pass.
    pub net: Box<dyn LanguageModel>,
}

impl Model {
    /// Loads a model's files.
    ///
    /// # Errors
    /// Files that can't be read as a model.
    pub fn load(path: &Path, storage: StorageType, device: &candle_core::Device) -> Result<Self> {
        let loaded = load(path, storage, device)?;
        let net = build(&loaded.config, &loaded.params)?;
        Ok(Self { loaded, net })
    }

    /// The engine that runs it.
    pub fn engine(&self) -> Engine<'_> {
        Engine::new(self.net.as_ref(), &self.loaded.params)
    }

    /// Its chat template.
    ///
    /// # Errors
    /// It has none, or one that does not parse.
    pub fn chat(&self) -> Result<ChatTemplate> {
        chat_of(self.loaded.chat(), &self.loaded.source.path)
    }

    /// The encoder of its tokenizer.
    ///
    /// # Errors
    /// No tokenizer; a BOS that is forced but not known; a length that is too short.
    pub fn encoder(&self, bos: BosPolicy, max_length: Option<usize>) -> Result<Encoder> {
        let path = || Error::NoTokenizer { path: self.loaded.source.path.clone() };
        let tokenizer = self.loaded.tokenizer.clone().ok_or_else(path)?;
        let positions = self.net.max_positions();
        let longest = max_length.map_or(positions, |longest| longest.min(positions));
        Ok(Encoder::new(tokenizer, bos, self.loaded.bos_id(), longest)?)
    }
}

/// The chat template of a model at `path`; what it tells of the date is today's (UTC).
///
/// # Errors
/// There is none, or it does not parse.
pub(crate) fn chat_of(source: Option<ChatSource>, path: &Path) -> Result<ChatTemplate> {
    let source = source.ok_or_else(|| Error::NoChatTemplate { path: path.to_owned() })?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    Ok(ChatTemplate::new(&source.template, &source.special, now)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_run_gives_its_best_weights_then_its_last() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path();
        assert_eq!(find(run).unwrap(), Found { path: run.to_owned(), note: None });
        fs::write(run.join("plan.json"), "{}").unwrap();
        assert!(matches!(find(run), Err(Error::RunWithoutWeights { .. })));
        for step in [20, 100] {
            let checkpoint = run.join(format!("checkpoints/step-{step:06}"));
            fs::create_dir_all(&checkpoint).unwrap();
            fs::write(checkpoint.join("config.json"), "{}").unwrap();
            let state = serde_json::json!({"version": 1, "step": step, "trajectory_bytes": 0, "trajectory_checksum": 0, "weights": ""});
            fs::write(checkpoint.join("polder.json"), state.to_string()).unwrap();
        }
        let found = find(run).unwrap();
        assert_eq!(found.path, run.join("checkpoints/step-000100"));
        assert!(found.note.unwrap().contains("after 100 steps"));
        fs::create_dir(run.join("final")).unwrap();
        fs::write(run.join("final/config.json"), "{}").unwrap();
        assert_eq!(find(run).unwrap().path, run.join("final"));
        fs::create_dir(run.join("best")).unwrap();
        fs::write(run.join("best/config.json"), "{}").unwrap();
        let found = find(run).unwrap();
        assert_eq!(found.path, run.join("best"));
        assert!(found.note.unwrap().contains("`best`"));
        assert!(matches!(find(Path::new("hf://owner/name")), Err(Error::HubId { .. })));
    }
}
