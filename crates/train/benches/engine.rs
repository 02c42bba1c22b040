//! Prints tokens per second of the engine `local`: `cargo bench -p basis-train --bench engine`.
//!
//! With the argument `training` or `decoding` (what `pytorch.py` compares), `alone` or `alike` (groups of episodes) it measures that alone,
//! on 2 threads, and prints one line of JSON.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::time::Duration;

use basis_train::engines::EngineError;
use basis_train::engines::local::bench::{Measured, peak_memory};
use basis_train::engines::local::clock::Work;
use basis_train::engines::local::{Config, bench};

const TIME: Duration = Duration::from_secs(5);

fn main() -> Result<(), EngineError> {
    let wanted = |name: &str| std::env::args().any(|argument| argument == name);
    if wanted("training") {
        json(bench::training(&bench::m3(), 2, 16, 512, TIME)?);
    } else if wanted("alone") || wanted("alike") {
        json(bench::groups(&Config::small(1024), 2, wanted("alike"), TIME)?);
    } else if wanted("decoding") {
        json(bench::decoding(&bench::m3(), 2, 16, 256, 128)?);
    } else {
        all()?;
    }
    Ok(())
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
            let measured = bench::training(&config, threads, sequences, length, TIME)?;
            println!("training  {name:16} {threads} threads  {}", show(&measured));
        }
    }
    for alike in [false, true] {
        let measured = bench::groups(&small, 2, alike, TIME)?;
        let name = if alike { "groups, alike" } else { "groups, each alone" };
        println!("training  small, {name}  2 threads  {}", show(&measured));
    }
    for threads in [1, 2] {
        let measured = bench::reading(&small, threads, 16, 512, TIME)?;
        println!("reading   small, 16 x 512  {threads} threads  {}", show(&measured));
        for sessions in [1, 16, 64] {
            let measured = bench::decoding(&small, threads, sessions, 400, 200)?;
            println!("decoding  small, {sessions:2} x 200   {threads} threads  {}", show(&measured));
        }
    }
    println!("peak memory {} MiB", peak_memory() >> 20);
    Ok(())
}

fn show(measured: &Measured) -> String {
    let rate = measured.rate;
    let parts = Work::ALL.iter().filter(|&&work| measured.spent.share(work) >= 0.005);
    let parts: Vec<_> =
        parts.map(|&work| format!("{} {:.0} %", work.name(), measured.spent.share(work) * 100.0)).collect();
    format!("{:8.0} tokens/s {:8.0} per CPU second: {}", rate.per_second, rate.per_cpu_second, parts.join(", "))
}

fn json(measured: Measured) {
    let parts: serde_json::Map<_, _> =
        Work::ALL.iter().map(|&work| (work.name().to_owned(), measured.spent.share(work).into())).collect();
    let line = serde_json::json!({ "rate": measured.rate, "shares": parts, "peak_bytes": peak_memory() });
    println!("{line}");
}
