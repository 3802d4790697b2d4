//! The environment variables that give a job executable its task. They name descriptors and
//! a file; opening, removing and obeying is the executable's part.

use super::{
    CONTAINER_VARIABLE, EARLIER_VARIABLE, EPOCH_VARIABLE, Error, HOST_VARIABLE,
    JOB_CONFIGURATION_VARIABLE, JOB_KEY_VARIABLE, JOB_MASTER_VARIABLE, JOB_VARIABLE,
    ORDINAL_VARIABLE, TaskLaunch,
};
use std::{ffi::OsString, path::PathBuf, str::FromStr};

/// Role of the process, which decides what `execute()` does: a [`Role`]. Absent means local.
pub const ROLE_VARIABLE: &str = "WEIR_ROLE";
/// Number of the inherited descriptor that takes [`JobMessage`](super::JobMessage)s: the write end of a pipe.
pub const PARENT_FD_VARIABLE: &str = "WEIR_PARENT_FD";
/// Number of the inherited descriptor that brings [`JobAnswer`](super::JobAnswer)s: the read end of a
/// pipe. Where it is given, `execute()` in role client waits for its job.
pub const ANSWER_FD_VARIABLE: &str = "WEIR_ANSWER_FD";
/// Number of the inherited descriptor whose end of file means that the parent has ended: the read end
/// of a pipe on which nothing is ever written.
pub const LIFELINE_FD_VARIABLE: &str = "WEIR_LIFELINE_FD";
/// The configuration that `main` begins with, as JSON. Where it is given, the executable reads
/// neither a file nor `WEIR_CONF_...`.
pub const CONFIGURATION_VARIABLE: &str = "WEIR_CONFIGURATION";
/// Path of a file with the values for `env.once` of an earlier run of the same `main`, see
/// [`write_once_values`](super::write_once_values).
pub const EXPECTED_VARIABLE: &str = "WEIR_EXPECTED";
/// [`QUIET`] leaves out the lines about submission and end that go to standard output.
pub const OUTPUT_VARIABLE: &str = "WEIR_OUTPUT";
/// The value of [`OUTPUT_VARIABLE`] that has a meaning.
pub const QUIET: &str = "quiet";

/// Every variable of a launch: what the executable removes when it has read them.
pub const VARIABLES: [&str; 16] = [
    ROLE_VARIABLE,
    PARENT_FD_VARIABLE,
    ANSWER_FD_VARIABLE,
    LIFELINE_FD_VARIABLE,
    CONFIGURATION_VARIABLE,
    EXPECTED_VARIABLE,
    OUTPUT_VARIABLE,
    JOB_MASTER_VARIABLE,
    JOB_VARIABLE,
    JOB_KEY_VARIABLE,
    JOB_CONFIGURATION_VARIABLE,
    CONTAINER_VARIABLE,
    HOST_VARIABLE,
    EPOCH_VARIABLE,
    ORDINAL_VARIABLE,
    EARLIER_VARIABLE,
];

/// Role of a job executable, which decides what its `execute()` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Runs the job in this process.
    #[default]
    Local,
    /// Hands the job graph to the parent; then waits for the job where the parent answers, and ends the
    /// process where it does not.
    Client,
    /// Becomes a task host: [`Launch::task`] says of which job.
    Task,
}

impl Role {
    /// The value of [`ROLE_VARIABLE`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Client => "client",
            Self::Task => "task",
        }
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut roles = [Self::Local, Self::Client, Self::Task].into_iter();
        roles.find(|role| role.name() == text).ok_or(())
    }
}

/// The environment with which a parent starts a job executable.
///
/// ```
/// use std::collections::HashMap;
/// use weir_protocol::job_executable::{Launch, Role};
///
/// let launch = Launch { role: Role::Client, parent_fd: Some(7), ..Launch::default() };
/// let variables: HashMap<_, _> = launch.variables().into_iter().collect();
/// assert_eq!(Launch::from_variables(|name| variables.get(name).cloned())?, launch);
/// # Ok::<(), weir_protocol::job_executable::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Launch {
    /// Decides what `execute()` does.
    pub role: Role,
    /// Where messages go; none in a program that was started by hand.
    pub parent_fd: Option<i32>,
    /// Where answers come from; none where the parent only wants the graph.
    pub answer_fd: Option<i32>,
    /// The descriptor that reaches its end of file when the parent ends.
    pub lifeline_fd: Option<i32>,
    /// The configuration that `main` begins with, as JSON.
    pub configuration: Option<String>,
    /// File of the values for `env.once`.
    pub expected: Option<PathBuf>,
    /// Whether the lines about submission and end are left out.
    pub quiet: bool,
    /// The task host that it becomes; present only in the role task.
    pub task: Option<TaskLaunch>,
}

impl Launch {
    /// The environment variables that say this.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let number = |fd: i32| OsString::from(fd.to_string());
        let values = [
            (ROLE_VARIABLE, Some(self.role.name().into())),
            (PARENT_FD_VARIABLE, self.parent_fd.map(number)),
            (ANSWER_FD_VARIABLE, self.answer_fd.map(number)),
            (LIFELINE_FD_VARIABLE, self.lifeline_fd.map(number)),
            (CONFIGURATION_VARIABLE, self.configuration.clone().map(Into::into)),
            (EXPECTED_VARIABLE, self.expected.clone().map(Into::into)),
            (OUTPUT_VARIABLE, self.quiet.then(|| QUIET.into())),
        ];
        let task = self.task.iter().flat_map(TaskLaunch::variables);
        values.into_iter().chain(task).filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Reads what [`Launch::variables`] gave, commonly with `|name| std::env::var_os(name)`.
    pub fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let role = parsed(&get, ROLE_VARIABLE)?.unwrap_or_default();
        Ok(Self {
            role,
            parent_fd: descriptor(&get, PARENT_FD_VARIABLE)?,
            answer_fd: descriptor(&get, ANSWER_FD_VARIABLE)?,
            lifeline_fd: descriptor(&get, LIFELINE_FD_VARIABLE)?,
            configuration: text(&get, CONFIGURATION_VARIABLE)?,
            expected: get(EXPECTED_VARIABLE).map(PathBuf::from),
            quiet: text(&get, OUTPUT_VARIABLE)?.as_deref() == Some(QUIET),
            task: match role {
                Role::Task => Some(TaskLaunch::from_variables(&get)?),
                Role::Local | Role::Client => None,
            },
        })
    }
}

/// Looks a variable up.
pub(super) type Get<'a> = &'a dyn Fn(&str) -> Option<OsString>;

pub(super) fn text(get: Get<'_>, name: &'static str) -> Result<Option<String>, Error> {
    match get(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(value)) => Err(bad_variable(name, &value.to_string_lossy())),
    }
}

pub(super) fn parsed<T: FromStr>(get: Get<'_>, name: &'static str) -> Result<Option<T>, Error> {
    let Some(text) = text(get, name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| bad_variable(name, &text))
}

/// The standard streams are never such a pipe.
fn descriptor(get: Get<'_>, name: &'static str) -> Result<Option<i32>, Error> {
    match parsed::<i32>(get, name)? {
        Some(fd) if fd <= 2 => Err(bad_variable(name, &fd.to_string())),
        fd => Ok(fd),
    }
}

pub(super) fn bad_variable(name: &'static str, value: &str) -> Error {
    let value = value.to_owned();
    Error::Variable { name, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::JobKey;
    use std::collections::BTreeMap;
    use weir_base::{ContainerId, JobId, LeaderEpoch};

    #[test]
    fn program_without_variables_was_started_by_hand() {
        assert_eq!(Launch::from_variables(|_| None).expect("fine"), Launch::default());
    }

    fn every_setting() -> Launch {
        Launch {
            role: Role::Task,
            parent_fd: Some(3),
            answer_fd: Some(4),
            lifeline_fd: Some(11),
            configuration: Some("{}".to_owned()),
            expected: Some("/tmp/once".into()),
            quiet: true,
            task: Some(TaskLaunch {
                job_master: "127.0.0.1:4711".to_owned(),
                job: JobId::of_text("job"),
                key: JobKey::new([7; 32]),
                configuration: "{}".to_owned(),
                container: ContainerId { sequence: 3, ..ContainerId::default() },
                host: 2,
                epoch: LeaderEpoch(1),
                ordinal: 4,
                earlier: Some("/tmp/earlier".into()),
            }),
        }
    }

    #[test]
    fn launch_survives_its_variables() {
        let launch = every_setting();
        let variables: BTreeMap<_, _> = launch.variables().into_iter().collect();
        assert_eq!(variables.keys().copied().collect::<Vec<_>>(), sorted(VARIABLES));
        let read = Launch::from_variables(|name| variables.get(name).cloned());
        assert_eq!(read.expect("as written"), launch);
    }

    fn sorted(mut names: [&'static str; 16]) -> Vec<&'static str> {
        names.sort_unstable();
        names.to_vec()
    }

    #[test]
    fn task_host_without_a_job_master_is_refused_and_no_key_is_shown() {
        for name in [JOB_MASTER_VARIABLE, JOB_VARIABLE, JOB_KEY_VARIABLE, EPOCH_VARIABLE] {
            for damaged in [None, Some(OsString::from("c3c3 secret"))] {
                if damaged.is_some() && name == JOB_MASTER_VARIABLE {
                    continue;
                }
                let variables: BTreeMap<_, _> = every_setting().variables().into_iter().collect();
                let get = |asked: &str| match asked == name {
                    true => damaged.clone(),
                    false => variables.get(asked).cloned(),
                };
                let error = Launch::from_variables(get).expect_err(name).to_string();
                assert!(error.contains(name), "{error}");
                assert_eq!(error.contains("secret"), damaged.is_some() && name != JOB_KEY_VARIABLE);
            }
        }
    }

    #[test]
    fn values_that_weir_does_not_set_are_refused() {
        for (name, value) in [
            (ROLE_VARIABLE, "boss"),
            (PARENT_FD_VARIABLE, "1"),
            (PARENT_FD_VARIABLE, "-1"),
            (LIFELINE_FD_VARIABLE, "three"),
            (ANSWER_FD_VARIABLE, "0"),
        ] {
            let get = |asked: &str| (asked == name).then(|| OsString::from(value));
            let error = Launch::from_variables(get).expect_err(value);
            assert_eq!(error.code(), "WEIR-CLI-0104");
            assert!(error.to_string().contains(name) && error.to_string().contains(value));
        }
    }
}
