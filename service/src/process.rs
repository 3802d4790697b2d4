//! Processes of this machine, identified by pid and start time: when a pid is reused, the new process
//! is not signalled.

use serde::{Deserialize, Serialize};
use std::{fs, io};

/// Identity of a process, also after its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: u32,
    /// Start time, in clock ticks since the system started.
    pub start_time: u64,
}

/// State of a process, from `/proc`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessStat {
    /// Its name, at most 15 bytes.
    pub name: String,
    /// `R`, `S`, `D`, `Z` (ended, not reaped), ...
    pub state: char,
    pub parent: u32,
    /// Id of its process group.
    pub group: u32,
    pub session: u32,
    /// Number of threads that have not ended; the first one counts until it is reaped.
    pub threads: u64,
    /// Start time, in clock ticks since the system started.
    pub start_time: u64,
    /// Resident memory in pages.
    pub resident_pages: u64,
}

impl ProcessStat {
    /// Reads the state; `None` if the process does not exist or cannot be read.
    pub fn of(pid: u32) -> Option<Self> {
        Self::read(pid).ok().flatten()
    }

    /// Reads the state; `None` if the process does not exist.
    pub(crate) fn read(pid: u32) -> io::Result<Option<Self>> {
        let text = match fs::read(format!("/proc/{pid}/stat")) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        let damaged = || io::Error::other(format!("/proc/{pid}/stat: {text:?}"));
        Self::parse(&text).map(Some).ok_or_else(damaged)
    }

    /// `4711 (a name) S 1 4711 4711 …`: the name may contain any character, including brackets.
    fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The state is field 3 of proc(5), so field n is at index n - 3.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            name,
            state: fields.first()?.chars().next()?,
            parent: u32::try_from(number(4)?).ok()?,
            group: u32::try_from(number(5)?).ok()?,
            session: u32::try_from(number(6)?).ok()?,
            threads: number(20)?,
            start_time: number(22)?,
            resident_pages: number(24)?,
        })
    }

    /// Whether the process has ended; it may still wait to be reaped. The state is that of the first thread: while
    /// another one lives, the process still has its memory, files and ports.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads <= 1
    }
}

impl ProcessId {
    /// The process that has this pid now.
    pub fn of(pid: u32) -> Option<Self> {
        ProcessStat::of(pid).map(|stat| Self { pid, start_time: stat.start_time })
    }

    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or(Self { pid, start_time: 0 })
    }

    /// Whether it still runs; a zombie does not.
    pub fn is_alive(self) -> bool {
        let stat = ProcessStat::of(self.pid);
        stat.is_some_and(|stat| stat.start_time == self.start_time && !stat.has_ended())
    }

    /// Sends a signal. Returns whether the process existed.
    ///
    /// # Errors
    /// The process belongs to another user.
    pub fn signal(self, signal: i32) -> io::Result<bool> {
        if !self.is_alive() {
            return Ok(false);
        }
        let pid = i32::try_from(self.pid).map_err(io::Error::other)?;
        // SAFETY: plain system call.
        if unsafe { libc::kill(pid, signal) } == 0 {
            return Ok(true);
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            error => Err(error),
        }
    }
}

/// Identifies this boot of the machine: a [`ProcessId`] is valid only within one boot.
pub fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// Raises the limit of open files and connections of this process to the user's maximum, and returns it. Child
/// processes inherit the limit.
///
/// # Errors
/// The operating system refuses it.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system call; the structure outlives it.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(limit.rlim_cur),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ids of all processes.
pub fn all_pids() -> Vec<u32> {
    list_pids().unwrap_or_default()
}

/// Ids of all processes.
pub(crate) fn list_pids() -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let text = "7 (a) S (b) R 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 12 0";
        let stat = ProcessStat::parse(text).expect("sound");
        assert_eq!((stat.name.as_str(), stat.state, stat.parent), ("a) S (b", 'R', 3));
        assert_eq!((stat.group, stat.session, stat.start_time), (4, 5, 99));
        assert_eq!(stat.resident_pages, 12);
        assert_eq!(ProcessStat::parse("nonsense"), None);
    }

    #[test]
    fn process_lives_until_its_last_thread_has_ended() {
        let ended = |state: char, threads: u64| {
            let text =
                format!("7 (a) {state} 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 99 1000 12 0");
            ProcessStat::parse(&text).expect("sound").has_ended()
        };
        assert!(ended('Z', 1) && ended('X', 0));
        assert!(!ended('Z', 2), "a thread holds its files");
        assert!(!ended('S', 1));
    }

    #[test]
    fn process_that_has_ended_gets_no_signal() {
        assert!(ProcessId::own().is_alive());
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep");
        let id = ProcessId::of(child.id()).expect("it runs");
        let other = ProcessId { start_time: id.start_time + 1, ..id };
        assert!(!other.signal(libc::SIGKILL).expect("no such process"));
        assert!(id.signal(libc::SIGKILL).expect("sent"));
        child.wait().expect("ended");
        assert!(!id.is_alive());
        assert!(!id.signal(libc::SIGKILL).expect("no such process"));
    }
}
