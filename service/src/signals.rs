//! The signals that ask a daemon to end.

use crate::error::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// The operating system refuses the handlers.
pub async fn terminated() -> Result<(), Error> {
    let refused = |source| Error::System { what: "a handler of signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
