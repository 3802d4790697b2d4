//! Starts a daemon of ours so that it lives on without us, and waits until it says that it is ready.
//!
//! ```text
//! spawn ──▶ Starting ──"ready HOST:PORT"──▶ its address
//!              ├──"failed CODE TEXT"──────▶ problem with that code
//!              ├── the pipe closes ───────▶ problem with the end of its log
//!              └── a signal, or too long ─▶ problem
//! ```
//!
//! A daemon runs in its own session, has no terminal, and writes its output to its log.

use super::folder::{Folder, unusable};
use crate::problem::Problem;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, PipeReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};
use weir_protocol::job_executable::VARIABLES;
use weir_service::{ProcessId, ready::READY_FD_VARIABLE};

/// How long a daemon may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A line about readiness, at most.
const LINE_BYTES: u64 = 64 * 1024;
/// Size of the end of a log that is shown.
const LOG_TAIL_BYTES: usize = 2048;
/// Variables of ours that are not for daemons.
const NOT_FOR_DAEMONS: [&str; 1] = ["WEIR_TOKEN"];

/// Something that happened while daemons start.
#[derive(Debug)]
pub enum Event {
    /// Message of a daemon, or it closed its pipe without one.
    Said(String, String),
    /// A signal asks this process to end.
    Interrupted(i32),
}

/// A daemon that was started and is not waited for yet.
#[derive(Debug)]
pub struct Starting {
    pub process: ProcessId,
    child: Child,
}

impl Starting {
    /// Starts `weir` with these words; what it says comes as an event.
    pub fn spawn(
        folder: &Folder,
        name: &str,
        words: &[OsString],
        events: &Sender<Event>,
    ) -> Result<Self, Problem> {
        let failed = |what: &str, error: &io::Error| {
            Problem::failure("WEIR-CLUSTER-0004", format!("cannot start {name}: {what}: {error}"))
        };
        let weir = std::env::current_exe().map_err(|error| failed("no path to weir", &error))?;
        let log = folder.log(name);
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(&log);
        let file = file.map_err(|error| unusable(&log, &error))?;
        let (reader, writer) = io::pipe().map_err(|error| failed("no pipe", &error))?;
        let mut command = Command::new(weir);
        command.args(words).current_dir(folder.path()).stdin(Stdio::null());
        command.stdout(file.try_clone().map_err(|error| unusable(&log, &error))?).stderr(file);
        for variable in VARIABLES.into_iter().chain(NOT_FOR_DAEMONS) {
            command.env_remove(variable);
        }
        let ready_fd = writer.as_raw_fd();
        command.env(READY_FD_VARIABLE, ready_fd.to_string());
        // SAFETY: between fork and exec only setsid and fcntl are called, which are async-signal-safe,
        // and nothing is allocated. The descriptor is open until `spawn` has returned.
        unsafe { command.pre_exec(move || detach(ready_fd)) };
        let child = command.spawn().map_err(|error| failed("the system refuses", &error))?;
        drop(writer);
        let pid = child.id();
        // It was not waited for, so the number is still its own, dead or alive.
        let process = ProcessId::of(pid).unwrap_or(ProcessId { pid, start_time: 0 });
        listen(name.to_owned(), reader, events.clone());
        Ok(Self { process, child })
    }

    /// Ends it at once; for a start that has failed.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs in the child, before exec.
fn detach(ready_fd: i32) -> io::Result<()> {
    // SAFETY: neither call touches memory; a bad descriptor is an error, not undefined.
    match unsafe { libc::setsid() == -1 || libc::fcntl(ready_fd, libc::F_SETFD, 0) == -1 } {
        true => Err(io::Error::last_os_error()),
        false => Ok(()),
    }
}

fn listen(name: String, reader: PipeReader, events: Sender<Event>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        // A broken pipe ends the message.
        let _ = reader.take(LINE_BYTES).read_to_end(&mut line);
        let _ = events.send(Event::Said(name, String::from_utf8_lossy(&line).trim().to_owned()));
    });
}

/// Waits until each of these is ready; gives their addresses in the same order.
pub fn wait_until_ready(
    folder: &Folder,
    names: &[String],
    events: &Receiver<Event>,
) -> Result<Vec<String>, Problem> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut addresses = vec![None; names.len()];
    while let Some(waiting) = addresses.iter().position(Option::is_none) {
        let left = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(Event::Said(name, line)) => {
                let address = address_of(&name, &line, &folder.log(&name))?;
                if let Some(place) = names.iter().position(|known| *known == name) {
                    addresses[place] = Some(address);
                }
            }
            Ok(Event::Interrupted(signal)) => return Err(interrupted(signal)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let what =
                    format!("{} is not ready after {} s", names[waiting], READY_WITHIN.as_secs());
                let help = format!("see {}", folder.log(&names[waiting]).display());
                return Err(Problem::failure("WEIR-CLUSTER-0004", what).help(help));
            }
        }
    }
    Ok(addresses.into_iter().flatten().collect())
}

/// A signal asked this process to end while it started another one.
pub fn interrupted(signal: i32) -> Problem {
    let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
    let what = format!("{name} while the cluster was starting: what had been started was stopped");
    Problem::failure("WEIR-CLUSTER-0004", what)
}

fn address_of(name: &str, line: &str, log: &Path) -> Result<String, Problem> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "ready" => Ok(rest.to_owned()),
        "failed" => {
            let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
            Err(refusal(name, code, text))
        }
        _ => {
            let what = format!("{name} ended before it was ready{}", log_tail(log));
            Err(Problem::failure("WEIR-CLUSTER-0004", what).help(format!("see {}", log.display())))
        }
    }
}

/// Message of a daemon that could not start. A port in use can be changed by the user.
fn refusal(name: &str, code: &str, text: &str) -> Problem {
    match code {
        "WEIR-HTTP-0001" => {
            Problem::failure("WEIR-CLUSTER-0001", format!("cannot start {name}: {text}"))
                .help("choose another port with --port, or 0 for a free one")
        }
        _ => Problem::failure(code, format!("cannot start {name}: {text}")),
    }
}

/// The end of a log, set off from the sentence before; empty when there is none.
fn log_tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(LOG_TAIL_BYTES)..];
    let text = String::from_utf8_lossy(tail);
    let lines: Vec<_> = text.trim().lines().rev().take(8).collect();
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<_> = lines.into_iter().rev().map(|line| format!("\n  | {line}")).collect();
    format!("; its log ends with{}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_a_daemon_is_an_address_or_a_problem() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        fs::write(log.path(), "one\nthe last words\n").expect("written");
        let read = |line: &str| address_of("node-agent-1", line, log.path());
        assert_eq!(read("ready 127.0.0.1:7").as_deref(), Ok("127.0.0.1:7"));
        for (line, code, part) in [
            ("failed WEIR-HTTP-0001 port in use: …", "WEIR-CLUSTER-0001", "port in use"),
            ("failed WEIR-NM-0007 the disk is gone", "WEIR-NM-0007", "cannot start node-agent-1"),
            ("", "WEIR-CLUSTER-0004", "the last words"),
            ("nonsense", "WEIR-CLUSTER-0004", "ended before"),
        ] {
            let problem = read(line).expect_err(line);
            assert_eq!(problem.code.as_deref(), Some(code));
            assert!(problem.what.contains(part), "{}", problem.what);
        }
    }
}
