//! Ends every container of a data folder, also when no agent lives that could.

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

/// How often it is looked whether shims have ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What [`kill_all`] has done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KilledSummary {
    /// Containers that were running.
    pub containers: usize,
    /// Of these, the ones that did not end on SIGTERM in time.
    pub forced: usize,
    /// Processes that are left although they were killed: they hang in the kernel.
    pub left: Vec<u32>,
}

/// Ends every container that an agent with this data folder has started: SIGTERM, `delay`, SIGKILL,
/// until no process is left. Processes are told by number and start time, so none of anybody else's is
/// met. To be called when no agent works there any more, or it would start others meanwhile.
pub fn kill_all(data_dir: &Path, delay: Duration) -> KilledSummary {
    let Ok(data) = DataDir::new(data_dir) else { return KilledSummary::default() };
    let shims = shims(&data);
    let running: Vec<_> = shims.iter().filter(|shim| shim.is_alive()).collect();
    for shim in &running {
        // The shim hands it down, and sees to the rest when its command has ended.
        let _ = shim.signal(libc::SIGTERM);
    }
    wait_until(delay, || !running.iter().any(|shim| shim.is_alive()));
    let forced = running.iter().filter(|shim| shim.is_alive()).count();
    let killed = kill_until_gone(tree::MARK, |now| what_is_left(now, &data, &shims), tree::GIVE_UP);
    let left = killed.left.iter().map(|process| process.pid).collect();
    KilledSummary { containers: running.len(), forced, left }
}

/// Shims of containers of which nobody has written down that they have ended. Some may have been killed,
/// and what was in their sessions then lives on.
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
    // By their mark also the processes of shims that were killed earlier, and shims just started.
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
