//! All processes of the machine at one moment, by `/proc`: who descends from whom, who carries a mark, how
//! much memory they use; and how some of them are ended to the last one.

use crate::process::{ProcessId, ProcessStat, all_pids};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    fmt::{self, Display, Formatter},
    fs,
    os::unix::ffi::OsStrExt,
    thread,
    time::{Duration, Instant},
};

/// Between two looks at processes that were killed; it doubles each time, up to the second.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(250)];

/// All processes of the machine at one moment.
#[derive(Debug)]
pub struct Processes {
    stats: BTreeMap<u32, ProcessStat>,
    children: BTreeMap<u32, Vec<u32>>,
}

/// The memory of some processes together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UsedMemory {
    /// Of all.
    pub used_bytes: u64,
    /// The largest of them.
    pub largest: Option<LargestProcess>,
}

/// The largest of some processes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LargestProcess {
    /// Its number.
    pub pid: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its memory.
    pub used_bytes: u64,
}

impl Processes {
    /// Looks at every process.
    pub fn scan() -> Self {
        Self::of(all_pids().into_iter().filter_map(|pid| Some((pid, ProcessStat::of(pid)?))))
    }

    /// A machine with these processes, by number.
    pub fn of(stats: impl IntoIterator<Item = (u32, ProcessStat)>) -> Self {
        let stats: BTreeMap<u32, ProcessStat> = stats.into_iter().collect();
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (&pid, stat) in &stats {
            children.entry(stat.parent).or_default().push(pid);
        }
        Self { stats, children }
    }

    /// What is known of the process that has this number.
    pub fn stat(&self, pid: u32) -> Option<&ProcessStat> {
        self.stats.get(&pid)
    }

    /// Whether this process lives; one that waits to be reaped does not.
    pub fn has(&self, process: ProcessId) -> bool {
        let stat = self.stats.get(&process.pid).filter(|stat| !stat.has_ended());
        stat.is_some_and(|stat| stat.start_time == process.start_time)
    }

    /// Numbers of those of which this is true.
    pub fn which(&self, is_meant: impl Fn(&ProcessStat) -> bool) -> Vec<u32> {
        let meant = self.stats.iter().filter(|(_, stat)| is_meant(stat));
        meant.map(|(&pid, _)| pid).collect()
    }

    /// Live processes of these numbers, and all that descend from any of them.
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

    /// Live processes that began with this variable in their environment, and a value that is meant; not
    /// this one. Those of other users show nothing.
    pub fn with_variable(&self, name: &str, is_meant: impl Fn(&OsStr) -> bool) -> Vec<ProcessId> {
        let own = std::process::id();
        let has_it =
            |pid: &u32| *pid != own && values(*pid, name).iter().any(|value| is_meant(value));
        self.alive(self.stats.keys().copied().filter(has_it))
    }

    fn alive(&self, pids: impl IntoIterator<Item = u32>) -> Vec<ProcessId> {
        let ids = pids.into_iter().filter_map(|pid| {
            let stat = self.stats.get(&pid).filter(|stat| !stat.has_ended())?;
            Some(ProcessId { pid, start_time: stat.start_time })
        });
        ids.collect()
    }

    /// The memory of these processes together. Pages that they share count once for each as long as that
    /// stays within the limit, and once in all above it: the exact figure costs a walk over the page
    /// tables, so it is asked for only when it matters.
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

/// Resident memory with shared pages divided among those who share them.
fn proportional_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Values of a variable in the environment with which a process began.
fn values(pid: u32, name: &str) -> Vec<OsString> {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let values = environment
        .split(|byte| *byte == 0)
        .filter_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.map(|value| OsStr::from_bytes(value).to_owned()).collect()
}

/// SIGKILL to each.
pub fn kill_each(processes: &[ProcessId]) {
    for process in processes {
        // Another user's process is none of ours.
        let _ = process.signal(libc::SIGKILL);
    }
}

/// What [`kill_until_gone`] has done.
#[derive(Debug, Default)]
pub struct Killed {
    /// Processes that were there.
    pub count: usize,
    /// Of these, the ones that have not gone: they hang in the kernel.
    pub left: Vec<ProcessId>,
}

impl Display for Killed {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} processes that were left have been killed", self.count)?;
        for (index, process) in self.left.iter().enumerate() {
            let before = if index == 0 { ", and have not gone: " } else { ", " };
            let name = ProcessStat::of(process.pid).map(|stat| stat.name).unwrap_or_default();
            write!(formatter, "{before}{name} (pid {})", process.pid)?;
        }
        Ok(())
    }
}

/// Kills what is found, again and again until nothing is, or until this much time is over. Blocks. What was
/// found once counts until it has gone: with its first thread a process loses what it is found by.
pub fn kill_until_gone(find: impl Fn(&Processes) -> Vec<ProcessId>, limit: Duration) -> Killed {
    let (started, [mut pause, longest]) = (Instant::now(), LOOK_AGAIN);
    let mut killed = HashSet::new();
    loop {
        let processes = Processes::scan();
        let mut left = find(&processes);
        let is_new = |id: &ProcessId| !left.contains(id) && processes.has(*id);
        left.extend(killed.iter().copied().filter(is_new).collect::<Vec<_>>());
        killed.extend(left.iter().copied());
        if left.is_empty() || started.elapsed() >= limit {
            return Killed { count: killed.len(), left };
        }
        kill_each(&left);
        // A killed process may take a moment to go.
        thread::sleep(pause);
        pause = longest.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_do_not_go_are_given_up_and_named() {
        // Nobody has this number and this start time, so nobody gets the signal.
        let own = std::process::id();
        let stuck = ProcessId { pid: own, start_time: 0 };
        let killed = kill_until_gone(|_| vec![stuck], Duration::ZERO);
        assert_eq!((killed.count, &killed.left[..]), (1, &[stuck][..]));
        let text = killed.to_string();
        let begin = "1 processes that were left have been killed, and have not gone: ";
        assert!(text.starts_with(begin) && text.ends_with(&format!(" (pid {own})")), "{text}");
    }

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
        // Numbers may be given away again while one looks.
        let processes = Processes::of([(30, stat(31)), (31, stat(30)), (32, stat(1))]);
        let found: Vec<u32> = processes.with_descendants([30]).iter().map(|id| id.pid).collect();
        assert_eq!(found, [30, 31]);
    }
}
