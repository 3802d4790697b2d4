//! A job that runs in this process, to its end.

use super::{hosts::Hosts, millis, progress, restarts, shown, signals};
use crate::{
    error::{Error, Result},
    job::{JobExecutionResult, OperatorResult},
    launch::{Launched, print_line, say},
    plan::Abandon,
};
use std::{sync::Arc, time::Instant};
use weir_base::JobId;
use weir_coordination::JobOutcome;
use weir_graph::JobGraph;
use weir_job_master::Handle;
use weir_protocol::{job::JobStatus, job_executable::JobMessage};
use weir_runtime::panics;

/// A job that runs in this process.
pub(crate) struct Running {
    pub job: JobId,
    pub graph: JobGraph,
    pub handle: Handle,
    pub hosts: Arc<Hosts>,
    pub launched: Launched,
    pub progress: progress::Reporter,
    pub restarts: restarts::Warner,
    pub submitted: Instant,
    pub abandons: Vec<Abandon>,
    /// Whether a later run may continue from its checkpoints, unless the job has ended permanently.
    pub resumable: bool,
}

impl Running {
    /// Counters of the operators so far.
    pub fn operators(&self) -> Vec<OperatorResult> {
        operators(&self.graph, &self.hosts)
    }

    /// Waits for the job to end.
    ///
    /// # Errors
    /// The job failed or was cancelled.
    pub fn wait(self) -> Result<JobExecutionResult> {
        let Running {
            job,
            graph,
            handle,
            hosts,
            launched,
            progress,
            restarts,
            submitted,
            abandons,
            resumable,
        } = self;
        let outcome = handle.wait();
        progress.stop();
        restarts.stop();
        signals::forget();
        // An end that the log does not have is only that of this process: the job can be resumed.
        let goes_on = resumable && outcome.off_record;
        if outcome.status != JobStatus::Finished && !goes_on && outcome.commit_is_open {
            say("warning: prepared output is left where it is: part of it belongs to a completed \
                 checkpoint and was not committed before the job ended");
        } else if outcome.status != JobStatus::Finished && !goes_on {
            for abandon in abandons {
                if let Err(error) = panics::catch(|| abandon()) {
                    say(&format!("warning: output is left behind: {error}"));
                }
            }
        }
        // Not the time of this call: the caller may wait long after the end.
        let runtime = handle.ended_at().unwrap_or_else(Instant::now) - submitted;
        let result = conclude(outcome, |outcome| JobExecutionResult {
            job_id: job,
            name: graph.name.clone(),
            runtime,
            operators: operators(&graph, &hosts),
            restarts: outcome.restarts,
            completed_checkpoints: outcome.completed_checkpoints,
        });
        match &result {
            Ok(result) => announce_end(&launched, result),
            Err(Error::JobCanceled) => launched.tell(&JobMessage::Finished {
                job,
                name: graph.name,
                runtime_ms: millis(runtime),
                status: "CANCELED".to_owned(),
            }),
            Err(error) => launched.report_failure(Some((job, runtime)), error),
        }
        result
    }
}

fn conclude(
    outcome: JobOutcome,
    finished: impl FnOnce(&JobOutcome) -> JobExecutionResult,
) -> Result<JobExecutionResult> {
    match Error::of_outcome(&outcome) {
        None => Ok(finished(&outcome)),
        Some(error) => Err(error),
    }
}

fn announce_end(launched: &Launched, result: &JobExecutionResult) {
    launched.tell(&JobMessage::Finished {
        job: result.job_id,
        name: result.name.clone(),
        runtime_ms: millis(result.runtime),
        status: "FINISHED".to_owned(),
    });
    if launched.prints_lines() {
        print_line("Program execution finished");
        print_line(&format!("Job with JobID {} has finished.", result.job_id));
        print_line(&format!("Job Runtime: {} ms", millis(result.runtime)));
    }
}

/// Counters of every operator that users are shown.
pub(super) fn operators(graph: &JobGraph, hosts: &Hosts) -> Vec<OperatorResult> {
    let metrics = hosts.metrics();
    let mut rows = Vec::new();
    for (index, vertex) in shown(graph) {
        let subtasks: Vec<_> =
            metrics.iter().filter(|(task, _)| task.vertex == index).map(|(_, m)| m).collect();
        for (position, operator) in vertex.operators.iter().enumerate() {
            let counters = || subtasks.iter().filter_map(|m| m.metrics.operators.get(position));
            rows.push(OperatorResult {
                name: operator.node.name.clone(),
                parallelism: vertex.parallelism,
                records_in: counters().map(|counter| counter.records_in()).sum(),
                records_out: counters().map(|counter| counter.records_out()).sum(),
            });
        }
    }
    rows
}
