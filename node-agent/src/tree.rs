//! The processes of containers: to which container a process belongs, how much memory it uses, and how all
//! processes of a container are killed.
//!
//! A process belongs to a container when it descends from the shim (which adopts orphans, so the chain of
//! parents never breaks), when it is in the shim's session, or, after the shim's end, when it
//! carries the container's mark in its environment.

use std::{path::Path, time::Duration};
use weir_base::ContainerId;
use weir_node_agent_brain::{ContainerMemory, LargestProcess};
use weir_service::{
    ProcessId,
    processes::{Killed, Processes, UsedMemory, kill_until_gone},
};

/// The variable that marks every process of a container: the absolute path of the container's folder.
pub(crate) const MARK: &str = "WEIR_CONTAINER_FOLDER";
/// A process that still exists this long after SIGKILL hangs in the kernel.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(30);

/// Live descendants of this process and live members of its session, without the process itself.
pub(crate) fn below(processes: &Processes, root: u32) -> Vec<ProcessId> {
    let session = processes.which(|stat| stat.session == root);
    let mut found = processes.with_descendants(session.into_iter().chain([root]));
    found.retain(|process| process.pid != root);
    found
}

/// Live processes with the mark of this folder or one below it. The scan must have read [`MARK`].
pub(crate) fn marked(processes: &Processes, folder: &Path) -> Vec<ProcessId> {
    processes.with_value(|mark| Path::new(mark).starts_with(folder))
}

/// Live processes of this shim, also after its end, without the shim itself.
pub(crate) fn of_shim(processes: &Processes, shim: ProcessId) -> Vec<ProcessId> {
    // Another session leader may have this pid now.
    match processes.stat(shim.pid) {
        Some(leader) if leader.start_time != shim.start_time => Vec::new(),
        _ => below(processes, shim.pid),
    }
}

/// Remaining processes of a container whose shim has ended.
fn orphans(processes: &Processes, shim: Option<ProcessId>, folder: &Path) -> Vec<ProcessId> {
    let mut found = marked(processes, folder);
    found.extend(shim.into_iter().flat_map(|shim| of_shim(processes, shim)));
    found.sort_unstable_by_key(|id| id.pid);
    found.dedup();
    found
}

/// The memory of a container: of all processes below the shim. The shim does not count.
pub(crate) fn memory(
    processes: &Processes,
    container: ContainerId,
    shim: u32,
    leased_bytes: u64,
) -> ContainerMemory {
    let UsedMemory { used_bytes, largest } =
        processes.memory(&below(processes, shim), leased_bytes);
    let largest = largest.map(|process| LargestProcess {
        pid: process.pid,
        name: process.name,
        used_bytes: process.used_bytes,
    });
    ContainerMemory { container, used_bytes, largest }
}

/// Kills the remaining processes of a container whose shim has ended, until none is left or they hang in the kernel.
pub(crate) fn kill_orphans(shim: Option<ProcessId>, folder: &Path) -> Killed {
    kill_until_gone(MARK, |processes| orphans(processes, shim, folder), GIVE_UP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read,
        process::{Child, Command, Stdio},
    };
    use tempfile::TempDir;

    /// Processes with a mark; killed when dropped, so that they do not outlive a failed test.
    struct Tree {
        shell: Child,
        folder: TempDir,
    }

    impl Tree {
        /// Runs a script and waits for this number of its lines.
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
        let processes = Processes::scan_with(MARK);
        let below_count = below(&processes, shell).len();
        assert!(below_count > 0, "the subshell, and its sleep when that has begun");
        assert!(marked(&processes, folder).len() > 1);
        assert_eq!(marked(&processes, &folder.join("other")), []);
        let used = memory(&processes, ContainerId::default(), shell, u64::MAX);
        assert!(used.used_bytes > 0 && used.largest.is_some());
        let killed = kill_orphans(None, folder);
        assert!(killed.count > below_count && killed.left.is_empty(), "{killed}");
        tree.shell.wait().expect("killed");
        assert_eq!(marked(&Processes::scan_with(MARK), folder), []);
    }

    #[test]
    fn shared_pages_are_divided_when_the_sum_is_above_the_lease() {
        let big = "x=$(head -c 20000000 /dev/zero | tr '\\0' a)";
        let subshell = "(echo; while :; do sleep 600; done)";
        let tree = Tree::start(&format!("{big}; {subshell} & {subshell} & wait"), 2);
        let processes = Processes::scan();
        let used = |leased_bytes| {
            memory(&processes, ContainerId::default(), tree.shell.id(), leased_bytes).used_bytes
        };
        let (resident, exact) = (used(u64::MAX), used(0));
        assert!(exact < resident / 2, "three share 20 mb: {exact} of {resident} bytes");
    }
}
