//! What of a run goes to the Hub: files as they lie, and files that are made for the purpose.

mod portable;

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use polder_models::StorageType;
use polder_optim::trajectory::{Digest, Trajectory};

use crate::card::{About, Facts, What, card};
use crate::error::{Error, Result};
use crate::hub;
use crate::model::Model;
use crate::replay::PublishedWeights;
use crate::run::State;

/// What of a published folder is a run's own affair.
const PRIVATE: [&str; 2] = ["polder.json", "optimizer.state"];

/// How a run is published.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The run folder.
    pub run: &'a Path,
    /// The repository, `owner/name`.
    pub id: &'a str,
    /// What goes.
    pub what: What,
    /// Where the base weights are, if not where the run had them: `hf://owner/name@COMMIT`.
    pub base: Option<&'a str>,
    /// The licence's short name.
    pub license: Option<&'a str>,
}

/// A file that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its path in the repository.
    pub path: String,
    /// Where it lies.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A run made ready.
#[derive(Debug)]
pub struct Prepared {
    /// The files, in the order of their paths.
    pub items: Vec<Item>,
    /// The card.
    pub card: String,
    /// What a person should know, in sentences.
    pub notes: Vec<String>,
    /// The run, and the weights that go, where they do.
    run: PathBuf,
    weights: Option<(PathBuf, StorageType, PublishedWeights)>,
    /// Holds the files that were made.
    _made: tempfile::TempDir,
}

impl Prepared {
    /// Loads the weights that would go and compares them with what the run's log led to.
    ///
    /// # Errors
    /// Weights that are damaged, gone, or others.
    pub fn check(&self) -> Result<()> {
        let Some((folder, dtype, published)) = &self.weights else { return Ok(()) };
        let refused = |reason: String| Error::Unpublishable {
            path: self.run.clone(),
            reason,
            remedy: "`polder replay RUN --steps N --out DIR` makes weights again from the log; `--what trajectory` needs none",
        };
        let wrong = |what: &str| refused(format!("`{}` {what}", folder.display()));
        let model = Model::load(folder, *dtype, &Device::Cpu).map_err(|error| {
            wrong(&format!("can't be read: {}", error.to_string().lines().next().unwrap_or_default()))
        })?;
        match Digest(model.loaded.params.digest()?) == published.weights {
            true => Ok(()),
            false => Err(wrong(&format!("does not hold the weights that step {} led to", published.step))),
        }
    }
}

/// Makes a run ready to be published; asks no network, and reads no weights: that is [`Prepared::check`]'s.
///
/// # Errors
/// A run without weights or trajectory; one that has not ended; a trajectory alone whose base is not on the Hub; files
/// that can't be read or made.
pub fn prepare(request: &Request<'_>) -> Result<Prepared> {
    let Request { run, id, what, base, license } = *request;
    if !run.join("trajectory").is_file() {
        return Err(Error::Unpublishable {
            path: run.to_owned(),
            reason: "it holds no run".to_owned(),
            remedy: "give the folder that `polder train` made, which has a `trajectory` and a `plan.json`",
        });
    }
    let log = Trajectory::open(run.join("trajectory"))?;
    let (folder, weights) = chosen(run, &log)?;
    let made = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    if what.has_weights() {
        files.extend(weights_of(&folder)?);
    }
    let origin = base.map_or_else(|| log.header().model.clone(), |base| hub::origin(Path::new(base)));
    let known = hub::path_of(&origin).display().to_string();
    let on_hub = known.starts_with("hf://");
    let portable = portable::Portable { run, base: on_hub.then_some(&origin), published: &weights };
    if what.has_trajectory() {
        if what == What::Trajectory && !on_hub {
            return Err(Error::Unpublishable {
                path: run.to_owned(),
                reason: format!("its trajectory starts from `{known}`, which nobody else has"),
                remedy: "say with --base where the same weights are on the Hub: --base hf://owner/name@COMMIT",
            });
        }
        files.push(("trajectory".to_owned(), portable.trajectory(&log, made.path())?));
    }
    files.extend(portable.plan_and_config(made.path())?);
    let size = |path: &Path| fs::metadata(path).map(|file| file.len()).map_err(Error::io("read", path));
    let trajectory_bytes =
        size(files.iter().find(|(path, _)| path == "trajectory").map_or(log.path(), |(_, file)| file))?;
    let base = if on_hub { known.as_str() } else { portable::last_part(&known) };
    let facts = Facts::read(run, &weights)?;
    let card = card(&facts, &About { id, what, license, base, trajectory_bytes });
    let readme = made.path().join("README.md");
    fs::write(&readme, &card).map_err(Error::io("write", &readme))?;
    files.push(("README.md".to_owned(), readme));
    files.sort();
    let items = files.into_iter().map(|(path, file)| Ok(Item { bytes: size(&file)?, path, file }));
    let items = items.collect::<Result<Vec<Item>>>()?;
    let mut notes = facts.left_out;
    if what.has_trajectory() && !on_hub {
        notes.push(format!(
            "The base `{known}` is on this machine only, so others need it to rebuild from the trajectory; --base says \
             where it is on the Hub."
        ));
    }
    let dtype = log.header().dtype.parse::<StorageType>().ok();
    let weights = dtype.filter(|_| what.has_weights()).map(|dtype| (folder, dtype, weights));
    Ok(Prepared { items, card, notes, run: run.to_owned(), weights, _made: made })
}

/// The weights that stand for a run: its best, else its last.
fn chosen(run: &Path, log: &Trajectory) -> Result<(PathBuf, PublishedWeights)> {
    for name in ["best", "final"] {
        let folder = run.join(name);
        if let Some(state) = State::read(&folder).filter(|state| state.belongs_to(log)) {
            let damaged =
                |e: serde_json::Error| Error::Damaged { path: folder.join("polder.json"), reason: e.to_string() };
            let weights = serde_json::from_value(state.weights.into()).map_err(damaged)?;
            return Ok((folder, PublishedWeights { step: state.step, weights }));
        }
    }
    Err(Error::RunWithoutWeights { path: run.to_owned() })
}

/// The files of a folder, but for what only the run needs.
fn weights_of(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_file() && !name.is_empty() && !name.starts_with('.') && !PRIVATE.contains(&name.as_str()) {
            files.push((name, path));
        }
    }
    Ok(files)
}
