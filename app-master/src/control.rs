//! The control server: task managers and task hosts connect here.
//!
//! ```text
//! accept ─▶ handshake (bounded in number, time and bytes) ─▶ introduction ─▶ admitted by the switchboard
//!                                                                │
//!        reports ◀── read ── connection ── write ◀── outbox ◀────┘
//! ```
//!
//! What always holds: a new connection is never refused for want of room, since the oldest that has proved
//! nothing gives way; a connection that sends an invalid message ends alone; no peer without the job's
//! key learns only that this is the control protocol; the end of a connection is reported to the pool once.

mod connection;
mod handshake;

use crate::{
    director::Director,
    error::Broken,
    failures,
    leases::Leases,
    observed::{ManagerInfo, Observed},
    reports::Reports,
    switchboard::{HostKey, Stranger, Switchboard},
};
use connection::Connection;
use handshake::Handshakes;
use serde::de::DeserializeOwned;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use weir_app_master_brain::SlotInput;
use weir_base::{ContainerId, JobId, LeaderEpoch, NodeId};
use weir_graph::Fingerprint;
use weir_protocol::{
    challenge::JobKey,
    control::{
        Hello, HostIntroduction, HostOrder, HostReport, MAX_MESSAGE_BYTES, ManagerIntroduction,
        ManagerOrder, ManagerReport, Peer, decode_body,
    },
};
use weir_service::Handle;

/// Time for a peer to prove that it holds the key, and again to introduce itself.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// Wait before the next accept after one that failed, commonly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const NOT_EXPECTED: &str = "WEIR-AM-0014";

/// Parameters of the control server.
pub struct Control {
    pub job: JobId,
    /// Its secret.
    pub key: JobKey,
    /// This app master's number: the leader epoch.
    pub epoch: LeaderEpoch,
    /// Fingerprint of the graph that the `main` of task hosts must have built.
    pub fingerprint: Fingerprint,
    /// Slots of a task manager.
    pub slots_per_manager: u32,
    /// How long a peer may be silent.
    pub heartbeat_timeout: Duration,
    /// Keys of peers that may connect.
    pub switchboard: Arc<Switchboard>,
    /// Where containers are.
    pub leases: Arc<dyn Leases>,
    /// Where reports go.
    pub reports: Arc<Reports>,
    /// The observer of the job.
    pub observed: Observed,
    /// The decider.
    pub pool: Handle<Director>,
}

impl Control {
    /// Accepts connections for ever.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let handshakes = Handshakes::new();
        loop {
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("cannot accept a control connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let pending = handshakes.admit(address.ip());
            let control = Arc::clone(&self);
            tokio::spawn(async move {
                let greeted = pending.unless_given_way(control.greet(stream)).await;
                let ended = match greeted {
                    Some(Ok(greeted)) => control.attend(greeted).await,
                    Some(Err(error)) => Err(error),
                    None => Ok(()),
                };
                if let Err(error) = ended {
                    let code = error.code();
                    tracing::warn!("control connection of {address} ended: {error} [{code}]");
                }
            });
        }
    }

    async fn greet(&self, stream: TcpStream) -> Result<(Connection, Hello), Broken> {
        // Orders are small and wanted at once.
        stream.set_nodelay(true)?;
        let mut connection = Connection::new(stream);
        let hello = in_time(handshake::accept(&mut connection, self.job, &self.key)).await?;
        Ok((connection, hello))
    }

    async fn attend(&self, (mut connection, hello): (Connection, Hello)) -> Result<(), Broken> {
        let container = hello.container;
        let refused = match hello.peer {
            Peer::TaskManager => {
                let introduction: ManagerIntroduction = introduction(&mut connection).await?;
                match self.switchboard.admit_manager(container) {
                    Ok(orders) => {
                        connection.welcome(self.epoch).await?;
                        self.manager(container, introduction, connection, orders).await;
                        return Ok(());
                    }
                    Err(stranger) => {
                        not_expected(&format!("task manager in {container}"), stranger)
                    }
                }
            }
            Peer::TaskHost(host) => {
                let introduction: HostIntroduction = introduction(&mut connection).await?;
                let key = (container, host);
                match self.admit_host(key, &introduction) {
                    Ok(orders) => {
                        connection.welcome(self.epoch).await?;
                        self.host(key, &introduction, connection, orders).await;
                        return Ok(());
                    }
                    Err(refused) => refused,
                }
            }
        };
        connection.refuse(&refused).await;
        Err(refused)
    }

    fn admit_host(
        &self,
        key: HostKey,
        introduction: &HostIntroduction,
    ) -> Result<tokio::sync::mpsc::UnboundedReceiver<HostOrder>, Broken> {
        let (container, host) = key;
        if let Err(mismatch) = introduction.fingerprint.check(&self.fingerprint) {
            let failure =
                failures::other_graph(container, self.node_of(container).as_ref(), &mismatch);
            let message = failure.message.clone();
            self.switchboard.drop_host(key);
            self.pool.tell(SlotInput::HostEnded { container, host, failure });
            return Err(Broken::Refused { code: failures::OTHER_GRAPH, message });
        }
        let admitted = self.switchboard.admit_host(key, introduction.data_address);
        admitted
            .map_err(|stranger| not_expected(&format!("task host {host} in {container}"), stranger))
    }

    async fn manager(
        &self,
        container: ContainerId,
        introduction: ManagerIntroduction,
        connection: Connection,
        orders: tokio::sync::mpsc::UnboundedReceiver<ManagerOrder>,
    ) {
        let node = self.node_of(container);
        tracing::info!("task manager in {container}: {introduction:?}");
        self.observed.manager_joined(ManagerInfo {
            container,
            host: introduction.host,
            node: node.clone().unwrap_or_default(),
            pid: introduction.pid,
            slots: self.slots_per_manager,
            memory_mib: introduction.memory_mib,
        });
        self.pool.tell(SlotInput::ManagerConnected { container });
        let take = |report| self.manager_reports(container, report);
        let ended = connection
            .run(self.epoch, orders, ManagerOrder::KeepAlive, self.heartbeat_timeout, take)
            .await;
        self.switchboard.drop_manager(container);
        self.observed.manager_left(container);
        let failure = failures::manager_lost(container, node.as_ref(), &ended.to_string());
        tracing::info!("{} [{}]", failure.message, ended.code());
        self.pool.tell(SlotInput::ManagerLost { container, failure });
    }

    fn manager_reports(&self, container: ContainerId, report: ManagerReport) {
        match report {
            ManagerReport::HostStarted { host, pid } => {
                tracing::info!("task host {host} in {container} is process {pid}");
            }
            ManagerReport::HostEnded(end) => {
                let node = self.node_of(container);
                let failure = failures::host_ended(container, &end, node.as_ref());
                tracing::info!("{} [{}]", failure.message, failure.code);
                self.pool.tell(SlotInput::HostEnded { container, host: end.host, failure });
            }
            ManagerReport::Memory { own_bytes, hosts } => {
                self.observed.manager_memory(container, own_bytes, hosts);
            }
        }
    }

    async fn host(
        &self,
        key: HostKey,
        introduction: &HostIntroduction,
        connection: Connection,
        orders: tokio::sync::mpsc::UnboundedReceiver<HostOrder>,
    ) {
        let (container, host) = key;
        let HostIntroduction { pid, data_address, .. } = introduction;
        tracing::info!("task host {host} in {container}: process {pid}, data at {data_address}");
        self.observed.host_joined(container, host, *pid, *data_address);
        self.pool.tell(SlotInput::HostReady { container, host });
        let take = |report: HostReport| self.reports.take(key, report);
        let ended = connection
            .run(self.epoch, orders, HostOrder::KeepAlive, self.heartbeat_timeout, take)
            .await;
        self.switchboard.drop_host(key);
        self.observed.host_left(container, host);
        let node = self.node_of(container);
        let failure = failures::host_lost(container, host, node.as_ref(), &ended.to_string());
        tracing::info!("{} [{}]", failure.message, ended.code());
        self.pool.tell(SlotInput::HostDisconnected { container, host, failure });
    }

    fn node_of(&self, container: ContainerId) -> Option<NodeId> {
        self.leases.of(container).map(|held| held.node)
    }
}

/// The peer's registration.
async fn introduction<T: DeserializeOwned>(connection: &mut Connection) -> Result<T, Broken> {
    let body = in_time(connection.body()).await?;
    Ok(decode_body("introduction", &body)?)
}

async fn in_time<T>(step: impl Future<Output = Result<T, Broken>>) -> Result<T, Broken> {
    let silent = |_| Broken::Silent { silence_ms: HANDSHAKE_TIMEOUT.as_millis() };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, step).await.map_err(silent)?
}

fn not_expected(who: &str, stranger: Stranger) -> Broken {
    let message = match stranger {
        Stranger::Unknown => format!("no {who} is expected"),
        Stranger::Twice => format!("the {who} is connected already"),
    };
    Broken::Refused { code: NOT_EXPECTED, message }
}

/// Opens the port of the control server.
///
/// # Errors
/// There is none to be had.
pub async fn listen(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The bound of a message once the handshake is through.
const REPORT_LIMIT_BYTES: usize = MAX_MESSAGE_BYTES;
