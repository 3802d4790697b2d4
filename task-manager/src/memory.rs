//! The process tree of a task host, by `/proc`: who belongs to it, and how much memory it uses.

use std::ffi::OsStr;
use weir_service::{
    ProcessId,
    processes::{Processes, UsedMemory},
};

/// The variable that marks a task host and whatever it starts. Those of its launch do not serve: a job
/// executable takes them out of its environment.
pub const MARK: &str = "WEIR_TASK_HOST_MARK";

/// A process and everything that it started. Of orphaned ones, those in its process group
/// belong to it.
pub fn tree(processes: &Processes, root: u32) -> Vec<ProcessId> {
    let group = processes.which(|stat| stat.group == root);
    processes.with_descendants(group.into_iter().chain([root]))
}

/// Memory of that tree. Shared pages are divided once they would bring it above the limit.
pub fn tree_memory(processes: &Processes, root: u32, limit_bytes: u64) -> UsedMemory {
    processes.memory(&tree(processes, root), limit_bytes)
}

/// The same, with all that carry the mark, by a scan with [`MARK`], and all that were seen of it before it lost its parents.
pub fn with_strays(
    processes: &Processes,
    root: u32,
    mark: &OsStr,
    seen: &[ProcessId],
) -> Vec<ProcessId> {
    let mut roots: Vec<u32> = tree(processes, root).iter().map(|process| process.pid).collect();
    roots.extend(processes.with_value(|value| value == mark).iter().map(|one| one.pid));
    roots.extend(seen.iter().filter(|process| processes.has(**process)).map(|one| one.pid));
    processes.with_descendants(roots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read,
        process::{Command, Stdio},
    };
    use weir_service::process::ProcessStat;

    fn stat(name: &str, parent: u32, group: u32, resident_pages: u64) -> ProcessStat {
        let name = name.to_owned();
        ProcessStat {
            name,
            state: 'S',
            parent,
            group,
            session: 1,
            threads: 1,
            start_time: 1,
            resident_pages,
        }
    }

    #[test]
    fn process_tree_includes_orphans_of_the_group() {
        let processes = Processes::of([
            (1, stat("init", 0, 1, 1000)),
            (10, stat("host", 1, 10, 5)),
            (11, stat("child", 10, 10, 7)),
            (12, stat("grandchild", 11, 12, 1)),
            (13, stat("orphan", 1, 10, 2)),
            (20, stat("other", 1, 20, 900)),
        ]);
        let pids: Vec<u32> = tree(&processes, 10).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [10, 11, 12, 13]);
        let memory = tree_memory(&processes, 10, u64::MAX);
        assert_eq!(memory.used_bytes, processes.resident_bytes(11) / 7 * 15);
        assert_eq!(memory.largest.map(|process| process.name), Some("child".to_owned()));
        assert_eq!(tree_memory(&processes, 99, u64::MAX), UsedMemory::default());
    }

    #[test]
    fn pages_that_a_fork_shares_count_once_above_the_limit() {
        // As a job that forks: three processes with the same 20 mb.
        let big = "x=$(head -c 20000000 /dev/zero | tr '\\0' a)";
        // In the background nothing comes by the usual input.
        let fork = "(echo; read y <&3)";
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{big}; exec 3<&0; {fork} & {fork} & wait")]);
        let mut shell =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = [0; 2];
        shell.stdout.as_mut().expect("piped").read_exact(&mut lines).expect("both have begun");
        let processes = Processes::scan();
        let used = |limit_bytes| tree_memory(&processes, shell.id(), limit_bytes).used_bytes;
        let (resident, exact) = (used(u64::MAX), used(0));
        // Its children read the end of their input.
        drop(shell.stdin.take());
        shell.wait().expect("ours");
        assert!(exact < resident / 2, "{exact} of {resident} bytes");
    }
}
