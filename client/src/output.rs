//! Writing to the standard streams. A closed pipe (`weir info ... | head -1`) is no
//! error: what it wanted, it has.

use crate::problem::Problem;
use serde::Serialize;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;

/// Writes what was asked for to standard output.
pub fn print(text: &str) -> Result<(), Problem> {
    match write(&mut io::stdout().lock(), text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::system("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes bytes as they are to standard output.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Problem> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Problem::system("cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Whether standard output is still open. A caller that prints without an end asks now and
/// then: a write to a closed pipe is no error here.
pub fn has_reader() -> bool {
    let mut out = libc::pollfd { fd: io::stdout().as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: one valid structure, and no waiting.
    let polled = unsafe { libc::poll(&mut out, 1, 0) };
    polled <= 0 || out.revents & (libc::POLLERR | libc::POLLHUP) == 0
}

/// Writes one line of JSON to standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), Problem> {
    let json = serde_json::to_string(value).expect("plain data is always JSON");
    print(&format!("{json}\n"))
}

/// Writes a remark to standard error. A failure to write is ignored.
pub fn note(text: &str) {
    let _ = write(&mut io::stderr().lock(), &format!("{text}\n"));
}

fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}
