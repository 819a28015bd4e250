//! Tensors where they lie in a file, and reading them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::load::encoding::Encoding;
use crate::load::storage::{Piece, StorageType, Weights};

/// The bytes that are read at once, about: all that is ever held beside the weights themselves.
const WINDOW: usize = 8 << 20;
/// The weights that a thread decodes at once.
const PIECE: usize = 16 << 10;

/// A file of weights, open.
///
/// It is read, not mapped: a file that shrinks under a mapping kills the process, under a read it is an error, and
/// the pages of a mapping would count as memory of the run.
#[derive(Debug)]
pub(crate) struct WeightFile {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    file: File,
}

impl WeightFile {
    /// Opens a plain file.
    ///
    /// # Errors
    /// There is none, it is a folder or a device, or it may not be read.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Read { file: path.to_owned(), source };
        let file = crate::load::bounded::open_plain(path)?;
        let len = file.metadata().map_err(failed)?.len();
        Ok(Self { path: path.to_owned(), len, file })
    }

    /// Fills `to` with the bytes from `start`.
    ///
    /// # Errors
    /// The file ends before, or can't be read.
    pub(crate) fn read_at(&self, start: u64, to: &mut [u8]) -> Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(to))
            .map_err(|source| Error::Read { file: self.path.clone(), source })
    }

    /// A reader from the start of the file.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn reader(&self) -> Result<&File> {
        let mut file = &self.file;
        file.rewind().map_err(|source| Error::Read { file: self.path.clone(), source })?;
        Ok(file)
    }
}

/// One tensor's place in a file. Whoever makes one has checked that `start + bytes` lies in the file.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    pub(crate) file: Arc<WeightFile>,
    /// Its name in the file.
    pub(crate) name: String,
    /// The name of its type in the file.
    pub(crate) dtype: String,
    /// How it is encoded, where that is known.
    pub(crate) encoding: Option<Encoding>,
    /// Its shape, slowest axis first.
    pub(crate) shape: Vec<usize>,
    pub(crate) start: u64,
    /// The heads whose rows llama.cpp has interleaved.
    pub(crate) interleaved: Option<usize>,
}

/// The types that safetensors files may hold.
pub(crate) const SAFETENSORS_TYPES: &str = "F64, F32, F16 and BF16";
/// The types that GGUF files may hold.
pub(crate) const GGUF_TYPES: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K";

impl Extent {
    /// The type's name as a failure to read it.
    pub(crate) fn unknown_type(&self) -> Error {
        let gguf = self.file.path.extension().is_some_and(|e| e == "gguf");
        Error::TensorType {
            file: self.file.path.clone(),
            tensor: self.name.clone(),
            dtype: self.dtype.clone(),
            known: if gguf { GGUF_TYPES } else { SAFETENSORS_TYPES },
        }
    }

    /// Reads the tensor, window by window, into the chosen storage.
    ///
    /// # Errors
    /// A type that is not read; a weight that is not finite; a file that can't be read any more.
    pub(crate) fn read(&self, storage: StorageType) -> Result<Weights> {
        let encoding = self.encoding.ok_or_else(|| self.unknown_type())?;
        let bytes = encoding.bytes(&self.shape).ok_or_else(|| self.unknown_type())?;
        let (block_weights, block_bytes) = encoding.block();
        let len = bytes / block_bytes * block_weights;
        let mut weights = Weights::zeros(storage, len);
        let blocks = WINDOW / (block_bytes * PIECE / block_weights) * PIECE / block_weights;
        let mut window = vec![0u8; bytes.min(blocks * block_bytes)];
        let mut done = 0;
        while done < bytes {
            let now = (bytes - done).min(window.len());
            let window = &mut window[..now];
            self.file.read_at(self.start + done as u64, window)?;
            let from = done / block_bytes * block_weights;
            let pieces = weights.pieces(from, now / block_bytes * block_weights, PIECE);
            self.decode(encoding, window, pieces, from, storage)?;
            done += now;
        }
        if let Some(heads) = self.interleaved {
            weights.deinterleave(heads, if self.shape.len() < 2 { 1 } else { self.shape[1] });
        }
        Ok(weights)
    }

    /// Reads the tensor as f32.
    ///
    /// # Errors
    /// As [`Extent::read`].
    pub(crate) fn read_f32(&self) -> Result<Vec<f32>> {
        match self.read(StorageType::F32)? {
            Weights::F32(all) => Ok(all),
            _ => Err(self.unknown_type()),
        }
    }

    fn decode(
        &self,
        encoding: Encoding,
        window: &[u8],
        mut pieces: Vec<Piece<'_>>,
        from: usize,
        storage: StorageType,
    ) -> Result<()> {
        let (block_weights, block_bytes) = encoding.block();
        let bad = pieces
            .par_iter_mut()
            .zip(window.par_chunks(PIECE / block_weights * block_bytes))
            .enumerate()
            .filter_map(|(at, (piece, bytes))| {
                let mut values = vec![0f32; piece.len()];
                encoding.decode(bytes, &mut values, storage);
                let bad = piece.store(&values)?;
                Some((from + at * PIECE + bad, values[bad]))
            })
            .min_by_key(|&(element, _)| element);
        match bad {
            None => Ok(()),
            Some((element, value)) => Err(Error::NotFinite {
                file: self.file.path.clone(),
                tensor: self.name.clone(),
                element,
                value,
                storage: storage.name(),
                hint: if value.is_finite() {
                    "load the model as bf16, bf16+8 or f32"
                } else {
                    "these weights are broken; fetch or train the model again"
                },
            }),
        }
    }
}
