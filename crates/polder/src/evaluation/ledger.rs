//! What a model was asked and what it answered, on disk: an evaluation that was cut off goes on where it was.
//!
//! One JSON object a line in `answers.jsonl`, appended as passes end. A line's key is a digest of the weights and of the
//! very tokens that they were asked about, so an answer can't be taken for that of another model, prompt or option, and a
//! change of metric, calibration or labels costs no pass.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use polder_tasks::EncodedExample;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::generation::Settings;
use crate::run::RunLock;
use crate::scoring::OptionScore;

/// The name of the file in its folder.
const FILE: &str = "answers.jsonl";

/// A ledger is read whole; one above this many bytes is refused.
const LARGEST: u64 = 4 << 30;

/// What a question is known by: a BLAKE3 digest.
pub type Key = [u8; 32];

/// Answers that are there, and the file that takes new ones.
#[derive(Debug, Default)]
pub struct Ledger {
    answers: HashMap<Key, Answer>,
    file: Option<Place>,
}

/// Where new answers go.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    file: File,
    _lock: RunLock,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The score of each option.
    Scores(Vec<OptionScore>),
    /// The text that it wrote.
    Text(String),
}

impl Ledger {
    /// A ledger without a file: it remembers for as long as it lives.
    pub fn new() -> Self {
        Self { answers: HashMap::new(), file: None }
    }

    /// Opens the ledger of a folder, which is made where it is missing. A last line that was cut off is dropped.
    ///
    /// # Errors
    /// A folder that can't be made, read or written, or that another process evaluates into; a line that is no answer.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let lock = RunLock::take(folder)?;
        let path = folder.join(FILE);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        let long = file.metadata().map_err(Error::io("read", &path))?.len();
        if long > LARGEST {
            return Err(damaged(&path, format!("it has {long} bytes, more than any evaluation writes")));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(Error::io("read", &path))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        text.truncate(whole);
        let answers = parse(&text, &path)?;
        file.set_len(whole as u64).map_err(Error::io("write", &path))?;
        file.seek(SeekFrom::Start(whole as u64)).map_err(Error::io("write", &path))?;
        Ok(Self { answers, file: Some(Place { path, file, _lock: lock }) })
    }

    /// The answer to a question, where there is one.
    pub fn get(&self, key: &Key) -> Option<&Answer> {
        self.answers.get(key)
    }

    /// Takes answers, and writes them at once.
    ///
    /// # Errors
    /// A disk that is full or gone; what was written before stays.
    pub fn add(&mut self, answers: impl IntoIterator<Item = (Key, Answer)>) -> Result<()> {
        let mut lines = String::new();
        for (key, answer) in answers {
            lines += &line(&key, &answer).to_string();
            lines.push('\n');
            self.answers.insert(key, answer);
        }
        match &mut self.file {
            Some(place) => place.file.write_all(lines.as_bytes()).map_err(Error::io("write", &place.path)),
            None => Ok(()),
        }
    }
}

/// The key of an example's options under weights of that digest.
pub fn key_of_options(weights: &[u8; 32], example: &EncodedExample) -> Key {
    let mut hash = begin(weights, b"options");
    for option in &example.options {
        ids(&mut hash, &option.ids);
        hash.update(&(option.scored as u64).to_le_bytes());
    }
    hash.finalize().into()
}

/// The key of what follows a prompt under weights of that digest; `number` is the prompt's, which its random numbers
/// depend on where tokens are drawn.
pub fn key_of_text(weights: &[u8; 32], prompt: &[u32], number: usize, settings: &Settings) -> Key {
    let mut hash = begin(weights, b"text");
    ids(&mut hash, prompt);
    let number = settings.sampling.map(|_| number);
    let Settings { max_new_tokens, max_length, stop, ends, sampling, batch: _ } = settings;
    let rules = format!("{max_new_tokens} {max_length:?} {stop:?} {ends:?} {sampling:?} {number:?}");
    hash.update(rules.as_bytes());
    hash.finalize().into()
}

fn begin(weights: &[u8; 32], what: &[u8]) -> blake3::Hasher {
    let mut hash = blake3::Hasher::new();
    hash.update(b"polder evaluation 1 ").update(what).update(weights);
    hash
}

fn ids(hash: &mut blake3::Hasher, ids: &[u32]) {
    hash.update(&(ids.len() as u64).to_le_bytes());
    ids.iter().for_each(|id| {
        hash.update(&id.to_le_bytes());
    });
}

fn line(key: &Key, answer: &Answer) -> Value {
    let key = blake3::Hash::from_bytes(*key).to_hex().to_string();
    match answer {
        Answer::Scores(scores) => {
            json!({"key": key, "scores": scores.iter().map(|s| json!([number(s.sum), s.tokens])).collect::<Vec<_>>()})
        }
        Answer::Text(text) => json!({"key": key, "text": text}),
    }
}

/// A number as JSON; what JSON has no number for, in words.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

fn parse(text: &[u8], path: &Path) -> Result<HashMap<Key, Answer>> {
    let mut answers = HashMap::new();
    for (row, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let (key, answer) = serde_json::from_slice(line)
            .ok()
            .and_then(|value| read(&value))
            .ok_or_else(|| damaged(path, format!("line {} is no answer", row + 1)))?;
        answers.insert(key, answer);
    }
    Ok(answers)
}

fn read(value: &Value) -> Option<(Key, Answer)> {
    let key = blake3::Hash::from_hex(value.get("key")?.as_str()?).ok()?.into();
    if let Some(text) = value.get("text") {
        return Some((key, Answer::Text(text.as_str()?.to_owned())));
    }
    let score = |pair: &Value| {
        let sum = match pair.get(0)? {
            Value::String(words) => words.parse().ok()?,
            number => number.as_f64()?,
        };
        let tokens = usize::try_from(pair.get(1)?.as_u64()?).ok().filter(|tokens| *tokens > 0)?;
        Some(OptionScore { sum, tokens })
    };
    Some((key, Answer::Scores(value.get("scores")?.as_array()?.iter().map(score).collect::<Option<_>>()?)))
}

fn damaged(path: &Path, reason: String) -> Error {
    Error::Damaged { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_tasks::EncodedOption;

    fn example(ids: &[u32]) -> EncodedExample {
        let options = vec![EncodedOption { ids: ids.to_vec(), scored: 1 }];
        EncodedExample { options, ..EncodedExample::default() }
    }

    #[test]
    fn answers_come_back_to_the_bit_and_a_torn_line_is_dropped() {
        let place = tempfile::tempdir().unwrap();
        let (weights, asked) = ([7; 32], example(&[1, 2, 3]));
        let key = key_of_options(&weights, &asked);
        let scores =
            vec![OptionScore { sum: -0.1 - 1e-16 * 7.0, tokens: 3 }, OptionScore { sum: f64::NEG_INFINITY, tokens: 1 }];
        let mut ledger = Ledger::open(place.path()).unwrap();
        ledger.add([(key, Answer::Scores(scores.clone()))]).unwrap();
        ledger.add([([9; 32], Answer::Text("a \"text\"\n".to_owned()))]).unwrap();
        assert!(matches!(Ledger::open(place.path()), Err(Error::RunLocked { .. })), "one process a folder");
        drop(ledger);
        let path = place.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"key\": \"ab")).unwrap();
        let ledger = Ledger::open(place.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(ledger.get(&key), Some(&Answer::Scores(scores)));
        assert_eq!(ledger.get(&[9; 32]), Some(&Answer::Text("a \"text\"\n".to_owned())));
        drop(ledger);
        std::fs::write(&path, format!("{{}}\n{text}")).unwrap();
        let said = Ledger::open(place.path()).unwrap_err().to_string();
        assert!(said.contains("line 1 is no answer"), "{said}");
    }

    #[test]
    fn every_part_of_a_question_changes_its_key() {
        let of = |weights: u8, ids: &[u32]| key_of_options(&[weights; 32], &example(ids));
        let mut keys = vec![of(0, &[1, 2]), of(1, &[1, 2]), of(0, &[1, 3]), of(0, &[1, 2, 0])];
        let mut other = example(&[1, 2]);
        other.options[0].scored = 2;
        keys.push(key_of_options(&[0; 32], &other));
        let settings = Settings {
            max_new_tokens: 5,
            max_length: None,
            stop: Vec::new(),
            ends: Vec::new(),
            sampling: None,
            batch: 1,
        };
        let text = |settings: &Settings, number| key_of_text(&[0; 32], &[1, 2], number, settings);
        assert_eq!(text(&settings, 0), text(&Settings { batch: 8, ..settings.clone() }, 3), "neither changes the text");
        keys.push(text(&settings, 0));
        keys.push(text(&Settings { max_new_tokens: 6, ..settings.clone() }, 0));
        keys.push(text(&Settings { stop: vec!["\n".to_owned()], ..settings.clone() }, 0));
        let drawn = crate::generation::Sampling { temperature: 1.0, top_k: None, top_p: None, seed: 0 };
        let drawn = Settings { sampling: Some(drawn), ..settings };
        keys.push(text(&drawn, 0));
        keys.push(text(&drawn, 1));
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
