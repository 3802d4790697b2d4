//! Notices the end of a shim the moment it comes, whoever's child it is, and finds out how its
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

/// Exit status of a container whose shim was killed: as its processes, by SIGKILL.
const SHIM_KILLED: i32 = 128 + libc::SIGKILL;

/// Something that becomes readable when the process has ended.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call; the descriptor it gives is ours alone and closed on exec.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// The same for a process of which only the number and start time are known; `None` when it has ended.
pub(crate) fn open_living(process: ProcessId) -> io::Result<Option<OwnedFd>> {
    match open(process.pid) {
        // Looked at after opening: from then on the descriptor stands for this process.
        Ok(fd) => Ok(process.is_alive().then_some(fd)),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits for the end of the process.
pub(crate) async fn ended(process: OwnedFd) -> io::Result<()> {
    // SAFETY: an owned descriptor stays the same one, and open, for as long as it lives.
    let process = unsafe { AsyncFd::register_with_interest(process, Interest::READABLE)? };
    process.readable().await.map(drop)
}

/// How the container of a shim that has ended did end. What the shim left behind, because it was
/// killed, is killed. Blocks.
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

/// Writes down how a container ended, for the next start of the agent.
pub(crate) fn keep(folder: &ContainerFolder, exit_status: i32, diagnostics: String) -> Exit {
    let record = ExitRecord { exit_status, diagnostics };
    if let Err(error) = record::write(&folder.exit(), &record) {
        tracing::warn!("how a container ended cannot be written down: {error}");
    }
    let ExitRecord { exit_status, diagnostics } = record;
    Exit { exit_status, diagnostics }
}
