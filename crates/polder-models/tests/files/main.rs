//! Models from files and to files.

mod export;
mod export_real;
mod export_refusals;
mod gguf;
mod gguf_hostile;
mod gguf_writer;
mod hostile;
mod mutation;
mod real;
mod save;
mod tiny;
mod tokenizers;
mod transformers;
