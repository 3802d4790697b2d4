//! Role client: hands each job to the parent, which submits it, and waits for its answers.
//!
//! ```text
//! execute() ── Graph ──▶ parent ──▶ cluster
//!     ▲                    │
//!     └── JobAnswer ◀──────┘   Accepted, then Finished, Failed, Canceled or Detached
//! ```
//!
//! Answers come in the order of the graphs: first all about one job, then all about the next. A parent
//! that takes no part in this only wants to see the graph: then the process ends behind it.

use crate::{
    error::{Error, Result},
    job::{JobExecutionResult, OperatorResult},
    launch::Launched,
    plan::{Built, json::plan_json},
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};
use weir_base::{Failure, FailureOrigin, JobId, LeaderEpoch};
use weir_config::Config;
use weir_coordination::{
    JobView,
    job_master::{CheckpointsView, Spread},
    plan::plan,
};
use weir_graph::Fingerprint;
use weir_protocol::{
    job::{CheckpointCounts, JobStatus},
    job_executable::{self as protocol, JobAnswer, JobMessage, read_answer},
};

/// What the parent answers, and to which jobs.
pub(crate) struct Answers {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Jobs that were handed over and have no last answer, in order.
    open: VecDeque<Arc<Mutex<Progress>>>,
    /// Why no answer comes any more.
    broken: Option<Broken>,
}

/// What is known of a job that was handed over.
#[derive(Default)]
struct Progress {
    accepted: Option<JobId>,
    last: Option<JobAnswer>,
}

#[derive(Clone)]
enum Broken {
    Ended,
    TooLarge(usize),
    Damaged(String),
}

impl Broken {
    fn error(&self) -> Error {
        Error::Launch(match self {
            Self::Ended => protocol::Error::Pipe(io::ErrorKind::UnexpectedEof.into()),
            Self::TooLarge(size_bytes) => protocol::Error::TooLarge { size_bytes: *size_bytes },
            Self::Damaged(problem) => protocol::Error::Damaged { problem: problem.clone() },
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Answers {
    /// Reads answers from now on.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn listen(pipe: File) -> Result<Arc<Self>> {
        let state = Mutex::new(State { open: VecDeque::new(), broken: None });
        let answers = Arc::new(Self { state, changed: Condvar::new() });
        let listener = Arc::clone(&answers);
        let listen = move || listener.read_all(&mut BufReader::new(pipe));
        let spawned = thread::Builder::new().name("answers".to_owned()).spawn(listen);
        spawned.map_err(|error| Error::Launch(protocol::Error::Pipe(error)))?;
        Ok(answers)
    }

    fn read_all(&self, pipe: &mut impl io::Read) {
        loop {
            let broken = match read_answer(pipe) {
                Ok(Some(answer)) => match self.take(answer) {
                    Ok(()) => continue,
                    Err(broken) => broken,
                },
                Ok(None) | Err(protocol::Error::Pipe(_)) => Broken::Ended,
                Err(protocol::Error::TooLarge { size_bytes }) => Broken::TooLarge(size_bytes),
                Err(protocol::Error::Damaged { problem }) => Broken::Damaged(problem),
                Err(other) => Broken::Damaged(other.to_string()),
            };
            lock(&self.state).broken = Some(broken);
            self.changed.notify_all();
            return;
        }
    }

    fn take(&self, answer: JobAnswer) -> Result<(), Broken> {
        let mut state = lock(&self.state);
        let Some(job) = state.open.front().cloned() else {
            return Err(Broken::Damaged("it answers what was not asked".to_owned()));
        };
        if let JobAnswer::Accepted { job: id } = answer {
            lock(&job).accepted = Some(id);
        } else {
            lock(&job).last = Some(answer);
            state.open.pop_front();
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits until something is known of a job.
    fn wait_for<T>(
        &self,
        job: &Mutex<Progress>,
        known: impl Fn(&Progress) -> Option<T>,
    ) -> Result<T> {
        let mut state = lock(&self.state);
        loop {
            if let Some(known) = known(&lock(job)) {
                return Ok(known);
            }
            if let Some(broken) = &state.broken {
                return Err(broken.error());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Hands a job to the parent. Ends the process where the parent gives no answers.
pub(crate) fn hand_over(
    ordinal: u32,
    mut built: Built,
    config: &Config,
    launched: &Launched,
) -> Result<Submitted> {
    let report = |error: &Error| launched.report_failure(None, error);
    let message = graph_message(ordinal, &built, config).inspect_err(report)?;
    let tell = || launched.try_tell(&message).map_err(Error::Launch).inspect_err(report);
    let Some(answers) = launched.answers() else {
        // The parent only shows the graph; nothing is submitted.
        tell()?;
        std::process::exit(0);
    };
    built.run_submit_actions().inspect_err(report)?;
    let progress = Arc::new(Mutex::new(Progress::default()));
    {
        // Under one lock, so that answers come in the order of the jobs that are open.
        let mut state = lock(&answers.state);
        tell()?;
        state.open.push_back(Arc::clone(&progress));
    }
    let known = |progress: &Progress| match (progress.accepted, &progress.last) {
        (Some(job), _) => Some(Ok(job)),
        (None, Some(last)) => Some(Err(last.clone())),
        (None, None) => None,
    };
    let name = built.graph.name.clone();
    match answers.wait_for(&progress, known)? {
        Ok(job) => {
            let (answers, launched) = (Arc::clone(answers), launched.clone());
            Ok(Submitted { job, name, progress, answers, launched })
        }
        Err(last) => Err(conclude(JobId::default(), name, last)
            .err()
            .unwrap_or_else(|| Broken::Damaged("a job ends that was not accepted".into()).error())),
    }
}

/// A job as it travels to the cluster, with its configuration.
pub(crate) fn graph_message(ordinal: u32, built: &Built, config: &Config) -> Result<JobMessage> {
    let chained = plan(&built.graph)?;
    Ok(JobMessage::Graph {
        ordinal,
        stream_graph: Box::new(built.graph.clone()),
        fingerprint: Fingerprint::of(&built.graph),
        plan_json: plan_json(&built.graph, &chained),
        configuration: config.to_json(),
    })
}

/// A job that was accepted.
pub(crate) struct Submitted {
    pub job: JobId,
    name: String,
    progress: Arc<Mutex<Progress>>,
    answers: Arc<Answers>,
    launched: Launched,
}

impl Submitted {
    /// Asks the parent to cancel it.
    pub fn cancel(&self) {
        self.launched.tell(&JobMessage::Cancel { job: self.job });
    }

    /// Its state, as far as the answers tell.
    pub fn status(&self) -> JobView {
        let status = match &lock(&self.progress).last {
            None | Some(JobAnswer::Accepted { .. } | JobAnswer::Detached) => JobStatus::Running,
            Some(JobAnswer::Finished(_)) => JobStatus::Finished,
            Some(JobAnswer::Failed { .. }) => JobStatus::Failed,
            Some(JobAnswer::Canceled) => JobStatus::Canceled,
        };
        remote_view(self.job, &self.name, status)
    }

    /// Its counters, once it has finished.
    pub fn operators(&self) -> Vec<OperatorResult> {
        match &lock(&self.progress).last {
            Some(JobAnswer::Finished(recorded)) => {
                JobExecutionResult::from(recorded.clone()).operators
            }
            _ => Vec::new(),
        }
    }

    /// Waits for its last answer.
    pub fn wait(self) -> Result<JobExecutionResult> {
        let last = self.answers.wait_for(&self.progress, |progress| progress.last.clone())?;
        conclude(self.job, self.name, last)
    }
}

fn conclude(job: JobId, name: String, last: JobAnswer) -> Result<JobExecutionResult> {
    match last {
        JobAnswer::Finished(recorded) => Ok(recorded.into()),
        JobAnswer::Canceled => Err(Error::JobCanceled),
        JobAnswer::Failed { code, message } => {
            let origin = FailureOrigin::External;
            let failure = Failure { code, message, origin, task: None, operator: None };
            Err(Error::JobFailed(Box::new(failure)))
        }
        JobAnswer::Accepted { .. } | JobAnswer::Detached => Ok(JobExecutionResult {
            job_id: job,
            name,
            runtime: std::time::Duration::ZERO,
            operators: Vec::new(),
            restarts: 0,
            completed_checkpoints: 0,
        }),
    }
}

/// What can be shown of a job that runs elsewhere.
pub(crate) fn remote_view(job: JobId, name: &str, status: JobStatus) -> JobView {
    JobView {
        job,
        name: name.to_owned(),
        epoch: LeaderEpoch::default(),
        status,
        status_times: Vec::new(),
        vertices: Vec::new(),
        checkpoints: CheckpointsView {
            counts: CheckpointCounts::default(),
            size_bytes: Spread::default(),
            duration_ms: Spread::default(),
            last_completed: None,
            last_restored: None,
            history: Vec::new(),
        },
        restarts: 0,
        restart_delay_ms: 0,
        failures: Vec::new(),
    }
}
