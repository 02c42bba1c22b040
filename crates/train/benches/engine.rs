//! Prints tokens per second of the engine `local`: `cargo bench -p basis-train --bench engine`.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::time::Duration;

use basis_train::engines::EngineError;
use basis_train::engines::local::bench::Rate;
use basis_train::engines::local::{Config, bench};

const TIME: Duration = Duration::from_secs(5);

fn main() -> Result<(), EngineError> {
    let small = Config::small(1024);
    let sizes = [
        ("m3, 16 x 512", bench::m3(), 16, 512),
        ("small, 16 x 512", small.clone(), 16, 512),
        ("small, 64 x 128", small.clone(), 64, 128),
    ];
    for (name, config, sequences, length) in sizes {
        for threads in [1, 2] {
            let rate = bench::training(&config, threads, sequences, length, TIME)?;
            println!("training  {name:16} {threads} threads  {}", show(rate));
        }
    }
    for threads in [1, 2] {
        let rate = bench::reading(&small, threads, 16, 512, TIME)?;
        println!("reading   small, 16 x 512  {threads} threads  {}", show(rate));
        for sessions in [1, 16, 64] {
            let rate = bench::decoding(&small, threads, sessions, 400, 200)?;
            println!("decoding  small, {sessions:2} x 200   {threads} threads  {}", show(rate));
        }
    }
    println!("peak memory {}", peak_memory());
    Ok(())
}

fn show(rate: Rate) -> String {
    format!("{:8.0} tokens/s {:8.0} per CPU second", rate.per_second, rate.per_cpu_second)
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |size| size.trim().to_owned())
}
