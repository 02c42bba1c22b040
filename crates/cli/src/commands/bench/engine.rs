//! Tokens per second of the local engine, in training and in decoding, and where its time goes.

use std::time::Duration;

use basis_train::engines::local::Config;
use basis_train::engines::local::bench::{self, Measured};
use basis_train::engines::local::clock::Work;

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
        [("4.1 M parameters", bench::m3(), Some(PYTORCH)), ("default model", Config::small(1024), None)]
    {
        let measured = bench::training(&config, threads, 16, 512, time).kind(Kind::Unexpected)?;
        let rate = measured.rate;
        let name = format!("training, {model}, 16 x 512");
        Figure { name: &name, value: rate.per_second, unit: "tokens/s", base: None }.print(context);
        Figure { name: &name, value: rate.per_cpu_second, unit: "tokens per CPU second", base }.print(context);
        shares(&name, &measured, context);
        context.check_stop()?;
    }
    let mut alone = None;
    for (alike, name) in
        [(false, "training, default model, episodes one by one"), (true, "training, default model, episodes as trees")]
    {
        let rate = bench::groups(&Config::small(1024), threads, alike, time).kind(Kind::Unexpected)?.rate;
        let base = alone.map(|alone| (alone, "one by one"));
        Figure { name, value: rate.per_second, unit: "tokens/s", base }.print(context);
        alone.get_or_insert(rate.per_second);
        context.check_stop()?;
    }
    let mut alone = None;
    for sessions in [1, 16, 64] {
        let measured = bench::decoding(&Config::small(1024), threads, sessions, 256, 128).kind(Kind::Unexpected)?;
        let rate = measured.rate;
        let name = format!("decoding, default model, {sessions} at once");
        let base = alone.map(|alone| (alone, "one alone"));
        Figure { name: &name, value: rate.per_second, unit: "tokens/s", base }.print(context);
        Figure { name: &name, value: rate.per_cpu_second, unit: "tokens per CPU second", base: None }.print(context);
        shares(&name, &measured, context);
        alone.get_or_insert(rate.per_second);
        context.check_stop()?;
    }
    let peak = bench::peak_memory() as f64 / f64::from(1 << 20);
    Figure { name: "peak memory of all of this", value: peak, unit: "MiB", base: None }.print(context);
    Ok(())
}

/// Where the time of the threads went.
fn shares(name: &str, measured: &Measured, context: &Context<'_>) {
    for work in Work::ALL {
        let percent = measured.spent.share(work) * 100.0;
        if percent >= 0.5 {
            Figure { name: &format!("{name}, {}", work.name()), value: percent, unit: "% of the time", base: None }
                .print(context);
        }
    }
}
