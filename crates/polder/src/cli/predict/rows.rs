//! The rows that are to be answered.

use std::path::Path;

use anyhow::{Result, ensure};
use polder_tasks::{DataFolder, Drawn, PromptTask, Row, Split, typed_row};
use serde_json::Value;

use super::super::args::PredictArgs;
use super::super::transfer::Transfer;

/// The rows of a file, or the one that was typed.
pub(super) fn rows(arguments: &PredictArgs, task: &PromptTask) -> Result<Vec<Drawn>> {
    if let Some(path) = &arguments.data {
        let mut bar = Transfer::new(false);
        let found = polder::hub::data(path, &mut |p| bar.at(p))?;
        bar.clear();
        return match arguments.split {
            split if found.is_dir() => from_folder(&found, split),
            None => from_file(&found),
            Some(split) => {
                anyhow::bail!(
                    "`{}` is a file, so there is no split {split} of it\nhint: leave --split out",
                    found.display()
                )
            }
        };
    }
    let row = match &arguments.text {
        Some(text) => typed_row(task, text).map_err(polder::Error::from)?,
        None => fields(&arguments.fields)?,
    };
    Ok(vec![Drawn { number: 0, row }])
}

fn from_file(path: &Path) -> Result<Vec<Drawn>> {
    numbered(polder_tasks::data::read_file(path, None).map_err(polder::Error::from)?, path)
}

/// The rows of one split: the one that is asked for, else `test`, else the only one.
fn from_folder(path: &Path, asked: Option<Split>) -> Result<Vec<Drawn>> {
    let folder = DataFolder::open(path).map_err(polder::Error::from)?;
    let split = match (asked, folder.files()) {
        (Some(split), _) => split,
        (None, [(only, _)]) => *only,
        (None, _) if folder.has(Split::Test) => Split::Test,
        (None, several) => {
            let names: Vec<String> = several.iter().map(|(split, _)| split.to_string()).collect();
            anyhow::bail!(
                "`{}` has several splits ({}) and no test\nhint: choose one with --split",
                path.display(),
                names.join(", ")
            );
        }
    };
    numbered(folder.read(split, None).map_err(polder::Error::from)?, path)
}

fn numbered(rows: Vec<Row>, path: &Path) -> Result<Vec<Drawn>> {
    ensure!(!rows.is_empty(), "`{}` holds no rows", path.display());
    Ok(rows.into_iter().enumerate().map(|(number, row)| Drawn { number, row }).collect())
}

/// A row of `column=text` arguments; what reads as a JSON number, list or truth value is that.
fn fields(fields: &[String]) -> Result<Row> {
    let mut row = Row::new();
    for field in fields {
        let Some((column, text)) = field.split_once('=').filter(|(column, _)| !column.is_empty()) else {
            anyhow::bail!("`--field {field}` is not of the form column=text");
        };
        let value = match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Array(_))) => value,
            _ => Value::String(text.to_owned()),
        };
        ensure!(row.insert(column.to_owned(), value).is_none(), "the column `{column}` is given twice");
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_the_split_that_is_asked_for_or_goes_without_saying() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(place.path().join(name), format!("{{\"sentence\": \"{text}\"}}\n")).unwrap();
        };
        let text = |asked| from_folder(place.path(), asked).map(|rows| rows[0].row["sentence"].clone());
        write("validation.jsonl", "v");
        assert_eq!(text(None).unwrap(), "v");
        write("train.jsonl", "t");
        let said = text(None).unwrap_err().to_string();
        assert!(said.contains("several splits (train, validation)") && said.contains("--split"), "{said}");
        assert_eq!(text(Some(Split::Train)).unwrap(), "t");
        assert!(text(Some(Split::Test)).is_err());
        write("test.jsonl", "e");
        assert_eq!(text(None).unwrap(), "e");
    }

    #[test]
    fn typed_fields_make_a_row() {
        let row = fields(&["premise=It rained. a=b".to_owned(), "label=1".to_owned(), "x=".to_owned()]).unwrap();
        assert_eq!(row.get("premise").unwrap(), "It rained. a=b");
        assert_eq!(row.get("label").unwrap(), 1);
        assert_eq!(row.get("x").unwrap(), "");
        assert!(fields(&["nothing".to_owned()]).is_err());
        assert!(fields(&["=x".to_owned()]).is_err());
        assert!(fields(&["a=1".to_owned(), "a=2".to_owned()]).is_err());
    }
}
