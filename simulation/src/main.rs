//! Runs seeds of the simulator, and says how to replay those that fail.

use clap::Parser;
use std::process::ExitCode;
use weir_simulation::{Counts, Options, Report, run};

/// Seeded simulation of job masters under faults.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 1000, value_name = "N")]
    seeds: u64,
    /// The first seed; the others follow it by one
    #[arg(long, default_value_t = 1, value_name = "S")]
    first_seed: u64,
    /// Run this seed only
    #[arg(long, value_name = "X", conflicts_with_all = ["seeds", "first_seed"])]
    seed: Option<u64>,
    /// Print all that happens
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.first_seed..arguments.first_seed + arguments.seeds,
    };
    let options = Options { keep_lines: arguments.trace, defect: None };
    let mut total = Counts::default();
    let mut failed: u64 = 0;
    let mut ran: u64 = 0;
    for seed in seeds {
        let report = run(seed, options);
        print(&report);
        total = sum(total, report.counts);
        failed += u64::from(report.violation.is_some());
        ran += 1;
    }
    println!("{ran} seeds, {failed} failed; {}", describe(total));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &Report) {
    for line in &report.lines {
        println!("{line}");
    }
    if let Some(violation) = &report.violation {
        println!("seed {} failed: {violation}", report.seed);
        println!(
            "  replay: cargo xtask simulate --first-seed {} --seeds 1 --trace (trace {})",
            report.seed, report.trace
        );
    }
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        events: a.events + b.events,
        masters: a.masters + b.masters,
        superseded: a.superseded + b.superseded,
        deployments: a.deployments + b.deployments,
        checkpoints: a.checkpoints + b.checkpoints,
        failed_appends: a.failed_appends + b.failed_appends,
        lost_tasks: a.lost_tasks + b.lost_tasks,
        abandoned_tasks: a.abandoned_tasks + b.abandoned_tasks,
    }
}

fn describe(counts: Counts) -> String {
    format!(
        "{} events, {} masters ({} superseded), {} deployments, {} checkpoints, {} failed \
         appends, {} tasks failed or lost, {} left behind",
        counts.events,
        counts.masters,
        counts.superseded,
        counts.deployments,
        counts.checkpoints,
        counts.failed_appends,
        counts.lost_tasks,
        counts.abandoned_tasks
    )
}
