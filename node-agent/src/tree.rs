//! The processes of containers, by `/proc`: who belongs to which, how much memory they use, and how
//! they are ended to the last one.
//!
//! A process belongs to a container when it descends from the shim (which adopts orphans, so no
//! detour leads away from it), when it is in the shim's session, or, after the shim's end, when it
//! carries the container's mark in its environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
};
use weir_base::ContainerId;
use weir_node_agent_brain::{ContainerMemory, LargestProcess};
use weir_service::{
    ProcessId,
    process::{ProcessStat, all_pids},
};

/// The variable that marks every process of a container: the absolute path of the container's folder.
pub(crate) const MARK: &str = "WEIR_CONTAINER_FOLDER";

/// All processes of the machine at one moment.
#[derive(Debug)]
pub(crate) struct Processes {
    stats: BTreeMap<u32, ProcessStat>,
    children: BTreeMap<u32, Vec<u32>>,
}

impl Processes {
    /// Looks at every process.
    pub fn scan() -> Self {
        let stats = all_pids().into_iter().filter_map(|pid| Some((pid, ProcessStat::of(pid)?)));
        let stats: BTreeMap<u32, ProcessStat> = stats.collect();
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (&pid, stat) in &stats {
            children.entry(stat.parent).or_default().push(pid);
        }
        Self { stats, children }
    }

    /// Live processes below this one, and others of its session; not itself.
    pub fn below(&self, root: u32) -> Vec<ProcessId> {
        let mut found = BTreeSet::new();
        let mut todo = vec![root];
        todo.extend(
            self.stats.iter().filter(|(_, stat)| stat.session == root).map(|(&pid, _)| pid),
        );
        while let Some(pid) = todo.pop() {
            if pid == root || found.insert(pid) {
                todo.extend(self.children.get(&pid).into_iter().flatten().copied());
            }
        }
        self.alive(found)
    }

    fn alive(&self, pids: impl IntoIterator<Item = u32>) -> Vec<ProcessId> {
        let ids = pids.into_iter().filter_map(|pid| {
            let stat = self.stats.get(&pid).filter(|stat| !stat.is_zombie())?;
            Some(ProcessId { pid, start_time: stat.start_time })
        });
        ids.collect()
    }

    /// Live processes with the mark of a folder, or of one below it.
    pub fn marked(&self, folder: &Path) -> Vec<ProcessId> {
        let own = std::process::id();
        let pids = self.stats.keys().copied().filter(|&pid| pid != own && is_marked(pid, folder));
        self.alive(pids)
    }

    /// Live processes of this shim, also after its end; not itself.
    pub fn of_shim(&self, shim: ProcessId) -> Vec<ProcessId> {
        // Another process may have the number by now, with a session of its own.
        match self.stats.get(&shim.pid) {
            Some(leader) if leader.start_time != shim.start_time => Vec::new(),
            _ => self.below(shim.pid),
        }
    }

    /// What is left of a container whose shim has ended.
    fn orphans(&self, shim: Option<ProcessId>, folder: &Path) -> Vec<ProcessId> {
        let mut found = self.marked(folder);
        found.extend(shim.into_iter().flat_map(|shim| self.of_shim(shim)));
        found.sort_unstable_by_key(|id| id.pid);
        found.dedup();
        found
    }

    /// The memory of a container: of what is below the shim, without the shim, which is our expense.
    pub fn memory(&self, container: ContainerId, shim: u32, leased_bytes: u64) -> ContainerMemory {
        let below = self.below(shim);
        let resident = self.sum(container, &below, |pid| self.resident_bytes(pid));
        if resident.used_bytes <= leased_bytes {
            return resident;
        }
        // Pages that processes share were counted once for each. The exact figure costs a walk over the
        // page tables, so it is asked for only when it matters.
        self.sum(container, &below, |pid| {
            proportional_bytes(pid).unwrap_or_else(|| self.resident_bytes(pid))
        })
    }

    fn sum(
        &self,
        container: ContainerId,
        processes: &[ProcessId],
        size: impl Fn(u32) -> u64,
    ) -> ContainerMemory {
        let sizes: Vec<(u64, u32)> = processes.iter().map(|id| (size(id.pid), id.pid)).collect();
        let largest = sizes.iter().max().map(|&(used_bytes, pid)| LargestProcess {
            pid,
            name: self.stats.get(&pid).map(|stat| stat.name.clone()).unwrap_or_default(),
            used_bytes,
        });
        ContainerMemory { container, used_bytes: sizes.iter().map(|size| size.0).sum(), largest }
    }

    fn resident_bytes(&self, pid: u32) -> u64 {
        self.stats.get(&pid).map_or(0, |stat| stat.resident_pages.saturating_mul(page_bytes()))
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

fn is_marked(pid: u32, folder: &Path) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let marks = environment
        .split(|byte| *byte == 0)
        .filter_map(|variable| variable.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="));
    let inside = |mark: &[u8]| {
        let path = Path::new(std::ffi::OsStr::from_bytes(mark));
        path.starts_with(folder)
    };
    marks.into_iter().any(inside)
}

/// SIGKILL to each; whether there was anybody.
pub(crate) fn kill_each(processes: &[ProcessId]) -> bool {
    let mut was_any = false;
    for process in processes {
        // Another user's process is none that a container of ours can have.
        was_any |= process.signal(libc::SIGKILL).unwrap_or(false);
    }
    was_any
}

/// Kills what is left of a container whose shim has ended, until nothing is.
pub(crate) fn kill_orphans(shim: Option<ProcessId>, folder: &Path) -> usize {
    let mut killed = BTreeSet::new();
    loop {
        let left = Processes::scan().orphans(shim, folder);
        if left.is_empty() {
            return killed.len();
        }
        kill_each(&left);
        killed.extend(left.iter().map(|id| id.pid));
        // A killed process may take a moment to go.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read,
        process::{Child, Command, Stdio},
    };
    use tempfile::TempDir;

    /// Processes with a mark; killed when dropped, or they would outlive a test that fails.
    struct Tree {
        shell: Child,
        folder: TempDir,
    }

    impl Tree {
        /// Runs a script and waits for so many lines of it.
        fn start(script: &str, line_count: usize) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let mut command = Command::new("sh");
            command.args(["-c", script]).env(MARK, folder.path()).stdout(Stdio::piped());
            let mut shell = command.spawn().expect("sh");
            let mut lines = vec![0; line_count];
            shell.stdout.as_mut().expect("piped").read_exact(&mut lines).expect("it has begun");
            Self { shell, folder }
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            kill_orphans(None, self.folder.path());
            let _ = self.shell.wait();
        }
    }

    #[test]
    fn tree_is_measured_and_found_by_its_mark_and_killed_whole() {
        let mut tree = Tree::start("(echo; while :; do sleep 600; done) & echo; wait", 2);
        let (folder, shell) = (tree.folder.path(), tree.shell.id());
        let processes = Processes::scan();
        let below = processes.below(shell).len();
        assert!(below > 0, "the subshell, and its sleep when that has begun");
        assert!(processes.marked(folder).len() > 1);
        assert_eq!(processes.marked(&folder.join("other")), []);
        let memory = processes.memory(ContainerId::default(), shell, u64::MAX);
        assert!(memory.used_bytes > 0 && memory.largest.is_some());
        assert!(kill_orphans(None, folder) > below);
        tree.shell.wait().expect("killed");
        assert_eq!(Processes::scan().marked(folder), []);
    }

    #[test]
    fn shared_pages_are_divided_when_the_sum_is_above_the_lease() {
        let big = "x=$(head -c 20000000 /dev/zero | tr '\\0' a)";
        let subshell = "(echo; while :; do sleep 600; done)";
        let tree = Tree::start(&format!("{big}; {subshell} & {subshell} & wait"), 2);
        let processes = Processes::scan();
        let used = |leased_bytes| {
            processes.memory(ContainerId::default(), tree.shell.id(), leased_bytes).used_bytes
        };
        let (resident, exact) = (used(u64::MAX), used(0));
        assert!(exact < resident / 2, "three share 20 mb: {exact} of {resident} bytes");
    }
}
