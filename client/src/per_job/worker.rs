//! The thread that deals with the cluster while the program runs: ships the files, submits each job,
//! waits for its end and answers the program.
//!
//! ```text
//!  main thread ──Graph──▶ worker ──Submitted, Ended, Failed──▶ main thread
//!                           └────────── JobAnswer ───────────▶ program
//! ```
//!
//! One job at a time: `execute()` of the program returns when its job has ended.

use super::gate::Gate;
use super::job_lines;
use super::ship::{self, Shipped};
use super::submit::{self, Graph, Origin, Submitted};
use super::watch::Watch;
use crate::problem::Problem;
use crate::progress::Reporter;
use crate::remote::Remote;
use crate::restarts::Warner;
use std::io::PipeWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use weir_base::ApplicationId;
use weir_config::Config;
use weir_protocol::job_executable::{JobAnswer, write_answer};
use weir_protocol::rest::flink::result::{FailureReport, WeirResult};
use weir_protocol::{cluster::RecordedResult, job::JobStatus};

use crate::supervise::Event;

/// A message of the worker to the main thread.
#[derive(Debug)]
pub enum News {
    /// A job is on the cluster.
    Submitted(Submitted, String),
    /// The job has ended, or the program does not wait for it; the program has its answer.
    Ended(Box<Ended>),
    /// It could not be submitted, or not be followed.
    Failed(Problem),
    /// It was to be cancelled, and could not be.
    NotCancelled(Problem),
}

/// How a job ended.
#[derive(Debug)]
pub struct Ended {
    pub submitted: Submitted,
    pub name: String,
    /// How it ended; `None` if the program does not wait.
    pub result: Option<WeirResult>,
}

/// Whether ends are waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// They are.
    Attached,
    /// Submitting is all.
    Detached,
}

/// Whether Flink's lines go to standard output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lines {
    /// They do.
    Printed,
    /// They are left out.
    LeftOut,
}

/// All that the thread needs.
pub struct Worker {
    /// The way to the cluster.
    pub remote: Remote,
    /// The id that was asked for already, for the first job.
    pub first: Option<ApplicationId>,
    /// The job executable.
    pub executable: PathBuf,
    /// Values that are the same for every job.
    pub origin: Origin,
    /// Whether ends are waited for.
    pub mode: Mode,
    /// Whether lines are printed.
    pub lines: Lines,
    /// To the program.
    pub answers: PipeWriter,
    /// To the main thread.
    pub news: Sender<Event<News>>,
    /// Whether jobs may still be submitted.
    pub gate: Arc<Gate>,
    /// Results of jobs that have finished.
    pub earlier: Vec<RecordedResult>,
}

impl Worker {
    /// Works until there are no more graphs.
    pub fn work(mut self, graphs: &Receiver<Graph>) {
        // While the program builds its graph.
        let shipped = match ship::ship(&self.remote, &self.executable) {
            Ok(shipped) => shipped,
            Err(problem) => return self.fail(problem),
        };
        for graph in graphs {
            if let Err(problem) = self.run(graph, &shipped) {
                self.fail(problem);
            }
        }
    }

    fn run(&mut self, graph: Graph, shipped: &Shipped) -> Result<(), Problem> {
        let (name, config) = (graph.stream_graph.name.clone(), graph.config.clone());
        let application = match self.first.take() {
            Some(application) => application,
            None => submit::new_application(&self.remote)?.application_id,
        };
        let extras = (shipped, self.earlier.as_slice());
        let (job, submission) =
            submit::prepare(&self.remote, application, graph, &self.origin, extras)?;
        if !self.gate.enter() {
            // An interrupt was faster: the main thread has reported this, and ends.
            return Ok(());
        }
        let submitted = submit::submit(&self.remote, job, &submission)?;
        job_lines::submitted(&self.remote, submitted, self.lines)?;
        self.tell(News::Submitted(submitted, name.clone()));
        self.answer(&JobAnswer::Accepted { job: submitted.job });
        let result = match self.mode {
            Mode::Attached => Some(self.follow(submitted, &config)?),
            Mode::Detached => None,
        };
        let answer = self.conclude(submitted, &name, result.as_ref())?;
        // First the news: the program may end as soon as it has its answer.
        self.tell(News::Ended(Box::new(Ended { submitted, name, result })));
        self.answer(&answer);
        Ok(())
    }

    fn follow(&self, submitted: Submitted, config: &Config) -> Result<WeirResult, Problem> {
        let Submitted { application, job } = submitted;
        let reporter = Reporter::start(&self.remote, application, job, config);
        let restarts = Warner::start(&self.remote, application, job);
        let result = Watch::new(&self.remote, submitted).until_end();
        reporter.stop(result.as_ref().ok());
        restarts.stop();
        result
    }

    /// Prints how it ended; returns the answer to the program.
    fn conclude(
        &mut self,
        submitted: Submitted,
        name: &str,
        result: Option<&WeirResult>,
    ) -> Result<JobAnswer, Problem> {
        let Some(result) = result else { return Ok(JobAnswer::Detached) };
        match result.status {
            JobStatus::Finished => {
                job_lines::finished(submitted.job, result, self.lines)?;
                let recorded = recorded(submitted, name, result);
                self.earlier.push(recorded.clone());
                Ok(JobAnswer::Finished(recorded))
            }
            JobStatus::Canceled => {
                job_lines::cancelled(submitted.job);
                Ok(JobAnswer::Canceled)
            }
            _ => {
                let failure = failure_of(result);
                job_lines::failed(submitted, &failure);
                Ok(JobAnswer::Failed { code: failure.code, message: failure.message })
            }
        }
    }

    fn fail(&mut self, problem: Problem) {
        let code = problem.code.clone().unwrap_or_default();
        let answer = JobAnswer::Failed { code, message: problem.what.clone() };
        self.tell(News::Failed(problem));
        self.answer(&answer);
    }

    fn tell(&self, news: News) {
        // Without a main thread no receiver is left.
        let _ = self.news.send(Event::News(news));
    }

    fn answer(&mut self, answer: &JobAnswer) {
        // A program that has ended needs no answer.
        let _ = write_answer(&mut self.answers, answer);
    }
}

/// Why a job failed.
pub fn failure_of(result: &WeirResult) -> FailureReport {
    result.failure.clone().unwrap_or_else(|| FailureReport {
        code: "WEIR-RUN-0003".to_owned(),
        message: format!("the job ended as {} without a reason", result.status.name()),
        ..FailureReport::default()
    })
}

fn recorded(submitted: Submitted, name: &str, result: &WeirResult) -> RecordedResult {
    let operators = result.operators.iter().map(|operator| {
        (operator.name.clone(), operator.parallelism, operator.records_in, operator.records_out)
    });
    RecordedResult {
        job: submitted.job,
        name: name.to_owned(),
        runtime_ms: result.runtime_ms,
        operators: operators.collect(),
        restarts: result.restarts,
        completed_checkpoints: result.completed_checkpoints,
    }
}
