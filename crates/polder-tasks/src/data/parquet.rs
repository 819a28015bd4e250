//! Parquet files, row by row.

use std::fs::File;
use std::path::Path;

use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use crate::{Error, Result, Row};

/// The most that one column chunk may hold when it is unpacked, in bytes.
const MAX_CHUNK: i64 = 1 << 30;

/// The first `limit` rows.
pub(super) fn read(path: &Path, file: File, size: u64, limit: usize) -> Result<Vec<Row>> {
    super::guarded(|| {
        let reader = SerializedFileReader::new(file).map_err(|e| e.to_string())?;
        check(reader.metadata(), size)?;
        let mut rows = Vec::new();
        for record in reader.get_row_iter(None).map_err(|e| e.to_string())?.take(limit) {
            let record = record.map_err(|e| format!("row {}: {e}", rows.len()))?;
            match record.to_json_value() {
                Value::Object(row) => rows.push(row),
                _ => return Err(format!("row {}: it has no columns", rows.len())),
            }
        }
        Ok(rows)
    })
    .map_err(|reason| Error::File { path: path.to_owned(), reason })
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
