//! Which connections a host keeps: a bounded number of peers that have not proved yet that they hold the key of
//! the job, of which the oldest gives way, and a bounded number that have.
//!
//! ```text
//! accepted ─▶ Pending ─ proof ─▶ ProvedConnection ─▶ ended
//!                └────▶ given way to a newer connection, or too late
//! ```

use super::host::Shared;
use std::{
    future::{Future, poll_fn},
    net::IpAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
};
use tokio::sync::oneshot;
use weir_protocol::{
    PendingId, PendingLimits, PendingPeers,
    data::{Error, Result},
};

/// The connections that a host has accepted.
pub struct Admission {
    /// Dropping the sender tells the connection that it has given way.
    pending: Mutex<PendingPeers<oneshot::Sender<()>>>,
    given_way_count: AtomicU64,
    proved_count: AtomicUsize,
}

impl Admission {
    pub fn new(limits: PendingLimits) -> Self {
        Self {
            pending: Mutex::new(PendingPeers::new(limits)),
            given_way_count: AtomicU64::new(0),
            proved_count: AtomicUsize::new(0),
        }
    }

    fn pending(&self) -> MutexGuard<'_, PendingPeers<oneshot::Sender<()>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose peer has proved nothing yet.
pub struct Pending {
    shared: Arc<Shared>,
    id: PendingId,
    given_way: oneshot::Receiver<()>,
}

impl Pending {
    /// Admits a connection; another one may have to give way.
    pub fn admit(shared: &Arc<Shared>, address: IpAddr) -> Self {
        let (sender, given_way) = oneshot::channel();
        let admission = &shared.admission;
        let (id, oldest) = admission.pending().admit(address, sender);
        if oldest.is_some() {
            let count = admission.given_way_count.fetch_add(1, Ordering::Relaxed) + 1;
            // A flood must not fill the log.
            if count.is_power_of_two() {
                shared.log(&format!(
                    "too many data connections without a proof: the oldest are closed, {count} so far"
                ));
            }
        }
        Self { shared: Arc::clone(shared), id, given_way }
    }

    /// The result of the handshake, or `None` when this connection has given way meanwhile.
    pub async fn unless_given_way<T>(&mut self, handshake: impl Future<Output = T>) -> Option<T> {
        let mut handshake = pin!(handshake);
        let given_way = &mut self.given_way;
        poll_fn(|context| match handshake.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => pin!(&mut *given_way).poll(context).map(|_| None),
        })
        .await
    }

    /// The peer has proved that it holds the key: its place among those that have.
    ///
    /// # Errors
    /// `WEIR-NET-0005` when there are too many of them.
    pub fn prove(self) -> Result<ProvedConnection> {
        let place = ProvedConnection(Arc::clone(&self.shared));
        let taken_count = self.shared.admission.proved_count.fetch_add(1, Ordering::SeqCst);
        match taken_count < self.shared.config.max_connections {
            true => Ok(place),
            false => Err(Error::refused(format!(
                "{taken_count} connections are open, no more are allowed"
            ))),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.shared.admission.pending().remove(self.id);
    }
}

/// A place among the connections of peers that hold the key; freed when dropped.
pub struct ProvedConnection(Arc<Shared>);

impl Drop for ProvedConnection {
    fn drop(&mut self) {
        self.0.admission.proved_count.fetch_sub(1, Ordering::SeqCst);
    }
}
