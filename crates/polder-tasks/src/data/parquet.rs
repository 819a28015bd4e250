//! Parquet files, row by row.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use super::source::{Source, Taker};
use crate::{Error, Result};

/// The most that one column chunk may hold when it is unpacked, in bytes.
const MAX_CHUNK: i64 = 1 << 30;

/// A Parquet file whose footer has been checked.
#[derive(Debug)]
pub(super) struct Groups {
    path: PathBuf,
    size: u64,
    /// The rows of each group.
    groups: Vec<usize>,
    len: usize,
}

impl Groups {
    /// Reads the footer alone.
    pub(super) fn find(path: &Path, file: File, size: u64, limit: usize) -> Result<Self> {
        let groups = super::guarded(|| {
            let reader = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
            check(reader.metadata(), size)?;
            let rows = |rows: i64| usize::try_from(rows).map_err(|_| format!("a row group claims {rows} rows"));
            reader.metadata().row_groups().iter().map(|group| rows(group.num_rows())).collect::<Result<Vec<_>, _>>()
        })
        .map_err(|reason| Error::File { path: path.to_owned(), reason })?;
        let all = groups.iter().fold(0usize, |all, rows| all.saturating_add(*rows));
        Ok(Self { path: path.to_owned(), size, groups, len: all.min(limit) })
    }

    /// One row group's rows: `numbers` ascend and lie in it, `start` is its first.
    fn read_group(
        &self,
        reader: &SerializedFileReader<File>,
        group: usize,
        numbers: &[usize],
        start: usize,
        take: &mut Taker<'_>,
    ) -> Result<()> {
        let failed = |reason| Error::File { path: self.path.clone(), reason };
        let group = super::guarded(|| reader.get_row_group(group).map_err(|e| e.to_string())).map_err(failed)?;
        let mut records = super::guarded(|| group.get_row_iter(None).map_err(|e| e.to_string())).map_err(failed)?;
        let mut at = start;
        for &number in numbers {
            let row = super::guarded(|| {
                // What lies between is decoded and dropped.
                let record = records.by_ref().take(number + 1 - at).last();
                match record.ok_or("it ends before its footer says")?.map_err(|e| e.to_string())?.to_json_value() {
                    Value::Object(row) => Ok(row),
                    _ => Err("it has no columns".to_owned()),
                }
            });
            at = number + 1;
            take(number, row.map_err(|reason| failed(format!("row {number}: {reason}")))?)?;
        }
        Ok(())
    }
}

impl Source for Groups {
    fn len(&self) -> usize {
        self.len
    }

    fn read(&self, numbers: &mut dyn Iterator<Item = usize>, take: &mut Taker<'_>) -> Result<()> {
        let file = File::open(&self.path).map_err(|source| Error::Io { path: self.path.clone(), source })?;
        let reader = super::guarded(|| {
            let reader = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
            check(reader.metadata(), self.size)?;
            Ok(reader)
        })
        .map_err(|reason| Error::File { path: self.path.clone(), reason })?;
        let mut numbers = numbers.filter(|number| *number < self.len).peekable();
        let mut start = 0;
        for (group, rows) in self.groups.iter().enumerate() {
            let mut here = Vec::new();
            while let Some(number) = numbers.next_if(|number| *number < start + rows) {
                here.push(number);
            }
            if !here.is_empty() {
                self.read_group(&reader, group, &here, start, take)?;
            }
            start += rows;
        }
        Ok(())
    }
}

/// Checks what the footer claims before anything is allocated by it.
fn check(metadata: &ParquetMetaData, size: u64) -> std::result::Result<(), String> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    for (number, group) in metadata.row_groups().iter().enumerate() {
        for column in group.columns() {
            let name = column.column_path().string();
            let start =
                column.dictionary_page_offset().unwrap_or(column.data_page_offset()).min(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            if start < 4 || column.compressed_size() < 0 || end.is_none_or(|end| end > size) {
                return Err(format!("row group {number}, column `{name}`: its bytes lie outside of the file"));
            }
            if !(0..=MAX_CHUNK).contains(&column.uncompressed_size()) {
                return Err(format!(
                    "row group {number}, column `{name}`: it claims {} bytes unpacked",
                    column.uncompressed_size()
                ));
            }
            if !(0..=group.num_rows().max(0).saturating_mul(4096).max(1 << 16)).contains(&column.num_values()) {
                return Err(format!("row group {number}, column `{name}`: it claims {} values", column.num_values()));
            }
        }
    }
    Ok(())
}
