//! The flags of the actions that look at what runs on a cluster: `list`, `cancel`, `application`,
//! `node`, `logs`.

use super::{ClusterFlags, OutputFlag};
use clap::{Args, Subcommand, ValueHint};

/// List jobs, as Flink does: those that run and those that wait.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir list
  weir list -a --output json")]
pub struct ListFlags {
    /// Only jobs that run or are restarted.
    #[arg(short = 'r', long)]
    pub running: bool,
    /// Only jobs that have not begun.
    #[arg(short = 's', long)]
    pub scheduled: bool,
    /// All jobs, also those that have ended.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Ask this app master, and not those of a cluster.
    #[arg(short = 'm', long, value_name = "HOST:PORT", value_hint = ValueHint::Hostname)]
    #[arg(conflicts_with_all = ["cluster", "data_dir"])]
    pub jobmanager: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// Cancel a job.
#[derive(Args, Debug)]
#[command(after_help = "\
This command asks the job to end. It does not wait until the job has ended.

Examples:
  weir cancel 5d7c0e5e9d8a1b6f3c2a4e6d8f0b1c3d
  weir cancel 5d7c")]
pub struct CancelFlags {
    /// The job: its id as `weir list` shows it, the id of its application, or the beginning of either.
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// What to do with applications.
#[derive(Subcommand, Debug)]
pub enum ApplicationAction {
    List(ApplicationListFlags),
    Status(StatusOfFlags),
    Kill(KillFlags),
}

/// List applications, as YARN does: those that have not ended.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir application list
  weir application list --states FINISHED,FAILED,KILLED
  weir application list --states ALL --output json")]
pub struct ApplicationListFlags {
    /// Only those in these states: NEW, NEW_SAVING, SUBMITTED, ACCEPTED, RUNNING, FINISHED, FAILED,
    /// KILLED, or ALL. Default: SUBMITTED,ACCEPTED,RUNNING.
    #[arg(long, value_name = "STATES", value_delimiter = ',', ignore_case = true)]
    #[arg(value_parser = [
        "ALL", "NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING", "FINISHED", "FAILED", "KILLED",
    ], hide_possible_values = true)]
    pub states: Vec<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// Show an application.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir application status application_1763640000000_0001")]
pub struct StatusOfFlags {
    /// The application: its id as `weir application list` shows it, the id of its job, or the beginning
    /// of either.
    #[arg(value_name = "APPLICATION")]
    pub application: String,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// Kill applications with all their containers.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir application kill application_1763640000000_0001")]
pub struct KillFlags {
    /// The applications: ids as `weir application list` shows them, ids of their jobs, or the beginning
    /// of either.
    #[arg(value_name = "APPLICATION", required = true)]
    pub applications: Vec<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// What to do with nodes.
#[derive(Subcommand, Debug)]
pub enum NodeAction {
    List(NodeListFlags),
}

/// List the nodes of the cluster, as YARN does.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir node list
  weir node list --all --output json")]
pub struct NodeListFlags {
    /// Also nodes that are lost, unhealthy or shut down.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// Print the logs of an application's containers.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir logs application_1763640000000_0001
  weir logs -f --file stderr application_1763640000000_0001
  weir logs --container container_1763640000000_0001_01_000002 application_1763640000000_0001")]
pub struct LogsFlags {
    /// The application: its id as `weir application list` shows it, the id of its job, or the beginning
    /// of either.
    #[arg(value_name = "APPLICATION")]
    pub application: String,
    /// Continue to print what is added to the logs, until the application ends.
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Print only the logs of this container.
    #[arg(long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Only this file.
    #[arg(long, value_name = "FILE", value_parser = ["stdout", "stderr"])]
    pub file: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}
