//! Which models fit which cards.

use std::fmt::Write as _;

use polder_models::StorageType;
use serde::Serialize;

use super::{ALLOWANCE, Architecture, DeviceMemory, Kind, Pass};
use crate::bench::{SHAPES, Shape};
use crate::config::Arithmetic;
use crate::error::Result;

/// Sizes of cards, in GB; of each only 10⁹ bytes a GB are counted, since a part of a card's memory is never free.
pub const SIZES: [u64; 5] = [8, 16, 24, 40, 80];

const HELD: [StorageType; 3] = [StorageType::Bf16, StorageType::Bf16Plus8, StorageType::F32];

/// What one model takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// The model.
    pub model: &'static str,
    /// Its parameters.
    pub parameters: usize,
    /// With weights in bf16, bf16+8 and f32.
    pub memory: [DeviceMemory; 3],
    /// With weights in bf16 that stay in the computer's memory.
    pub offloaded: DeviceMemory,
}

/// The smallest card that so many bytes fit, in GB.
pub fn smallest(bytes: u64) -> Option<u64> {
    SIZES.into_iter().find(|size| bytes <= size * 1_000_000_000)
}

/// What a two-point step of each published OPT and LLaMA takes: SGD, both points a pass, arithmetic in f32, the last token
/// of each sequence scored.
///
/// # Errors
/// None for the shapes of the table.
pub fn model_sizes(batch: usize, length: usize) -> Result<Vec<Size>> {
    let published = SHAPES.iter().filter(|shape| ["opt-", "llama-"].iter().any(|name| shape.name.starts_with(name)));
    let mut all = Vec::new();
    for shape in published {
        let memory = HELD.map(|storage| of(shape, storage, false, batch, length));
        let [Some(bf16), Some(carried), Some(f32)] = memory.map(|memory| memory.ok().flatten()) else { continue };
        let Some(offloaded) = of(shape, StorageType::Bf16, true, batch, length)? else { continue };
        all.push(Size { model: shape.name, parameters: shape.parameters()?, memory: [bf16, carried, f32], offloaded });
    }
    Ok(all)
}

/// What a two-point step of one shape takes; `None` for a family without a formula.
///
/// # Errors
/// None for a shape of the table.
pub(crate) fn of(
    shape: &Shape,
    storage: StorageType,
    offload: bool,
    batch: usize,
    length: usize,
) -> Result<Option<DeviceMemory>> {
    let pass = Pass {
        points: 2,
        rows: batch.saturating_mul(length),
        wanted: batch,
        arithmetic: Arithmetic::F32,
        kind: Kind::Cuda,
        sent: if offload { storage.bytes() } else { 0 },
    };
    Ok(Architecture::of(&shape.config()?).map(|a| DeviceMemory {
        weights: if offload { 0 } else { (a.parameters() as u64).saturating_mul(storage.bytes() as u64) },
        state: 0,
        pass: a.peak(&pass),
        kept: 0,
        allowance: ALLOWANCE,
    }))
}

/// The table in Markdown.
///
/// # Errors
/// As [`model_sizes`].
pub fn sizes(batch: usize, length: usize) -> Result<String> {
    let mut out = String::from(
        "| model | parameters | bf16 | bf16+8 | f32 | bf16, offloaded |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for size in model_sizes(batch, length)? {
        let _ = write!(out, "| {} | {:.2} B |", size.model, size.parameters as f64 / 1e9);
        for memory in size.memory.iter().chain([&size.offloaded]) {
            let bytes = memory.total();
            let card = smallest(bytes).map_or_else(|| "none".to_owned(), |card| card.to_string());
            let _ = write!(out, " {:.1} → {card} |", bytes as f64 / 1e9);
        }
        out.push('\n');
    }
    let cards = SIZES.map(|size| size.to_string()).join(", ");
    let _ = write!(
        out,
        "\nGB that a two-point step takes on a GPU → the smallest card of {cards} GB that holds it: batch {batch}, {length} \
         tokens a sequence, both points in a pass, arithmetic in f32, SGD; by formula, with {:.2} GB set aside for context, \
         kernels and cuBLAS. Offloaded weights stay in the computer's memory, which has to hold them (`offload = true`).",
        ALLOWANCE as f64 / 1e9
    );
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_size_and_the_smallest_card() {
        assert_eq!([8_000_000_000, 8_000_000_001, 80_000_000_000].map(smallest), [Some(8), Some(16), Some(80)]);
        assert_eq!(smallest(80_000_000_001), None);
        let all = model_sizes(16, 128).unwrap();
        let names: Vec<&str> = all.iter().map(|size| size.model).collect();
        for name in ["opt-125m", "opt-350m", "opt-66b", "llama-7b", "llama-2-70b"] {
            assert!(names.contains(&name), "{names:?}");
        }
        for size in &all {
            let [bf16, carried, f32] = size.memory.map(|memory| memory.total());
            assert!(bf16 < carried && carried < f32, "{size:?}");
            // Activations do not depend on how weights are held.
            assert_eq!(f32 - bf16, 2 * size.parameters as u64);
        }
        let text = sizes(16, 128).unwrap();
        // 13.5 GB of weights, and less than 2 besides.
        let row = text.lines().find(|line| line.starts_with("| llama-7b |")).unwrap();
        assert!(row.contains("→ 16 |") && row.contains("→ 40 |") && row.ends_with("→ 8 |"), "{row}");
        // Too large for every card, unless its weights stay where they are.
        let row = text.lines().find(|line| line.starts_with("| llama-2-70b |")).unwrap();
        assert!(row.matches("→ none |").count() == 3 && row.ends_with("→ 8 |"), "{row}");
    }
}
