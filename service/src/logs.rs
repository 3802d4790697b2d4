//! The log of a daemon: lines on standard error, which the starting process redirects to a file.
//! A line that cannot be written is lost, and the daemon continues.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};
use tracing_subscriber::{EnvFilter, fmt};

/// Environment variable with the level: `error`, `warn`, `info` (default), `debug`, `trace`, or per target as
/// in `weir_resource_manager=debug,info`.
pub const LOG_VARIABLE: &str = "WEIR_LOG";

/// Starts logging. A second call does nothing.
pub fn init_logging(daemon: &str) {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::SeqCst) {
        return;
    }
    let filter = std::env::var(LOG_VARIABLE).ok().and_then(|text| text.parse().ok());
    let filter: EnvFilter = filter.unwrap_or_else(|| EnvFilter::new("info"));
    let subscriber = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        // Otherwise it would report a failed write with `eprintln!`, which panics because it fails too.
        .log_internal_errors(false)
        .finish();
    // A test may have set another subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
    tracing::info!("{daemon} of Weir {} starts", env!("CARGO_PKG_VERSION"));
}

/// Writes the time (UTC, in milliseconds) and a line to standard error, for processes without a logger.
/// An error is ignored: `eprintln!` would panic.
pub fn log_line(line: &str) {
    let now = humantime::format_rfc3339_millis(SystemTime::now());
    let _ = writeln!(io::stderr(), "{now} {line}");
}
