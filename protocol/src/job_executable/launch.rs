//! The environment variables by which a job executable is told what to do. They name descriptors and
//! a file; opening, removing and obeying is the executable's part.

use super::Error;
use std::{ffi::OsString, path::PathBuf};

/// What `execute()` does: a [`Role`]. Absent means local.
pub const ROLE_VARIABLE: &str = "WEIR_ROLE";
/// Number of the inherited descriptor that takes [`JobMessage`](super::JobMessage)s: the write end of a pipe.
pub const PARENT_FD_VARIABLE: &str = "WEIR_PARENT_FD";
/// Number of the inherited descriptor whose end of file says that the parent is gone: the read end
/// of a pipe on which nothing is ever written.
pub const LIFELINE_FD_VARIABLE: &str = "WEIR_LIFELINE_FD";
/// The effective configuration as JSON, an object of texts. Where it is given, the executable reads
/// neither a file nor `WEIR_CONF_...`.
pub const CONFIGURATION_VARIABLE: &str = "WEIR_CONFIGURATION";
/// Path of a file with the values for `env.once` of an earlier run of the same `main`, see
/// [`write_once_values`](super::write_once_values).
pub const EXPECTED_VARIABLE: &str = "WEIR_EXPECTED";
/// [`QUIET`] leaves out the lines about submission and end that go to standard output.
pub const OUTPUT_VARIABLE: &str = "WEIR_OUTPUT";
/// The value of [`OUTPUT_VARIABLE`] that has a meaning.
pub const QUIET: &str = "quiet";

/// Every variable above: what the executable removes when it has read them.
pub const VARIABLES: [&str; 6] = [
    ROLE_VARIABLE,
    PARENT_FD_VARIABLE,
    LIFELINE_FD_VARIABLE,
    CONFIGURATION_VARIABLE,
    EXPECTED_VARIABLE,
    OUTPUT_VARIABLE,
];

/// What `execute()` of a job executable does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Runs the job in this process.
    #[default]
    Local,
    /// Hands the job graph to the parent and ends the process.
    Client,
    /// Becomes a task host.
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

    fn parse(text: &str) -> Option<Self> {
        [Self::Local, Self::Client, Self::Task].into_iter().find(|role| role.name() == text)
    }
}

/// What the parent tells a job executable when it starts it.
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
    /// What `execute()` does.
    pub role: Role,
    /// Where messages go; none in a program that was started by hand.
    pub parent_fd: Option<i32>,
    /// What ends when the parent does.
    pub lifeline_fd: Option<i32>,
    /// The effective configuration as JSON.
    pub configuration: Option<String>,
    /// File of the values for `env.once`.
    pub expected: Option<PathBuf>,
    /// Whether the lines about submission and end are left out.
    pub quiet: bool,
}

impl Launch {
    /// The environment variables that say this.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let number = |fd: i32| OsString::from(fd.to_string());
        let values = [
            (ROLE_VARIABLE, Some(self.role.name().into())),
            (PARENT_FD_VARIABLE, self.parent_fd.map(number)),
            (LIFELINE_FD_VARIABLE, self.lifeline_fd.map(number)),
            (CONFIGURATION_VARIABLE, self.configuration.clone().map(Into::into)),
            (EXPECTED_VARIABLE, self.expected.clone().map(Into::into)),
            (OUTPUT_VARIABLE, self.quiet.then(|| QUIET.into())),
        ];
        values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Reads what [`Launch::variables`] gave, commonly with `|name| std::env::var_os(name)`.
    pub fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let text = |name: &'static str| match get(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(value)) => Err(bad_variable(name, &value.to_string_lossy())),
        };
        let descriptor = |name| match text(name)? {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(fd) if fd > 2 => Ok(Some(fd)),
                _ => Err(bad_variable(name, &text)),
            },
        };
        let role = text(ROLE_VARIABLE)?;
        Ok(Self {
            role: match role {
                None => Role::default(),
                Some(name) => {
                    Role::parse(&name).ok_or_else(|| bad_variable(ROLE_VARIABLE, &name))?
                }
            },
            parent_fd: descriptor(PARENT_FD_VARIABLE)?,
            lifeline_fd: descriptor(LIFELINE_FD_VARIABLE)?,
            configuration: text(CONFIGURATION_VARIABLE)?,
            expected: get(EXPECTED_VARIABLE).map(PathBuf::from),
            quiet: text(OUTPUT_VARIABLE)?.as_deref() == Some(QUIET),
        })
    }
}

fn bad_variable(name: &'static str, value: &str) -> Error {
    let value = value.to_owned();
    Error::Variable { name, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn nothing_set_means_started_by_hand() {
        assert_eq!(Launch::from_variables(|_| None).expect("fine"), Launch::default());
    }

    #[test]
    fn launch_survives_its_variables() {
        let launch = Launch {
            role: Role::Task,
            parent_fd: Some(3),
            lifeline_fd: Some(11),
            configuration: Some("{}".to_owned()),
            expected: Some("/tmp/once".into()),
            quiet: true,
        };
        let variables: BTreeMap<_, _> = launch.variables().into_iter().collect();
        assert_eq!(variables.len(), VARIABLES.len());
        let read = Launch::from_variables(|name| variables.get(name).cloned());
        assert_eq!(read.expect("as written"), launch);
    }

    #[test]
    fn values_that_weir_does_not_set_are_refused() {
        for (name, value) in [
            (ROLE_VARIABLE, "boss"),
            (PARENT_FD_VARIABLE, "1"),
            (PARENT_FD_VARIABLE, "-1"),
            (LIFELINE_FD_VARIABLE, "three"),
        ] {
            let get = |asked: &str| (asked == name).then(|| OsString::from(value));
            let error = Launch::from_variables(get).expect_err(value);
            assert_eq!(error.code(), "WEIR-CLI-0104");
            assert!(error.to_string().contains(name) && error.to_string().contains(value));
        }
    }
}
