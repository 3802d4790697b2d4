//! How a daemon tells whoever started it that it is ready, or why it is not: one line on an inherited
//! descriptor.
//!
//! ```text
//! ready 127.0.0.1:8088
//! failed WEIR-HTTP-0001 port in use: …
//! ```
//!
//! Without the variable, as when started by hand, nothing is written.

use std::{
    fs::File,
    io::Write,
    net::SocketAddr,
    os::fd::FromRawFd,
    sync::{Mutex, PoisonError},
};

/// The variable with the number of the descriptor.
pub const READY_FD_VARIABLE: &str = "WEIR_READY_FD";

static PIPE: Mutex<Option<File>> = Mutex::new(None);

/// Takes the descriptor over, so that no child inherits it. To be called first in `main`, before there
/// are threads.
pub fn take() {
    let Some(fd) = std::env::var(READY_FD_VARIABLE).ok().and_then(|text| text.parse().ok()) else {
        return;
    };
    // SAFETY: called before there are threads that could read the environment.
    unsafe { std::env::remove_var(READY_FD_VARIABLE) };
    // SAFETY: whoever started this process says that the descriptor is ours alone; if it is not open,
    // writing fails, which is not an error here.
    let file = unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        File::from_raw_fd(fd)
    };
    *PIPE.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
}

/// The daemon listens here.
pub fn ready(address: SocketAddr) {
    say(&format!("ready {address}\n"));
}

/// The daemon cannot begin.
pub fn failed(code: &str, text: &str) {
    say(&format!("failed {code} {}\n", text.replace('\n', " ")));
}

fn say(line: &str) {
    if let Some(mut pipe) = PIPE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A starter that has gone away does not want to know.
        let _ = pipe.write_all(line.as_bytes());
    }
}
