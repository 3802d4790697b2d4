//! One task host: how it is started, ended, and what its end is called.
//!
//! ```text
//! start ─▶ running ─ stop ─▶ lifeline dropped ─ 1 s ─▶ SIGKILL to its group
//!             └──── exits by itself ───┴──────────────────┴─▶ exited ─ reap ─▶ HostEnd
//! ```
//!
//! Invariant: no process that a task host has started outlives it, whatever its process group or session.

use crate::{
    error::{Error, Result},
    events::Event,
    memory::{MARK, tree, with_strays},
    settings::Settings,
};
use std::{
    ffi::OsString,
    fs,
    io::{self, PipeWriter},
    os::{
        fd::{AsRawFd, RawFd},
        unix::{
            ffi::OsStringExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Component, Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::Sender,
    thread,
    time::{Duration, Instant},
};
use weir_base::{LeaderEpoch, units::format_size};
use weir_protocol::{
    control::{HostEnd, HostLaunch},
    job_executable::{Launch, Role, TaskLaunch, write_earlier_results},
};
use weir_service::{
    ProcessId,
    processes::{LargestProcess, Processes, UsedMemory, kill_until_gone},
};

/// How long a task host may take to end by its lifeline.
const GRACE: Duration = Duration::from_secs(1);
/// How long what a task host leaves behind may take to go after SIGKILL; what takes longer hangs in the
/// kernel.
const GIVE_UP: Duration = Duration::from_secs(5);
/// Variables of the container that a task host gets too. By the folder the node agent finds it, should the
/// shim and the task manager have ended.
const KEPT_VARIABLES: [&str; 10] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "CONTAINER_ID",
    "WEIR_CONTAINER_FOLDER",
    "RUST_BACKTRACE",
];
const MIB: u64 = 1 << 20;

/// A task host that was started.
pub struct Host {
    number: u32,
    child: Child,
    /// Dropped to tell it to end.
    lifeline: Option<PipeWriter>,
    kill_at: Option<Instant>,
    limit_bytes: u64,
    /// Why it was killed, where we did it.
    killed: Option<String>,
    /// Its mark, and that of whatever it starts.
    mark: OsString,
    /// Processes that belonged to it when it was killed; some may have lost their mark, and then their parents.
    seen: Vec<ProcessId>,
}

impl Host {
    /// Starts a task host. Its exit comes as an event.
    ///
    /// # Errors
    /// In words, for the job master.
    pub fn start(
        settings: &Settings,
        epoch: LeaderEpoch,
        launch: HostLaunch,
        events: Sender<Event>,
    ) -> std::result::Result<Self, String> {
        let number = launch.host;
        let executable = executable(&settings.folder, &launch.executable)?;
        let (expected, earlier) = write_files(&settings.folder, &launch)
            .map_err(|error| format!("its files cannot be written: {error}"))?;
        let (end, lifeline) =
            io::pipe().map_err(|error| format!("there is no pipe for it: {error}"))?;
        let task = TaskLaunch {
            job_master: settings.job_master.clone(),
            job: settings.job,
            key: settings.key.clone(),
            configuration: launch.configuration.clone(),
            container: settings.container,
            host: number,
            epoch,
            ordinal: launch.ordinal,
            earlier,
        };
        let role = Launch {
            role: Role::Task,
            lifeline_fd: Some(end.as_raw_fd()),
            configuration: Some(launch.launch_configuration.clone()),
            expected: Some(expected),
            task: Some(task),
            ..Launch::default()
        };
        let mut command = command(&executable, settings, &launch);
        command.envs(role.variables()).env(MARK, mark(settings, number));
        let inherited = end.as_raw_fd();
        // SAFETY: between fork and exec only fcntl is called, which is async-signal-safe. The
        // descriptor is open until `spawn` has returned.
        unsafe { command.pre_exec(move || keep_on_exec(inherited)) };
        let child = command
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", launch.executable))?;
        let host = Self {
            number,
            child,
            lifeline: Some(lifeline),
            kill_at: None,
            limit_bytes: launch.memory_limit_mib.saturating_mul(MIB),
            killed: None,
            mark: mark(settings, number),
            seen: Vec::new(),
        };
        match watch(host.pid(), number, events) {
            Ok(()) => Ok(host),
            Err(error) => {
                host.reap();
                Err(format!("it cannot be watched: {error}"))
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to end; [`Host::check`] sees to it that it does.
    pub fn stop(&mut self) {
        self.lifeline = None;
        self.kill_at.get_or_insert(Instant::now() + GRACE);
    }

    /// Kills it if its time is up, or if it uses more memory than it may.
    pub fn check(&mut self, memory: &UsedMemory) {
        let now = Instant::now();
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill();
            self.kill_at = Some(now + GRACE);
        }
        if memory.used_bytes > self.limit_bytes && self.killed.is_none() {
            self.killed = Some(over_limit(memory, self.limit_bytes));
            self.kill();
        }
    }

    /// Memory that it may use.
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// When [`Host::check`] has to be called next, besides for memory.
    pub fn deadline(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Ends it, and everything in its process group, at once. It has not been reaped, so its number is
    /// its own.
    pub fn kill(&mut self) {
        // Before, since nothing leads from a process to a parent that it has lost.
        self.seen.extend(tree(&Processes::scan(), self.child.id()));
        if let Ok(group) = i32::try_from(self.child.id()) {
            // SAFETY: plain system call.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }

    /// Takes the exit status of a task host that has exited, and ends its remaining processes.
    pub fn reap(mut self) -> HostEnd {
        self.kill();
        let (pid, mark, seen) = (self.child.id(), &self.mark, &self.seen);
        let rest =
            kill_until_gone(MARK, |processes| with_strays(processes, pid, mark, seen), GIVE_UP);
        let status = self.child.wait();
        let (code, mut reason) = match (self.killed, status) {
            (Some(reason), _) => ("WEIR-TM-0003", reason),
            (None, Ok(status)) => ("WEIR-TM-0002", in_words(status)),
            (None, Err(error)) => ("WEIR-TM-0002", format!("ended in an unknown way: {error}")),
        };
        if !rest.left.is_empty() {
            reason = format!("{reason}; {rest}");
        }
        end(self.number, code, reason)
    }
}

/// The end of a host that could not be started.
pub fn not_started(number: u32, problem: String) -> HostEnd {
    end(number, "WEIR-TM-0001", problem)
}

fn end(host: u32, code: &str, reason: String) -> HostEnd {
    HostEnd { host, reason, code: code.to_owned() }
}

fn in_words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(libc::SIGKILL), _) => {
            "was ended by SIGKILL, by kill -9 or by the kernel because memory was exhausted"
                .to_owned()
        }
        (Some(signal), _) => {
            let name = signal_hook::low_level::signal_name(signal);
            let name = name.map_or_else(|| format!("signal {signal}"), str::to_owned);
            format!("was ended by {name}")
        }
        (None, code) => format!("ended with exit code {}", code.unwrap_or_default()),
    }
}

fn over_limit(memory: &UsedMemory, limit_bytes: u64) -> String {
    let size = |bytes: u64| format_size(bytes / MIB * MIB);
    let largest = memory.largest.as_ref().map_or_else(String::new, |process| {
        let LargestProcess { name, pid, used_bytes } = process;
        format!("; the largest process is {name} (pid {pid}) with {}", size(*used_bytes))
    });
    format!(
        "was killed because it used {} of memory, and {} are allowed{largest}; raise \
         taskmanager.memory.process.size, or use a higher parallelism",
        size(memory.used_bytes),
        size(limit_bytes)
    )
}

/// The executable in the container's folder.
fn executable(folder: &Path, name: &str) -> std::result::Result<PathBuf, String> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(_)), None) => Ok(folder.join(name)),
        _ => Err(format!("{name:?} is no file in the container's folder")),
    }
}

/// Files with values that `main` cannot compute again: those of `env.once`, and earlier results.
fn write_files(folder: &Path, launch: &HostLaunch) -> io::Result<(PathBuf, Option<PathBuf>)> {
    let expected = folder.join(format!("once-values-{}", launch.host));
    fs::write(&expected, &launch.once_values)?;
    if launch.earlier.is_empty() {
        return Ok((expected, None));
    }
    let earlier = folder.join(format!("earlier-results-{}", launch.host));
    let mut bytes = Vec::new();
    write_earlier_results(&mut bytes, &launch.earlier).map_err(io::Error::other)?;
    fs::write(&earlier, bytes)?;
    Ok((expected, Some(earlier)))
}

/// No two hosts that live at a time have the same.
fn mark(settings: &Settings, number: u32) -> OsString {
    settings.folder.join(number.to_string()).into()
}

fn command(executable: &Path, settings: &Settings, launch: &HostLaunch) -> Command {
    let mut command = Command::new(executable);
    let arguments = launch.arguments.iter().map(|bytes| OsString::from_vec(bytes.clone()));
    let wanted = Path::new(&launch.working_directory);
    let folder = if wanted.is_dir() { wanted } else { settings.folder.as_path() };
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).process_group(0).env_clear();
    for name in KEPT_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// Called between fork and exec.
fn keep_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: plain system call on an open descriptor.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Waits on a thread for the exit of a child without reaping it, so that its number stays its own until
/// the end was handled.
fn watch(pid: u32, number: u32, events: Sender<Event>) -> Result<()> {
    let thread = thread::Builder::new().name(format!("task-host-{number}"));
    let spawned = thread.spawn(move || {
        // SAFETY: an all-zero siginfo is valid, and waitid only writes to it.
        let mut information: libc::siginfo_t = unsafe { std::mem::zeroed() };
        loop {
            let options = libc::WEXITED | libc::WNOWAIT;
            // SAFETY: the pointer is to a live local.
            let waited = unsafe { libc::waitid(libc::P_PID, pid, &raw mut information, options) };
            let was_interrupted =
                waited == -1 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
            if !was_interrupted {
                // Without a receiver the process is about to end.
                let _ = events.send(Event::HostExited(number));
                return;
            }
        }
    });
    spawned.map(drop).map_err(|source| Error::System { what: "a thread", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_named() {
        for (raw, expect) in
            [(3 << 8, "exit code 3"), (libc::SIGSEGV, "SIGSEGV"), (libc::SIGKILL, "kill -9")]
        {
            let words = in_words(ExitStatus::from_raw(raw));
            assert!(words.contains(expect), "{words}");
        }
        let name = "word-count".to_owned();
        let largest = Some(LargestProcess { name, pid: 7, used_bytes: 3 * MIB });
        let memory = UsedMemory { used_bytes: 5 * MIB + 1, largest };
        let words = over_limit(&memory, 4 * MIB);
        for expect in ["used 5 mb", "4 mb are allowed", "word-count (pid 7) with 3 mb"] {
            assert!(words.contains(expect), "{words}");
        }
    }

    #[test]
    fn executable_is_a_file_of_the_container() {
        let folder = Path::new("/c");
        assert_eq!(executable(folder, "job"), Ok(PathBuf::from("/c/job")));
        for name in ["", "/bin/sh", "../job", "a/b", ".", ".."] {
            assert!(executable(folder, name).is_err(), "{name:?}");
        }
    }
}
