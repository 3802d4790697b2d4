//! The log of a daemon: lines on standard error, which whoever started it leads to a file.

use std::sync::atomic::{AtomicBool, Ordering};
use tracing_subscriber::{EnvFilter, fmt};

/// The variable with the level: `error`, `warn`, `info` (default), `debug`, `trace`, or per target as
/// in `weir_resource_manager=debug,info`.
pub const LOG_VARIABLE: &str = "WEIR_LOG";

/// Begins to log. A second call does nothing.
pub fn init_logging(daemon: &str) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::SeqCst) {
        return;
    }
    let filter = std::env::var(LOG_VARIABLE).ok().and_then(|text| text.parse().ok());
    let filter: EnvFilter = filter.unwrap_or_else(|| EnvFilter::new("info"));
    let subscriber =
        fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).finish();
    // Somebody else's subscriber, in a test, is as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
    tracing::info!("{daemon} of Weir {} begins", env!("CARGO_PKG_VERSION"));
}
