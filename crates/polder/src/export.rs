//! A model as a folder or file for other programs.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use polder_models::{GgufType, Loaded, SaveOptions, StorageType, save, save_gguf};

use crate::error::{Error, Result};

/// The form in which a model leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A Hugging Face folder.
    Safetensors,
    /// One GGUF file.
    Gguf,
}

impl Form {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Gguf => "GGUF",
        }
    }
}

/// How the weights of an exported model are stored: `f32`, `f16`, `bf16`, or in a GGUF file `q8_0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightType(GgufType);

impl fmt::Display for WeightType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for WeightType {
    type Err = polder_models::Error;

    /// # Errors
    /// A name that is none of the four.
    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        name.parse().map(Self)
    }
}

impl WeightType {
    /// The type that holds what the model holds in memory.
    fn of(model: &Loaded) -> Self {
        Self(match model.params.largest().map(|p| p.storage()) {
            Some("bf16") => GgufType::Bf16,
            Some("f16") => GgufType::F16,
            _ => GgufType::F32,
        })
    }

    /// The same in a safetensors file, which holds no blocks.
    fn storage(self) -> Result<StorageType> {
        match self.0 {
            GgufType::F32 => Ok(StorageType::F32),
            GgufType::F16 => Ok(StorageType::F16),
            GgufType::Bf16 => Ok(StorageType::Bf16),
            GgufType::Q8_0 => Err(Error::ExportType { kind: self.to_string() }),
        }
    }
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The bytes of the weights (safetensors), of the whole file (GGUF).
    pub bytes: u64,
    /// The type of its matrices.
    pub kind: WeightType,
    /// What a user should know of it, in sentences.
    pub notes: Vec<String>,
}

/// Checks the place and the type, before a model is loaded for them.
///
/// # Errors
/// A place that is taken; a type that the format does not have.
pub fn check(out: &Path, form: Form, kind: Option<WeightType>) -> Result<()> {
    if out.is_file() || out.read_dir().is_ok_and(|mut entries| form == Form::Gguf || entries.next().is_some()) {
        return Err(Error::OutputExists { path: out.to_owned() });
    }
    match (form, kind) {
        (Form::Safetensors, Some(kind)) => kind.storage().map(drop),
        _ => Ok(()),
    }
}

/// Writes a model in another form: whole, or not at all.
///
/// # Errors
/// As [`check`]; a model that the format can't hold; weights that the type can't; a disk that is full.
pub fn export(model: &Loaded, out: &Path, form: Form, kind: Option<WeightType>) -> Result<Exported> {
    check(out, form, kind)?;
    let kind = kind.unwrap_or_else(|| WeightType::of(model));
    match form {
        Form::Safetensors => {
            let storage = kind.storage()?;
            let options = SaveOptions { storage: Some(storage), ..SaveOptions::default() };
            save(out, &model.params, &model.config_json, &model.files, &options)?;
            let bytes = (model.params.elements() * storage.file_dtype().size_in_bytes()) as u64;
            Ok(Exported { bytes, kind, notes: Vec::new() })
        }
        Form::Gguf => {
            let name = out.file_stem().map_or("model".into(), |stem| stem.to_string_lossy());
            let written = save_gguf(out, model, kind.0, &name)?;
            Ok(Exported { bytes: written.bytes, kind, notes: written.notes })
        }
    }
}
