//! Reading small files whole, with a limit on what small is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file, and refuses folders, devices and pipes (opening a pipe would wait for ever).
///
/// # Errors
/// There is no such file; it is no plain file; it may not be read.
pub(crate) fn open_plain(path: &Path) -> Result<File> {
    let failed = |source| Error::Read { file: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("it is not a plain file")));
    }
    File::open(path).map_err(failed)
}

/// The bytes of a file that is at most `limit` long.
///
/// # Errors
/// It can't be read, or is longer.
pub(crate) fn read(path: &Path, what: &'static str, limit: u64) -> Result<Vec<u8>> {
    let failed = |source| Error::Read { file: path.to_owned(), source };
    let file = open_plain(path)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > limit {
        return Err(Error::TooLarge { file: path.to_owned(), what, bytes, limit });
    }
    let mut all = Vec::new();
    // The file may grow between the two looks at it.
    file.take(limit).read_to_end(&mut all).map_err(failed)?;
    Ok(all)
}

/// The JSON object in a file that is at most `limit` long.
///
/// # Errors
/// It can't be read, is longer, or holds something else.
pub(crate) fn read_object(path: &Path, what: &'static str, limit: u64) -> Result<serde_json::Value> {
    let bytes = read(path, what, limit)?;
    let wrong = |reason| Error::Json { file: path.to_owned(), reason };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
    if !value.is_object() {
        return Err(wrong("it holds no JSON object".to_owned()));
    }
    Ok(value)
}
