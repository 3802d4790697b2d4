//! Periodic check of the node: memory of each container, free disk space.

use crate::{registry::Registry, shell::AgentShell, tree};
use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use weir_node_agent_brain::{ContainerMemory, Input};
use weir_service::{Handle, processes::Processes};

/// With less free disk space, a node takes no containers.
const MIN_FREE_BYTES: u64 = 16 << 20;

/// Time of the last check, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct LastLook(AtomicU64);

impl LastLook {
    pub fn millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.0.store(millis_now(), Ordering::Relaxed);
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Context of the periodic check.
pub(crate) struct Monitor {
    pub interval: Duration,
    pub data_dir: PathBuf,
    pub registry: Arc<Registry>,
    pub last_look: Arc<LastLook>,
}

impl Monitor {
    /// Checks for as long as the agent runs. A disk that does not answer does not delay the memory
    /// checks.
    pub async fn run(self, handle: Handle<AgentShell>) {
        tokio::join!(self.look_at_disk(&handle), self.look_at_memory(&handle));
    }

    async fn look_at_disk(&self, handle: &Handle<AgentShell>) {
        loop {
            let data_dir = self.data_dir.clone();
            let looked = tokio::task::spawn_blocking(move || unhealthy(&data_dir)).await;
            self.last_look.note();
            if let Ok(unhealthy) = looked {
                handle.tell(Input::Checked { unhealthy });
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn look_at_memory(&self, handle: &Handle<AgentShell>) {
        let mut was_measured = false;
        loop {
            let any = !self.registry.all().is_empty();
            // Once more after the last container has ended, so that the sum returns to 0.
            if any || was_measured {
                let registry = Arc::clone(&self.registry);
                let measured = tokio::task::spawn_blocking(move || measure(&registry)).await;
                if let Ok(containers) = measured {
                    let used_bytes: u64 = containers.iter().map(|one| one.used_bytes).sum();
                    let node_used_mib = used_bytes.div_ceil(1 << 20);
                    handle.tell(Input::Measured { containers, node_used_mib });
                }
                was_measured = any;
            }
            tokio::time::sleep(self.interval).await;
        }
    }
}

fn measure(registry: &Registry) -> Vec<ContainerMemory> {
    let running = registry.all();
    if running.is_empty() {
        return Vec::new();
    }
    let processes = Processes::scan();
    let memory = running
        .iter()
        .map(|(id, watched)| tree::memory(&processes, *id, watched.shim.pid, watched.leased_bytes));
    memory.collect()
}

/// Reason why the node can run no containers.
fn unhealthy(data_dir: &Path) -> Option<String> {
    let folder = data_dir.display();
    match free_bytes(data_dir) {
        Ok(free) if free >= MIN_FREE_BYTES => None,
        Ok(free) => Some(format!(
            "{} mb are free on the disk of {folder}; at least {} mb must be [WEIR-NM-0017]",
            free >> 20,
            MIN_FREE_BYTES >> 20
        )),
        Err(error) => Some(format!("{folder} cannot be looked at: {error} [WEIR-NM-0017]")),
    }
}

fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends in zero; the result is read only when the call has succeeded.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        stat.assume_init()
    };
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_folder_makes_the_node_unhealthy() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(free_bytes(folder.path()).expect("a disk") > 0);
        let gone = unhealthy(&folder.path().join("gone")).expect("unhealthy");
        assert!(gone.contains("WEIR-NM-0017"), "{gone}");
    }
}
