//! Makes what ships with the project: the data set of data/reviews and the language model of models/opt-reviews.
//!
//! Everything here is written by programs from seeds: sentences from templates ([`world`]), a data set from sentences
//! ([`dataset`]), a [`tokenizer`] from text, and a small OPT by [`pretrain`]ing from scratch.

pub mod dataset;
pub mod pretrain;
pub mod random;
pub mod tokenizer;
pub mod world;
