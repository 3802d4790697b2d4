//! The environment with which a task manager starts a task host, in addition to that of every job executable.

use super::Error;
use super::launch::{Get, bad_variable, parsed, text};
use crate::challenge::JobKey;
use std::{ffi::OsString, path::PathBuf};
use weir_base::{ContainerId, JobId, LeaderEpoch};

/// `host:port` where the job master listens.
pub const JOB_MASTER_VARIABLE: &str = "WEIR_JOB_MASTER";
/// The job.
pub const JOB_VARIABLE: &str = "WEIR_JOB";
/// The key of the job as hex.
pub const JOB_KEY_VARIABLE: &str = "WEIR_JOB_KEY";
/// The configuration of the job as JSON. What the code of the program sets has been resolved into it
/// by the client.
pub const JOB_CONFIGURATION_VARIABLE: &str = "WEIR_JOB_CONFIGURATION";
/// The container that it runs in.
pub const CONTAINER_VARIABLE: &str = "WEIR_CONTAINER";
/// Its number in the container.
pub const HOST_VARIABLE: &str = "WEIR_TASK_HOST";
/// The leader that ordered it.
pub const EPOCH_VARIABLE: &str = "WEIR_LEADER_EPOCH";
/// Index of the `execute()` call of `main` that is the job, from 0.
pub const ORDINAL_VARIABLE: &str = "WEIR_JOB_ORDINAL";
/// Path of a file with the results of the earlier ones, see
/// [`write_earlier_results`](super::write_earlier_results).
pub const EARLIER_VARIABLE: &str = "WEIR_EARLIER_RESULTS";

/// The job, the number of the task host in it, and its leader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskLaunch {
    /// `host:port` where the job master listens.
    pub job_master: String,
    pub job: JobId,
    /// The key of the job.
    pub key: JobKey,
    /// The configuration of the job as JSON.
    pub configuration: String,
    /// The container that it runs in.
    pub container: ContainerId,
    /// Its number in the container.
    pub host: u32,
    /// The leader that ordered it: orders of an earlier one are ignored.
    pub epoch: LeaderEpoch,
    /// Index of the `execute()` call of `main` that is the job, from 0.
    pub ordinal: u32,
    /// File of the results of the earlier ones; none where there are none.
    pub earlier: Option<PathBuf>,
}

impl TaskLaunch {
    pub(super) fn variables(&self) -> [(&'static str, Option<OsString>); 9] {
        [
            (JOB_MASTER_VARIABLE, Some(self.job_master.clone().into())),
            (JOB_VARIABLE, Some(self.job.to_string().into())),
            (JOB_KEY_VARIABLE, Some(self.key.to_hex().into())),
            (JOB_CONFIGURATION_VARIABLE, Some(self.configuration.clone().into())),
            (CONTAINER_VARIABLE, Some(self.container.to_string().into())),
            (HOST_VARIABLE, Some(self.host.to_string().into())),
            (EPOCH_VARIABLE, Some(self.epoch.0.to_string().into())),
            (ORDINAL_VARIABLE, Some(self.ordinal.to_string().into())),
            (EARLIER_VARIABLE, self.earlier.clone().map(Into::into)),
        ]
    }

    /// All or nothing: a task host without one of them is of no use.
    pub(super) fn from_variables(get: Get<'_>) -> Result<Self, Error> {
        let key = text(get, JOB_KEY_VARIABLE)?.unwrap_or_default();
        Ok(Self {
            job_master: required(get, JOB_MASTER_VARIABLE)?,
            job: required(get, JOB_VARIABLE)?,
            // The value is a secret, also if it is not valid.
            key: JobKey::from_hex(&key)
                .map_err(|_| bad_variable(JOB_KEY_VARIABLE, "(not shown)"))?,
            configuration: required(get, JOB_CONFIGURATION_VARIABLE)?,
            container: required(get, CONTAINER_VARIABLE)?,
            host: required(get, HOST_VARIABLE)?,
            epoch: LeaderEpoch(required(get, EPOCH_VARIABLE)?),
            ordinal: required(get, ORDINAL_VARIABLE)?,
            earlier: get(EARLIER_VARIABLE).map(PathBuf::from),
        })
    }
}

fn required<T: std::str::FromStr>(get: Get<'_>, name: &'static str) -> Result<T, Error> {
    parsed(get, name)?.ok_or_else(|| bad_variable(name, ""))
}
