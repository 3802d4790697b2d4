//! Detects the end of a shim at once, whether or not it is a child of this process, and determines how its
//! container ended.

use crate::{
    layout::ContainerFolder,
    record::{self, ExitRecord},
    tree,
};
use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
};
use tokio::io::{Interest, unix::AsyncFd};
use weir_node_agent_brain::Exit;
use weir_service::ProcessId;

/// Exit status of a container whose shim was killed: its processes are killed by SIGKILL as well.
const SHIM_KILLED: i32 = 128 + libc::SIGKILL;

/// A descriptor that becomes readable when the process has ended.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call; the returned descriptor is owned by us alone and closed on exec.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// The same for a process known by pid and start time only; `None` when it has ended.
pub(crate) fn open_living(process: ProcessId) -> io::Result<Option<OwnedFd>> {
    match open(process.pid) {
        // Checked after opening: from then on the descriptor refers to this process.
        Ok(fd) => Ok(process.is_alive().then_some(fd)),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits for the end of the process.
pub(crate) async fn ended(process: OwnedFd) -> io::Result<()> {
    // SAFETY: an owned descriptor stays open and unchanged while the object exists.
    let process = unsafe { AsyncFd::register_with_interest(process, Interest::READABLE)? };
    process.readable().await.map(drop)
}

/// How a container ended whose shim has ended. Kills the processes that a killed shim has left.
/// Blocks.
pub(crate) fn verdict(folder: &ContainerFolder, shim: Option<ProcessId>) -> Exit {
    match record::read::<ExitRecord>(&folder.exit()) {
        Ok(Some(ExitRecord { exit_status, diagnostics })) => Exit { exit_status, diagnostics },
        unknown => {
            let killed = tree::kill_orphans(shim, folder.root());
            let why = match unknown {
                Err(error) => format!("its exit status cannot be read ({error})"),
                _ => "its shim was killed".to_owned(),
            };
            let diagnostics = format!("{why}; {killed} [WEIR-NM-0015]");
            keep(folder, SHIM_KILLED, diagnostics)
        }
    }
}

/// Writes the exit record, which the next start of the agent reads.
pub(crate) fn keep(folder: &ContainerFolder, exit_status: i32, diagnostics: String) -> Exit {
    let record = ExitRecord { exit_status, diagnostics };
    if let Err(error) = record::write(&folder.exit(), &record) {
        tracing::warn!("how a container ended cannot be written down: {error}");
    }
    let ExitRecord { exit_status, diagnostics } = record;
    Exit { exit_status, diagnostics }
}
