//! Parent process of every container: `weir container-shim <folder>`. It outlives the agent.
//!
//! ```text
//!  agent ──.weir/launch──▶ shim ──spawns──▶ command ──▶ its children …
//!        ◀─.weir/pid─────   │ ▲ SIGTERM, SIGINT, SIGHUP are forwarded
//!        ◀─.weir/child───   │ └ stdout and stderr go through it, into files that it rotates
//!        ◀─.weir/exit────   └ orphans become its children (it is their subreaper)
//! ```
//!
//! Invariants: `exit` is written after the last process of the container has ended; when the
//! shim itself is killed, the kernel kills the command. The shim is a single thread that waits in `poll`, so it
//! needs little memory; that thread is the command's parent, and the kernel watches for its end.

mod command;
mod logs;
mod process;

use crate::{
    layout::ContainerFolder,
    record::{self, LaunchRecord, ReservedExit},
};
use logs::RotatingLog;
use process::{Event, Events};
use std::{
    io::{self, Write},
    path::Path,
};
use weir_protocol::cluster::exit_status;
use weir_service::{ProcessId, logs::log_line};

/// Line on the shim's standard output after it has taken the container over.
pub(crate) const STARTED: &str = "started";

/// Runs the container in this folder to its end. Returns the exit code of the shim's own process, which
/// is not used: the exit record says how the container ended.
///
/// Must be called by the main thread while there is no other: signals are blocked for the calling thread,
/// and the command is killed when that thread ends.
pub fn run(folder: &Path) -> i32 {
    let folder = match std::path::absolute(folder) {
        Ok(folder) => ContainerFolder::new(folder),
        Err(error) => return say(&format!("{}: {error}", folder.display()), 1),
    };
    match Shim::begin(&folder) {
        Ok(shim) => shim.run(&folder),
        Err(problem) => say(&problem, 1),
    }
}

/// Writes a line to the agent, if it still reads.
fn say(text: &str, exit_code: i32) -> i32 {
    let mut out = io::stdout();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
    exit_code
}

struct Shim {
    launch: LaunchRecord,
    exit: ReservedExit,
    events: Events,
}

impl Shim {
    /// Takes the container over; fails before any process of it runs.
    fn begin(folder: &ContainerFolder) -> Result<Self, String> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| format!("{what}: {error}")
        };
        let events = process::detach().map_err(failed("process settings"))?;
        let launch = record::read(&folder.launch()).map_err(failed("what to run"))?;
        let launch = launch.ok_or_else(|| "there is nothing to run".to_owned())?;
        let exit = ReservedExit::new(folder.exit()).map_err(failed("room for the exit status"))?;
        match record::claim(folder, Some(ProcessId::own())) {
            Ok(true) => Ok(Self { launch, exit, events }),
            Ok(false) => Err("the container was started or given up before".to_owned()),
            Err(error) => Err(failed("the shim's process id")(error)),
        }
    }

    fn run(self, folder: &ContainerFolder) -> i32 {
        let Self { launch, exit, mut events } = self;
        let mut command = match command::spawn(folder, &launch) {
            Ok(command) => command,
            Err(problem) => {
                let ended = end(exit, exit_status::INVALID, &problem);
                return say(STARTED, ended);
            }
        };
        // For diagnosis only: the exit status does not depend on it.
        let _ = record::write(&folder.child(), &command.id());
        say(STARTED, 0);
        process::silence();
        let mut logs = [RotatingLog::new(&launch, "stdout"), RotatingLog::new(&launch, "stderr")];
        let status = loop {
            for event in events.wait(&command) {
                match event {
                    Event::Forward(signal) => command.signal(signal),
                    Event::Output(which) => command.read(which, &mut logs[which]),
                    Event::Child => {}
                }
            }
            if let Some(status) = command.ended() {
                break status;
            }
        };
        process::end_descendants();
        for (which, log) in logs.iter_mut().enumerate() {
            command.drain(which, log);
            log.finish();
        }
        end(exit, status, "")
    }
}

fn end(exit: ReservedExit, status: i32, diagnostics: &str) -> i32 {
    match exit.fill(status, diagnostics) {
        Ok(()) => 0,
        Err(error) => {
            log_line(&format!("cannot store exit status {status} of the container: {error}"));
            1
        }
    }
}
