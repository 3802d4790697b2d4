//! The executable `weir`: runs jobs and shows their plans.
//!
//! ```text
//! flags (as typed) ──▶ request (checked, ready to use) ──▶ run, info ──▶ exit code
//!                                                             │
//!                      executable (is it one?) ◀──────────────┤
//!                      program (start it) ──▶ supervise ──▶ verdict
//! ```
//!
//! What always holds: 0 is success, 1 a failure, 2 a command line that cannot be used, and in the
//! last case nothing was started. What a person or program asked for goes to standard output,
//! everything else to standard error; a reader that has gone away is no error.

mod executable;
mod flags;
mod info;
mod output;
mod plan_text;
mod problem;
mod program;
mod request;
mod run;
mod signals;
mod supervise;
mod verdict;

use crate::flags::{Action, Cli};
use crate::problem::{Exit, Problem};
use clap::CommandFactory;
use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = match flags::parse(std::env::args_os()) {
        Ok(cli) => dispatch(cli),
        Err(exit) => exit,
    };
    exit.into()
}

fn dispatch(cli: Cli) -> Exit {
    if cli.version {
        return exit_of(output::print(&version()));
    }
    match cli.action {
        Some(Action::Run(flags)) => run::run(flags),
        Some(Action::Info(flags)) => exit_of(info::info(flags)),
        Some(Action::Completions { shell }) => exit_of(output::print(&completions(shell))),
        None => {
            output::note(&format!("{}", Cli::command().render_help()));
            output::note("Please specify an action.");
            Exit::Usage
        }
    }
}

fn exit_of(result: Result<(), Problem>) -> Exit {
    match result {
        Ok(()) => Exit::Success,
        Err(problem) => {
            output::note(&problem.to_string());
            problem.exit
        }
    }
}

fn version() -> String {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("WEIR_COMMIT"));
    format!("Version: {version}, Commit ID: {commit}\n")
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "weir", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
