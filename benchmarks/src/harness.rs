//! Runs both sides of a comparison alternately, each run in a fresh process, and prints the verdict.
//!
//! A fresh process per run: no side profits from memory the other one warmed up, and a peer's global
//! state (timers, thread pools, sockets) ends with its run.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::comparisons::Comparison;
use crate::goal::show_goals;
use crate::outcome::{Answer, Outcome, Settings, Side};
use crate::text;

/// A run that takes longer hangs.
const RUN_TIME_LIMIT: Duration = Duration::from_secs(120);

/// How often a run's end is looked for; it measures itself, so this is no part of any figure.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The runs to make, and the destination of the figures.
pub struct BenchmarkPlan {
    /// Runs of each side.
    pub rounds: u32,
    /// One side alone.
    pub only: Option<Side>,
    /// File the figures are appended to.
    pub json: Option<PathBuf>,
    /// Given to every run.
    pub settings: Settings,
}

/// The figures of one comparison, one a run.
#[derive(Default)]
struct Figures {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

impl Figures {
    fn ratio(&self) -> Option<f64> {
        Some(median(&self.ours)? / median(&self.peer)?)
    }
}

/// Runs each comparison and prints a line each; returns how many failed.
pub fn run_all(comparisons: &[&Comparison], plan: &BenchmarkPlan) -> usize {
    let mut failed_count = 0;
    for comparison in comparisons {
        if let Err(error) = run_one(comparison, plan) {
            eprintln!("{}: failed: {error:#}", comparison.name);
            failed_count += 1;
        }
    }
    failed_count
}

/// The child's part: one run of one side, reported on standard output.
pub fn measure_here(comparison: &Comparison, side: Side, settings: &Settings) -> Result<()> {
    let Some(run) = comparison.side(side) else {
        bail!("{} has no peer", comparison.name);
    };
    println!("{}", run(settings)?.to_line()?);
    Ok(())
}

fn run_one(comparison: &Comparison, plan: &BenchmarkPlan) -> Result<()> {
    if comparison.reads_text {
        text::prepare(&plan.settings)?;
    }
    let figures = measure(comparison, plan)?;
    println!("{}", verdict(comparison, &figures));
    if let Some(path) = &plan.json {
        append_json(path, comparison, &figures, plan)
            .with_context(|| format!("cannot append the figures to '{}'", path.display()))?;
    }
    Ok(())
}

fn measure(comparison: &Comparison, plan: &BenchmarkPlan) -> Result<Figures> {
    let sides: Vec<Side> = [Side::Ours, Side::Peer]
        .into_iter()
        .filter(|side| comparison.side(*side).is_some())
        .filter(|side| plan.only.is_none_or(|only| only == *side))
        .collect();
    let mut figures = Figures::default();
    let mut answer = None;
    for _ in 0..plan.rounds {
        for &side in &sides {
            let outcome = spawn(comparison, side, &plan.settings)
                .with_context(|| format!("the side '{}'", side.flag()))?;
            agree(&mut answer, side, outcome.answer)?;
            let figure = comparison.unit.figure(outcome.measured);
            match side {
                Side::Ours => figures.ours.push(figure),
                Side::Peer => figures.peer.push(figure),
            }
        }
    }
    Ok(figures)
}

fn spawn(comparison: &Comparison, side: Side, settings: &Settings) -> Result<Outcome> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--run", comparison.name, "--side", side.flag()])
        .args(["--megabytes", &settings.text_megabytes.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the run")?;
    let mut pipe = child.stdout.take().context("the run has no output")?;
    let reader = thread::spawn(move || {
        let mut output = Vec::new();
        pipe.read_to_end(&mut output).map(|_| output)
    });
    let status = wait(&mut child)?;
    ensure!(status.success(), "its run ended with {status}");
    let Ok(output) = reader.join() else {
        bail!("its output could not be read");
    };
    Outcome::from_output(&String::from_utf8_lossy(&output?))
}

/// Waits for the end of a run, and ends it when it takes far longer than any should.
fn wait(child: &mut Child) -> Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > RUN_TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("its run did not end within {} s", RUN_TIME_LIMIT.as_secs());
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Every run of either side has to compute what the first one did.
fn agree(expected: &mut Option<Answer>, side: Side, answer: Answer) -> Result<()> {
    let expected = *expected.get_or_insert(answer);
    ensure!(
        answer == expected,
        "the results differ: '{}' computed {answer:?}, a run before it {expected:?}",
        side.flag()
    );
    Ok(())
}

fn median(figures: &[f64]) -> Option<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let upper = figures.len() / 2;
    let lower = figures.len().checked_sub(1)? / 2;
    Some((figures[lower] + figures[upper]) / 2.0)
}

fn verdict(comparison: &Comparison, figures: &Figures) -> String {
    let show = |runs: &[f64]| {
        median(runs).map_or_else(|| "-".to_owned(), |figure| comparison.unit.show(figure))
    };
    let ratio = figures.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    format!(
        "{}: {}, {}, {ratio}, goal {}, {}",
        comparison.name,
        show(&figures.ours),
        show(&figures.peer),
        show_goals(comparison.goals),
        match is_met(comparison, figures) {
            Some(true) => "met",
            Some(false) => "missed",
            None => "-",
        }
    )
}

fn is_met(comparison: &Comparison, figures: &Figures) -> Option<bool> {
    let ours = median(&figures.ours)?;
    if comparison.peer.is_some() && figures.peer.is_empty() {
        return None;
    }
    let ratio = figures.ratio();
    Some(comparison.goals.iter().all(|goal| goal.is_met(ours, ratio)))
}

fn append_json(
    path: &Path,
    comparison: &Comparison,
    figures: &Figures,
    plan: &BenchmarkPlan,
) -> Result<()> {
    let line = serde_json::json!({
        "name": comparison.name,
        "ours": median(&figures.ours),
        "peer": median(&figures.peer),
        "ratio": figures.ratio(),
        "unit": comparison.unit.name(),
        "goal": show_goals(comparison.goals),
        "met": is_met(comparison, figures),
        "ours_runs": figures.ours,
        "peer_runs": figures.peer,
        "text_megabytes": comparison.reads_text.then_some(plan.settings.text_megabytes),
    });
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{line}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparisons;

    #[test]
    fn median_is_the_middle_or_the_mean_of_the_two_middle_ones() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn verdict_names_figures_ratio_goal_and_result() {
        let cases = [
            (
                "word-count-updates",
                (vec![1.42], vec![3.7]),
                "word-count-updates: 1.420 s, 3.700 s, 0.38, goal <= 0.40, met",
            ),
            (
                "shuffle-local",
                (vec![40.0], vec![50.0]),
                "shuffle-local: 40.0 M/s, 50.0 M/s, 0.80, goal >= 30 M/s and >= 1.00, missed",
            ),
            ("chain", (vec![], vec![0.1]), "chain: -, 0.100 s, -, goal <= 1.30, -"),
            ("chain", (vec![0.1], vec![]), "chain: 0.100 s, -, -, goal <= 1.30, -"),
        ];
        for (name, (ours, peer), expected) in cases {
            let comparison = comparisons::find(name).expect("it is in the table");
            assert_eq!(verdict(comparison, &Figures { ours, peer }), expected);
        }
    }

    #[test]
    fn different_answers_are_refused() {
        let answer = |checksum| Answer { record_count: 1, checksum };
        let mut expected = None;
        assert!(agree(&mut expected, Side::Ours, answer(1)).is_ok());
        assert!(agree(&mut expected, Side::Peer, answer(1)).is_ok());
        assert!(agree(&mut expected, Side::Peer, answer(2)).is_err());
    }
}
