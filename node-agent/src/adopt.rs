//! What a starting agent finds in its data folder: containers that run on, those that have ended, and
//! those of which nobody can say how.

use crate::{
    fetch,
    layout::{ContainerFolder, DataDir},
    record::{self, LaunchRecord, PidRecord},
    watch,
};
use std::{fs, io, os::fd::OwnedFd};
use weir_base::{ApplicationId, ContainerId, Resources};
use weir_node_agent_brain::{Exit, Recovered, RecoveredContainer, RecoveredState, exit_status};
use weir_service::ProcessId;

/// A container that runs on.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub container: ContainerId,
    pub resources: Resources,
    pub shim: ProcessId,
    /// Readable when the shim has ended.
    pub ended: OwnedFd,
}

/// Looks at the data folder. Blocks.
pub(crate) fn look(data: &DataDir) -> io::Result<(Recovered, Vec<Adopted>)> {
    let mut recovered = Recovered { cached: fetch::cached_files(data)?, ..Recovered::default() };
    let mut adopted = Vec::new();
    for id in data.container_ids()? {
        let folder = data.container(id);
        let Some(launch) = read_launch(&folder) else {
            // The agent ended while it was making it: nothing of it ever ran.
            fs::remove_dir_all(folder.root())?;
            continue;
        };
        let state = match find(&folder)? {
            Found::Running(shim, ended) => {
                adopted.push(Adopted { container: id, resources: launch.resources, shim, ended });
                RecoveredState::Running
            }
            Found::Ended(exit) => RecoveredState::Exited(exit),
        };
        let resources = launch.resources;
        recovered.containers.push(RecoveredContainer { container: id, resources, state });
    }
    for entry in fs::read_dir(data.logs())? {
        let id = entry?.file_name().to_str().and_then(|name| name.parse::<ApplicationId>().ok());
        recovered.logs.extend(id);
    }
    recovered.logs.sort_unstable();
    Ok((recovered, adopted))
}

fn read_launch(folder: &ContainerFolder) -> Option<LaunchRecord> {
    match record::read(&folder.launch()) {
        Ok(launch) => launch,
        Err(error) => {
            tracing::warn!("{} is damaged: {error}", folder.launch().display());
            None
        }
    }
}

enum Found {
    Running(ProcessId, OwnedFd),
    Ended(Exit),
}

fn find(folder: &ContainerFolder) -> io::Result<Found> {
    // A shim may be about to begin, so that the container runs, or is given up, by whoever says so first.
    let given_up = record::claim(folder, None)?;
    let record = record::read::<PidRecord>(&folder.pid())?;
    let shim = record.as_ref().and_then(|record| record.shim);
    let same_boot = record.is_some_and(|record| record.boot == record::boot_id());
    let living = match shim.filter(|_| same_boot) {
        Some(shim) => watch::open_living(shim)?.map(|ended| (shim, ended)),
        None => None,
    };
    if let Some((shim, ended)) = living {
        return Ok(Found::Running(shim, ended));
    }
    if folder.exit().exists() || (same_boot && !given_up) {
        return Ok(Found::Ended(watch::verdict(folder, shim.filter(|_| same_boot))));
    }
    let why = match given_up {
        true => "not started: the node agent ended before [WEIR-NM-0018]",
        false => "its machine was restarted [WEIR-NM-0018]",
    };
    Ok(Found::Ended(watch::keep(folder, exit_status::INVALID, why.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ExitRecord;
    use std::path::Path;

    fn data(root: &Path) -> DataDir {
        let data = DataDir::new(root).expect("a path");
        for folder in [data.cache(), data.containers(), data.logs()] {
            fs::create_dir(folder).expect("made");
        }
        data
    }

    fn container(data: &DataDir, sequence: u64) -> ContainerFolder {
        let id = ContainerId { sequence, ..ContainerId::default() };
        let folder = data.container(id);
        fs::create_dir_all(folder.private()).expect("made");
        let launch = LaunchRecord {
            container: id,
            resources: Resources { memory_mib: sequence, vcores: 1 },
            command: vec![],
            environment: vec![],
            log_folder: data.container_logs(id),
            log_max_bytes: 1,
            log_max_files: 1,
        };
        record::write(&folder.launch(), &launch).expect("written");
        folder
    }

    fn exits(data: &DataDir) -> Vec<(u64, i32)> {
        let (recovered, adopted) = look(data).expect("readable");
        assert!(adopted.is_empty());
        let exits = recovered.containers.into_iter().map(|found| match found.state {
            RecoveredState::Running => panic!("{} runs", found.container),
            RecoveredState::Exited(exit) => (found.resources.memory_mib, exit.exit_status),
        });
        exits.collect()
    }

    #[test]
    fn every_way_to_have_ended_is_told_and_stays() {
        let root = tempfile::tempdir().expect("a folder");
        let data = data(root.path());
        let ended = container(&data, 1);
        record::claim(&ended, Some(ProcessId { pid: 1, start_time: 0 })).expect("claimed");
        let exit = ExitRecord { exit_status: 3, diagnostics: String::new() };
        record::write(&ended.exit(), &exit).expect("written");
        let killed = container(&data, 2);
        record::claim(&killed, Some(ProcessId { pid: 1, start_time: 0 })).expect("claimed");
        container(&data, 3);
        let other_boot = container(&data, 4);
        let record = PidRecord { shim: Some(ProcessId::own()), boot: "another".to_owned() };
        record::write(&other_boot.pid(), &record).expect("written");
        let expected = [(1, 3), (2, 137), (3, -1000), (4, -1000)];
        assert_eq!(exits(&data), expected);
        assert_eq!(exits(&data), expected, "the next start finds the same");
    }

    #[test]
    fn folder_without_a_launch_is_cleared_away() {
        let root = tempfile::tempdir().expect("a folder");
        let data = data(root.path());
        let folder = data.container(ContainerId::default());
        fs::create_dir_all(folder.private()).expect("made");
        assert_eq!(exits(&data), []);
        assert!(!folder.root().exists());
    }
}
