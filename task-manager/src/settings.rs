//! Settings of a task manager from the environment of its container.

use crate::error::{Error, Result};
use std::{path::PathBuf, str::FromStr, time::Duration};
use weir_base::{ContainerId, JobId};
use weir_protocol::{challenge::JobKey, cluster::variables};

/// Default of how long the job master may be silent.
const HEARTBEAT_TIMEOUT_MS: u64 = 50_000;

/// A task manager's place and task.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The container's folder.
    pub folder: PathBuf,
    /// `host:port` of the job master.
    pub job_master: String,
    pub job: JobId,
    pub key: JobKey,
    pub container: ContainerId,
    /// Address of the node.
    pub node_host: String,
    pub slots: u32,
    /// Memory of the container in MiB.
    pub memory_mib: u64,
    /// How long the job master may be silent.
    pub heartbeat_timeout: Duration,
}

impl Settings {
    /// Reads them, commonly with `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    /// A variable is missing, or has a value that makes no sense.
    pub fn from_variables(folder: PathBuf, get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let timeout_ms = optional(&get, variables::HEARTBEAT_TIMEOUT_MS)?;
        Ok(Self {
            folder,
            job_master: required(&get, variables::JOB_MASTER)?,
            job: required(&get, variables::JOB)?,
            key: key(&get)?,
            container: required(&get, variables::CONTAINER_ID)?,
            node_host: required(&get, variables::NODE_HOST)?,
            slots: optional(&get, variables::TASK_SLOTS)?.unwrap_or(1),
            memory_mib: required(&get, variables::CONTAINER_MEMORY_MIB)?,
            heartbeat_timeout: Duration::from_millis(timeout_ms.unwrap_or(HEARTBEAT_TIMEOUT_MS)),
        })
    }
}

fn optional<T: FromStr>(
    get: impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<Option<T>> {
    let Some(text) = get(name) else { return Ok(None) };
    let problem = || format!("has the value {text:?}, which makes no sense");
    text.parse().map(Some).map_err(|_| Error::Variable { name, problem: problem() })
}

fn required<T: FromStr>(get: impl Fn(&str) -> Option<String>, name: &'static str) -> Result<T> {
    let missing = || Error::Variable { name, problem: "is not set".to_owned() };
    optional(get, name)?.ok_or_else(missing)
}

/// A wrong key is not shown.
fn key(get: impl Fn(&str) -> Option<String>) -> Result<JobKey> {
    let name = variables::JOB_KEY;
    let text: String = required(get, name)?;
    JobKey::from_hex(&text)
        .map_err(|error| Error::Variable { name, problem: format!("is wrong: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn environment() -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (variables::JOB_MASTER, "127.0.0.1:9".to_owned()),
            (variables::JOB, JobId::of_text("a").to_string()),
            (variables::JOB_KEY, "ab".repeat(32)),
            (variables::CONTAINER_ID, "container_1_0001_01_000002".to_owned()),
            (variables::NODE_HOST, "127.0.0.1".to_owned()),
            (variables::CONTAINER_MEMORY_MIB, "1024".to_owned()),
        ])
    }

    fn read(environment: &BTreeMap<&'static str, String>) -> Result<Settings> {
        Settings::from_variables(PathBuf::new(), |name| environment.get(name).cloned())
    }

    #[test]
    fn slots_and_timeout_have_defaults_and_the_rest_is_asked_for() {
        let settings = read(&environment()).expect("whole");
        assert_eq!((settings.slots, settings.memory_mib), (1, 1024));
        assert_eq!(settings.heartbeat_timeout, Duration::from_secs(50));
        for name in environment().keys() {
            let mut environment = environment();
            environment.remove(name);
            let error = read(&environment).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains("is not set"), "{error}");
        }
    }

    #[test]
    fn wrong_key_is_not_shown() {
        let mut environment = environment();
        environment.insert(variables::JOB_KEY, "c0ffee".to_owned());
        let error = read(&environment).expect_err("too short").to_string();
        assert!(!error.contains("c0ffee"), "{error}");
    }
}
