//! All processes of the machine at one time, from `/proc`: their descendants, marks and memory; and the
//! reliable killing of a set of processes.

mod kill;
mod proc_fs;

pub use kill::{Killed, kill_each, kill_until_gone};

use crate::process::{ProcessId, ProcessStat};
use proc_fs::{ProcFs, ProcessSource};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::ffi::OsStrExt,
};

/// Maximum listings of one scan: the first, and one after each listing that had new processes.
const MAX_LISTINGS: usize = 100;

/// All processes of the machine at one time.
#[derive(Debug)]
pub struct Processes {
    stats: BTreeMap<u32, ProcessStat>,
    children: BTreeMap<u32, Vec<u32>>,
    /// By pid: values of the requested variable.
    values: BTreeMap<u32, Vec<OsString>>,
    is_complete: bool,
}

/// Memory of a set of processes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UsedMemory {
    /// Sum over all.
    pub used_bytes: u64,
    /// The largest process.
    pub largest: Option<LargestProcess>,
}

/// The largest process of a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LargestProcess {
    pub pid: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its memory.
    pub used_bytes: u64,
}

impl Processes {
    /// Scans all processes.
    pub fn scan() -> Self {
        Self::scan_in(&ProcFs, None)
    }

    /// Scans all processes with this environment variable, for [`Processes::with_value`].
    pub fn scan_with(variable: &str) -> Self {
        Self::scan_in(&ProcFs, Some(variable))
    }

    /// Lists the processes until a listing has nothing new: a process that starts during a listing is in the next
    /// one, even if its parent has ended since.
    fn scan_in(source: &impl ProcessSource, variable: Option<&str>) -> Self {
        let mut scan = Scan { source, variable, stats: BTreeMap::new(), values: BTreeMap::new() };
        let mut is_complete = true;
        let mut listed = BTreeSet::new();
        for _ in 0..MAX_LISTINGS {
            let Ok(pids) = source.pids() else { break };
            let new: Vec<u32> = pids.into_iter().filter(|pid| listed.insert(*pid)).collect();
            if new.is_empty() {
                return Self { values: scan.values, is_complete, ..Self::of(scan.stats) };
            }
            for pid in new {
                // An unreadable process may be the one in question.
                is_complete &= scan.look_at(pid).unwrap_or(false);
            }
        }
        Self { values: scan.values, is_complete: false, ..Self::of(scan.stats) }
    }

    /// A machine with these processes, by pid.
    pub fn of(stats: impl IntoIterator<Item = (u32, ProcessStat)>) -> Self {
        let stats: BTreeMap<u32, ProcessStat> = stats.into_iter().collect();
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (&pid, stat) in &stats {
            children.entry(stat.parent).or_default().push(pid);
        }
        Self { stats, children, values: BTreeMap::new(), is_complete: true }
    }

    /// State of the process with this pid.
    pub fn stat(&self, pid: u32) -> Option<&ProcessStat> {
        self.stats.get(&pid)
    }

    /// Whether this process lives; a zombie does not.
    pub fn has(&self, process: ProcessId) -> bool {
        let stat = self.stats.get(&process.pid).filter(|stat| !stat.has_ended());
        stat.is_some_and(|stat| stat.start_time == process.start_time)
    }

    /// Pids of the processes that match.
    pub fn which(&self, is_meant: impl Fn(&ProcessStat) -> bool) -> Vec<u32> {
        let meant = self.stats.iter().filter(|(_, stat)| is_meant(stat));
        meant.map(|(&pid, _)| pid).collect()
    }

    /// Live processes of these pids, and all their descendants.
    pub fn with_descendants(&self, roots: impl IntoIterator<Item = u32>) -> Vec<ProcessId> {
        let mut todo: Vec<u32> = roots.into_iter().collect();
        let mut found = BTreeSet::new();
        while let Some(pid) = todo.pop() {
            if found.insert(pid) {
                todo.extend(self.children.get(&pid).into_iter().flatten().copied());
            }
        }
        self.alive(found)
    }

    /// Whether the scan read every process that lived throughout it, with the requested variable.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Live processes whose initial environment has a matching value of the variable of [`Processes::scan_with`],
    /// without this process. Processes of other users are not found.
    pub fn with_value(&self, is_meant: impl Fn(&OsStr) -> bool) -> Vec<ProcessId> {
        let own = std::process::id();
        let meant = self
            .values
            .iter()
            .filter(|(pid, values)| **pid != own && values.iter().any(|value| is_meant(value)));
        self.alive(meant.map(|(pid, _)| *pid))
    }

    fn alive(&self, pids: impl IntoIterator<Item = u32>) -> Vec<ProcessId> {
        let ids = pids.into_iter().filter_map(|pid| {
            let stat = self.stats.get(&pid).filter(|stat| !stat.has_ended())?;
            Some(ProcessId { pid, start_time: stat.start_time })
        });
        ids.collect()
    }

    /// The memory of a set of processes. While the sum is within the limit, shared pages count once for each
    /// process; above the limit they count once in all. The exact figure needs a walk over the page tables, so it is
    /// read only when it matters.
    pub fn memory(&self, processes: &[ProcessId], limit_bytes: u64) -> UsedMemory {
        let resident = self.sum(processes, |pid| self.resident_bytes(pid));
        if resident.used_bytes <= limit_bytes {
            return resident;
        }
        self.sum(processes, |pid| {
            proportional_bytes(pid).unwrap_or_else(|| self.resident_bytes(pid))
        })
    }

    fn sum(&self, processes: &[ProcessId], size: impl Fn(u32) -> u64) -> UsedMemory {
        let sizes: Vec<(u64, u32)> = processes.iter().map(|id| (size(id.pid), id.pid)).collect();
        let largest = sizes.iter().max().map(|&(used_bytes, pid)| {
            let name = self.stat(pid).map(|stat| stat.name.clone()).unwrap_or_default();
            LargestProcess { pid, name, used_bytes }
        });
        UsedMemory { used_bytes: sizes.iter().map(|size| size.0).sum(), largest }
    }

    /// Resident memory of one process; shared pages count in full.
    pub fn resident_bytes(&self, pid: u32) -> u64 {
        self.stat(pid).map_or(0, |stat| stat.resident_pages.saturating_mul(page_bytes()))
    }
}

fn page_bytes() -> u64 {
    // SAFETY: plain system call.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

/// Resident memory, with shared pages divided by the number of processes that share them.
fn proportional_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// A scan in progress.
struct Scan<'a, S> {
    source: &'a S,
    variable: Option<&'a str>,
    stats: BTreeMap<u32, ProcessStat>,
    values: BTreeMap<u32, Vec<OsString>>,
}

impl<S: ProcessSource> Scan<'_, S> {
    /// Reads a process. Returns whether all requested information was available.
    fn look_at(&mut self, pid: u32) -> io::Result<bool> {
        let Some(stat) = self.source.stat(pid)? else { return Ok(true) };
        let has_ended = stat.has_ended();
        self.stats.insert(pid, stat);
        let Some(variable) = self.variable.filter(|_| !has_ended) else { return Ok(true) };
        let Some(environment) = self.source.environment(pid)? else { return Ok(false) };
        let values = values(&environment, variable);
        if !values.is_empty() {
            self.values.insert(pid, values);
        }
        Ok(true)
    }
}

/// Values of a variable in an environment.
fn values(environment: &[u8], name: &str) -> Vec<OsString> {
    let values = environment
        .split(|byte| *byte == 0)
        .filter_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.map(|value| OsStr::from_bytes(value).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_of_parents_comes_to_an_end() {
        let stat = |parent| ProcessStat {
            name: "loop".to_owned(),
            state: 'S',
            parent,
            group: 1,
            session: 1,
            threads: 1,
            start_time: 1,
            resident_pages: 1,
        };
        // Pids may be reused during a scan.
        let processes = Processes::of([(30, stat(31)), (31, stat(30)), (32, stat(1))]);
        let found: Vec<u32> = processes.with_descendants([30]).iter().map(|id| id.pid).collect();
        assert_eq!(found, [30, 31]);
    }
}
