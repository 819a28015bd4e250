//! The records after the header.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::header::{Digest, Header};
use super::step::{Codec, Step};
use crate::error::{Error, Result};

/// The kind of the header's record.
pub(super) const HEADER: u8 = 1;
const STEP: u8 = 2;
const EVALUATION: u8 = 3;
const NOTE: u8 = 4;
const END: u8 = 5;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A step was made.
    Step(Step),
    /// A score was measured.
    Evaluation(Evaluation),
    /// Anything else worth keeping, as JSON.
    Note(Value),
    /// The run ended, or was told to.
    End(End),
}

/// A score, after so many steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many steps had been made; 0: the base weights.
    pub step: u64,
    /// What was evaluated ("dev", "eval").
    pub name: String,
    /// The metric ("accuracy").
    pub metric: String,
    /// The score; absent where it is not finite.
    pub score: Option<f64>,
    /// How many examples it rests on.
    pub n: u64,
    /// The mean loss in nats; absent where there is none or it is not finite.
    pub loss: Option<f64>,
    /// Whatever else belongs to it (majority baseline, interval, forward passes).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
}

/// The end of a run; it can be resumed with more steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// How many steps were made in all.
    pub steps: u64,
    /// The content hash of the weights after them.
    pub weights: Digest,
}

impl Record {
    /// The kind and the payload.
    ///
    /// # Errors
    /// A step that does not follow the one before; a value that JSON can't hold.
    pub(super) fn encode(&self, codec: &Codec) -> Result<(u8, Vec<u8>)> {
        match self {
            Self::Step(step) => Ok((STEP, codec.encode(step)?)),
            Self::Evaluation(evaluation) => Ok((EVALUATION, to_json(evaluation)?)),
            Self::Note(note) => Ok((NOTE, to_json(note)?)),
            Self::End(end) if end.steps != codec.steps() => {
                Err(Error::Record { why: format!("an end of {} steps comes after {}", end.steps, codec.steps()) })
            }
            Self::End(end) => Ok((END, to_json(end)?)),
        }
    }

    /// The record of that kind and payload; the reason, where there is none.
    pub(super) fn decode(kind: u8, payload: &[u8], codec: &Codec) -> Result<Self, String> {
        match kind {
            STEP => codec.decode(payload).map(Self::Step).map_err(str::to_owned),
            EVALUATION => from_json(payload).map(Self::Evaluation),
            NOTE => from_json(payload).map(Self::Note),
            END => {
                let end: End = from_json(payload)?;
                let steps = codec.steps();
                if end.steps == steps {
                    Ok(Self::End(end))
                } else {
                    Err(format!("the end speaks of {} steps after {steps}", end.steps))
                }
            }
            HEADER => Err("there is a second header".to_owned()),
            other => Err(format!("records of kind {other} are unknown")),
        }
    }
}

/// The header's payload.
///
/// # Errors
/// A value that JSON can't hold.
pub(super) fn encode_header(header: &Header) -> Result<Vec<u8>> {
    to_json(header)
}

/// The header of a payload; the reason, where there is none.
pub(super) fn decode_header(payload: &[u8]) -> Result<Header, String> {
    from_json(payload)
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Record { why: error.to_string() })
}

fn from_json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    serde_json::from_slice(payload).map_err(|error| error.to_string())
}
