//! `weir-benchmarks [NAME...]`: each comparison of Weir with a peer, side by side in one run.
//!
//! Not a test: a missed goal is printed and recorded, never an error. What is an error is a side that
//! fails, or two sides that computed different results.
//!
//! ```text
//! main ── harness ──┬─ child process: ours  (word_count, chain, shuffle, cluster)
//!                   └─ child process: peer  (peers/*)
//!          both share work.rs (what is computed) and text.rs (what is read)
//! ```

mod chain;
mod cluster;
mod comparisons;
mod goal;
mod harness;
mod outcome;
mod peers;
mod shuffle;
mod tally_sink;
mod text;
mod word_count;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::comparisons::{COMPARISONS, Comparison};
use crate::harness::BenchmarkPlan;
use crate::outcome::{Settings, Side};

/// Measures Weir against its peers, side by side.
#[derive(Debug, Parser)]
#[command(name = "weir-benchmarks")]
struct Arguments {
    /// Comparisons to run, or the beginning of their names; all of them when none is named.
    names: Vec<String>,
    /// Print the names of the comparisons and stop.
    #[arg(long)]
    list: bool,
    /// Runs of each side; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Size of the generated text, in millions of bytes; goals hold for the default.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    megabytes: u64,
    /// Measure one side alone, without a verdict.
    #[arg(long, value_enum)]
    only: Option<Side>,
    /// Append the figures to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Be one measurement: run one side of this comparison in this process.
    #[arg(long, hide = true, requires = "side")]
    run: Option<String>,
    /// The side that `--run` runs.
    #[arg(long, hide = true, value_enum)]
    side: Option<Side>,
    /// Be the job of `shuffle-tcp`, whose sinks leave reports in this folder.
    #[arg(long, hide = true, value_name = "FOLDER")]
    shuffle_job: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        COMPARISONS.iter().for_each(|c| println!("{}", c.name));
        return ExitCode::SUCCESS;
    }
    match execute(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(reports) = &arguments.shuffle_job {
        shuffle::job(reports)?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings { text_megabytes: arguments.megabytes };
    if let (Some(name), Some(side)) = (&arguments.run, arguments.side) {
        let Some(comparison) = comparisons::find(name) else {
            return Ok(refuse(name));
        };
        harness::measure_here(comparison, side, &settings)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut selected: Vec<&Comparison> = Vec::new();
    for name in &arguments.names {
        let named = comparisons::named(name);
        if named.is_empty() {
            return Ok(refuse(name));
        }
        selected.extend(named);
    }
    if selected.is_empty() {
        selected.extend(COMPARISONS);
    }
    let plan = BenchmarkPlan {
        rounds: arguments.rounds,
        only: arguments.only,
        json: arguments.json.clone(),
        settings,
    };
    let failed_count = harness::run_all(&selected, &plan);
    Ok(if failed_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn refuse(name: &str) -> ExitCode {
    eprintln!("error: no comparison is called '{name}'; there are:");
    COMPARISONS.iter().for_each(|c| eprintln!("  {}", c.name));
    ExitCode::from(2)
}
