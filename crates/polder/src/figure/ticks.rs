//! Where an axis is marked, and what is written there.

use super::span::{Scale, Span};

/// A number as it stands at an axis: text, then a raised part (an exponent) that may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Label {
    pub(super) text: String,
    pub(super) raised: String,
}

/// The marks of an axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ticks {
    /// Values with their labels, rising.
    pub(super) major: Vec<(f64, Label)>,
    /// Values that are marked only.
    pub(super) minor: Vec<f64>,
    /// What the labels are to be multiplied by (×10⁻⁵).
    pub(super) factor: Option<Label>,
}

impl Ticks {
    /// Round ticks inside of a span, about `wanted` of them.
    pub(super) fn of(span: &Span, wanted: usize) -> Self {
        match span.scale {
            Scale::Linear => Self::linear(span.low, span.high, wanted),
            Scale::Log => Self::log(span, wanted),
        }
    }

    fn linear(low: f64, high: f64, wanted: usize) -> Self {
        let step = nice((high - low) / wanted.max(1) as f64);
        let first = (low / step - 1e-9).ceil();
        let values: Vec<f64> =
            (0..40).map(|i| (first + f64::from(i)) * step).take_while(|value| *value <= high + 1e-9 * step).collect();
        let size = values.iter().fold(0.0f64, |size, value| size.max(value.abs()));
        // The power of ten that all labels share, where they would be long without it.
        let power = if size >= 1e6 || (size > 0.0 && size < 1e-3) { exponent(size) } else { 0 };
        let decimals = (power - exponent(step)).clamp(0, 15) as usize;
        let label = |value: f64| Label { text: grouped(value / 10f64.powi(power), decimals), raised: String::new() };
        let factor = (power != 0).then(|| Label { text: "×10".to_owned(), raised: signed(power) });
        Self { major: values.iter().map(|value| (*value, label(*value))).collect(), minor: Vec::new(), factor }
    }

    fn log(span: &Span, wanted: usize) -> Self {
        let inside = |value: f64| {
            let at = value.log10();
            at >= span.low - 1e-9 && at <= span.high + 1e-9
        };
        let (first, last) = (span.low.floor() as i32, span.high.ceil() as i32);
        let multiples = |digits: &[i32]| -> Vec<(i32, i32)> {
            let all = (first..=last).flat_map(|power| digits.iter().map(move |digit| (*digit, power)));
            all.filter(|(digit, power)| inside(value_of(*digit, *power))).collect()
        };
        let decades = multiples(&[1]);
        let fine = multiples(&[1, 2, 5]);
        let minor = if last - first <= 8 { multiples(&[2, 3, 4, 5, 6, 7, 8, 9]) } else { Vec::new() };
        let minor = minor.into_iter().map(|(digit, power)| value_of(digit, power)).collect();
        let chosen = if decades.len() < 3 && (2..=wanted.max(2)).contains(&fine.len()) {
            fine
        } else if decades.len() >= 2 {
            let stride = decades.len().div_ceil(wanted.max(2)) as i32;
            decades.into_iter().filter(|(_, power)| power.rem_euclid(stride) == 0).collect()
        } else {
            let (low, high) = (10f64.powf(span.low), 10f64.powf(span.high));
            return Self { minor, ..Self::linear(low, high, wanted) };
        };
        let plain = chosen.iter().all(|(_, power)| (-3..=4).contains(power));
        let major = chosen.into_iter().map(|(digit, power)| (value_of(digit, power), power_label(digit, power, plain)));
        Self { major: major.collect(), minor, factor: None }
    }
}

fn value_of(digit: i32, power: i32) -> f64 {
    f64::from(digit) * 10f64.powi(power)
}

fn power_label(digit: i32, power: i32, plain: bool) -> Label {
    if plain {
        let decimals = (-power).clamp(0, 15) as usize;
        return Label { text: grouped(value_of(digit, power), decimals), raised: String::new() };
    }
    let text = if digit == 1 { "10".to_owned() } else { format!("{digit}·10") };
    Label { text, raised: signed(power) }
}

/// 1, 2 or 5 times a power of ten, near a size.
fn nice(rough: f64) -> f64 {
    let power = 10f64.powi(exponent(rough));
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= 0.75 * rough).unwrap_or(rough)
}

/// The power of ten of a number's first digit.
fn exponent(value: f64) -> i32 {
    (value.abs().max(1e-305).log10() + 1e-9).floor() as i32
}

fn signed(number: i32) -> String {
    number.to_string().replace('-', "−")
}

/// A number with so many decimals, a true minus, and commas between thousands.
pub(super) fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push('−');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(rest) = rest {
        out.push('.');
        out.push_str(rest);
    }
    out
}
