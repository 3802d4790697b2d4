//! A daemon reports to its starting process that it is ready, or why it failed: one line on an inherited
//! descriptor.
//!
//! ```text
//! ready 127.0.0.1:8088
//! failed WEIR-HTTP-0001 port in use: …
//! ```
//!
//! Without the variable, as when started by hand, nothing is written. If the starting process has died, the daemon
//! ends instead of becoming ready: no other process knows of it, so it could not be stopped.

use std::{
    fs::File,
    io::{self, Write},
    net::SocketAddr,
    os::fd::FromRawFd,
    sync::{Mutex, PoisonError},
};

/// Environment variable with the number of the descriptor.
pub const READY_FD_VARIABLE: &str = "WEIR_READY_FD";

static PIPE: Mutex<Option<File>> = Mutex::new(None);

/// Takes ownership of the descriptor, so that no child inherits it. Must be called first in `main`, before there
/// are threads.
pub fn take() {
    let Some(fd) = std::env::var(READY_FD_VARIABLE).ok().and_then(|text| text.parse().ok()) else {
        return;
    };
    // SAFETY: called before there are threads that could read the environment.
    unsafe { std::env::remove_var(READY_FD_VARIABLE) };
    // SAFETY: the starting process guarantees that the descriptor belongs to this one alone; if it is not open,
    // writing fails, which is not an error here.
    let file = unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        File::from_raw_fd(fd)
    };
    *PIPE.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
}

/// Reports that the daemon listens here. Ends the process if the starting process has died.
pub fn ready(address: SocketAddr) {
    if let Err(error) = write_line(&format!("ready {address}\n")) {
        tracing::error!(
            "the process that started this daemon no longer waits for it, shutting down: {error}"
        );
        std::process::exit(1);
    }
}

/// Reports that the daemon cannot start.
pub fn failed(code: &str, text: &str) {
    // The daemon ends anyway; an error of the report is not handled.
    let _ = write_line(&format!("failed {code} {}\n", text.replace('\n', " ")));
}

fn write_line(line: &str) -> io::Result<()> {
    match PIPE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(mut pipe) => pipe.write_all(line.as_bytes()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Shutdown, os::fd::OwnedFd, os::unix::net::UnixStream};

    #[test]
    fn starter_that_has_died_is_noticed() {
        let (starter, pipe) = UnixStream::pair().expect("a pipe");
        // Closing it is not enough: a process that another test starts at this time has a copy.
        starter.shutdown(Shutdown::Both).expect("open");
        *PIPE.lock().expect("not poisoned") = Some(File::from(OwnedFd::from(pipe)));
        assert_eq!(write_line("ready\n").expect_err("broken").kind(), io::ErrorKind::BrokenPipe);
        assert!(write_line("ready\n").is_ok(), "started by hand, or already reported");
    }
}
