//! The rotary embedding's numbers, in both styles of config.json.

use super::Fields;
use crate::error::{Error, Result};

/// The rotary embedding of a model (Su et al. 2021, arXiv 2104.09864) and its stretching to longer contexts.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeConfig {
    /// The base of the frequencies (`rope_theta`); 10000 by default.
    pub theta: f64,
    /// How frequencies are stretched.
    pub kind: RopeKind,
}

/// How the frequencies of a rotary embedding are stretched; names as in transformers.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeKind {
    /// Not at all.
    Default,
    /// All by `factor` (position interpolation, Chen et al. 2023, arXiv 2306.15595).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Low frequencies by `factor`, high ones not, smoothly between (LLaMA 3.1, arXiv 2407.21783).
    Llama3 {
        /// The factor.
        factor: f64,
        /// Wavelengths above `original / low` are stretched in full.
        low: f64,
        /// Wavelengths below `original / high` are left alone.
        high: f64,
        /// The context length before stretching.
        original: f64,
    },
    /// By part, with a ramp over the index of the frequency, and a factor on cosines and sines (YaRN, Peng et al. 2023,
    /// arXiv 2309.00071).
    Yarn {
        /// The factor.
        factor: f64,
        /// The context length before stretching.
        original: f64,
        /// Rotations above which a frequency is left alone; 32 by default.
        beta_fast: f64,
        /// Rotations below which it is stretched in full; 1 by default.
        beta_slow: f64,
        /// The factor on cosines and sines.
        attention: f64,
        /// Whether the ramp's ends are rounded to whole indices; true by default.
        truncate: bool,
    },
}

impl RopeConfig {
    /// The rope types that are known, by their names in transformers.
    pub const KNOWN: [&str; 4] = ["default", "linear", "llama3", "yarn"];

    /// Reads `rope_parameters` (transformers 5), or `rope_theta` and `rope_scaling` (before).
    pub(crate) fn parse(fields: &Fields<'_>, positions: usize) -> Result<Self> {
        if fields.number_or("partial_rotary_factor", 1.0)? != 1.0 {
            return Err(fields.wrong("partial_rotary_factor", "1 (the whole head)"));
        }
        let scaling = fields.object("rope_scaling")?;
        let parameters = fields.object("rope_parameters")?;
        if let (Some(old), Some(new)) = (&scaling, &parameters)
            && !old.same_as(new)
        {
            return Err(fields.wrong("rope_scaling", "the same as rope_parameters, or only one of them"));
        }
        let top_theta = fields.number_or("rope_theta", 10_000.0)?;
        let Some(rope) = parameters.or(scaling) else {
            if top_theta <= 1.0 {
                return Err(fields.wrong("rope_theta", "a number above 1"));
            }
            return Ok(Self { theta: top_theta, kind: RopeKind::Default });
        };
        if let Some(nested) = rope.keys().find(|k| k.ends_with("_attention")) {
            return Err(rope.wrong(nested, "one set of parameters for all layers"));
        }
        if rope.number_or("partial_rotary_factor", 1.0)? != 1.0 {
            return Err(rope.wrong("partial_rotary_factor", "1 (the whole head)"));
        }
        let theta = rope.number_or("rope_theta", top_theta)?;
        if theta <= 1.0 {
            return Err(rope.wrong("rope_theta", "a number above 1"));
        }
        // A value outside of the object takes precedence, inside comes next, then the model's own length.
        let inner = rope.size_or("original_max_position_embeddings", positions)?;
        let original = fields.size_or("original_max_position_embeddings", inner)? as f64;
        Ok(Self { theta, kind: kind(&rope, original)? })
    }
}

fn kind(rope: &Fields<'_>, original: f64) -> Result<RopeKind> {
    let named = match rope.word("rope_type")? {
        Some(named) => named,
        None => rope.word("type")?.unwrap_or("default"),
    };
    match named {
        "default" => Ok(RopeKind::Default),
        "linear" => Ok(RopeKind::Linear { factor: rope.number("factor")? }),
        "llama3" => {
            let (low, high) = (rope.number("low_freq_factor")?, rope.number("high_freq_factor")?);
            if high <= low {
                return Err(rope.wrong("high_freq_factor", "a number above low_freq_factor"));
            }
            Ok(RopeKind::Llama3 { factor: rope.number("factor")?, low, high, original })
        }
        "yarn" => yarn(rope, original),
        other => Err(Error::UnknownRopeType {
            rope_type: other.chars().take(60).collect(),
            known: RopeConfig::KNOWN.join(", "),
        }),
    }
}

fn yarn(rope: &Fields<'_>, original: f64) -> Result<RopeKind> {
    let factor = rope.number("factor")?;
    let mscale = |weight: f64| {
        if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 }
    };
    let attention = match rope.optional_number("attention_factor")? {
        Some(given) => given,
        None => match (rope.optional_number("mscale")?, rope.optional_number("mscale_all_dim")?) {
            (Some(all), Some(below)) => mscale(all) / mscale(below),
            _ => mscale(1.0),
        },
    };
    Ok(RopeKind::Yarn {
        factor,
        original,
        beta_fast: rope.number_or("beta_fast", 32.0)?,
        beta_slow: rope.number_or("beta_slow", 1.0)?,
        attention,
        truncate: rope.flag_or("truncate", true)?,
    })
}
