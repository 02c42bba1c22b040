//! From graded episodes to new weights; the only crate with tensors, and those live only in `engines/`.

pub mod engines;
pub mod tokenizer;
