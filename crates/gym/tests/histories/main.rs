//! Histories of real repositories, made by the program `git` in the test itself.

mod hostile;
mod javascript;
mod lab;
mod proof;
mod repository;
mod rust;
mod screening;
