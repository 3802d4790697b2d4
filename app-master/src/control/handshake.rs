//! The acceptor's side of the handshake, and the connections whose peer has proved nothing yet: a bounded
//! number, of which the oldest gives way.

use super::connection::Connection;
use crate::error::Broken;
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::oneshot;
use weir_base::JobId;
use weir_protocol::{
    PendingId, PendingLimits, PendingPeers,
    challenge::{CHALLENGE_BYTES, JobKey, Nonce, Proof, Side},
    control::{self, Challenge, Hello, MAGIC, decode_body},
};

/// Connections without a proof at a time: more than task managers and task hosts that connect at once.
const LIMITS: PendingLimits = PendingLimits { total: 512, per_address: 256 };

/// The connections whose peer has proved nothing yet.
pub(super) struct Handshakes {
    /// Dropping the sender tells the connection that it has given way.
    pending: Mutex<PendingPeers<oneshot::Sender<()>>>,
    given_way_count: AtomicU64,
}

/// A connection among them; it is one until this is dropped.
pub(super) struct Pending {
    handshakes: Arc<Handshakes>,
    id: PendingId,
    given_way: oneshot::Receiver<()>,
}

impl Handshakes {
    pub(super) fn new() -> Arc<Self> {
        let pending = Mutex::new(PendingPeers::new(LIMITS));
        Arc::new(Self { pending, given_way_count: AtomicU64::new(0) })
    }

    /// Admits a connection; another one may have to give way.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Pending {
        let (sender, given_way) = oneshot::channel();
        let (id, oldest) = self.pending().admit(address, sender);
        if oldest.is_some() {
            let count = self.given_way_count.fetch_add(1, Ordering::Relaxed) + 1;
            // A flood must not fill the log.
            if count.is_power_of_two() {
                tracing::warn!(
                    "too many control connections without a proof: the oldest are closed, {count} so far"
                );
            }
        }
        Pending { handshakes: Arc::clone(self), id, given_way }
    }

    fn pending(&self) -> MutexGuard<'_, PendingPeers<oneshot::Sender<()>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// The result of the handshake, or `None` if this connection was closed to make room for another one.
    pub(super) async fn unless_given_way<T>(
        mut self,
        handshake: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            result = handshake => Some(result),
            _ = &mut self.given_way => None,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.handshakes.pending().remove(self.id);
    }
}

/// Lets the connector prove that it holds the key; who it says it is.
pub(super) async fn accept(
    connection: &mut Connection,
    job: JobId,
    key: &JobKey,
) -> Result<Hello, Broken> {
    let hello: Hello = decode_body("greeting", &connection.body().await?)?;
    let nonce = random_nonce()?;
    let proof = key.prove(&MAGIC, Side::Acceptor, hello.nonce, nonce);
    connection.begin(&Challenge { nonce, proof }).await?;
    let proof: Proof = decode_body("proof", &connection.body().await?)?;
    let is_right = key.verify(&MAGIC, Side::Connector, hello.nonce, nonce, &proof);
    if !is_right || hello.job != job {
        let wrong = Broken::Protocol(control::Error::WrongKey { job });
        connection.refuse(&wrong).await;
        return Err(wrong);
    }
    connection.trust();
    Ok(hello)
}

fn random_nonce() -> Result<Nonce, Broken> {
    let mut bytes = [0; CHALLENGE_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Broken::Lost(std::io::Error::other(error.to_string())))?;
    Ok(Nonce(bytes))
}
