//! How much memory process trees use, by `/proc`.

use std::collections::BTreeMap;
use weir_service::process::{ProcessStat, all_pids};

/// All processes of the machine at one moment.
pub struct Processes {
    by_pid: BTreeMap<u32, ProcessStat>,
    page_bytes: u64,
}

/// A process tree's memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TreeMemory {
    /// Resident bytes of all of it. Pages that processes share count for each of them.
    pub resident_bytes: u64,
    /// Its largest process: name, number, bytes.
    pub largest: Option<(String, u32, u64)>,
}

impl Processes {
    /// Looks.
    pub fn now() -> Self {
        let stats = all_pids().into_iter().filter_map(|pid| Some((pid, ProcessStat::of(pid)?)));
        // SAFETY: plain system call.
        let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Self { by_pid: stats.collect(), page_bytes: u64::try_from(page_bytes).unwrap_or(4096) }
    }

    /// Resident bytes of one process.
    pub fn resident_bytes(&self, pid: u32) -> u64 {
        self.by_pid.get(&pid).map_or(0, |stat| stat.resident_pages * self.page_bytes)
    }

    /// Memory of a process and everything that it started. Of those it left behind, the ones in its
    /// process group count.
    pub fn tree(&self, root: u32) -> TreeMemory {
        let mut tree = TreeMemory::default();
        for (pid, stat) in &self.by_pid {
            if !self.belongs_to(*pid, root) {
                continue;
            }
            let bytes = stat.resident_pages * self.page_bytes;
            tree.resident_bytes += bytes;
            if tree.largest.as_ref().is_none_or(|(_, _, most)| bytes > *most) {
                tree.largest = Some((stat.name.clone(), *pid, bytes));
            }
        }
        tree
    }

    fn belongs_to(&self, pid: u32, root: u32) -> bool {
        let mut current = pid;
        // A chain of parents is no longer than there are processes, also when numbers were given away
        // again between two looks.
        for _ in 0..=self.by_pid.len() {
            if current == root {
                return true;
            }
            let Some(stat) = self.by_pid.get(&current) else { return false };
            if stat.group == root {
                return true;
            }
            current = stat.parent;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(name: &str, parent: u32, group: u32, resident_pages: u64) -> ProcessStat {
        let name = name.to_owned();
        ProcessStat { name, state: 'S', parent, group, session: 1, start_time: 1, resident_pages }
    }

    #[test]
    fn tree_has_descendants_and_those_left_behind_in_the_group() {
        let by_pid = BTreeMap::from([
            (1, stat("init", 0, 1, 1000)),
            (10, stat("host", 1, 10, 5)),
            (11, stat("child", 10, 10, 7)),
            (12, stat("grandchild", 11, 12, 1)),
            (13, stat("orphan", 1, 10, 2)),
            (20, stat("other", 1, 20, 900)),
            // Two numbers that name each other as parent.
            (30, stat("loop", 31, 30, 1)),
            (31, stat("loop", 30, 31, 1)),
        ]);
        let processes = Processes { by_pid, page_bytes: 10 };
        let expect =
            TreeMemory { resident_bytes: 150, largest: Some(("child".to_owned(), 11, 70)) };
        assert_eq!(processes.tree(10), expect);
        assert_eq!(processes.tree(99), TreeMemory::default());
        assert_eq!(processes.resident_bytes(20), 9_000);
    }

    #[test]
    fn own_memory_is_seen() {
        let processes = Processes::now();
        assert!(processes.tree(std::process::id()).resident_bytes > 0);
    }
}
