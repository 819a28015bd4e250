//! Calibration: how likely an option is by itself, after a prompt without content.

use std::collections::HashMap;

use polder_tasks::{EncodedExample, EncodedOption, Encoder, Example, Task};

use crate::engine::Engine;
use crate::error::Result;
use crate::scoring::{OptionScore, PassSize, score};

/// The options after the content-free prompts of their examples, as token ids.
///
/// # Errors
/// A task without `calibrate`; an option without a token to score.
pub fn content_free(encoder: &Encoder, task: &dyn Task, examples: &[Example]) -> Result<Vec<EncodedExample>> {
    let encode = |example: &Example| -> Result<EncodedExample> {
        let encoded = encoder.encode_content_free(example)?;
        Ok(encoded.ok_or_else(|| polder_tasks::Error::Uncalibrated { task: task.name().to_owned() })?)
    };
    examples.iter().map(encode).collect()
}

/// The scores of [`content_free`]'s options, `[example][option]`: each distinct prompt with option is run once.
///
/// # Errors
/// As [`score`].
pub fn score_content_free(
    engine: &Engine<'_>,
    examples: &[EncodedExample],
    size: PassSize,
    on_pass: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Vec<Vec<OptionScore>>> {
    let mut places: HashMap<(&[u32], usize), usize> = HashMap::new();
    let mut distinct: Vec<EncodedExample> = Vec::new();
    for option in examples.iter().flat_map(|example| &example.options) {
        places.entry((&option.ids, option.scored)).or_insert_with(|| {
            distinct.push(EncodedExample { options: vec![option.clone()], ..EncodedExample::default() });
            distinct.len() - 1
        });
    }
    let scores = score(engine, &distinct, size, on_pass)?;
    let of = |option: &EncodedOption| {
        let place = places.get(&(option.ids.as_slice(), option.scored))?;
        scores.get(*place)?.first().copied()
    };
    Ok(examples.iter().map(|example| example.options.iter().filter_map(of).collect()).collect())
}
