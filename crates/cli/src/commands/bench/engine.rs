//! Tokens per second of an engine, in training and in decoding, and where the time of `local` goes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use basis_train::engines::local::clock::Work;
use basis_train::engines::local::{Config, Local};
use basis_train::engines::{self, Engine, EngineError, bench};

use super::Figure;
use crate::context::Context;
use crate::exit::{Failure, Kind, ResultExt};
use crate::machine;
use crate::models;

/// Tokens per second of processor time at which PyTorch 2 trained the same model on such a machine: forward, backward, AdamW, in
/// batches of 16 × 512, between 880 and 980.
const PYTORCH: (f64, &str) = (980.0, "PyTorch");

const TIME: Duration = Duration::from_secs(3);

pub(super) fn run(engine: &str, model: Option<&Path>, context: &Context<'_>) -> Result<(), Failure> {
    engines::available(engine)?;
    let open = |dir: &Path| models::open_engine(engine, dir, &models::options(context));
    let scratch = tempfile::tempdir().kind(Kind::Machine)?;
    match model {
        Some(given) => {
            let dir = models::directory(context, Some(given))?;
            training(|| open(&dir), "this model", None, context)?;
            decoding(|| open(&dir), "this model", context)?;
        }
        None => {
            let large = made(&bench::m3(), &scratch.path().join("m3"))?;
            let small = made(&Config::small(1024), &scratch.path().join("small"))?;
            let base = (engine == "local").then_some(PYTORCH);
            training(|| open(&large), "4.1 M parameters", base, context)?;
            training(|| open(&small), "default model", None, context)?;
            episodes(|| open(&small), context)?;
            decoding(|| open(&small), "default model", context)?;
        }
    }
    let peak = bench::peak_memory() as f64 / f64::from(1 << 20);
    Figure { name: "peak memory of all of this", value: peak, unit: "MiB", base: None }.print(context);
    Ok(())
}

/// A directory with a fresh model.
fn made(config: &Config, dir: &Path) -> Result<PathBuf, Failure> {
    let model = Local::create(config.clone(), 0, machine::cores()).kind(Kind::Unexpected)?;
    model.save(dir, false).kind(Kind::Machine)?;
    Ok(dir.to_path_buf())
}

type Opened = Result<Box<dyn Engine>, Failure>;

fn training(
    open: impl Fn() -> Opened,
    model: &str,
    base: Option<(f64, &str)>,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let mut engine = open()?;
    let rate = measured(bench::training(&mut *engine, 16, 512, TIME))?;
    let name = format!("training, {model}, 16 x 512");
    Figure { name: &name, value: rate.per_second, unit: "tokens/s", base: None }.print(context);
    Figure { name: &name, value: rate.per_cpu_second, unit: "tokens per CPU second", base }.print(context);
    shares(&name, &*engine, context);
    context.check_stop()
}

fn episodes(open: impl Fn() -> Opened, context: &Context<'_>) -> Result<(), Failure> {
    let mut alone = None;
    for (alike, name) in
        [(false, "training, default model, episodes one by one"), (true, "training, default model, episodes as trees")]
    {
        let rate = measured(bench::groups(&mut *open()?, alike, TIME))?;
        let base = alone.map(|alone| (alone, "one by one"));
        Figure { name, value: rate.per_second, unit: "tokens/s", base }.print(context);
        alone.get_or_insert(rate.per_second);
        context.check_stop()?;
    }
    Ok(())
}

fn decoding(open: impl Fn() -> Opened, model: &str, context: &Context<'_>) -> Result<(), Failure> {
    let mut alone = None;
    for sessions in [1, 16, 64] {
        let mut engine = open()?;
        let rate = measured(bench::decoding(&mut *engine, sessions, 256, 128))?;
        let name = format!("decoding, {model}, {sessions} at once");
        let base = alone.map(|alone| (alone, "one alone"));
        Figure { name: &name, value: rate.per_second, unit: "tokens/s", base }.print(context);
        Figure { name: &name, value: rate.per_cpu_second, unit: "tokens per CPU second", base: None }.print(context);
        shares(&name, &*engine, context);
        alone.get_or_insert(rate.per_second);
        context.check_stop()?;
    }
    Ok(())
}

fn measured<T>(result: Result<T, EngineError>) -> Result<T, Failure> {
    result.kind(Kind::Unexpected)
}

/// Where the time of the threads went, those of warming up included.
fn shares(name: &str, engine: &dyn Engine, context: &Context<'_>) {
    for work in Work::ALL {
        let percent = engine.spent().share(work) * 100.0;
        if percent >= 0.5 {
            Figure { name: &format!("{name}, {}", work.name()), value: percent, unit: "% of the time", base: None }
                .print(context);
        }
    }
}
