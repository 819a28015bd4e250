//! What can go wrong with data in LIBSVM's format.

use std::fmt;
use std::path::PathBuf;

/// Where in a file something stands; lines and columns (in characters) from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line.
    pub line: u64,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}, column {}", self.path.display(), self.line, self.column)
    }
}

/// A failure to read data or to make features of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file could not be opened or read.
    #[error("can't read `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no row.
    #[error("`{}` holds no rows\nhint: give a file with one `label index:value …` a line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A label is no number.
    #[error("{place}: the label `{text}` is not a number\nhint: a line is `label index:value index:value …`")]
    Label {
        /// Where it stands.
        place: Place,
        /// The text there.
        text: String,
    },
    /// An entry is no pair of an index and a number.
    #[error("{place}: `{text}` is not `index:value`\nhint: a line is `label index:value index:value …`")]
    Entry {
        /// Where it stands.
        place: Place,
        /// The text there.
        text: String,
    },
    /// An index is 0.
    #[error("{place}: `{text}` has index 0, but indices start at 1\nhint: add 1 to every index of the file")]
    ZeroIndex {
        /// Where it stands.
        place: Place,
        /// The text there.
        text: String,
    },
    /// An index is not above its left neighbour's.
    #[error("{place}: `{text}` comes after index {before}\nhint: sort each line by index and give each index once")]
    Order {
        /// Where it stands.
        place: Place,
        /// The text there.
        text: String,
        /// The index before it.
        before: u32,
    },
    /// An index is larger than this program takes.
    #[error(
        "{place}: the index of `{text}` is above {most}\n\
         hint: number the features from 1 without gaps, or leave out rare ones"
    )]
    TooWide {
        /// Where it stands.
        place: Place,
        /// The text there.
        text: String,
        /// The largest index.
        most: u32,
    },
    /// A label or value is infinite or not a number.
    #[error("{place}: `{text}` is not finite\nhint: remove the row, or put a number in its place")]
    NonFinite {
        /// Where it stands.
        place: Place,
        /// The text there.
        text: String,
    },
    /// A label is neither of the two classes.
    #[error(
        "{place}: the label `{text}` would be a third class beside {} and {}\n\
         hint: keep the rows of two classes only, or map the labels to two",
        classes[0], classes[1]
    )]
    ThirdClass {
        /// Where it stands.
        place: Place,
        /// The text there.
        text: String,
        /// The labels of the two classes.
        classes: [f64; 2],
    },
    /// All rows have the same label.
    #[error("every row of `{}` has the label {label}\nhint: training needs rows of two classes", path.display())]
    OneClass {
        /// The file.
        path: PathBuf,
        /// The label.
        label: f64,
    },
    /// A line is longer than this program takes.
    #[error("`{}`, line {line} is longer than {most} bytes\nhint: check that this is a text file", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The most bytes of a line.
        most: u64,
    },
    /// Dense features would take too much memory.
    #[error(
        "{what} would be {rows} × {columns} numbers, more than {most}\n\
         hint: take fewer rows, features or random features"
    )]
    TooLarge {
        /// What would be so large.
        what: &'static str,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// The most numbers.
        most: usize,
    },
    /// Fewer random features than features.
    #[error("{width} random features can't hold {features} features\nhint: choose a width of at least {features}")]
    TooNarrow {
        /// The number of random features.
        width: usize,
        /// The number of features.
        features: usize,
    },
}
