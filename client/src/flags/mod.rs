//! The command line as typed. Parsing, help and shell completions come from this one definition.
//!
//! Nothing is checked here beyond its form; `request` turns these into something ready to use.

mod cluster;
mod daemons;
mod foreign;
mod jobs;
mod multi_letter;
mod storage;
mod yarn;

pub use cluster::{ClusterAction, DataDirFlag, StartFlags, StatusFlags, StopFlags};
pub use daemons::{DaemonConfigFlags, NodeAgentFlags, ResourceManagerFlags};
pub use jobs::{
    ApplicationAction, ApplicationListFlags, CancelFlags, KillFlags, ListFlags, LogsFlags,
    NodeAction, NodeListFlags, StatusOfFlags,
};

pub use storage::{StorageAction, StorageDeleteFlags, StorageFlags, StorageListFlags};

use crate::{output, problem::Exit};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs streaming jobs, here or on a cluster, and the cluster itself.
#[derive(Parser, Debug)]
#[command(name = "weir", disable_version_flag = true, after_help = EXAMPLES)]
pub struct Cli {
    /// Print version and commit.
    #[arg(short = 'v', long)]
    pub version: bool,
    #[command(subcommand)]
    pub action: Option<Action>,
}

const EXAMPLES: &str = "\
Examples:
  weir run target/release/word-count --input 'docs/*.md' --output counts
  weir info target/release/word-count
  weir cluster start --node-agents 2
  weir run -t per-job -p 2 target/release/word-count --input 'docs/*.md' --output counts
  weir list
  weir cluster stop

Exit codes: 0 success, 1 failure, 2 wrong usage. `weir ACTION --help` says more.";

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Action {
    Run(RunFlags),
    Info(InfoFlags),
    List(ListFlags),
    Cancel(CancelFlags),
    /// Start and stop a cluster on this machine.
    #[command(subcommand, arg_required_else_help = true)]
    Cluster(ClusterAction),
    /// Show and kill the applications of a cluster.
    #[command(subcommand, arg_required_else_help = true)]
    Application(ApplicationAction),
    /// Show the nodes of a cluster.
    #[command(subcommand, arg_required_else_help = true)]
    Node(NodeAction),
    Logs(LogsFlags),
    /// List and delete what jobs have stored: their logs and checkpoints.
    #[command(subcommand, arg_required_else_help = true)]
    Storage(StorageAction),
    ResourceManager(ResourceManagerFlags),
    NodeAgent(NodeAgentFlags),
    /// Print a completion script for a shell.
    #[command(after_help = "\
Examples:
  source <(weir completions bash)
  weir completions zsh > \"${fpath[1]}/_weir\"
  weir completions fish > ~/.config/fish/completions/weir.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Run a job and wait for its end.
///
/// The job is an executable that was built with the crate `weir`. With the target `local` it runs in
/// a process of its own, which ends when this one does. With the target `per-job` it runs on a
/// cluster, and continues there when this process ends.
#[derive(Args, Debug)]
#[command(after_help = "\
Everything after EXECUTABLE belongs to the program, also what begins with a hyphen.

A parallelism that the program sets itself has priority over -p, which has priority over
parallelism.default.

Examples:
  weir run target/release/word-count --input 'docs/*.md' --output counts
  weir run -t local -p 4 -D execution.runtime-mode=BATCH target/release/word-count --input 'docs/*.md'
  weir run -t per-job -p 2 -d target/release/word-count --input 'docs/*.md' --output counts
  weir run --output json target/release/word-count | tail -n 1")]
pub struct RunFlags {
    /// Where the job runs. `local`: in the program's own process, without a cluster. `per-job`: on a
    /// cluster, in containers that run only this job. Default: execution.target from the
    /// configuration.
    #[arg(short = 't', long, value_name = "TARGET")]
    pub target: Option<String>,
    #[command(flatten)]
    pub config: ConfigFlags,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// Return when the job has been submitted. Not with the target local.
    #[arg(short = 'd', long)]
    pub detached: bool,
    /// Cancel the job when this process is interrupted or told to end; also written -sae. Otherwise
    /// the job continues on the cluster. A local job always ends with this process.
    #[arg(long = "shutdownOnAttachedExit", conflicts_with = "detached")]
    pub shutdown_on_attached_exit: bool,
    #[command(flatten)]
    pub output: OutputFlag,
    #[command(flatten)]
    pub program: ProgramWords,
}

/// Show the plan of a job without running it.
///
/// The program runs up to its first `execute()`. Then it runs a second time, to see that it builds
/// the same graph, which a cluster relies on.
#[derive(Args, Debug)]
#[command(after_help = "\
What the program itself prints goes to standard error.

Examples:
  weir info target/release/word-count --input 'docs/*.md' --output counts
  weir info -p 8 --output json target/release/word-count > plan.json")]
pub struct InfoFlags {
    #[command(flatten)]
    pub config: ConfigFlags,
    #[command(flatten)]
    pub output: OutputFlag,
    #[command(flatten)]
    pub program: ProgramWords,
}

/// The cluster and its token.
#[derive(Args, Clone, Debug, Default)]
pub struct ClusterFlags {
    /// The address of the resource manager. Default: the cluster of --data-dir if that is given, else
    /// yarn.resourcemanager.webapp.address if the configuration sets it, else the cluster of the default
    /// data folder.
    #[arg(long, value_name = "HOST:PORT", value_hint = ValueHint::Hostname)]
    pub cluster: Option<String>,
    /// Read the token of the cluster from this file. Default: the token of --data-dir if that is given,
    /// else the variable WEIR_TOKEN, else the token of the default data folder.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub data_dir: DataDirFlag,
}

/// What the effective configuration is made of.
#[derive(Args, Debug)]
pub struct ConfigFlags {
    /// Parallelism of operators for which the program sets none. Has priority over
    /// parallelism.default.
    #[arg(short = 'p', long, value_name = "N", allow_hyphen_values = true)]
    pub parallelism: Option<String>,
    /// Set a configuration key; if a key is given several times, the last value counts. Has
    /// priority over the environment (WEIR_CONF_...) and the file.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    pub dynamic: Vec<String>,
    /// Read this configuration file. Default: weir.yaml in the folder that the
    /// variable WEIR_CONF_DIR names, if it is set.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// How the result is shown.
#[derive(Args, Debug)]
pub struct OutputFlag {
    /// How to show the result: as text, or as JSON on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// A form of output.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Text for the user.
    Text,
    /// For programs.
    Json,
}

/// The program and its arguments.
#[derive(Args, Debug)]
pub struct ProgramWords {
    /// The job executable, and the arguments for it.
    // One list, so that nothing after the first word is taken for a flag of ours.
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_names = ["EXECUTABLE", "ARGS"],
        num_args = 1..,
        value_hint = ValueHint::CommandWithArguments
    )]
    pub words: Vec<OsString>,
}

/// Parses the command line; help and errors are printed here, and the exit code is given back.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Exit> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let refusal = yarn::refusal(&arguments).or_else(|| foreign::refusal(&arguments));
    if let Some(problem) = refusal {
        output::note(&problem.to_string());
        return Err(problem.exit);
    }
    let arguments = multi_letter::spelled_out(arguments);
    let action = arguments.get(1).map(|word| word.to_string_lossy().into_owned());
    Cli::try_parse_from(arguments).map_err(|mut error| {
        let invalid = error.get(ContextKind::InvalidSubcommand).map(ToString::to_string);
        // For an action below another one the parser's own message is good.
        if error.kind() == ErrorKind::InvalidSubcommand && invalid == action {
            output::note(&invalid_action(&error));
            return Exit::Usage;
        }
        // It advises to pass the flag as an argument, which is never what is meant.
        error.remove(ContextKind::Suggested);
        // Standard output for help, standard error otherwise. A closed pipe is no error.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage } else { Exit::Success }
    })
}

fn invalid_action(error: &clap::Error) -> String {
    let action = error.get(ContextKind::InvalidSubcommand);
    let action = action.map(ToString::to_string).unwrap_or_default();
    let command = Cli::command();
    let nearest = weir_config::nearest(&action, visible_actions(&command));
    let nearest = nearest.map(|name| format!("\nDid you mean \"{name}\"?")).unwrap_or_default();
    format!(
        "\"{action}\" is not a valid action.{nearest}\n\nValid actions are {}.\n\n\
         Use the help option (-h or --help) to get help on the command.",
        valid_actions()
    )
}

fn valid_actions() -> String {
    let command = Cli::command();
    let names: Vec<_> = visible_actions(&command).map(|action| format!("\"{action}\"")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn visible_actions(command: &clap::Command) -> impl Iterator<Item = &str> {
    let visible = command.get_subcommands().filter(|action| !action.is_hide_set());
    visible.map(clap::Command::get_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_flags(line: &str) -> RunFlags {
        let words = line.split_whitespace().map(OsString::from);
        match Cli::try_parse_from(words).expect(line).action {
            Some(Action::Run(flags)) => flags,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn words_after_the_executable_are_the_programs() {
        let line = "weir run -p 2 -Da=1 -D b=2 job -p 3 --output json -- -D x --help";
        let flags = run_flags(line);
        assert_eq!(flags.config.parallelism.as_deref(), Some("2"));
        assert_eq!(flags.config.dynamic, ["a=1", "b=2"]);
        assert_eq!(flags.output.output, Output::Text);
        let words: Vec<_> = line.split_whitespace().skip(7).collect();
        assert_eq!(flags.program.words, words);
    }

    #[test]
    fn program_may_have_a_name_with_a_hyphen_after_two_of_them() {
        assert_eq!(run_flags("weir run -- -job -x").program.words, ["-job", "-x"]);
        assert!(Cli::try_parse_from(["weir", "run", "--no-such-flag", "job"]).is_err());
        assert!(Cli::try_parse_from(["weir", "run"]).is_err());
    }
}
