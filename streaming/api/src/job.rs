//! A job that was started, wherever it runs, and what is known when it has ended.

use crate::{
    error::Result,
    launch::say,
    local,
    remote::{self, remote_view},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};
use weir_base::JobId;
use weir_coordination::JobView;
use weir_protocol::{cluster::RecordedResult, job::JobStatus};

/// What one operator did, summed over its subtasks, in the last deployment of the job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperatorResult {
    /// Its name.
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Records taken in; by a source those it has read from outside.
    pub records_in: u64,
    /// Records emitted.
    pub records_out: u64,
}

/// A job that has finished.
///
/// Of a job that was submitted to a cluster without waiting for its end (`weir run -d`) only id and name
/// are known: `execute` returns at once, with a run time of zero and no operators.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobExecutionResult {
    /// Its id.
    pub job_id: JobId,
    /// Its name.
    pub name: String,
    /// From submission to end.
    pub runtime: Duration,
    /// Its operators in graph order.
    pub operators: Vec<OperatorResult>,
    /// Restarts on the way.
    pub restarts: u32,
    /// Checkpoints completed on the way, the final one included.
    pub completed_checkpoints: u64,
}

impl From<RecordedResult> for JobExecutionResult {
    fn from(recorded: RecordedResult) -> Self {
        let operators = recorded.operators.into_iter();
        let operator = |(name, parallelism, records_in, records_out)| OperatorResult {
            name,
            parallelism,
            records_in,
            records_out,
        };
        Self {
            job_id: recorded.job,
            name: recorded.name,
            runtime: Duration::from_millis(recorded.runtime_ms),
            operators: operators.map(operator).collect(),
            restarts: recorded.restarts,
            completed_checkpoints: recorded.completed_checkpoints,
        }
    }
}

/// A job that may still run.
///
/// Dropping the client neither ends the job nor waits for it. The program waits for such a job
/// when the [`StreamExecutionEnvironment`](crate::StreamExecutionEnvironment) is dropped, which in most
/// programs is the end of `main`; the same in local mode and on a cluster (where `weir run -d` does not
/// wait for any job). If the program panics, such jobs are cancelled.
pub struct JobClient {
    /// `None` once it is waited for or dropped.
    place: Option<JobLocation>,
    unwaited: Arc<Unwaited>,
}

/// Where it runs.
enum JobLocation {
    /// In this process.
    Local(Box<local::Running>),
    /// On a cluster.
    Remote(remote::Submitted),
    /// It has ended in an earlier run of this `main`.
    Recorded(JobExecutionResult),
}

/// Jobs of an environment whose clients were dropped. The environment and its clients share it;
/// when the last of them goes, the jobs are waited for.
#[derive(Default)]
pub(crate) struct Unwaited(Mutex<Vec<JobLocation>>);

impl Drop for Unwaited {
    fn drop(&mut self) {
        let jobs = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for place in jobs.drain(..) {
            if thread::panicking() {
                place.cancel();
            }
            place.wait_unobserved();
        }
    }
}

impl JobLocation {
    fn cancel(&self) {
        match self {
            Self::Local(running) => running.handle.cancel(),
            Self::Remote(submitted) => submitted.cancel(),
            Self::Recorded(_) => {}
        }
    }

    fn wait(self) -> Result<JobExecutionResult> {
        match self {
            Self::Local(running) => running.wait(),
            Self::Remote(submitted) => submitted.wait(),
            Self::Recorded(result) => Ok(result),
        }
    }

    /// Waits for the job. An error of a job in this process is reported only here.
    fn wait_unobserved(self) {
        let shows_errors = matches!(&self, Self::Local(running) if running.launched.prints_lines());
        if let Err(error) = self.wait()
            && shows_errors
        {
            say(&format!("Error: {error:?}"));
        }
    }
}

impl Drop for JobClient {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.unwaited.0.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        }
    }
}

impl JobClient {
    pub(crate) fn local(running: local::Running, unwaited: Arc<Unwaited>) -> Self {
        Self { place: Some(JobLocation::Local(Box::new(running))), unwaited }
    }

    pub(crate) fn remote(submitted: remote::Submitted, unwaited: Arc<Unwaited>) -> Self {
        Self { place: Some(JobLocation::Remote(submitted)), unwaited }
    }

    pub(crate) fn recorded(result: JobExecutionResult) -> Self {
        Self { place: Some(JobLocation::Recorded(result)), unwaited: Arc::default() }
    }

    fn place(&self) -> &JobLocation {
        self.place.as_ref().expect("it is taken only when the client goes")
    }

    /// The job.
    pub fn job_id(&self) -> JobId {
        match self.place() {
            JobLocation::Local(running) => running.job,
            JobLocation::Remote(submitted) => submitted.job,
            JobLocation::Recorded(result) => result.job_id,
        }
    }

    /// Asks the job to stop; [`JobClient::wait`] then returns
    /// [`Error::JobCanceled`](crate::Error::JobCanceled). One that has ended stays as it is.
    pub fn cancel(&self) {
        self.place().cancel();
    }

    /// Where the job stands. Of a job on a cluster only id, name and state are known here; its REST
    /// interface has the rest.
    pub fn status(&self) -> Arc<JobView> {
        match self.place() {
            JobLocation::Local(running) => running.handle.view(),
            JobLocation::Remote(submitted) => Arc::new(submitted.status()),
            JobLocation::Recorded(result) => {
                Arc::new(remote_view(result.job_id, &result.name, JobStatus::Finished))
            }
        }
    }

    /// Counters of the operators so far; those of a job on a cluster only when it has ended.
    pub fn operators(&self) -> Vec<OperatorResult> {
        match self.place() {
            JobLocation::Local(running) => running.operators(),
            JobLocation::Remote(submitted) => submitted.operators(),
            JobLocation::Recorded(result) => result.operators.clone(),
        }
    }

    /// Waits for the job to end.
    ///
    /// # Errors
    /// The job failed or was cancelled.
    pub fn wait(mut self) -> Result<JobExecutionResult> {
        let place = self.place.take().expect("it is taken only when the client goes");
        place.wait()
    }
}
