//! Prints tokens per second of an engine: `cargo bench -p basis-train --bench engine`.
//!
//! With the argument `training` or `decoding` (what `pytorch.py` compares), `alone` or `alike` (groups of episodes) it measures that alone,
//! on 2 threads, and prints one line of JSON; `ENGINE DIR [bf16]` after it measure another engine and model.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::path::Path;
use std::time::Duration;

use basis_train::engines::bench::{self, Rate, peak_memory};
use basis_train::engines::local::clock::Work;
use basis_train::engines::local::{Config, Local};
use basis_train::engines::{Engine, EngineError, Options, Precision, open_with};

const TIME: Duration = Duration::from_secs(5);

fn main() -> Result<(), EngineError> {
    // Cargo adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let Some(part) = arguments.first() else { return all() };
    let config = if part.starts_with("al") { Config::small(1024) } else { bench::m3() };
    let mut engine = match &arguments[1..] {
        [name, dir, precision @ ..] => {
            let precision = if precision.is_empty() { Precision::Fp32 } else { Precision::Bf16 };
            open_with(name, Path::new(dir), &Options { threads: 2, precision, ..Options::default() })?
        }
        _ => fresh(&config, 2)?,
    };
    let rate = match part.as_str() {
        "training" => bench::training(&mut *engine, 16, 512, TIME),
        "decoding" => bench::decoding(&mut *engine, 16, 256, 128),
        part => bench::groups(&mut *engine, part == "alike", TIME),
    }?;
    json(rate, &*engine);
    Ok(())
}

fn fresh(config: &Config, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(Local::create(config.clone(), 0, threads)?))
}

fn all() -> Result<(), EngineError> {
    let small = Config::small(1024);
    let sizes = [
        ("m3, 16 x 512", bench::m3(), 16, 512),
        ("small, 16 x 512", small.clone(), 16, 512),
        ("small, 64 x 128", small.clone(), 64, 128),
    ];
    for (name, config, sequences, length) in sizes {
        for threads in [1, 2] {
            let mut engine = fresh(&config, threads)?;
            let rate = bench::training(&mut *engine, sequences, length, TIME)?;
            println!("training  {name:16} {threads} threads  {}", show(rate, &*engine));
        }
    }
    for alike in [false, true] {
        let mut engine = fresh(&small, 2)?;
        let rate = bench::groups(&mut *engine, alike, TIME)?;
        let name = if alike { "groups, alike" } else { "groups, each alone" };
        println!("training  small, {name}  2 threads  {}", show(rate, &*engine));
    }
    for threads in [1, 2] {
        let mut engine = fresh(&small, threads)?;
        let rate = bench::reading(&mut *engine, 16, 512, TIME)?;
        println!("reading   small, 16 x 512  {threads} threads  {}", show(rate, &*engine));
        for sessions in [1, 16, 64] {
            let mut engine = fresh(&small, threads)?;
            let rate = bench::decoding(&mut *engine, sessions, 400, 200)?;
            println!("decoding  small, {sessions:2} x 200   {threads} threads  {}", show(rate, &*engine));
        }
    }
    println!("peak memory {} MiB", peak_memory() >> 20);
    Ok(())
}

fn show(rate: Rate, engine: &dyn Engine) -> String {
    let spent = engine.spent();
    let parts = Work::ALL.iter().filter(|&&work| spent.share(work) >= 0.005);
    let parts: Vec<_> = parts.map(|&work| format!("{} {:.0} %", work.name(), spent.share(work) * 100.0)).collect();
    format!("{:8.0} tokens/s {:8.0} per CPU second: {}", rate.per_second, rate.per_cpu_second, parts.join(", "))
}

fn json(rate: Rate, engine: &dyn Engine) {
    let spent = engine.spent();
    let parts: serde_json::Map<_, _> =
        Work::ALL.iter().map(|&work| (work.name().to_owned(), spent.share(work).into())).collect();
    println!("{}", serde_json::json!({ "rate": rate, "shares": parts, "peak_bytes": peak_memory() }));
}
