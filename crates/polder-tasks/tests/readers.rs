//! Data files, well-formed, malformed and mutated.

use std::path::PathBuf;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use polder_tasks::data::{MAX_RECORD, read_file};
use polder_tasks::{Error, Result, Row, TaskSpec};
use proptest::prelude::*;

fn read(ending: &str, bytes: &[u8]) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join(format!("rows.{ending}"));
    std::fs::write(&path, bytes).unwrap();
    read_file(&path, None)
}

fn values(rows: &[Row], name: &str) -> Vec<String> {
    rows.iter().map(|row| row[name].to_string()).collect()
}

/// The error's text, with the line it must name.
fn fails(ending: &str, bytes: &[u8], parts: &[&str]) {
    let error = read(ending, bytes).expect_err("malformed").to_string();
    for part in parts {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn json_lines() {
    let rows = read("jsonl", b"\xEF\xBB\xBF{\"a\": 1}\r\n\r\n  \n{\"a\": \"\\u00e9\"}\n{\"a\": [1]}").unwrap();
    assert_eq!(values(&rows, "a"), ["1", "\"é\"", "[1]"]);
    assert!(read("jsonl", b"").unwrap().is_empty());
    fails("jsonl", b"{\"a\":1}\n\n[1]\n", &["line 3", "a list"]);
    fails("jsonl", b"{\"a\":1}\n{\"a\":\n1}", &["line 2", "invalid JSON"]);
    fails("jsonl", b"{\"a\":1}\n{\"a\":\"\xff\"}", &["line 2", "UTF-8"]);
    fails("jsonl", b"{\"a\":1e999}", &["line 1"]);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    fails("jsonl", deep.as_bytes(), &["line 1", "recursion"]);
    let huge = format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}", "x".repeat(MAX_RECORD as usize));
    fails("jsonl", huge.as_bytes(), &["line 2", "exceeds the limit"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let task = TaskSpec::from_file(&path).unwrap_err();
    for error in [read_file(&path, None).unwrap_err(), task, read_file(dir.path(), None).unwrap_err()] {
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}

#[test]
fn json_arrays() {
    let rows = read("json", b"\xEF\xBB\xBF [{\"a\": 1},\n {\"a\": 2}]").unwrap();
    assert_eq!(values(&rows, "a"), ["1", "2"]);
    assert_eq!(read("json", b"{\"a\": 1}\n{\"a\": 2}").unwrap().len(), 2);
    fails("json", b"[{\"a\": 1}, 3]", &["entry 1", "a number"]);
    fails("json", b"[{\"a\": 1},\n", &["line 2", "invalid JSON"]);
}

#[test]
fn comma_separated() {
    let rows = read("csv", b"\xEF\xBB\xBFtext,label\r\n\"a, \"\"b\"\"\n2\",1\r\nc,0\r\n").unwrap();
    assert_eq!(values(&rows, "text"), [r#""a, \"b\"\n2""#, "\"c\""]);
    assert_eq!(values(&rows, "label"), ["1", "0"]);
    fails("csv", b"text,label\na,1\nb\n", &["line 3", "1 columns", "2"]);
    fails("csv", b"text,text\na,1\n", &["line 1", "`text` twice"]);
    fails("csv", b"text,\na,1\n", &["line 1", "column 2"]);
    fails("csv", b"text\na\n\xff\n", &["line 3", "UTF-8"]);
    let open = format!("text,label\na,1\n\"{}", "x\n".repeat(MAX_RECORD as usize / 2 + 8192));
    fails("csv", open.as_bytes(), &["line 3", "quote"]);
}

#[test]
fn tab_separated_has_no_quoting() {
    let rows = read("tsv", b"sentence\tlabel\na \"quoted\" word\t1\n\"open\t0\n").unwrap();
    assert_eq!(values(&rows, "sentence"), [r#""a \"quoted\" word""#, r#""\"open""#]);
    fails("tsv", b"a\tb\n1\t2\t3\n", &["line 2", "3 columns"]);
}

/// A Parquet file of two columns, compressed as named.
fn parquet_file(rows: usize, compression: parquet::basic::Compression) -> Vec<u8> {
    let schema =
        Arc::new(parse_message_type("message rows { required binary text (UTF8); optional int64 label; }").unwrap());
    let properties =
        Arc::new(parquet::file::properties::WriterProperties::builder().set_compression(compression).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts: Vec<ByteArray> = (0..rows).map(|i| ByteArray::from(format!("row {i}").as_str())).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    let labels: Vec<i64> = (0..rows as i64 - 1).collect();
    let levels: Vec<i16> = (0..rows).map(|i| i16::from(i + 1 < rows)).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&labels, Some(&levels), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_rows() {
    use parquet::basic::{Compression, GzipLevel, ZstdLevel};
    let ways = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for compression in ways {
        let rows = read("parquet", &parquet_file(4, compression)).unwrap();
        assert_eq!(values(&rows, "text"), ["\"row 0\"", "\"row 1\"", "\"row 2\"", "\"row 3\""]);
        assert_eq!(values(&rows, "label"), ["0", "1", "2", "null"]);
    }
    fails("parquet", b"PAR1", &["malformed"]);
    fails("parquet", b"{\"a\": 1}", &["malformed"]);
}

/// Whatever the bytes, reading gives rows or an error, and comes back: the test fails by a panic or by hanging.
fn survives(ending: &str, bytes: &[u8]) {
    if let Err(error) = read(ending, bytes) {
        assert!(!matches!(error, Error::FileType { .. }), "{error}");
        assert!(!error.to_string().is_empty());
    }
}

/// Every prefix, and every byte flipped in three ways (at a stride that keeps the number of files near `files`).
fn mutate(ending: &str, valid: &[u8], files: usize) {
    assert!(read(ending, valid).is_ok(), "the unmutated file must be readable");
    let stride = (valid.len() * 4 / files).max(1);
    for at in (0..valid.len()).step_by(stride) {
        survives(ending, &valid[..at]);
        for flip in [0x01, 0x80, 0xFF] {
            let mut bytes = valid.to_vec();
            bytes[at] ^= flip;
            survives(ending, &bytes);
        }
    }
}

#[test]
fn mutated_text_files() {
    mutate("jsonl", b"{\"text\": \"a \\u00e9 b\", \"label\": 1}\n\n{\"text\": \"c\", \"label\": [2.5e3]}\n", 400);
    mutate("json", b"[{\"text\": \"a\"}, {\"text\": {\"b\": null}}]", 400);
    mutate("csv", b"text,label\n\"a, \"\"b\"\"\",1\nc,0\n", 400);
    mutate("tsv", b"text\tlabel\na\t1\nc\t0\n", 400);
}

#[test]
fn mutated_parquet_files() {
    for compression in [parquet::basic::Compression::UNCOMPRESSED, parquet::basic::Compression::SNAPPY] {
        mutate("parquet", &parquet_file(20, compression), 3000);
    }
}

#[test]
fn mutated_task_files() {
    let valid = b"name = 't'\nprompt = \"{{ text }}\\n\"\noptions = ['no', 'yes']\nlabel = 'y'\nloss = 'options'\n[columns]\ntext = 'x'\n";
    let row: Row = serde_json::from_str(r#"{"x":"a","y":1}"#).unwrap();
    let example = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let task = TaskSpec::from_toml(&text, "mutated").and_then(TaskSpec::compile)?;
        polder_tasks::Task::example(&task, &row, 0)
    };
    assert!(example(valid).is_ok());
    for at in 0..valid.len() {
        let _ = example(&valid[..at]);
        for flip in [0x01, 0x02, 0x04, 0x10, 0x20, 0x80] {
            let mut bytes = valid.to_vec();
            bytes[at] ^= flip;
            let _ = example(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for ending in ["jsonl", "json", "csv", "tsv", "parquet"] {
            survives(ending, &bytes);
        }
    }

    #[test]
    fn any_template_is_survived(prompt in "[{}%a-z .|'\\[\\]()0-9*+\"=]{0,40}") {
        let mut spec = TaskSpec::named("t");
        spec.prompt = Some(prompt);
        spec.target = Some("a".to_owned());
        if let Ok(task) = spec.compile() {
            let row: Row = serde_json::from_str(r#"{"a":"b","c":[1,2]}"#).unwrap();
            let _ = polder_tasks::Task::example(&task, &row, 0);
        }
    }

    #[test]
    fn json_lines_come_back_as_written(texts in proptest::collection::vec(any::<String>(), 1..20)) {
        let lines: Vec<String> = texts.iter().map(|t| serde_json::json!({"a": t}).to_string()).collect();
        let rows = read("jsonl", lines.join("\n").as_bytes()).unwrap();
        let back: Vec<String> = rows.iter().map(|r| r["a"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(back, texts);
    }
}
