//! Tokens per second of the local engine, in training and in decoding.

use std::time::Duration;

use basis_train::engines::local::{self, Config};

use super::Figure;
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;

/// Tokens per second of processor time at which PyTorch 2 trained the same model on such a machine: forward, backward, AdamW, in
/// batches of 16 × 512, between 880 and 980.
const PYTORCH: (f64, &str) = (980.0, "PyTorch");

pub(super) fn run(context: &Context<'_>) -> Result<(), Failure> {
    let (threads, time) = (machine::cores(), Duration::from_secs(3));
    for (model, config, base) in
        [("4.1 M parameters", local::bench::m3(), Some(PYTORCH)), ("default model", Config::small(1024), None)]
    {
        let rate = local::bench::training(&config, threads, 16, 512, time).kind(Kind::Unexpected)?;
        let name = format!("training, {model}, 16 x 512");
        Figure { name: &name, value: rate.per_second, unit: "tokens/s", base: None }.print(context);
        Figure { name: &name, value: rate.per_cpu_second, unit: "tokens per CPU second", base }.print(context);
        context.check_stop()?;
    }
    let mut alone = None;
    for sessions in [1, 16, 64] {
        let rate = local::bench::decoding(&Config::small(1024), threads, sessions, 256, 128).kind(Kind::Unexpected)?;
        let name = format!("decoding, default model, {sessions} at once");
        let base = alone.map(|alone| (alone, "one alone"));
        Figure { name: &name, value: rate.per_second, unit: "tokens/s", base }.print(context);
        Figure { name: &name, value: rate.per_cpu_second, unit: "tokens per CPU second", base: None }.print(context);
        alone.get_or_insert(rate.per_second);
        context.check_stop()?;
    }
    Ok(())
}
