//! Runs seeds of the simulator, and says how to replay those that fail.

use clap::{Parser, ValueEnum};
use std::{fmt, ops::Range, process::ExitCode};
use weir_simulation::{Counts, Options, cluster, run};

/// Seeded simulation of job masters and of whole clusters under faults.
#[derive(Parser)]
struct Arguments {
    /// The world to simulate; by default all, one after the other
    #[arg(long, value_enum, value_name = "WORLD")]
    world: Option<World>,
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

/// A simulated world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum World {
    /// Job masters with their log and tasks
    Jobs,
    /// Resource manager, node agents, app masters and clients
    Cluster,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.first_seed..arguments.first_seed + arguments.seeds,
    };
    let worlds = arguments.world.map_or(vec![World::Jobs, World::Cluster], |world| vec![world]);
    let failed: u64 =
        worlds.into_iter().map(|world| simulate(world, seeds.clone(), arguments.trace)).sum();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the seeds of a world; how many failed.
fn simulate(world: World, seeds: Range<u64>, trace: bool) -> u64 {
    let ran = seeds.end - seeds.start;
    let mut failed = 0;
    let mut jobs = Counts::default();
    let mut clusters = cluster::Counts::default();
    for seed in seeds {
        let is_sound = match world {
            World::Jobs => {
                let report = run(seed, Options { keep_lines: trace, defect: None });
                jobs = sum(jobs, report.counts);
                print(world, seed, report.violation.as_deref(), &report.lines, report.trace)
            }
            World::Cluster => {
                let options = cluster::Options { keep_lines: trace, defect: None };
                let report = cluster::run(seed, options);
                clusters = clusters.plus(report.counts);
                print(world, seed, report.violation.as_deref(), &report.lines, report.trace)
            }
        };
        failed += u64::from(!is_sound);
    }
    let total = match world {
        World::Jobs => describe(jobs),
        World::Cluster => clusters.to_string(),
    };
    println!("{}: {ran} seeds, {failed} failed; {total}", world.name());
    failed
}

/// Prints what is to be seen of a run; whether no rule was broken.
fn print(
    world: World,
    seed: u64,
    violation: Option<&str>,
    lines: &[String],
    trace: impl fmt::Display,
) -> bool {
    lines.iter().for_each(|line| println!("{line}"));
    let Some(violation) = violation else { return true };
    println!("{} seed {seed} failed: {violation}", world.name());
    println!(
        "  replay: cargo xtask simulate --world {} --first-seed {seed} --seeds 1 --trace (trace \
         {trace})",
        world.name()
    );
    false
}

impl World {
    fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Cluster => "cluster",
        }
    }
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        events: a.events + b.events,
        masters: a.masters + b.masters,
        superseded: a.superseded + b.superseded,
        deployments: a.deployments + b.deployments,
        checkpoints: a.checkpoints + b.checkpoints,
        log_snapshots: a.log_snapshots + b.log_snapshots,
        failed_appends: a.failed_appends + b.failed_appends,
        lost_tasks: a.lost_tasks + b.lost_tasks,
        abandoned_tasks: a.abandoned_tasks + b.abandoned_tasks,
    }
}

fn describe(counts: Counts) -> String {
    format!(
        "{} events, {} masters ({} superseded), {} deployments, {} checkpoints, {} \
         snapshots of the log, {} failed appends, {} tasks failed or lost, {} left behind",
        counts.events,
        counts.masters,
        counts.superseded,
        counts.deployments,
        counts.checkpoints,
        counts.log_snapshots,
        counts.failed_appends,
        counts.lost_tasks,
        counts.abandoned_tasks
    )
}
