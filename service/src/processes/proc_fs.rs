//! Source of process information: `/proc`.
//!
//! Unknown is not the same as absent: a process in the middle of `exec` has no environment yet, and a
//! process without free descriptors can read nothing.

use crate::process::{ProcessId, ProcessStat, list_pids};
use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

/// The processes of a machine.
pub(super) trait ProcessSource {
    /// Ids of all processes.
    fn pids(&self) -> io::Result<Vec<u32>>;

    /// State of a process; `None` if it does not exist.
    fn stat(&self, pid: u32) -> io::Result<Option<ProcessStat>>;

    /// The initial environment of a process, variables separated by zero bytes. `None` if it has none
    /// yet. Empty for a process that has ended or belongs to another user.
    fn environment(&self, pid: u32) -> io::Result<Option<Vec<u8>>>;

    /// SIGKILL to each.
    fn kill(&self, processes: &[ProcessId]);
}

/// This machine.
pub(super) struct ProcFs;

impl ProcessSource for ProcFs {
    fn pids(&self) -> io::Result<Vec<u32>> {
        list_pids()
    }

    fn stat(&self, pid: u32) -> io::Result<Option<ProcessStat>> {
        ProcessStat::read(pid)
    }

    fn environment(&self, pid: u32) -> io::Result<Option<Vec<u8>>> {
        let folder = format!("/proc/{pid}");
        let folder = Path::new(&folder);
        let environment = read(&folder.join("environ"))?;
        if !environment.is_empty() {
            return Ok(Some(environment));
        }
        let of_threads = environment_of_threads(folder)?;
        let is_begun = !of_threads.is_empty()
            || !read(&folder.join("cmdline"))?.is_empty()
            || has_no_program(folder)?;
        Ok(is_begun.then_some(of_threads))
    }

    fn kill(&self, processes: &[ProcessId]) {
        super::kill_each(processes);
    }
}

/// When the first thread has ended, the environment is readable through the others.
fn environment_of_threads(process: &Path) -> io::Result<Vec<u8>> {
    let threads = match fs::read_dir(process.join("task")) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        threads => threads?,
    };
    for thread in threads.flatten() {
        let environment = read(&thread.path().join("environ"))?;
        if !environment.is_empty() {
            return Ok(environment);
        }
    }
    Ok(Vec::new())
}

/// Kernel threads and ended processes have no program.
fn has_no_program(process: &Path) -> io::Result<bool> {
    match fs::read_link(process.join("exe")) {
        Ok(_) => Ok(false),
        Err(error) if is_absent(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Reads a file of a process; empty if the process has ended or belongs to another user.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        read => read,
    }
}

fn is_absent(error: &io::Error) -> bool {
    let is_gone = error.raw_os_error() == Some(libc::ESRCH);
    is_gone || matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
}
