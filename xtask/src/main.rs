//! The tasks of this repository, run as `cargo xtask <TASK>`.
//!
//! `tidy` holds the borders of the house, `bench` measures, `simulate` searches for failures by
//! seed. None of it ships, and it uses none of our crates, so it works while they do not compile.

mod bench;
mod cargo;
mod simulate;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The tasks of this repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check what the compiler cannot: borders between crates, module docs, the purity of brains,
    /// and that docs and code name the same things
    #[command(long_about = tidy::ABOUT)]
    Tidy,
    /// Build the benchmarks (profile bench-release) and run the named ones, or all
    ///
    /// Each prints a line `name: measured, peer, ratio, goal, met|missed`, ours and the peer from
    /// the same run. The exit code is that of the benchmarks.
    Bench {
        /// Benchmarks to run; all when none is named
        names: Vec<String>,
    },
    /// Build the simulator for release and run it; a failing seed prints how to replay it
    Simulate(simulate::Seeds),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Tidy => tidy::run(),
        Task::Bench { names } => bench::run(&names),
        Task::Simulate(seeds) => simulate::run(&seeds),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
