//! The command line, ready to use: flags checked, configuration layers put together.
//!
//! Flink's order of parallelism holds: operator, then environment (both in the program), then
//! `-p`, then configuration. So `-p` is laid over every layer of the configuration, and what the
//! program sets is laid over that by the program.

use crate::flags::{ClusterFlags, ConfigFlags, InfoFlags, Output, ProgramWords, RunFlags};
use crate::problem::Problem;
use std::ffi::OsString;
use std::path::PathBuf;
use weir_config::keys::{self, ExecutionTarget, Progress};
use weir_config::{Config, ConfigBuilder, Key, Origin, Warning};

/// A program and its arguments.
#[derive(Debug)]
pub struct ProgramCommand {
    /// The executable as typed.
    pub executable: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// A checked `weir run` or `weir info`.
#[derive(Debug)]
pub struct Request {
    /// The program to start.
    pub command: ProgramCommand,
    /// Where its jobs run.
    pub place: RunTarget,
    /// The effective configuration.
    pub config: Config,
    /// Warnings for its author.
    pub warnings: Vec<Warning>,
    /// How to show the result.
    pub output: Output,
}

/// Where jobs run.
#[derive(Debug)]
pub enum RunTarget {
    /// In the program's own process.
    Local,
    /// On a cluster, each job in its own application.
    PerJob(PerJob),
}

/// How jobs run on a cluster.
#[derive(Debug)]
pub struct PerJob {
    pub cluster: ClusterFlags,
    /// Whether submitting is all.
    pub is_detached: bool,
    /// Effect of an interrupt.
    pub on_interrupt: OnInterrupt,
}

/// Effect of an interrupt of `weir` on a job on a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnInterrupt {
    /// Nothing.
    LeavesJob,
    /// It is cancelled.
    CancelsJob,
}

impl Request {
    /// Whether only JSON goes to standard output.
    pub fn is_quiet(&self) -> bool {
        self.output == Output::Json
    }

    /// Checks the flags of `weir run`.
    pub fn of_run(flags: RunFlags) -> Result<Self, Problem> {
        let target = flags.target.as_deref().map(check_target).transpose()?;
        let (mut config, warnings) = effective(flags.config)?;
        if let Some(target) = target {
            config.set_from(flag("-t"), &keys::EXECUTION_TARGET, target)?;
        }
        let output = flags.output.output;
        if output == Output::Json {
            config.set_from(flag("--output"), &keys::PROGRESS, Progress::Never)?;
        }
        let place = match config.get(&keys::EXECUTION_TARGET) {
            ExecutionTarget::Local if flags.detached => {
                return Err(refused(
                    "a local job cannot be detached: it runs in the program's own process",
                    "run it on a cluster with -t per-job, or leave -d out and run it in the \
                     background: `weir run ... &`",
                ));
            }
            ExecutionTarget::Local => RunTarget::Local,
            ExecutionTarget::PerJob => RunTarget::PerJob(PerJob {
                cluster: flags.cluster,
                is_detached: flags.detached,
                on_interrupt: match flags.shutdown_on_attached_exit {
                    true => OnInterrupt::CancelsJob,
                    false => OnInterrupt::LeavesJob,
                },
            }),
        };
        let command = flags.program.split()?;
        Ok(Self { command, place, config, warnings, output })
    }

    /// Checks the flags of `weir info`.
    pub fn of_info(flags: InfoFlags) -> Result<Self, Problem> {
        let (config, warnings) = effective(flags.config)?;
        let output = flags.output.output;
        let command = flags.program.split()?;
        Ok(Self { command, place: RunTarget::Local, config, warnings, output })
    }
}

impl ProgramWords {
    fn split(self) -> Result<ProgramCommand, Problem> {
        let mut words = self.words.into_iter();
        let executable = words.next().map(PathBuf::from);
        let executable = executable.filter(|path| !path.as_os_str().is_empty());
        Ok(ProgramCommand {
            executable: executable.ok_or_else(|| Problem::usage("no executable is given"))?,
            arguments: words.collect(),
        })
    }
}

fn effective(flags: ConfigFlags) -> Result<(Config, Vec<Warning>), Problem> {
    let parallelism = flags.parallelism.as_deref().map(check_parallelism).transpose()?;
    let mut builder = ConfigBuilder::new().env(std::env::vars_os());
    if let Some(file) = flags.config {
        builder = builder.file(file);
    }
    let builder = flags.dynamic.into_iter().fold(builder, ConfigBuilder::dynamic);
    let (mut config, warnings) = builder.build()?;
    if let Some(parallelism) = parallelism {
        config.set_from(flag("-p"), &keys::PARALLELISM_DEFAULT, parallelism)?;
    }
    Ok((config, warnings))
}

fn flag(name: &str) -> Origin {
    Origin::Flag(name.to_owned())
}

fn check_parallelism(text: &str) -> Result<u32, Problem> {
    let positive = text.trim().parse().ok().filter(|parallelism| *parallelism > 0);
    let parallelism = positive.ok_or_else(|| {
        Problem::usage(format!("The parallelism must be a positive number: {text}"))
            .help("give -p a whole number of at least 1, or leave it out")
    })?;
    let range = Config::new().set(&keys::PARALLELISM_DEFAULT, parallelism);
    let expected = || keys::PARALLELISM_DEFAULT.spec().expected();
    range.map(|()| parallelism).map_err(|_| {
        Problem::usage(format!("The parallelism is too large: {text}"))
            .help(format!("give -p an {}", expected()))
    })
}

fn check_target(name: &str) -> Result<ExecutionTarget, Problem> {
    let targets = [ExecutionTarget::Local, ExecutionTarget::PerJob];
    if let Some(target) = targets.into_iter().find(|target| target.to_string() == name) {
        return Ok(target);
    }
    let known = keys::EXECUTION_TARGET.spec().refused().iter();
    let reason = known.copied().find(|(target, _)| *target == name);
    let what = match reason {
        Some((_, reason)) => format!("target {name:?} does not work: {reason}"),
        None => format!("unknown target {name:?}"),
    };
    let help = match reason {
        Some(_) => "use -t per-job to run the job on a cluster",
        None => {
            "use -t local or -t per-job; without -t a job runs with the target in \
             execution.target, which is local unless it is configured"
        }
    };
    Err(refused(&what, help))
}

fn refused(what: &str, help: &str) -> Problem {
    Problem::usage(what).help(help).code("WEIR-CLI-0007")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Action, Cli};
    use crate::problem::Exit;
    use clap::Parser;

    fn request(line: &str) -> Result<Request, Problem> {
        match Cli::try_parse_from(line.split_whitespace()).expect(line).action {
            Some(Action::Run(flags)) => Request::of_run(flags),
            Some(Action::Info(flags)) => Request::of_info(flags),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parallelism_of_the_command_line_goes_over_configuration() {
        for (line, parallelism) in [
            ("weir run job", 1),
            ("weir run -D parallelism.default=3 job", 3),
            ("weir run -p 2 -D parallelism.default=3 job", 2),
            ("weir info -D parallelism.default=3 -p 32768 job", 32_768),
        ] {
            let config = request(line).expect(line).config;
            assert_eq!(config.get(&keys::PARALLELISM_DEFAULT), parallelism, "{line}");
            let origin = match line.contains("-p") {
                true => Origin::Flag("-p".to_owned()),
                false if parallelism == 1 => Origin::Default,
                false => Origin::Dynamic,
            };
            assert_eq!(config.origin(&keys::PARALLELISM_DEFAULT), origin, "{line}");
        }
    }

    #[test]
    fn invalid_parallelism_is_refused_with_flinks_message() {
        for text in ["0", "-1", "two", "1.5", "99999999999"] {
            let problem = request(&format!("weir run -p {text} job")).expect_err(text);
            assert_eq!(problem.exit, Exit::Usage);
            let expect = format!("The parallelism must be a positive number: {text}");
            assert_eq!(problem.what, expect);
        }
        let problem = request("weir run -p 32769 job").expect_err("too large");
        assert_eq!(problem.what, "The parallelism is too large: 32769");
        assert_eq!(problem.help.as_deref(), Some("give -p an integer from 1 to 32768"));
    }

    #[test]
    fn targets_work_or_are_refused_or_unknown() {
        assert!(matches!(request("weir run -t local job").expect("fine").place, RunTarget::Local));
        let place = request("weir run -t per-job -d job").expect("fine").place;
        assert!(matches!(place, RunTarget::PerJob(PerJob { is_detached: true, .. })));
        let place = request("weir run -D execution.target=per-job job").expect("fine").place;
        assert!(matches!(place, RunTarget::PerJob(PerJob { is_detached: false, .. })));
        for target in ["session", "application", "remote", "yarn-per-job"] {
            let problem = request(&format!("weir run -t {target} job")).expect_err(target);
            assert!(problem.what.contains("does not work"), "{}", problem.what);
            assert_eq!(problem.exit, Exit::Usage);
        }
        let problem = request("weir run -t moon job").expect_err("unknown");
        assert_eq!(problem.what, "unknown target \"moon\"");
        let help = "use -t local or -t per-job; without -t a job runs with the target in \
                    execution.target, which is local unless it is configured";
        assert_eq!(problem.help.as_deref(), Some(help));
        let problem = request("weir run -t yarn-per-job job").expect_err("another name");
        assert_eq!(problem.help.as_deref(), Some("use -t per-job to run the job on a cluster"));
    }

    #[test]
    fn what_does_not_work_is_refused() {
        let problem = request("weir run -d job").expect_err("local");
        assert_eq!(problem.code.as_deref(), Some("WEIR-CLI-0007"));
    }

    #[test]
    fn json_output_turns_progress_off() {
        for (line, progress) in [
            ("weir run -D weir.progress=always job", Progress::Always),
            ("weir run --output json -D weir.progress=always job", Progress::Never),
        ] {
            assert_eq!(request(line).expect(line).config.get(&keys::PROGRESS), progress);
        }
    }

    #[test]
    fn executable_is_separated_from_its_arguments() {
        let command = request("weir run job -p 0 --input x").expect("fine").command;
        assert_eq!(command.executable, PathBuf::from("job"));
        assert_eq!(command.arguments, ["-p", "0", "--input", "x"]);
    }
}
