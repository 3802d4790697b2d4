//! Ends every container of a data folder, also when no agent runs.

use crate::{
    layout::DataDir,
    record::{self, ExitRecord, PidRecord},
    tree,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use weir_service::{
    ProcessId,
    process::boot_id,
    processes::{Processes, kill_until_gone},
};

/// Time between two checks whether the shims have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Result of [`kill_all`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KilledSummary {
    /// Containers that were running.
    pub containers: usize,
    /// Containers among them that did not end in time after SIGTERM.
    pub forced: usize,
    /// Processes that are left although they were killed: they hang in the kernel.
    pub left: Vec<u32>,
}

/// Ends every container that an agent with this data folder has started: SIGTERM, `delay`, SIGKILL,
/// until no process is left. Processes are identified by pid and start time, so no foreign process is
/// signalled. The agent must have ended before, since it could start more containers.
pub fn kill_all(data_dir: &Path, delay: Duration) -> KilledSummary {
    let Ok(data) = DataDir::new(data_dir) else { return KilledSummary::default() };
    let shims = shims(&data);
    let running: Vec<_> = shims.iter().filter(|shim| shim.is_alive()).collect();
    for shim in &running {
        // The shim forwards it, and ends the remaining processes when its command has ended.
        let _ = shim.signal(libc::SIGTERM);
    }
    wait_until(delay, || !running.iter().any(|shim| shim.is_alive()));
    let forced = running.iter().filter(|shim| shim.is_alive()).count();
    let killed = kill_until_gone(tree::MARK, |now| what_is_left(now, &data, &shims), tree::GIVE_UP);
    let left = killed.left.iter().map(|process| process.pid).collect();
    KilledSummary { containers: running.len(), forced, left }
}

/// Shims of containers without an exit record. A shim may have been killed, while other processes of its
/// session still run.
fn shims(data: &DataDir) -> Vec<ProcessId> {
    let boot = boot_id();
    let containers = data.container_ids().unwrap_or_default();
    let shims = containers.into_iter().filter_map(|id| {
        let folder = data.container(id);
        let has_ended = matches!(record::read::<ExitRecord>(&folder.exit()), Ok(Some(_)));
        let record = record::read::<PidRecord>(&folder.pid()).ok().flatten();
        let record = record.filter(|record| !has_ended && record.boot == boot)?;
        record.shim
    });
    shims.collect()
}

fn what_is_left(processes: &Processes, data: &DataDir, shims: &[ProcessId]) -> Vec<ProcessId> {
    // The mark also finds the processes of shims that were killed earlier, and shims that have just started.
    let mut left = tree::marked(processes, data.containers().as_path());
    for shim in shims {
        left.extend(tree::of_shim(processes, *shim));
        left.extend(processes.has(*shim).then_some(*shim));
    }
    left.sort_unstable_by_key(|process| process.pid);
    left.dedup();
    left
}

fn wait_until(limit: Duration, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() && started.elapsed() < limit {
        std::thread::sleep(LOOK_AGAIN);
    }
}
