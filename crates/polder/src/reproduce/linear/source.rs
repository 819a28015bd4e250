//! Where the rows come from.

use std::path::{Path, PathBuf};

use polder_optim::objectives::{LinearLoss, LinearModel, RandomFeatures, SparseData, stand_in};
use polder_perturb::Seed;

use super::super::experiment::Request;
use crate::error::Result;

/// The seed of the paper's scripts.
const SEED: u64 = 29;
/// Training and test rows of a5a, and of the short form's stand-in.
const ROWS: [(usize, usize); 2] = [(6_414, 26_147), (600, 600)];

/// Training rows, and test rows where there are any.
pub(super) struct Source {
    train: SparseData,
    test: Option<SparseData>,
    seed: Seed,
    /// Whether these are the rows of a5a.
    pub(super) a5a: bool,
    /// What the rows are, in words.
    pub(super) about: String,
    /// How they differ from the paper's.
    pub(super) differs: Option<String>,
}

/// Models on training and on test rows, with the starting weights.
pub(super) struct Models {
    pub(super) train: LinearModel,
    pub(super) test: Option<LinearModel>,
    pub(super) start: Vec<f64>,
}

impl Source {
    /// The file that is asked for with its test file beside it, or rows of the same kind.
    ///
    /// # Errors
    /// A file that is not in LIBSVM's format.
    pub(super) fn of(request: &Request) -> Result<Self> {
        let seed = Seed(SEED.wrapping_add(request.seed));
        let Some(path) = &request.data else {
            let (train, test) = ROWS[usize::from(request.short)];
            let (rows, tests) = stand_in(Seed(request.seed.wrapping_add(1)), train, test);
            return Ok(Self {
                train: rows,
                test: Some(tests),
                seed,
                a5a: false,
                about: format!("generated rows of a5a's kind, {train} for training and {test} for tests"),
                differs: Some(
                    "No data file was given, so generated rows with a5a's number of features stand in for it; only the \
                     direction of the effect is checked (`--data a5a` for the paper's own)."
                        .to_owned(),
                ),
            });
        };
        let train = SparseData::read(path)?;
        let beside = beside(path);
        let test = if beside.is_file() { Some(train.read_like(&beside)?) } else { None };
        let features = test.iter().map(SparseData::features).fold(train.features(), usize::max);
        // One of a5a's 123 features occurs in its test rows alone.
        let a5a = train.rows() == ROWS[0].0 && (features == 123 || (test.is_none() && features == 122));
        let tests =
            test.as_ref().map_or_else(|| "no test file".to_owned(), |test| format!("{} test rows", test.rows()));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let about = format!("`{name}`: {} training rows, {tests}, {features} features", train.rows());
        let other = "The rows are not those of a5a, so only the direction of the effect is checked.";
        Ok(Self { train, test, seed, a5a, about, differs: (!a5a).then(|| other.to_owned()) })
    }

    /// The models on random features of these rows.
    ///
    /// # Errors
    /// More numbers than memory should hold.
    pub(super) fn models(&self, width: usize, loss: LinearLoss) -> Result<Models> {
        let others: Vec<&SparseData> = self.test.iter().collect();
        let lifted = RandomFeatures { width, seed: self.seed }.reduced(&self.train, &others)?;
        let test = lifted.others.into_iter().next().map(|features| LinearModel::new(features, loss));
        Ok(Models { train: LinearModel::new(lifted.train, loss), test, start: lifted.start })
    }
}

/// The test file of a training file: its name with `.t`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".t");
    PathBuf::from(name)
}
