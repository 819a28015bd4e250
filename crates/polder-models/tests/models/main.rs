//! Architectures against transformers, candle-transformers, themselves and autograd.

mod cached;
mod candle_reference;
mod fixture;
mod golden;
mod gradient;
mod hostile_config;
mod packing;
mod readers;
mod sensitivity;
