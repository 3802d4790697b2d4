//! One task host on the network: its port, its connections, its thread.

use super::{
    admission::{Admission, Pending},
    incoming,
    outgoing::OutConnection,
    pool::SegmentPool,
    registry::{LostHook, Registry},
    sender::RemoteSender,
    task_error,
};
use crate::{
    control::{Signal, TaskControl},
    exchange::{ElementSender, Inbox},
};
use std::{
    collections::HashMap,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle},
    sync::Notify,
    time,
};
use weir_base::{ExecutionAttempt, JobId};
use weir_dataflow::Result;
use weir_graph::TaskId;
use weir_protocol::{
    PendingLimits,
    challenge::JobKey,
    data::{ChannelEnds, DEFAULT_MAX_BATCH_BYTES, Error, MAX_BUFFER_BYTES},
};

/// Takes one line about the network that an operator of the host should see.
pub type LogHook = Arc<dyn Fn(&str) + Send + Sync>;

/// Pause after the system could not accept a connection (it is out of descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const MAX_NAME_CHARS: usize = 128;

/// How a host stands on the network.
#[derive(Clone)]
pub struct NetConfig {
    /// Where to listen; port 0 takes a free one. Default: loopback, port 0.
    pub bind: SocketAddr,
    /// The job whose tasks this host runs.
    pub job: JobId,
    /// The key of the job: who does not hold it is refused.
    pub key: JobKey,
    /// Name of this host in the messages of others.
    pub host: String,
    /// Bytes of a batch per buffer, 1 to 32 KiB. Default: 32 KiB.
    pub segment_bytes: usize,
    /// Buffers of this host for what waits to be sent, at least 1. Default: 64.
    pub pool_buffers: usize,
    /// Size of an encoded batch, at most. Default: 256 MiB.
    pub max_batch_bytes: usize,
    /// Time for a connection to come to be. Default: 30 s.
    pub handshake_timeout: Duration,
    /// Time a channel waits for its consumer to register. Default: 30 s.
    pub open_timeout: Duration,
    /// Accepted connections of peers that hold the key. Default: 1024.
    pub max_connections: usize,
    /// Accepted connections of peers that have not proved yet that they hold the key. Beyond that the oldest
    /// is closed. Default: 512, and 256 of one address.
    pub max_pending: PendingLimits,
    /// Where lines go. Default: standard error.
    pub log: LogHook,
}

impl NetConfig {
    /// The defaults for a host of this job.
    pub fn new(job: JobId, key: JobKey, host: &str) -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            job,
            key,
            host: host.chars().take(MAX_NAME_CHARS).collect(),
            segment_bytes: MAX_BUFFER_BYTES,
            pool_buffers: 64,
            max_batch_bytes: DEFAULT_MAX_BATCH_BYTES,
            handshake_timeout: Duration::from_secs(30),
            open_timeout: Duration::from_secs(30),
            max_connections: 1024,
            max_pending: PendingLimits { total: 512, per_address: 256 },
            // A line that cannot be written is dropped.
            log: Arc::new(|line| drop(writeln!(io::stderr(), "{line}"))),
        }
    }
}

/// What the threads of a host share.
pub struct Shared {
    pub config: NetConfig,
    pub registry: Registry,
    pub admission: Admission,
    pool: Arc<SegmentPool>,
    outgoing: Mutex<HashMap<SocketAddr, Arc<OutConnection>>>,
    runtime: Handle,
    stop: Notify,
}

impl Shared {
    /// Hands a line to the observer of the host.
    pub fn log(&self, line: &str) {
        (self.config.log)(line);
    }

    /// The connection to a host, made anew if there is none that works.
    fn connection(self: &Arc<Self>, peer: SocketAddr) -> Arc<OutConnection> {
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = outgoing.get(&peer).filter(|known| !known.has_failed()) {
            return Arc::clone(connection);
        }
        // Hosts that are gone do not come back at the same address.
        outgoing.retain(|_, known| !known.has_failed());
        let connection = Arc::new(OutConnection::new(peer));
        outgoing.insert(peer, Arc::clone(&connection));
        self.runtime.spawn(Arc::clone(&connection).run(Arc::clone(self)));
        connection
    }
}

/// A task host's end of the exchange. Dropping it shuts it down.
pub struct NetHost {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl NetHost {
    /// Listens, and starts the thread that moves bytes.
    ///
    /// # Errors
    /// `WEIR-NET-0009` when the address cannot be had.
    pub fn start(mut config: NetConfig) -> Result<Self> {
        config.segment_bytes = config.segment_bytes.clamp(1, MAX_BUFFER_BYTES);
        config.host = config.host.chars().take(MAX_NAME_CHARS).collect();
        let address = config.bind;
        let cannot_listen = |error: io::Error| {
            let problem = error.to_string();
            task_error(&Error::CannotListen { address: address.to_string(), problem })
        };
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(cannot_listen)?;
        let listener = runtime.block_on(TcpListener::bind(address)).map_err(cannot_listen)?;
        let local_addr = listener.local_addr().map_err(cannot_listen)?;
        let shared = Arc::new(Shared {
            pool: SegmentPool::new(config.pool_buffers.max(1), config.segment_bytes),
            admission: Admission::new(config.max_pending),
            config,
            registry: Registry::default(),
            outgoing: Mutex::default(),
            runtime: runtime.handle().clone(),
            stop: Notify::new(),
        });
        let thread = thread::Builder::new()
            .name("weir-net".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    runtime.spawn(accept(listener, Arc::clone(&shared)));
                    runtime.block_on(shared.stop.notified());
                    // Dropping the runtime drops its tasks, which tell everyone.
                }
            })
            .map_err(cannot_listen)?;
        Ok(Self { shared, local_addr, thread: Mutex::new(Some(thread)) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Expects a channel that feeds channel `index` of the inbox. `on_lost` is called if its
    /// connection breaks before the end of input; not when the producer merely stops.
    pub fn register_input(
        &self,
        channel: ChannelEnds,
        inbox: Arc<Inbox>,
        index: usize,
        on_lost: LostHook,
    ) {
        self.shared.registry.register(channel, inbox, index, on_lost);
    }

    /// Closes all channels to a deployment: its producers go on and what they send is dropped, as
    /// with a closed inbox. To be called for every deployment that has registered inputs.
    pub fn unregister(&self, consumer: (TaskId, ExecutionAttempt)) {
        self.shared.registry.unregister(consumer);
    }

    /// Opens a channel to a task on the host at `peer`, over the one connection to it. Waits for
    /// the connection, not for the consumer: that is what the first send may have to do.
    ///
    /// # Errors
    /// `WEIR-NET-0007` when there is no connection to be had; cancelled with the task. That the
    /// channel is refused (`WEIR-NET-0005`) or lost may show here or in the first send.
    pub fn open_output(
        &self,
        peer: SocketAddr,
        channel: ChannelEnds,
        control: Arc<TaskControl>,
    ) -> Result<Box<dyn ElementSender>> {
        let signal = Arc::new(Signal::default());
        control.on_cancel({
            let signal = Arc::clone(&signal);
            move || signal.raise()
        });
        let connection = self.shared.connection(peer);
        let channel = connection.open(channel, signal).map_err(|error| task_error(&error))?;
        let pool = Arc::clone(&self.shared.pool);
        let limit = self.shared.config.max_batch_bytes;
        let sender = RemoteSender::new(connection, channel, pool, control, limit);
        sender.wait_connected()?;
        Ok(Box::new(sender))
    }

    /// Closes the port and all connections; what is not written yet is lost. Everyone who still
    /// waits is told.
    pub fn shutdown(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        self.shared.stop.notify_one();
        if thread.thread().id() != thread::current().id() {
            // A panic on that thread has been reported by its hook.
            let _ = thread.join();
        }
    }
}

impl Drop for NetHost {
    fn drop(&mut self) {
        self.shutdown();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => admit(stream, address, &shared),
            Err(error) => {
                shared.log(&format!("cannot accept a data connection: {error}"));
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(stream: TcpStream, address: SocketAddr, shared: &Arc<Shared>) {
    let pending = Pending::admit(shared, address.ip());
    tokio::spawn(incoming::serve(stream, address, Arc::clone(shared), pending));
}
