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

/// Read at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Rounds of reading after which others get their turn.
const ROUNDS: usize = 16;
/// A file that somebody has just finished writing may count as open for writing still, in a process
/// that is about to become another program; so long at most.
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

/// Starts the command, or says why it cannot be.
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
            // The shim may have ended before that.
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

/// The shim holds signals back to read them; what it blocks would stay blocked in the command and in all
/// that descends from it. Called between fork and exec.
fn unblock_signals() -> io::Result<()> {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: system calls that are safe after a fork; the set is initialised by the first.
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
    /// Its process.
    pub fn id(&self) -> Option<ProcessId> {
        ProcessId::of(self.pid)
    }

    /// Descriptors of its outputs; -1 for one that is closed.
    pub fn outputs(&self) -> [i32; 2] {
        [0, 1].map(|which| self.outputs[which].as_ref().map_or(-1, AsRawFd::as_raw_fd))
    }

    /// Hands a signal down.
    pub fn signal(&mut self, signal: i32) {
        if self.status.is_none() {
            // SAFETY: plain system call. The number is ours until its end was waited for.
            unsafe { libc::kill(self.pid.cast_signed(), signal) };
        }
    }

    /// Its exit status, or 128 and the signal, once it has ended. Waits for orphans on the way.
    pub fn ended(&mut self) -> Option<i32> {
        loop {
            let mut raw = 0;
            // SAFETY: plain system call with a place for its result.
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

    /// Puts what it has written into its log, some at a time.
    pub fn read(&mut self, which: usize, log: &mut RotatingLog) {
        for _ in 0..ROUNDS {
            if !self.read_once(which, log) {
                return;
            }
        }
    }

    /// Puts all that it has written into its log.
    pub fn drain(&mut self, which: usize, log: &mut RotatingLog) {
        while self.read_once(which, log) {}
    }

    /// Whether there may be more.
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
