//! The command of a container as the shim's child.

use super::logs::RotatingLog;
use crate::{layout::ContainerFolder, record::LaunchRecord};
use std::{
    fs::File,
    io::{self, Read},
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{self, Stdio},
    time::Duration,
};
use weir_service::ProcessId;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Reads in a row before other events are handled.
const ROUNDS: usize = 16;
/// Retries while the executable is busy: another process, between fork and exec, may still have a
/// just written file open for writing.
const BUSY_TRIES: u32 = 100;
const BUSY_WAIT: Duration = Duration::from_millis(5);

/// The running command.
pub(super) struct Command {
    pid: u32,
    /// Its outputs, until they are closed.
    outputs: [Option<File>; 2],
    buffer: Vec<u8>,
    status: Option<i32>,
}

/// Starts the command, or returns why it cannot start.
pub(super) fn spawn(folder: &ContainerFolder, launch: &LaunchRecord) -> Result<Command, String> {
    let Some((program, arguments)) = launch.command.split_first() else {
        return Err("the command is empty [WEIR-NM-0014]".to_owned());
    };
    let mut command = match program.contains('/') {
        true => process::Command::new(folder.root().join(program)),
        false => process::Command::new(program),
    };
    command
        .arg0(program)
        .args(arguments)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let shim = std::process::id();
    // SAFETY: between fork and exec only system calls that are safe there.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
            // The shim may have ended before the death signal was set.
            if libc::getppid().cast_unsigned() != shim {
                libc::_exit(137);
            }
            unblock_signals()
        });
    }
    let child = spawn_patiently(&mut command);
    let mut child =
        child.map_err(|error| format!("{program} cannot be started: {error} [WEIR-NM-0014]"))?;
    let outputs = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
    let outputs = outputs.map(|fd| fd.map(File::from));
    outputs.iter().flatten().for_each(make_nonblocking);
    Ok(Command { pid: child.id(), outputs, buffer: vec![0; CHUNK_BYTES], status: None })
}

/// Unblocks the signals that the shim blocks in order to read them; the command and its descendants would
/// inherit the mask. Called between fork and exec.
fn unblock_signals() -> io::Result<()> {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: async-signal-safe system calls; the first one initialises the set.
    let unblocked = unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut())
    };
    if unblocked < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn spawn_patiently(command: &mut process::Command) -> io::Result<process::Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tries += 1;
                if tries == BUSY_TRIES {
                    return Err(error);
                }
                std::thread::sleep(BUSY_WAIT);
            }
            other => return other,
        }
    }
}

fn make_nonblocking(file: &File) {
    // SAFETY: plain system calls on an open descriptor.
    unsafe {
        let flags = libc::fcntl(file.as_raw_fd(), libc::F_GETFL);
        libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

impl Command {
    /// Id of the command's process.
    pub fn id(&self) -> Option<ProcessId> {
        ProcessId::of(self.pid)
    }

    /// File descriptors of its outputs; -1 for a closed one.
    pub fn outputs(&self) -> [i32; 2] {
        [0, 1].map(|which| self.outputs[which].as_ref().map_or(-1, AsRawFd::as_raw_fd))
    }

    /// Forwards a signal.
    pub fn signal(&mut self, signal: i32) {
        if self.status.is_none() {
            // SAFETY: plain system call. The pid stays ours until it was waited for.
            unsafe { libc::kill(self.pid.cast_signed(), signal) };
        }
    }

    /// Exit status, or 128 plus the signal, after the command has ended. Also reaps orphans.
    pub fn ended(&mut self) -> Option<i32> {
        loop {
            let mut raw = 0;
            // SAFETY: plain system call that writes its result into `raw`.
            let ended = unsafe { libc::waitpid(-1, &raw mut raw, libc::WNOHANG) };
            if ended <= 0 {
                return self.status;
            }
            if ended.cast_unsigned() == self.pid {
                let by_signal = libc::WIFSIGNALED(raw);
                let code =
                    if by_signal { 128 + libc::WTERMSIG(raw) } else { libc::WEXITSTATUS(raw) };
                self.status = Some(code);
            }
        }
    }

    /// Copies a limited amount of its output into the log.
    pub fn read(&mut self, which: usize, log: &mut RotatingLog) {
        for _ in 0..ROUNDS {
            if !self.read_once(which, log) {
                return;
            }
        }
    }

    /// Copies all its remaining output into the log.
    pub fn drain(&mut self, which: usize, log: &mut RotatingLog) {
        while self.read_once(which, log) {}
    }

    /// Reads once. Returns whether there may be more.
    fn read_once(&mut self, which: usize, log: &mut RotatingLog) -> bool {
        let Some(output) = &mut self.outputs[which] else { return false };
        match output.read(&mut self.buffer) {
            Ok(0) => {
                self.outputs[which] = None;
                false
            }
            Ok(read_bytes) => {
                log.write(&self.buffer[..read_bytes]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        }
    }
}
