//! Connections of a server that have not shown a valid token yet. Their number is bounded; at the limit, the one
//! without a request for the longest time is closed.
//!
//! ```text
//! accepted ─▶ pending ─ a request: the newest again ─▶ pending
//!                │    ─ a request with a valid token ─▶ kept
//!                └────▶ shut down: replaced by a newer connection
//! ```
//!
//! Reading needs no token, so a connection that only reads stays pending. When it is shut down between two
//! requests, its client opens another one.

use actix_web::{HttpRequest, dev::Extensions, rt::net::TcpStream};
use std::{
    any::Any,
    cell::Cell,
    io,
    net::{IpAddr, Shutdown, TcpStream as Socket},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use weir_protocol::{PendingId, PendingLimits, PendingPeers};

/// Pending connections at a time. Each takes two descriptors, of which a process commonly has 1,024.
const LIMITS: PendingLimits = PendingLimits { total: 256, per_address: 128 };

/// The pending connections of a server.
pub(super) struct Connections {
    /// Name of the daemon, for logs.
    name: &'static str,
    /// A second descriptor of each connection, for shutting it down.
    pending: Mutex<PendingPeers<Socket>>,
    given_way_count: AtomicU64,
}

/// State that the server keeps for a connection.
struct Connection {
    connections: Arc<Connections>,
    /// `None` when it is not pending.
    id: Cell<Option<PendingId>>,
}

impl Connections {
    pub(super) fn new(name: &'static str) -> Arc<Self> {
        let pending = Mutex::new(PendingPeers::new(LIMITS));
        Arc::new(Self { name, pending, given_way_count: AtomicU64::new(0) })
    }

    /// Admits a connection that was just accepted; closes the oldest pending one at the limit.
    pub(super) fn admit(self: &Arc<Self>, stream: &dyn Any, data: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else { return };
        let id = match second_descriptor(stream) {
            Ok((address, socket)) => Some(self.add(address, socket)),
            Err(error) => {
                tracing::warn!("{}: a connection cannot be watched: {error}", self.name);
                None
            }
        };
        data.insert(Connection { connections: Arc::clone(self), id: Cell::new(id) });
    }

    fn add(&self, address: IpAddr, socket: Socket) -> PendingId {
        let (id, oldest) = self.pending().admit(address, socket);
        if let Some(oldest) = oldest {
            // The peer may have closed it already.
            let _ = oldest.shutdown(Shutdown::Both);
            let count = self.given_way_count.fetch_add(1, Ordering::Relaxed) + 1;
            // A flood of connections must not flood the log.
            if count.is_power_of_two() {
                let name = self.name;
                tracing::warn!(
                    "{name}: too many connections without a token: the oldest are closed, {count} so far"
                );
            }
        }
        id
    }

    fn pending(&self) -> MutexGuard<'_, PendingPeers<Socket>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn second_descriptor(stream: &TcpStream) -> io::Result<(IpAddr, Socket)> {
    let address = stream.peer_addr()?.ip();
    Ok((address, stream.as_fd().try_clone_to_owned()?.into()))
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.connections.pending().remove(id);
        }
    }
}

/// A request has arrived: its connection is the newest again.
pub(super) fn renew(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<Connection>()
        && let Some(id) = connection.id.get()
    {
        connection.id.set(connection.connections.pending().renew(id));
    }
}

/// A request has shown a valid token: its connection is never closed for another.
pub(crate) fn trust(request: &HttpRequest) {
    if let Some(connection) = request.conn_data::<Connection>()
        && let Some(id) = connection.id.take()
    {
        connection.connections.pending().remove(id);
    }
}
