//! `cargo xtask simulate`: the seeded simulator, built for release.

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

/// The seeds to run. Missing values are the simulator's defaults.
#[derive(clap::Args)]
pub struct Seeds {
    /// What to simulate, "jobs" or "cluster"; without it both
    #[arg(long, value_name = "WORLD")]
    world: Option<String>,
    /// How many seeds to run
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first seed; the others follow it by one
    #[arg(long, value_name = "S")]
    first_seed: Option<u64>,
    /// Print every event: to replay a failing seed
    #[arg(long)]
    trace: bool,
}

/// Builds the simulator, runs it, and passes its exit code on.
pub fn run(seeds: &Seeds) -> Result<ExitCode> {
    let mut command = cargo::cargo();
    command.args(["run", "--release", "--package", "weir-simulation", "--"]);
    command.args(arguments(seeds));
    Ok(cargo::exit_code(cargo::run(&mut command)?))
}

fn arguments(seeds: &Seeds) -> Vec<String> {
    let world = seeds.world.as_ref().map(|world| format!("--world={world}"));
    let count = seeds.seeds.map(|count| format!("--seeds={count}"));
    let first = seeds.first_seed.map(|seed| format!("--first-seed={seed}"));
    let trace = seeds.trace.then(|| "--trace".to_owned());
    world.into_iter().chain(count).chain(first).chain(trace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_given_arguments_are_passed_on() {
        let world = Some("cluster".to_owned());
        let all = Seeds { world, seeds: Some(1000), first_seed: Some(7), trace: true };
        let expected = ["--world=cluster", "--seeds=1000", "--first-seed=7", "--trace"];
        assert_eq!(arguments(&all), expected);
        let none = Seeds { world: None, seeds: None, first_seed: None, trace: false };
        assert!(arguments(&none).is_empty());
    }
}
