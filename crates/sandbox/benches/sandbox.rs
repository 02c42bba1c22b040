//! What a sandbox costs, as a table: `cargo bench -p basis-sandbox [-- rounds]`.
#![expect(clippy::print_stdout, reason = "the table is the result")]

fn main() {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200);
    let rows = basis_sandbox::bench::run(rounds).expect("this machine can run the namespace backend");
    println!("{rounds} rounds of /bin/true, in turns\n");
    println!("{:<36}{:>10}{:>8}{:>12}{:>8}", "", "p10 ms", "ratio", "median ms", "ratio");
    for row in rows {
        let (p10, median) = (row.p10.as_secs_f64() * 1e3, row.median.as_secs_f64() * 1e3);
        println!("{:<36}{p10:>10.2}{:>8.2}{median:>12.2}{:>8.2}", row.name, row.p10_ratio, row.median_ratio);
    }
}
