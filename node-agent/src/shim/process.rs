//! Process control of the shim: its session, its signals, and the end of its descendants.

use super::command::Command;
use crate::tree;
use std::{
    fs::File,
    io::{self, Read},
    mem::MaybeUninit,
    os::fd::{AsRawFd, FromRawFd},
};
use weir_service::processes::{Processes, kill_each};

/// An event for the shim.
pub(super) enum Event {
    /// A signal to forward to the command.
    Forward(i32),
    /// A child has ended.
    Child,
    /// An output of the command is readable: 0 stdout, 1 stderr.
    Output(usize),
}

/// Source of events; signals arrive on a descriptor.
pub(super) struct Events {
    signals: File,
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Starts a new session, becomes the subreaper of orphans, and blocks signals in order to read
/// them.
pub(super) fn detach() -> io::Result<Events> {
    // SAFETY: plain system calls; the first call initialises the signal set.
    unsafe {
        // Fails when the agent has already done it.
        libc::setsid();
        checked(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))?;
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        checked(libc::sigemptyset(set.as_mut_ptr()))?;
        let mut set = set.assume_init();
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGCHLD] {
            checked(libc::sigaddset(&raw mut set, signal))?;
        }
        checked(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = checked(libc::signalfd(-1, &raw const set, flags))?;
        Ok(Events { signals: File::from_raw_fd(fd) })
    }
}

/// Closes the pipe to the agent.
pub(super) fn silence() {
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        // SAFETY: plain system call on two open descriptors.
        unsafe { libc::dup2(nowhere.as_raw_fd(), libc::STDOUT_FILENO) };
    }
}

impl Events {
    /// Waits for events.
    pub fn wait(&mut self, command: &Command) -> Vec<Event> {
        let [out, err] = command.outputs();
        let waiting = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // `poll` skips a negative descriptor, which marks a closed output.
        let mut fds = [waiting(self.signals.as_raw_fd()), waiting(out), waiting(err)];
        // SAFETY: the array and its length belong together.
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
        let mut events = Vec::new();
        if fds[0].revents != 0 {
            self.read_signals(&mut events);
        }
        let outputs = (0..2).filter(|which| fds[which + 1].revents != 0).map(Event::Output);
        events.extend(outputs);
        events
    }

    fn read_signals(&mut self, events: &mut Vec<Event>) {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut info = [0; SIZE];
        // The number of the signal is the first field. Ends when nothing is left to read.
        while let Ok(SIZE) = self.signals.read(&mut info) {
            let signal = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
            events.push(match signal.cast_signed() {
                libc::SIGCHLD => Event::Child,
                signal => Event::Forward(signal),
            });
        }
    }
}

/// Kills every descendant of this process, and waits for each. Orphans become children of this process,
/// so without children there are no descendants left.
pub(super) fn end_descendants() {
    let own = std::process::id();
    loop {
        kill_each(&tree::below(&Processes::scan(), own));
        // SAFETY: plain system call; null means that the status is not wanted.
        let ended = unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
        if ended < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}
