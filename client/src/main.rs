//! The executable `weir`: the command line, and every daemon as a subcommand.
//!
//! ```text
//! daemons (app-master, task-manager, …: before anything else)
//! flags (as typed) ──▶ request (checked, ready to use) ──▶ run, info ──▶ exit code
//!      │                                                      │
//!      │               executable (is it one?) ◀──────────────┤
//!      │               program (start it) ──▶ supervise ──▶ verdict
//!      │                                                      │
//!      │               per_job (its jobs on a cluster) ◀──────┘
//!      │                  │
//!      └▶ jobs, applications, nodes, logs ──▶ remote ──▶ resource manager
//!      └▶ cluster (start, status, stop)
//!      └▶ storage (folders of jobs)
//! ```
//!
//! Exit codes: 0 is success, 1 a failure, 2 a command line that is not valid, and in the
//! last case nothing was started. What a person or program asked for goes to standard output,
//! everything else to standard error; a closed pipe is no error.

mod applications;
mod cluster;
mod daemons;
mod executable;
mod flags;
mod ids;
mod info;
mod jobs;
mod local_time;
mod logs;
mod nodes;
mod output;
mod per_job;
mod plan_text;
mod problem;
mod program;
mod progress;
mod remote;
mod request;
mod restarts;
mod run;
mod signals;
mod storage;
mod summary;
mod supervise;
mod user;
mod verdict;

use crate::flags::{Action, Cli};
use crate::problem::{Exit, Problem};
use clap::CommandFactory;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Containers start at once, without a look at any flag.
    if let Some(exit) = daemons::run_in_container() {
        return exit;
    }
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
        Some(Action::List(flags)) => exit_of(jobs::list(&flags)),
        Some(Action::Cancel(flags)) => exit_of(jobs::cancel(&flags)),
        Some(Action::Cluster(action)) => match cluster::run(action) {
            Ok(exit) => exit,
            Err(problem) => exit_of(Err(problem)),
        },
        Some(Action::Application(action)) => exit_of(applications::run(action)),
        Some(Action::Node(action)) => exit_of(nodes::run(action)),
        Some(Action::Storage(action)) => exit_of(storage::run(action)),
        Some(Action::Logs(flags)) => exit_of(logs::logs(&flags)),
        Some(Action::ResourceManager(flags)) => daemons::resource_manager(flags),
        Some(Action::NodeAgent(flags)) => daemons::node_agent(flags),
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
