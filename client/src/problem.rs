//! An error as `weir` prints it: what failed, where, why, what to do, and a code
//! with a page.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// How `weir` ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All is well.
    Success,
    /// Something was tried and failed.
    Failure,
    /// The command line cannot be used; nothing was started.
    Usage,
    /// This signal has ended it; as shells tell it, 128 is added.
    Signal(i32),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Signal(number) => u8::try_from(128 + number).unwrap_or(1),
        })
    }
}

/// An error as its reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// How `weir` ends for it.
    pub exit: Exit,
    /// Stable code, if it has a page.
    pub code: Option<String>,
    pub what: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// A failure with a page in `docs/errors/`.
    pub fn failure(code: &str, what: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, code: Some(code.to_owned()), what: what.into(), help: None }
    }

    /// A command line that cannot be used.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, code: None, what: what.into(), help: None }
    }

    /// A failure of the system below us, for which there is no page.
    pub fn system(what: &str, error: &dyn Error) -> Self {
        let what = format!("{what}: {}", with_causes(error));
        Self { exit: Exit::Failure, code: None, what, help: None }
    }

    /// Adds what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the code.
    pub fn code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }
}

/// An error and what caused it, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

impl From<weir_config::Error> for Problem {
    fn from(error: weir_config::Error) -> Self {
        use weir_config::{Error, Origin};
        let on_command_line = match &error {
            Error::MalformedDynamic { .. } => true,
            Error::UnknownKey { origin, .. } => *origin == Origin::Dynamic,
            Error::BadValue(bad) => bad.origin == Origin::Dynamic,
            Error::Unsupported { origin, .. } => *origin == Origin::Dynamic,
            _ => false,
        };
        Self {
            exit: if on_command_line { Exit::Usage } else { Exit::Failure },
            code: Some(error.code().to_owned()),
            what: with_causes(&error),
            help: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        match &self.code {
            Some(code) => write!(f, "\n  {code}: see docs/errors/{code}.md"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::ConfigBuilder;

    #[test]
    fn problem_shows_what_help_and_page() {
        let problem = Problem::failure("WEIR-CLI-0001", "cannot run x").help("build it");
        assert_eq!(
            problem.to_string(),
            "error: cannot run x\n  help: build it\n  \
             WEIR-CLI-0001: see docs/errors/WEIR-CLI-0001.md"
        );
        assert_eq!(Problem::usage("no").to_string(), "error: no");
    }

    #[test]
    fn only_configuration_on_the_command_line_is_usage() {
        let exit_of =
            |builder: ConfigBuilder| Problem::from(builder.build().expect_err("not valid")).exit;
        let new = ConfigBuilder::new;
        assert_eq!(exit_of(new().dynamic("no.such.key=1")), Exit::Usage);
        assert_eq!(exit_of(new().dynamic("parallelism.default=0")), Exit::Usage);
        assert_eq!(exit_of(new().dynamic("parallelism.default")), Exit::Usage);
        assert_eq!(exit_of(new().env([("WEIR_CONF_NO_SUCH", "1")])), Exit::Failure);
        assert_eq!(exit_of(new().file("/no/such/file")), Exit::Failure);
    }
}
