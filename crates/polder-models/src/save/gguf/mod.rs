//! GGUF files: llama.cpp's format, in one file, written whole or not at all.
//!
//! Source: the specification of GGUF (version 3), and llama.cpp's names and layouts as its own files have them.

mod entries;
mod model;
mod quant;
mod rope;
mod tensors;
mod tokenizer;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use entries::Entries;
use model::Arch;
use tensors::FileTensor;

use crate::error::{Error, Result};
use crate::gguf;
use crate::load::{Format, Loaded};

const VERSION: u32 = 3;
/// The alignment of tensors.
const ALIGNMENT: u64 = 32;
/// The version of ggml's block formats.
const QUANTIZATION: u32 = 2;

/// How a GGUF file stores matrices; vectors are f32 in every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GgufType {
    /// 4 bytes a weight.
    F32,
    /// 2 bytes a weight, 11 bits of precision, up to 65504.
    F16,
    /// 2 bytes a weight, 8 bits of precision and the range of f32.
    Bf16,
    /// 34 bytes for 32 weights: a scale in f16, and a whole number from −127 to 127 a weight.
    Q8_0,
}

impl GgufType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Bf16, Self::Q8_0];

    /// Its name: `f32`, `f16`, `bf16` or `q8_0`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// ggml's number of the type.
    const fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 8,
            Self::Bf16 => 30,
        }
    }

    /// llama.cpp's number of a file of mostly this type.
    const fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
            Self::Bf16 => 32,
        }
    }
}

impl fmt::Display for GgufType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for GgufType {
    type Err = Error;

    /// # Errors
    /// A name other than `f32`, `f16`, `bf16`, `q8_0`, in either case.
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|t| t.name().eq_ignore_ascii_case(name));
        known.ok_or_else(|| Error::UnknownGgufType { name: name.to_owned() })
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufFile {
    /// The file's size.
    pub bytes: u64,
    /// Its tensors.
    pub tensors: usize,
    /// What a user should know of it, in sentences.
    pub notes: Vec<String>,
}

/// Writes a model as one GGUF file, named `name` in its metadata, in the place of any file that is there.
///
/// The metadata are those of the GGUF file that the model came from, where it came from one; else they are made from the
/// configuration and the tokenizer. Everything goes into a new file beside `file`, is flushed to the disk, and then takes
/// its place in one rename. Nothing larger than a head of queries is held beside the model itself.
///
/// # Errors
/// An architecture, rotary embedding or tokenizer that llama.cpp does not have; a weight that is not finite in the type;
/// a full disk, or a folder that may not be written: what was at `file` is intact then.
pub fn save_gguf(file: &Path, model: &Loaded, to: GgufType, name: &str) -> Result<GgufFile> {
    let mut notes = Vec::new();
    let (arch, config) = Arch::of(&model.config)?;
    let (mut entries, factors) = if model.source.format == Format::Gguf {
        let gguf::Carried { entries, rope_freqs } = gguf::carried(&model.source.path)?;
        (Entries::of(entries), rope_freqs)
    } else {
        let mut entries = Entries::default();
        entries.text("general.architecture", arch.name);
        entries.text("general.type", "model");
        entries.text("general.name", name);
        let factors = arch.describe(config, &mut entries, &mut notes)?;
        tokenizer::describe(model, config.vocab, &mut entries)?;
        (entries, factors)
    };
    entries.u32("general.file_type", to.file_type());
    entries.u32("general.quantization_version", QUANTIZATION);
    let tensors = tensors::plan(&model.params, to, arch.heads, factors)?;
    note_odd(&tensors, to, &mut notes);
    let header = header(&entries, &tensors);
    let data: u64 = tensors.iter().map(|tensor| tensor.bytes().next_multiple_of(ALIGNMENT)).sum();
    let bytes = header.len() as u64 + data;
    write(file, &header, &tensors, bytes)?;
    Ok(GgufFile { bytes, tensors: tensors.len(), notes })
}

/// Says which matrices could not be cut into blocks.
fn note_odd(tensors: &[FileTensor<'_>], to: GgufType, notes: &mut Vec<String>) {
    let odd: Vec<&FileTensor<'_>> = tensors.iter().filter(|tensor| tensor.is_odd(to)).collect();
    if let Some(first) = odd.first() {
        let (count, name) = (odd.len(), first.name());
        notes.push(format!(
            "{count} of {} tensors, such as `{name}`, are stored as f16: their rows are no whole blocks of {to}",
            tensors.len()
        ));
    }
}

fn header(entries: &Entries, tensors: &[FileTensor<'_>]) -> Vec<u8> {
    let mut header = b"GGUF".to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((entries.len() as u64).to_le_bytes());
    entries.write(&mut header);
    tensors.iter().for_each(|tensor| tensor.describe(&mut header));
    header.resize(header.len().next_multiple_of(ALIGNMENT as usize), 0);
    header
}

/// A new file that takes the place of the old one when it is whole; gone when anything fails.
fn write(file: &Path, header: &[u8], tensors: &[FileTensor<'_>], needed: u64) -> Result<()> {
    let failed = |source: io::Error| match source.downcast::<Error>() {
        Ok(error) => error,
        Err(source) => Error::Write { file: file.to_owned(), folder: file.to_owned(), needed, source },
    };
    let name = file.file_name().ok_or_else(|| failed(io::Error::other("it has no name")))?;
    if file.is_dir() {
        return Err(failed(io::Error::other("it is a folder")));
    }
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{}.partial-", name.to_string_lossy());
    builder.prefix(&prefix);
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt;
        // The process's mask takes away from it, as with any other file.
        fs::Permissions::from_mode(0o666)
    };
    #[cfg(unix)]
    builder.permissions(permissions);
    let new = builder.tempfile_in(&parent).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, new);
    let written = out.write_all(header).and_then(|()| tensors.iter().try_for_each(|tensor| tensor.write(&mut out)));
    // Dropping what is buffered is right where something failed: the file goes anyway.
    let new = written.and_then(|()| out.into_inner().map_err(io::IntoInnerError::into_error)).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(file).map_err(|e| failed(e.error))?;
    File::open(&parent).and_then(|parent| parent.sync_all()).map_err(failed)
}
