//! Recovery from the data folder: containers that still run, those that have ended, and those whose end
//! left no record.

use crate::{
    fetch,
    layout::{ContainerFolder, DataDir},
    record::{self, ExitRecord, LaunchRecord, PidRecord},
    remove, tree, watch,
};
use std::{
    fs,
    io::{
        self,
        ErrorKind::{NotADirectory, NotFound},
    },
    os::fd::OwnedFd,
    path::PathBuf,
};
use weir_base::{ApplicationId, ContainerId, Resources};
use weir_node_agent_brain::{Exit, Recovered, RecoveredContainer, RecoveredState};
use weir_protocol::cluster::exit_status;
use weir_service::{ProcessId, process::boot_id};

/// A container that still runs.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub container: ContainerId,
    pub resources: Resources,
    pub shim: ProcessId,
    /// Readable when the shim has ended.
    pub ended: OwnedFd,
}

/// Reads the data folder. A problem with one container ends that container, not the agent.
/// Blocks.
pub(crate) fn look(data: &DataDir) -> io::Result<(Recovered, Vec<Adopted>)> {
    let mut recovered = Recovered { cached: fetch::cached_files(data)?, ..Recovered::default() };
    let mut adopted = Vec::new();
    for id in data.container_ids()? {
        let folder = data.container(id);
        if was_never_made(&folder) {
            // The agent ended while it made the folder: no process of it ever ran.
            remove::folder(folder.root());
            continue;
        }
        let launch = read_launch(&folder);
        let resources = launch.as_ref().map(|launch| launch.resources).unwrap_or_default();
        let state = match find(&folder) {
            Ok(Found::Running(shim, ended)) if launch.is_some() => {
                adopted.push(Adopted { container: id, resources, shim, ended });
                RecoveredState::Running
            }
            // Its lease is unknown, so its limits cannot be enforced.
            Ok(Found::Running(shim, _)) => {
                let why = "what it was to run and to use cannot be read";
                RecoveredState::Exited(give_up(&folder, Some(shim), why))
            }
            Ok(Found::Ended(exit)) => RecoveredState::Exited(exit),
            Err(error) => {
                let why = format!("it cannot be looked at: {error}");
                RecoveredState::Exited(give_up(&folder, None, &why))
            }
        };
        recovered.containers.push(RecoveredContainer { container: id, resources, state });
    }
    for entry in fs::read_dir(data.logs())? {
        let id = entry?.file_name().to_str().and_then(|name| name.parse::<ApplicationId>().ok());
        recovered.logs.extend(id);
    }
    recovered.logs.sort_unstable();
    Ok((recovered, adopted))
}

/// Whether neither the launch record nor the pid record was ever written. A file that cannot be checked
/// counts as present.
fn was_never_made(folder: &ContainerFolder) -> bool {
    let is_absent = |path: PathBuf| {
        let found = fs::symlink_metadata(path);
        found.is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
    };
    is_absent(folder.launch()) && is_absent(folder.pid())
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

/// Ends a container that cannot be adopted. Its shim goes first, so that it starts no more processes.
fn give_up(folder: &ContainerFolder, shim: Option<ProcessId>, why: &str) -> Exit {
    if let Some(shim) = shim {
        // A process of another user is not the shim.
        let _ = shim.signal(libc::SIGKILL);
    }
    // A shim carries the mark as well, even before it has written its pid record.
    let killed = tree::kill_orphans(shim, folder.root());
    if let Ok(Some(ExitRecord { exit_status, diagnostics })) = record::read(&folder.exit()) {
        return Exit { exit_status, diagnostics };
    }
    let diagnostics = format!("{why}; {killed} [WEIR-NM-0018]");
    tracing::warn!("{} is given up: {diagnostics}", folder.root().display());
    watch::keep(folder, exit_status::INVALID, diagnostics)
}

enum Found {
    Running(ProcessId, OwnedFd),
    Ended(Exit),
}

fn find(folder: &ContainerFolder) -> io::Result<Found> {
    // Read before the claim, since a claim needs disk space and a running container needs no claim.
    let mut record = record::read::<PidRecord>(&folder.pid())?;
    // The shim may be starting now. The first claim counts: that of the shim, or this one, which gives the
    // container up.
    let given_up = record.is_none() && record::claim(folder, None)?;
    if record.is_none() && !given_up {
        record = record::read::<PidRecord>(&folder.pid())?;
    }
    let never_ran = given_up || record.as_ref().is_some_and(|record| record.shim.is_none());
    let shim = record.as_ref().and_then(|record| record.shim);
    let same_boot = record.is_some_and(|record| record.boot == boot_id());
    let living = match shim.filter(|_| same_boot) {
        Some(shim) => watch::open_living(shim)?.map(|ended| (shim, ended)),
        None => None,
    };
    if let Some((shim, ended)) = living {
        return Ok(Found::Running(shim, ended));
    }
    if folder.exit().exists() || (same_boot && !never_ran) {
        return Ok(Found::Ended(watch::verdict(folder, shim.filter(|_| same_boot))));
    }
    let why = match never_ran {
        true => "the container was not started: the node agent ended before it [WEIR-NM-0018]",
        false => "the machine of the container was restarted [WEIR-NM-0018]",
    };
    Ok(Found::Ended(watch::keep(folder, exit_status::INVALID, why.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        path::Path,
        process::{Child, Command},
        thread,
        time::{Duration, Instant},
    };

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
    fn every_kind_of_end_is_recognised_and_kept() {
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

    /// A process in the role of a shim; killed when dropped.
    struct Stray(Child);

    impl Stray {
        fn of(folder: &ContainerFolder) -> (Self, ProcessId) {
            let mut command = Command::new("sleep");
            let child = command.arg("600").env(tree::MARK, folder.root()).spawn().expect("sleep");
            let id = ProcessId::of(child.id()).expect("it runs");
            (Self(child), id)
        }
    }

    impl Drop for Stray {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A killed process may take a moment to end.
    fn wait_for_end(process: ProcessId) {
        let started = Instant::now();
        while process.is_alive() {
            assert!(started.elapsed() < Duration::from_secs(60), "{process:?} lives on");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn container_that_runs_is_taken_back_without_a_write_to_the_disk() {
        let root = tempfile::tempdir().expect("a folder");
        let data = data(root.path());
        let folder = container(&data, 1);
        let (_stray, shim) = Stray::of(&folder);
        record::claim(&folder, Some(shim)).expect("claimed");
        let written = || fs::metadata(folder.private()).expect("there").modified().expect("known");
        let before = written();
        let (recovered, adopted) = look(&data).expect("readable");
        assert_eq!((recovered.containers.len(), adopted[0].shim), (1, shim));
        assert_eq!(written(), before, "a full disk would have refused it");
    }

    #[test]
    fn container_with_a_damaged_launch_record_is_ended_and_its_folder_stays() {
        let root = tempfile::tempdir().expect("a folder");
        let data = data(root.path());
        let folder = container(&data, 1);
        let (_stray, shim) = Stray::of(&folder);
        record::claim(&folder, Some(shim)).expect("claimed");
        fs::write(folder.launch(), b"{").expect("written");
        assert_eq!(exits(&data), [(0, exit_status::INVALID)]);
        wait_for_end(shim);
        assert!(folder.exit().exists());
    }

    #[test]
    fn container_that_cannot_be_looked_at_is_ended_and_costs_no_other() {
        let root = tempfile::tempdir().expect("a folder");
        let data = data(root.path());
        let folder = container(&data, 1);
        let (_stray, process) = Stray::of(&folder);
        fs::write(folder.pid(), b"{").expect("written");
        container(&data, 2);
        assert_eq!(exits(&data), [(1, exit_status::INVALID), (2, exit_status::INVALID)]);
        // The process carried the mark of the container.
        wait_for_end(process);
    }

    #[test]
    fn what_does_not_belong_here_does_not_keep_an_agent_from_starting() {
        let root = tempfile::tempdir().expect("a folder");
        let data = data(root.path());
        fs::create_dir_all(data.cache().join("stray/folder")).expect("made");
        fs::write(data.container(ContainerId::default()).root(), b"a file").expect("written");
        assert_eq!(exits(&data), []);
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
