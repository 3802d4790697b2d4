//! The daemons as subcommands of `weir`: flags and configuration turned into their options.
//!
//! | subcommand | started by | configured by |
//! |---|---|---|
//! | `resource-manager`, `node-agent` | `weir cluster start`, or people | flags |
//! | `container-shim` | a node agent | its one argument |
//! | `app-master`, `task-manager` | a container shim | the environment of their container |

use crate::flags::{DaemonConfigFlags, NodeAgentFlags, ResourceManagerFlags};
use crate::output;
use crate::problem::{Exit, Problem, with_causes};
use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use weir_config::{Config, ConfigBuilder, keys};
use weir_service::ready;

/// Runs what is started in containers; `None` if that is not what was asked for.
pub fn run_in_container() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let action = words.next()?;
    let rest: Vec<OsString> = words.collect();
    match (action.to_str()?, rest.as_slice()) {
        ("container-shim", [folder]) => {
            let code = weir_node_agent::shim::run(PathBuf::from(folder).as_path());
            Some(ExitCode::from(u8::try_from(code).unwrap_or(1)))
        }
        ("app-master", []) => {
            let options = weir_app_master::Options::from_process(env!("WEIR_COMMIT"));
            let ended = weir_app_master::run(&options);
            Some(ended_as(ended.map_err(|error| (error.code().to_owned(), with_causes(&error)))))
        }
        ("task-manager", []) => {
            let ended = weir_task_manager::run();
            Some(ended_as(ended.map_err(|error| (error.code().to_owned(), with_causes(&error)))))
        }
        _ => None,
    }
}

/// The reason of a daemon's end is in its log, to which its standard error goes.
fn ended_as(ended: Result<(), (String, String)>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, what)) => {
            output::note(&Problem::failure(&code, what).to_string());
            ExitCode::FAILURE
        }
    }
}

/// Runs a resource manager until SIGTERM or SIGINT.
pub fn resource_manager(flags: ResourceManagerFlags) -> Exit {
    ready::take();
    let options = told_if_failed(resource_manager_options(flags));
    let Ok(options) = options else { return Exit::Failure };
    exit_of(weir_resource_manager::run(options))
}

fn resource_manager_options(
    flags: ResourceManagerFlags,
) -> Result<weir_resource_manager::Options, Problem> {
    let config = configured(&flags.config)?;
    let bind = flags.bind.unwrap_or_else(|| config.get(&keys::RESOURCE_MANAGER_ADDRESS));
    let bind = resolved(&bind)?;
    Ok(weir_resource_manager::Options {
        config,
        bind,
        data_dir: flags.data_dir,
        secret_file: flags.token_file,
    })
}

/// Runs a node agent until SIGTERM or SIGINT.
pub fn node_agent(flags: NodeAgentFlags) -> Exit {
    ready::take();
    let options = told_if_failed(node_agent_options(flags));
    let Ok(options) = options else { return Exit::Failure };
    exit_of(weir_node_agent::run(options))
}

fn node_agent_options(flags: NodeAgentFlags) -> Result<weir_node_agent::Options, Problem> {
    let config = configured(&flags.config)?;
    let bind = resolved(&flags.bind)?;
    let resource_manager =
        flags.resource_manager.unwrap_or_else(|| config.get(&keys::RESOURCE_MANAGER_ADDRESS));
    let weir_executable = std::env::current_exe()
        .map_err(|error| Problem::system("cannot tell the path of weir", &error))?;
    Ok(weir_node_agent::Options {
        config,
        bind,
        data_dir: flags.data_dir,
        secret_file: flags.token_file,
        resource_manager,
        weir_executable,
    })
}

fn configured(flags: &DaemonConfigFlags) -> Result<Config, Problem> {
    let mut builder = ConfigBuilder::new().env(std::env::vars_os());
    if let Some(file) = &flags.config {
        builder = builder.file(file);
    }
    let builder = flags.dynamic.iter().cloned().fold(builder, ConfigBuilder::dynamic);
    let (config, warnings) = builder.build()?;
    for warning in warnings {
        output::note(&format!("warning: {warning}"));
    }
    Ok(config)
}

fn resolved(address: &str) -> Result<SocketAddr, Problem> {
    let found = address.to_socket_addrs().map_err(|error| error.to_string());
    let first =
        found.and_then(|mut found| found.next().ok_or_else(|| "it has no address".to_owned()));
    let bind = first.map_err(|problem| {
        Problem::usage(format!("cannot listen at {address:?}: {problem}"))
            .help("write an address and a port, as in 127.0.0.1:8088")
    })?;
    if !bind.ip().is_loopback() {
        output::note(&format!(
            "warning: {bind} can be reached from other machines; a client that reaches it may read what \
             the cluster shows, and a client with its token may run any program as this user"
        ));
    }
    Ok(bind)
}

/// Tells the starter and the log why a daemon cannot begin.
fn told_if_failed<T>(options: Result<T, Problem>) -> Result<T, ()> {
    options.map_err(|problem| {
        output::note(&problem.to_string());
        ready::failed(problem.code.as_deref().unwrap_or("WEIR-CLUSTER-0004"), &problem.what);
    })
}

/// A daemon has written to its log why it ended.
fn exit_of<E>(ended: Result<(), E>) -> Exit {
    match ended {
        Ok(()) => Exit::Success,
        Err(_) => Exit::Failure,
    }
}
