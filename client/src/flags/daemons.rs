//! The flags of the daemons. `weir cluster start` starts them so; people do where a cluster spans
//! several machines.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// What the configuration of a daemon is made of.
#[derive(Args, Debug)]
pub struct DaemonConfigFlags {
    /// Set a configuration key; if a key is given several times, the last value counts. Has
    /// priority over the environment (WEIR_CONF_...) and the file.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    pub dynamic: Vec<String>,
    /// Read this configuration file. Default: weir.yaml in the folder that the
    /// variable WEIR_CONF_DIR names, if it is set.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// Daemon: lease containers on the nodes to applications.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir resource-manager --data-dir /var/lib/weir --token-file /etc/weir/token --bind 10.0.0.1:8088

App masters hold at most a share of the cluster, and younger applications give way to older ones. The
configuration keys are yarn.scheduler.capacity.maximum-am-resource-percent [default: 0.5] and
yarn.resourcemanager.monitor.capacity.preemption.max_wait_before_kill [default: 5 s].")]
pub struct ResourceManagerFlags {
    /// The folder for its state, which survives a restart.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: PathBuf,
    /// The file with the token of the cluster.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: PathBuf,
    /// The address on which it listens. Default: yarn.resourcemanager.webapp.address.
    #[arg(long, value_name = "HOST:PORT")]
    pub bind: Option<String>,
    #[command(flatten)]
    pub config: DaemonConfigFlags,
}

/// Daemon: run containers on this machine.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir node-agent --data-dir /var/lib/weir --token-file /etc/weir/token --bind 10.0.0.2:8042 \\
      --resource-manager 10.0.0.1:8088")]
pub struct NodeAgentFlags {
    /// The folder for containers, their files and their logs.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data_dir: PathBuf,
    /// The file with the token of the cluster.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: PathBuf,
    /// The address on which it listens, which is also the name of the node.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8042")]
    pub bind: String,
    /// The address of the resource manager. Default: yarn.resourcemanager.webapp.address.
    #[arg(long, value_name = "HOST:PORT")]
    pub resource_manager: Option<String>,
    #[command(flatten)]
    pub config: DaemonConfigFlags,
}
