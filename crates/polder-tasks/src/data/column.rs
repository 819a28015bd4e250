//! What a column of a text table holds: numbers and truth values only where all of it is such.

use serde_json::Value;

/// What all values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Decimal,
    Truth,
}

/// What the values seen so far allow.
#[derive(Debug, Clone)]
pub(super) struct Kinds {
    whole: bool,
    decimal: bool,
    truth: bool,
    /// Whether any value was not empty.
    any: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { whole: true, decimal: true, truth: true, any: false }
    }
}

impl Kinds {
    /// Looks at one more value.
    pub(super) fn see(&mut self, value: &str) {
        if value.is_empty() {
            return;
        }
        self.any = true;
        self.whole = self.whole && whole(value).is_some();
        self.decimal = self.decimal && (self.whole || whole(value).is_some() || decimal(value).is_some());
        self.truth = self.truth && truth(value).is_some();
    }

    /// What the column holds.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self { any: false, .. } => Kind::Text,
            Self { whole: true, .. } => Kind::Whole,
            Self { decimal: true, .. } => Kind::Decimal,
            Self { truth: true, .. } => Kind::Truth,
            _ => Kind::Text,
        }
    }
}

impl Kind {
    /// A cell's value; an empty one is null among numbers and truth values, and an empty text among texts.
    pub(super) fn value(self, cell: &str) -> Value {
        let text = || Value::String(cell.to_owned());
        match self {
            Self::Text => text(),
            _ if cell.is_empty() => Value::Null,
            // A file that changed since its columns were looked at gives texts.
            Self::Whole => whole(cell).map_or_else(text, Value::from),
            Self::Decimal => match (whole(cell), decimal(cell)) {
                (Some(n), _) => Value::from(n),
                (None, Some(x)) => Value::from(x),
                (None, None) => text(),
            },
            Self::Truth => truth(cell).map_or_else(text, Value::from),
        }
    }
}

/// A whole number as it would be written again: no sign +, no leading zeros, so that `007` stays a text.
fn whole(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|n| n.to_string() == text)
}

/// A decimal number as it would be written again, so that `3.50` stays the text that a prompt shows.
fn decimal(text: &str) -> Option<f64> {
    let x = text.parse::<f64>().ok().filter(|x| x.is_finite())?;
    let written = Value::from(x).to_string();
    (written == text).then_some(x)
}

/// pandas' spellings.
fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}
