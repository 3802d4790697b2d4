//! Launches a container: its folder, its files, its environment, and the shim that runs it.

use crate::{
    error::{is_disk_full, says_disk_full},
    layout::{ContainerFolder, DataDir, PRIVATE_FOLDER},
    record::{self, LaunchRecord},
    remove,
    shim::STARTED,
    tree::{self, MARK},
    watch,
};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder},
    io::{self, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{fs::DirBuilderExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use weir_base::{NodeId, Resources};
use weir_node_agent_brain::LaunchFailure;
use weir_protocol::cluster::{ArtifactUse, LaunchContainer, LaunchContext, exit_status, variables};
use weir_service::ProcessId;

/// Bytes read at most of the shim's message when it cannot begin.
const MAX_COMPLAINT_BYTES: usize = 64 * 1024;
/// A shim that has not begun after this time hangs, usually on the disk.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_NAME_BYTES: usize = 255;
/// Environment variables of the agent that containers inherit; they inherit no others.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "USER", "LANG"];
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Settings common to all launches of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Launcher {
    pub data: DataDir,
    /// The `weir` executable, which runs the shim.
    pub executable: PathBuf,
    pub node: NodeId,
    pub log_max_bytes: u64,
    pub log_max_files: u32,
    /// Time limit for the start of a shim.
    pub start_timeout: Duration,
}

/// A container that its shim has taken over.
#[derive(Debug)]
pub(crate) struct Running {
    pub shim: ProcessId,
    /// Readable when the shim has ended.
    pub ended: OwnedFd,
    /// The shim as a child that has to be waited for; `None` for one of an earlier agent.
    pub child: Option<Child>,
}

/// Checks a requested launch; returns what is wrong.
pub(crate) fn check(launch: &LaunchContext) -> Result<(), String> {
    if launch.command.first().is_none_or(String::is_empty) {
        return Err("the command is empty".to_owned());
    }
    if launch.command.iter().any(|word| word.contains('\0')) {
        return Err("a word of the command has a zero byte".to_owned());
    }
    for (name, value) in &launch.environment {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!("{name:?} cannot be a variable"));
        }
    }
    let mut names = BTreeSet::new();
    for ArtifactUse { name, .. } in &launch.artifacts {
        let is_component = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']);
        if !is_component || name == PRIVATE_FOLDER || name.len() > MAX_NAME_BYTES {
            return Err(format!("{name:?} cannot be the name of a file in a container's folder"));
        }
        if !names.insert(name) {
            return Err(format!("two files are to be called {name:?}"));
        }
    }
    Ok(())
}

impl Launcher {
    /// Starts a container whose files are in the cache. Blocks until its shim has taken it over.
    pub fn launch(&self, container: &LaunchContainer) -> Result<Running, LaunchFailure> {
        check(&container.launch).map_err(|problem| failed(&problem, "WEIR-NM-0007"))?;
        let folder = self.data.container(container.container);
        self.prepare(&folder, container).map_err(|error| {
            // Its remains use disk space, which may be what is missing.
            remove::folder(folder.root());
            on_disk(
                &format!("the container's folder cannot be made: {error}"),
                is_disk_full(&error),
            )
        })?;
        self.spawn(&folder)
    }

    fn prepare(&self, folder: &ContainerFolder, container: &LaunchContainer) -> io::Result<()> {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        private.create(folder.root())?;
        private.create(folder.private())?;
        let log_folder = self.data.container_logs(container.container);
        private.recursive(true).create(&log_folder)?;
        for artifact in &container.launch.artifacts {
            self.place(artifact, &folder.root().join(&artifact.name))?;
        }
        let record = LaunchRecord {
            container: container.container,
            resources: container.resources,
            command: container.launch.command.clone(),
            environment: self.environment(folder, container, &log_folder),
            log_folder,
            log_max_bytes: self.log_max_bytes,
            log_max_files: self.log_max_files,
        };
        record::write(&folder.launch(), &record)
    }

    /// Puts a cached file into the folder: by a hard link where the disk allows it, else as a copy.
    fn place(&self, artifact: &ArtifactUse, path: &Path) -> io::Result<()> {
        let cached = self.data.cached(artifact.hash);
        match fs::hard_link(&cached, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
            Err(_) => fs::copy(&cached, path).map(drop),
        }
    }

    fn environment(
        &self,
        folder: &ContainerFolder,
        container: &LaunchContainer,
        logs: &Path,
    ) -> Vec<(String, String)> {
        let (host, port) = self.node.0.rsplit_once(':').unwrap_or((&self.node.0, ""));
        let Resources { memory_mib, .. } = container.resources;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let own = |name: &str| std::env::var(name).ok().map(|value| (name.to_owned(), value));
        let mut variables = vec![("PATH".to_owned(), USUAL_PATH.to_owned())];
        variables.extend(PASSED_ON.iter().copied().filter_map(own));
        let ours = [
            (variables::CONTAINER_ID, container.container.to_string()),
            (variables::NODE_HOST, host.to_owned()),
            (variables::NODE_PORT, port.to_owned()),
            (variables::LOG_DIRS, text(logs)),
            (variables::CONTAINER_MEMORY_MIB, memory_mib.to_string()),
            ("PWD", text(folder.root())),
        ];
        variables.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        variables.extend(container.launch.environment.iter().cloned());
        // Set last, so that nothing overwrites it: processes are found by this variable when the shim has ended.
        variables.push((MARK.to_owned(), text(folder.root())));
        variables
    }

    fn spawn(&self, folder: &ContainerFolder) -> Result<Running, LaunchFailure> {
        let started = self.start_shim(folder);
        let mut child = started.map_err(|error| {
            let shim = self.executable.display();
            on_disk(&format!("{shim} cannot be started: {error}"), is_disk_full(&error))
        })?;
        // The process id belongs to the child until it was waited for, which has not happened yet.
        let shim = ProcessId::of(child.id());
        let complaint = match await_start(&mut child, self.start_timeout) {
            Ok(()) => match (watch::open(child.id()), shim) {
                (Ok(ended), Some(shim)) => {
                    return Ok(Running { shim, ended, child: Some(child) });
                }
                (Err(error), _) => error.to_string(),
                (_, None) => "it has vanished".to_owned(),
            },
            Err(complaint) => complaint,
        };
        // The shim should end by itself; this ensures that neither it nor its children stay.
        let _ = child.kill();
        let killed = tree::kill_orphans(shim, folder.root());
        // No longer wait: a process that hangs in the kernel does not end.
        let _ = child.try_wait();
        let rest = if killed.left.is_empty() { String::new() } else { format!("; {killed}") };
        let text = format!("the container's shim could not begin: {complaint}{rest}");
        Err(on_disk(&text, says_disk_full(&complaint)))
    }

    fn start_shim(&self, folder: &ContainerFolder) -> io::Result<Child> {
        let log = record::create_private(&folder.shim_log())?;
        let mut command = Command::new(&self.executable);
        command
            .arg("container-shim")
            .arg(folder.root())
            .env_clear()
            .env(MARK, folder.root())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        // SAFETY: between fork and exec there is only one async-signal-safe system call. It protects the shim from
        // signals to the agent's session or process group.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                Ok(())
            });
        }
        command.spawn()
    }
}

/// Waits for the shim's first line.
fn await_start(child: &mut Child, timeout: Duration) -> Result<(), String> {
    let Some(out) = child.stdout.take() else { return Err("it has no output".to_owned()) };
    let line = first_line(out, timeout).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => format!("it has said nothing for {timeout:?}"),
        _ => error.to_string(),
    })?;
    match line.trim() {
        STARTED => Ok(()),
        "" => Err("it ended at once".to_owned()),
        complaint => Err(complaint.to_owned()),
    }
}

/// The text up to the first line break, the end, or the size limit.
fn first_line(mut out: ChildStdout, timeout: Duration) -> io::Result<String> {
    let give_up = Instant::now() + timeout;
    let mut line = Vec::new();
    let mut chunk = [0; 1024];
    while !line.contains(&b'\n') && line.len() < MAX_COMPLAINT_BYTES {
        wait_readable(&out, give_up)?;
        match out.read(&mut chunk)? {
            0 => break,
            read_bytes => line.extend_from_slice(&chunk[..read_bytes]),
        }
    }
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

fn wait_readable(out: &ChildStdout, give_up: Instant) -> io::Result<()> {
    loop {
        let left_ms = give_up.saturating_duration_since(Instant::now()).as_millis();
        let mut fd = libc::pollfd { fd: out.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor, which is open and outlives the call.
        match unsafe { libc::poll(&raw mut fd, 1, i32::try_from(left_ms).unwrap_or(i32::MAX)) } {
            0 => return Err(io::ErrorKind::TimedOut.into()),
            1.. => return Ok(()),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

fn failed(problem: &str, code: &str) -> LaunchFailure {
    LaunchFailure { exit_status: exit_status::INVALID, message: format!("{problem} [{code}]") }
}

fn on_disk(problem: &str, is_full: bool) -> LaunchFailure {
    if !is_full {
        return failed(problem, "WEIR-NM-0016");
    }
    let message = format!(
        "the disk of the node is full: {problem}; free disk space on the node [WEIR-NM-0013]"
    );
    LaunchFailure { exit_status: exit_status::DISKS_FAILED, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::{ArtifactHash, ContainerId};
    use weir_service::processes::Processes;

    fn with_file(name: &str) -> LaunchContext {
        let artifact = ArtifactUse {
            name: name.to_owned(),
            hash: ArtifactHash([0; 32]),
            size_bytes: 1,
            executable: false,
        };
        LaunchContext {
            command: vec!["run".to_owned()],
            environment: vec![],
            artifacts: vec![artifact],
        }
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        assert_eq!(check(&with_file("job.msgpack")), Ok(()));
        for name in ["", ".", "..", ".weir", "a/b", "/etc/passwd", "../x", "a\0b", &"x".repeat(256)]
        {
            assert!(check(&with_file(name)).is_err(), "{name:?}");
        }
        let mut twice = with_file("a");
        twice.artifacts.extend(with_file("a").artifacts);
        assert!(check(&twice).is_err());
    }

    /// The failure of a launch with this script in the role of the shim; asserts that nothing is left of it.
    fn failure_with_shim(script: &str, start_timeout: Duration) -> LaunchFailure {
        let root = tempfile::tempdir().expect("a folder");
        let data = DataDir::new(root.path()).expect("there");
        fs::create_dir(data.containers()).expect("made");
        let executable = root.path().join("shim");
        // Written by another process: a child of a parallel test could hold the file open, and executing
        // it would fail as busy.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\"; chmod 755 \"$0\"";
        let status = Command::new("sh").args(["-c", write]).arg(&executable).arg(script).status();
        assert!(status.expect("sh").success());
        let launcher = Launcher {
            data,
            executable,
            node: NodeId::default(),
            log_max_bytes: 1,
            log_max_files: 1,
            start_timeout,
        };
        let launch = LaunchContext { artifacts: vec![], ..with_file("none") };
        let container = LaunchContainer {
            container: ContainerId::default(),
            resources: Resources::default(),
            launch,
        };
        let failure = launcher.launch(&container).expect_err("that is no shim");
        assert_eq!(tree::marked(&Processes::scan_with(tree::MARK), launcher.data.root()), []);
        failure
    }

    #[test]
    fn shim_that_fails_late_leaves_nothing_behind() {
        let failure = failure_with_shim("setsid sleep 600 & echo no room", START_TIMEOUT);
        let expected = "the container's shim could not begin: no room [WEIR-NM-0016]";
        assert_eq!(failure.message, expected);
    }

    #[test]
    fn shim_without_an_answer_is_given_up() {
        let failure = failure_with_shim("sleep 600", Duration::from_millis(20));
        let expected = "the container's shim could not begin: it has said nothing for 20ms";
        assert!(failure.message.starts_with(expected), "{}", failure.message);
        assert!(failure.message.ends_with("[WEIR-NM-0016]"), "{}", failure.message);
    }

    #[test]
    fn commands_and_variables_that_cannot_be_are_refused() {
        let empty = LaunchContext::default();
        assert!(check(&empty).is_err());
        for (name, value) in [("", "x"), ("a=b", "x"), ("a\0", "x"), ("a", "\0")] {
            let environment = vec![(name.to_owned(), value.to_owned())];
            assert!(check(&LaunchContext { environment, ..with_file("a") }).is_err(), "{name:?}");
        }
    }
}
