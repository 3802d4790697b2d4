//! Signals while a program runs.
//!
//! | signal | what `weir` does |
//! |---|---|
//! | SIGCHLD | looks whether the program has ended |
//! | SIGTERM | passes it on and waits for the program to end |
//! | SIGINT | the same, unless it came from the terminal, which sends it to the program itself |
//! | others | what the system does; the program ends by its lifeline |
//!
//! A signal that was ignored when `weir` was started (`nohup`, a background job of a script) stays
//! ignored, here and in the program.

use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::process::Child;
use std::sync::mpsc::Sender;
use std::thread;

/// Stops the reports when dropped.
pub struct Reports(Handle);

impl Drop for Reports {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Reports each signal from now on. To be called before the program is started, so that its end
/// cannot be missed.
pub fn report<E: From<Signal> + Send + 'static>(events: Sender<E>) -> io::Result<Reports> {
    let wanted = [SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(wanted.chain([SIGCHLD]))?;
    let reports = Reports(signals.handle());
    thread::spawn(move || {
        for number in signals.forever() {
            if events.send(Signal(number).into()).is_err() {
                return;
            }
        }
    });
    Ok(reports)
}

/// A signal that `weir` got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal(i32);

impl Signal {
    pub fn number(self) -> i32 {
        self.0
    }

    /// Whether the signal asks this process to end; the end of a child only wakes it up.
    pub fn is_for_us(self) -> bool {
        self.0 != SIGCHLD
    }

    /// Does to a program that was not waited for yet what the table above says.
    pub fn act_on(self, child: &Child) {
        let pass_on = match self.0 {
            SIGTERM => true,
            SIGINT => !is_in_foreground(),
            _ => false,
        };
        if pass_on && let Ok(process) = libc::pid_t::try_from(child.id()) {
            // SAFETY: kill touches no memory. The process was not waited for, so the number is
            // still its own.
            unsafe { libc::kill(process, self.0) };
        }
    }
}

/// Whether a terminal sends its Ctrl-C to our process group, and so to the program as well.
fn is_in_foreground() -> bool {
    let Ok(terminal) = File::open("/dev/tty") else {
        return false;
    };
    // SAFETY: both calls touch no memory; the descriptor is open.
    unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) == libc::getpgrp() }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeroes are a valid `sigaction`, and with no new action the call only fills it in.
    let (result, action) = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let result = libc::sigaction(signal, std::ptr::null(), &mut action);
        (result, action)
    };
    result == 0 && action.sa_sigaction == libc::SIG_IGN
}
