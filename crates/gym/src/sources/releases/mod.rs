//! Releases of one package in a registry: an older one and the next are a pair, whose differences may repair something that the tests of the
//! newer one show. Nothing of them is run here.

mod hunks;
mod line;
mod upgrade;

pub use hunks::Hunk;
pub use line::{Line, Pair};
pub use upgrade::{Upgrade, screen};
