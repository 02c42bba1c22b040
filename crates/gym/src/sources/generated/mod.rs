//! Small Python packages made from a seed: modules, functions, call chains, docstrings with examples, and tests.
//!
//! A function comes from a template (`templates/*/*.py`, Python with placeholders), gets names from the vocabulary of
//! its split, and cases from an evaluator of the same Python, so that no interpreter is needed here. The two splits
//! share neither templates nor identifiers. From a package on, everything is done as with any other project.

mod cases;
mod evaluator;
mod fragment;
mod inputs;
mod package;
mod render;
mod template;
#[cfg(test)]
mod tests;
mod vocabulary;

use crate::project::Project;

/// Which templates and which words a package is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// For training.
    Train,
    /// For measuring what training gave; disjoint from [`Split::Train`].
    HeldOut,
}

/// A package with what the generator knows about it.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The package as every source delivers one.
    pub project: Project,
    /// Its public functions, in order of modules and lines.
    pub functions: Vec<GeneratedFunction>,
}

/// A public function of a generated package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFunction {
    /// File relative to the project, for example `oak_mill/limits.py`.
    pub module_path: String,
    /// Its name.
    pub name: String,
    /// Name of its template, for example `numbers/3`.
    pub template: String,
    /// At least eight distinct argument lists as source, for example `3, 5, 9`, on which it returns a value.
    pub inputs: Vec<String>,
    /// First-order mutations of it that change what it returns for one of `inputs`.
    pub mutants: usize,
    /// How many of them fail its own tests.
    pub killed: usize,
}

/// The package of a seed; the same seed and split always give the same bytes.
pub fn generate(seed: u64, split: Split) -> Project {
    generate_detailed(seed, split).project
}

/// The package of a seed with what the generator knows about it.
pub fn generate_detailed(seed: u64, split: Split) -> Generated {
    package::generate(seed, split)
}
