//! Histories of real repositories, made by the program `git` in the test itself.

mod hostile;
mod proof;
mod repository;
mod screening;
