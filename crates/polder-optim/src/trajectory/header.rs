//! What a run started from and how it was done.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A content hash of weights (BLAKE3, 32 bytes), written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("a digest has 64 hexadecimal digits");
        let digits = text.chars().map(|c| c.to_digit(16)).collect::<Option<Vec<u32>>>().ok_or_else(wrong)?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|d| d.iter().fold(0, |byte, digit| byte << 4 | *digit as u8)).collect();
        if digits.len() != 64 {
            return Err(wrong());
        }
        Ok(Self(bytes.try_into().map_err(|_| wrong())?))
    }
}

/// Where the base weights came from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// A path, or an id on the hub.
    pub path: String,
    /// The hub's revision, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// An entry of a registry with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The name in the registry.
    pub name: String,
    /// The settings, all of them.
    pub settings: Value,
}

/// The first record: what a run started from and how it was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of polder that wrote it.
    pub polder: String,
    /// The content hash of the base weights after loading, in their storage type.
    pub base: Digest,
    /// Where the base weights came from.
    pub model: Origin,
    /// A content hash of the training data, in the data's own way.
    pub data: String,
    /// The run's seed, from which those of directions and rounding derive.
    pub seed: u64,
    /// The number of steps that were planned.
    pub steps: u64,
    /// The law of the directions, by name.
    pub law: String,
    /// The version of the directions.
    pub directions: u32,
    /// The estimator.
    pub estimator: Method,
    /// The optimiser.
    pub optimizer: Method,
    /// The schedule of the learning rate.
    pub schedule: Value,
    /// The storage type of the weights, by name.
    pub dtype: String,
    /// The rounding of updated weights, by name.
    pub rounding: String,
    /// The arithmetic of forward passes, by name.
    pub arithmetic: String,
    /// How losses at shifted points were read ("streamed", "in-place").
    pub probe: String,
    /// Which parameters were trained, as the configuration says it.
    pub trainable: Value,
    /// How many weights were trained.
    pub trainable_elements: u64,
    /// Whatever else shaped the run (micro-batch, engine, and so on).
    #[serde(default)]
    pub settings: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_64_digits() {
        let digest = Digest(std::array::from_fn(|i| (i * 37) as u8));
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(text.len(), 66);
        assert!(text.starts_with("\"00254a6f94"), "{text}");
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
        let quoted = |text: String| format!("\"{text}\"");
        for wrong in [quoted("a".repeat(63)), quoted("a".repeat(66)), quoted("é".repeat(64)), quoted("g".repeat(64))] {
            assert!(serde_json::from_str::<Digest>(&wrong).is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<Digest>("\"\"").is_err());
        assert!(serde_json::from_str::<Digest>("7").is_err());
    }
}
