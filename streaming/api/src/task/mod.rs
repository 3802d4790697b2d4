//! Role task: `execute()` becomes a task host of its job and never returns.
//!
//! ```text
//!                 orders  ┌────────────┐
//! job master ◀──control──▶│ this host  │──▶ TaskHost: threads that run tasks
//!                 reports └────────────┘        ║ records
//!                                               ▼
//!                                         other task hosts
//! ```
//!
//! The process ends on an order, and whenever it is useless: when the job master refuses
//! it, its connection ends, or the task manager has ended (the lifeline). Nothing is saved then: that is
//! the purpose of checkpoints.

mod connection;
mod error;
mod orders;
mod reports;

use crate::{
    error::Result as BuildResult,
    job::{JobClient, JobExecutionResult},
    launch::log_line,
    local::{self, HostSettings},
    plan::Built,
};
use connection::Connection;
use error::{Error, Result};
use orders::Orders;
use reports::Reports;
use std::{net::SocketAddr, sync::Arc};
use weir_checkpoint_storage::CheckpointStorage;
use weir_config::{Config, keys};
use weir_graph::Fingerprint;
use weir_protocol::{
    cluster::RecordedResult,
    control::{HostIntroduction, HostOrder, Order},
    job_executable::TaskLaunch,
};
use weir_runtime::{
    HostConfig, TaskHost,
    net::{NetConfig, NetHost},
};

/// A job before the one that this host belongs to, as it ended when it ran.
pub(crate) fn earlier_job(ordinal: u32, recorded: Option<&RecordedResult>) -> JobClient {
    match recorded {
        Some(recorded) => JobClient::recorded(JobExecutionResult::from(recorded.clone())),
        None => end(&Error::NoEarlierResult { ordinal }),
    }
}

/// The configuration of the job, as the client resolved it.
pub(crate) fn job_configuration(launch: &TaskLaunch) -> Config {
    Config::from_json(&launch.configuration).unwrap_or_else(|error| end(&Error::Job(error.into())))
}

/// Runs tasks until the process ends.
pub(crate) fn become_host(built: BuildResult<Built>, launch: &TaskLaunch, config: &Config) -> ! {
    let served = built.map_err(Error::Job).and_then(|built| serve(built, launch, config));
    match served {
        Ok(()) => std::process::exit(0),
        Err(error) => end(&error),
    }
}

fn end(error: &Error) -> ! {
    log_line(&format!("{}: {error}", error.code()));
    std::process::exit(1);
}

/// Returns when it is ordered to shut down.
fn serve(built: Built, launch: &TaskLaunch, config: &Config) -> Result<()> {
    let storage = storage(launch, config)?;
    let silence = config.get(&keys::HEARTBEAT_TIMEOUT);
    let settings = HostSettings::of(config);
    let mut connection = Connection::open(&launch.job_master)?;
    let net = Arc::new(data_port(launch, settings.segment_bytes, connection.local_address()?)?);
    let offer = HostIntroduction {
        pid: std::process::id(),
        data_address: net.local_addr(),
        fingerprint: Fingerprint::of(&built.graph),
    };
    let epoch = connection.introduce(launch, offer)?;
    if epoch < launch.epoch {
        return Err(Error::OldLeader { epoch, ordered: launch.epoch });
    }
    let (name, at) = (host_name(launch), net.local_addr());
    log_line(&format!(
        "task host {name}: joined job {} at {}, data port {at}",
        launch.job, launch.job_master
    ));
    let reports = Reports::start(connection.writer(silence)?)?;
    let abandons = built.registry.abandons.clone();
    let host = TaskHost::new(HostConfig {
        job: launch.job,
        job_name: built.graph.name.clone(),
        buffer_timeout: settings.buffer_timeout,
        inbox_limits: settings.inbox_limits,
        registry: Arc::new(built.registry),
        storage,
        reports: Reports::sink(&reports),
        remote: None,
    });
    Reports::count(&reports, host.clone())?;
    let mut orders = Orders::new(host.clone(), net, epoch, reports, abandons);
    connection.wait_at_most(silence)?;
    let served = serve_orders(&mut connection, &mut orders);
    host.cancel_all();
    served
}

fn serve_orders(connection: &mut Connection, orders: &mut Orders) -> Result<()> {
    loop {
        let order: Order<HostOrder> = connection.next("order")?;
        if orders.obey(order)?.is_break() {
            return Ok(());
        }
    }
}

/// The job's own folder below the configured one, as its job master has it. A job that never writes
/// anything is given none.
fn storage(launch: &TaskLaunch, config: &Config) -> Result<CheckpointStorage> {
    let Some(folder) = local::checkpoint_folder(config) else {
        return Ok(CheckpointStorage::in_memory());
    };
    CheckpointStorage::existing(&folder.join(launch.job.to_string()))
        .map_err(|error| Error::Job(error.into()))
}

/// In messages, here and at other hosts.
fn host_name(launch: &TaskLaunch) -> String {
    format!("{}/{}", launch.container, launch.host)
}

/// Others reach this host where its job master does.
fn data_port(launch: &TaskLaunch, segment_bytes: usize, control: SocketAddr) -> Result<NetHost> {
    let started = NetHost::start(NetConfig {
        bind: SocketAddr::new(control.ip(), 0),
        segment_bytes,
        ..NetConfig::new(launch.job, launch.key.clone(), &host_name(launch))
    });
    started.map_err(|error| Error::Job(crate::error::Error::of_task(&error)))
}
