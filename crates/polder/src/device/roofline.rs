//! Expected times of steps, by the peaks of cards.

use std::fmt::Write as _;

use polder_models::StorageType;
use serde::Serialize;

use super::{Architecture, CARDS, Work};
use crate::bench::Shape;
use crate::config::Arithmetic;
use crate::error::Result;

/// The models that expectations are given for.
const MODELS: [&str; 4] = ["opt-125m", "opt-1.3b", "llama-7b", "opt-13b"];

/// What a step of a model takes at least, by the roofline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// The model.
    pub model: &'static str,
    /// Operations and bytes, in f32 arithmetic.
    pub work: Work,
    /// Of each card of [`CARDS`] in order: seconds in f32, TF32 and bf16 arithmetic, where it has them.
    pub seconds: Vec<[Option<f64>; 3]>,
}

/// Bounds of two-point steps with weights in bf16.
///
/// # Errors
/// None for the shapes of the table.
pub fn bounds(batch: u64, length: u64) -> Result<Vec<Bound>> {
    let mut all = Vec::new();
    for shape in MODELS.iter().filter_map(|name| Shape::named(name)) {
        let Some(a) = Architecture::of(&shape.config()?) else { continue };
        let work = |arithmetic| Work::of(&a, batch, length, StorageType::Bf16, arithmetic);
        let arithmetics = [Arithmetic::F32, Arithmetic::Tf32, Arithmetic::Bf16];
        let seconds = CARDS.iter().map(|card| arithmetics.map(|a| work(a).seconds(card, a))).collect();
        all.push(Bound { model: shape.name, work: work(Arithmetic::F32), seconds });
    }
    Ok(all)
}

/// The bounds as a Markdown table with its sources.
///
/// # Errors
/// As [`bounds`].
pub fn roofline(batch: u64, length: u64) -> Result<String> {
    let mut out = String::from("| model | TFLOP | GB moved |");
    CARDS.iter().for_each(|card| out += &format!(" {} |", card.name));
    out += "\n| --- | --- | --- |";
    CARDS.iter().for_each(|_| out += " --- |");
    out.push('\n');
    for bound in bounds(batch, length)? {
        // Writing to a string can't fail.
        let _ = write!(
            out,
            "| {} | {:.2} | {:.1} |",
            bound.model,
            bound.work.flops() as f64 / 1e12,
            bound.work.bytes() as f64 / 1e9
        );
        for times in &bound.seconds {
            let times: Vec<String> = times.iter().flatten().map(|s| milliseconds(*s)).collect();
            let _ = write!(out, " {} |", times.join(" / "));
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "\nMilliseconds of a two-point step by peak rates, in f32 / TF32 / bf16 arithmetic (f32 alone where there is no \
         other): batch {batch}, {length} tokens a sequence, weights in bf16. Bounds to be held against measurements, not \
         measurements.\n"
    );
    for card in CARDS {
        let tera = |x: f64| format!("{:.0}", x / 1e12);
        let cores = |x: Option<f64>| x.map_or_else(|| "none".to_owned(), tera);
        let _ = writeln!(
            out,
            "- {}: {:.0} GB/s, {:.1} TFLOPS in f32, {} in TF32, {} in bf16 ({})",
            card.name,
            card.bandwidth / 1e9,
            card.f32 / 1e12,
            cores(card.tf32),
            cores(card.bf16),
            card.source
        );
    }
    Ok(out.trim_end().to_owned())
}

/// Seconds as milliseconds, in three digits.
fn milliseconds(seconds: f64) -> String {
    let ms = 1e3 * seconds;
    match ms {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_models_and_slower_cards_take_longer() {
        let all = bounds(16, 128).unwrap();
        assert_eq!(all.len(), MODELS.len());
        let f32_on = |card: usize| all.iter().map(move |bound| bound.seconds[card][0].unwrap());
        for (number, card) in CARDS.iter().enumerate() {
            assert!(f32_on(number).collect::<Vec<_>>().is_sorted(), "{}", card.name);
        }
        assert!(f32_on(3).zip(f32_on(0)).all(|(slow, fast)| slow > fast));
        let text = roofline(16, 128).unwrap();
        assert!(text.starts_with("| model | TFLOP | GB moved | A100 80GB | H100 SXM | RTX 4090 | M2 Max |"), "{text}");
        assert!(CARDS.iter().all(|card| text.contains(card.source)) && text.contains("not measurements"), "{text}");
        assert_eq!([milliseconds(0.001_234), milliseconds(0.012_34), milliseconds(1.234)], ["1.23", "12.3", "1234"]);
    }
}
