//! The flags of `weir cluster`.

use super::OutputFlag;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

/// What to do with the cluster of a data folder.
#[derive(Subcommand, Debug)]
pub enum ClusterAction {
    Start(StartFlags),
    Status(StatusFlags),
    Stop(StopFlags),
}

/// Where a cluster keeps everything.
#[derive(Args, Clone, Debug, Default)]
pub struct DataDirFlag {
    /// The data folder of the cluster. Default: the variable WEIR_DATA_DIR, else ~/.weir.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: Option<PathBuf>,
}

/// Start a resource manager and node agents on this machine, and wait until they are ready.
///
/// They continue to run when this process ends. If a cluster was started before and some of its
/// processes have died, only those are started again, with the settings of the first start.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir cluster start
  weir cluster start --node-agents 2 --node-memory 8g --node-vcores 8
  weir cluster start --data-dir /tmp/try --port 0

App masters hold at most half of the cluster, so that jobs get task managers. The configuration key is
yarn.scheduler.capacity.maximum-am-resource-percent [default: 0.5].")]
pub struct StartFlags {
    #[command(flatten)]
    pub data_dir: DataDirFlag,
    /// How many node agents [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub node_agents: Option<u32>,
    /// The memory that each of them offers [default: 4g, or yarn.nodemanager.resource.memory-mb if
    /// the configuration sets it].
    #[arg(long, value_name = "SIZE")]
    pub node_memory: Option<String>,
    /// The virtual cores that each of them offers [default: 4, or
    /// yarn.nodemanager.resource.cpu-vcores if the configuration sets it].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub node_vcores: Option<u32>,
    /// The port of the resource manager; 0 takes a free one [default: 8088, or that of
    /// yarn.resourcemanager.webapp.address if the configuration sets it].
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Read this configuration file, here and in the daemons. Default: weir.yaml in the folder that
    /// the variable WEIR_CONF_DIR names, if it is set.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// Show whether the cluster runs: exit code 0 when all of it does, 1 otherwise.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir cluster status
  weir cluster status --output json
  weir cluster status --cluster 10.0.0.1:8088")]
pub struct StatusFlags {
    /// Ask the resource manager at this address. Processes are then not shown: they are on other machines.
    #[arg(long, value_name = "HOST:PORT", value_hint = ValueHint::Hostname)]
    #[arg(conflicts_with = "data_dir")]
    pub cluster: Option<String>,
    #[command(flatten)]
    pub data_dir: DataDirFlag,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// Stop the cluster with every application on it.
///
/// Applications are killed first, then the daemons end, then whatever is left of the containers.
/// Logs, checkpoints and what the resource manager has on record are kept.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir cluster stop
  weir cluster stop --data-dir /tmp/try")]
pub struct StopFlags {
    #[command(flatten)]
    pub data_dir: DataDirFlag,
    #[command(flatten)]
    pub output: OutputFlag,
}
