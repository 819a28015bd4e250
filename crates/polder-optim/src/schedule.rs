//! The learning rate over a run.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Result;
use crate::estimator::setting;

/// The shape of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// The learning rate itself.
    #[default]
    Constant,
    /// A straight line down to the final fraction.
    Linear,
    /// Half a cosine down to the final fraction.
    Cosine,
}

/// The learning rate over a run, as a factor on the optimiser's own.
///
/// With `w` warm-up steps, `n` steps in all and `p = (step − w)/(n − w)`:
/// warm-up `(step + 1)/w`; constant `1`; linear `1 − (1 − end)·p`; cosine `end + (1 − end)·(1 + cos πp)/2`.
/// `end` is reached at `step = n`, one past the last step. In a config: a name, or a table.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Schedule {
    /// The shape after the warm-up.
    pub shape: Shape,
    /// The number of steps over which the factor rises to 1.
    pub warmup: u64,
    /// The factor at the end of a linear or cosine schedule, between 0 and 1.
    pub end: f64,
}

impl Schedule {
    /// The shapes' names.
    pub const NAMES: [&'static str; 3] = ["constant", "linear", "cosine"];

    /// Checks the settings.
    ///
    /// # Errors
    /// An `end` outside of 0 to 1.
    pub fn checked(self) -> Result<Self> {
        if (0.0..=1.0).contains(&self.end) {
            Ok(self)
        } else {
            Err(setting("schedule.end", self.end, "it must be between 0 and 1"))
        }
    }

    /// The factor on the learning rate at `step` (from 0) of `total`; between 0 and 1.
    pub fn factor(&self, step: u64, total: u64) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let span = total.saturating_sub(self.warmup);
        let p = if span == 0 { 0.0 } else { ((step - self.warmup) as f64 / span as f64).min(1.0) };
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Linear => 1.0 - (1.0 - self.end) * p,
            Shape::Cosine => self.end + (1.0 - self.end) * (0.5 * (1.0 + (std::f64::consts::PI * p).cos())),
        }
    }

    /// The learning rate at `step` of `total`: `base · factor`.
    pub fn lr(&self, base: f64, step: u64, total: u64) -> f64 {
        base * self.factor(step, total)
    }
}

/// The table form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    shape: Shape,
    #[serde(default)]
    warmup: u64,
    #[serde(default)]
    end: f64,
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Schedule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a schedule's name (constant, linear, cosine) or a table with shape, warmup, end")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Schedule, E> {
                let shape = Shape::deserialize(serde::de::value::StrDeserializer::<E>::new(name))?;
                Ok(Schedule { shape, ..Schedule::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
                let Table { shape, warmup, end } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Schedule { shape, warmup, end })
            }
        }
        deserializer.deserialize_any(NameOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(shape: Shape) -> Schedule {
        Schedule { shape, warmup: 10, end: 0.25 }.checked().unwrap()
    }

    #[test]
    fn ends_are_exact() {
        for shape in [Shape::Constant, Shape::Linear, Shape::Cosine] {
            let s = schedule(shape);
            assert_eq!(s.factor(0, 110), 0.1);
            assert_eq!(s.factor(9, 110), 1.0);
            assert_eq!(s.factor(10, 110), 1.0, "{shape:?} starts at the full rate");
            let end = if shape == Shape::Constant { 1.0 } else { 0.25 };
            assert_eq!(s.factor(110, 110), end, "{shape:?}");
            assert_eq!(s.factor(u64::MAX, 110), end, "{shape:?} stays at its end");
        }
        assert_eq!(Schedule::default().lr(3e-4, 7, 9), 3e-4);
    }

    #[test]
    fn middle_is_half_way() {
        assert_eq!(schedule(Shape::Linear).factor(60, 110), 0.625);
        // cos(π/2) is 6e-17 in f64, not 0.
        assert!((schedule(Shape::Cosine).factor(60, 110) - 0.625).abs() < 1e-15);
    }

    #[test]
    fn decreases_after_the_warmup_and_copes_with_no_steps() {
        for shape in [Shape::Linear, Shape::Cosine] {
            let s = schedule(shape);
            assert!((10..110).all(|t| s.factor(t + 1, 110) < s.factor(t, 110)), "{shape:?}");
            for total in [0, 5, 10] {
                assert_eq!(s.factor(10, total), 1.0);
                assert_eq!(s.factor(3, total), 0.4);
            }
            assert_eq!(Schedule { shape, warmup: 0, end: 0.0 }.factor(0, 0), 1.0);
        }
    }

    #[test]
    fn reads_a_name_or_a_table() {
        let named: Schedule = serde_json::from_str("\"linear\"").unwrap();
        assert_eq!(named, Schedule { shape: Shape::Linear, warmup: 0, end: 0.0 });
        let table: Schedule = serde_json::from_str(r#"{"shape":"cosine","warmup":5}"#).unwrap();
        assert_eq!(table, Schedule { shape: Shape::Cosine, warmup: 5, end: 0.0 });
        let back: Schedule = serde_json::from_value(serde_json::to_value(table).unwrap()).unwrap();
        assert_eq!(back, table);
        for wrong in ["\"triangular\"", r#"{"shape":"linear","warm":1}"#, "3", r#"{"warmup":3}"#] {
            assert!(serde_json::from_str::<Schedule>(wrong).is_err(), "{wrong}");
        }
        assert!(Schedule { end: -0.5, ..Schedule::default() }.checked().is_err());
        assert!(Schedule { end: f64::NAN, ..Schedule::default() }.checked().is_err());
    }
}
