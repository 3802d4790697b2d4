//! Starts a job executable with the pipes that tie it to `weir`.
//!
//! ```text
//! weir ◀── messages ── program      the program's end is inherited, ours is not
//! weir ── lifeline ──▶ program      never written; closes with weir, whatever ends it
//! weir ── answers ───▶ program      only where its jobs run elsewhere: how each of them ended
//! ```

use crate::executable;
use crate::problem::Problem;
use crate::request::ProgramCommand;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use weir_protocol::job_executable::{Launch, VARIABLES};

/// A program that was started.
pub struct Program {
    /// Its process.
    pub child: Child,
    /// Its messages.
    pub messages: PipeReader,
    /// Dropping it tells the program to end.
    pub lifeline: PipeWriter,
    /// Where it learns how its jobs end, if it was started so.
    pub answers: Option<PipeWriter>,
}

/// Whether a program learns how its jobs end. One that does not ends with its first job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answers {
    /// It is, over a pipe.
    Piped,
    /// It is not.
    None,
}

/// Where the standard streams of a program lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Streams {
    /// To ours.
    Inherited,
    /// Input from nowhere, output to our standard error, so that ours stays clean.
    OutputAside,
    /// Input from nowhere, output to nowhere.
    OutputDropped,
}

/// Starts a program; the descriptors in `launch` are set here.
pub fn start(
    command: &ProgramCommand,
    launch: Launch,
    streams: Streams,
    answers: Answers,
) -> Result<Program, Problem> {
    let path = executable::path_to_start(&command.executable);
    executable::check(&path)?;
    let no_pipes = |error| Problem::system("cannot create the pipes to the program", &error);
    let (messages, report) = io::pipe().map_err(no_pipes)?;
    let (lifeline_end, lifeline) = io::pipe().map_err(no_pipes)?;
    let (answers_end, answers) = match answers {
        Answers::Piped => {
            io::pipe().map(|(end, ours)| (Some(end), Some(ours))).map_err(no_pipes)?
        }
        Answers::None => (None, None),
    };
    let parent_fd = Some(report.as_raw_fd());
    let lifeline_fd = Some(lifeline_end.as_raw_fd());
    let answer_fd = answers_end.as_ref().map(AsRawFd::as_raw_fd);
    let inherited = [parent_fd, lifeline_fd, answer_fd];
    let launch = Launch { parent_fd, lifeline_fd, answer_fd, ..launch };
    let mut process = process_of(path.clone(), command, &launch);
    lead(&mut process, streams).map_err(no_pipes)?;
    // SAFETY: between fork and exec only fcntl is called, which is async-signal-safe, and nothing
    // is allocated. The descriptors are open until `spawn` has returned.
    unsafe { process.pre_exec(move || inherited.into_iter().flatten().try_for_each(keep_on_exec)) };
    let child = process.spawn().map_err(|error| executable::start_problem(&path, &error))?;
    drop((report, lifeline_end, answers_end));
    Ok(Program { child, messages, lifeline, answers })
}

fn process_of(path: PathBuf, command: &ProgramCommand, launch: &Launch) -> Command {
    let mut process = Command::new(path);
    process.args(&command.arguments);
    for variable in VARIABLES {
        process.env_remove(variable);
    }
    process.envs(launch.variables());
    process
}

fn lead(command: &mut Command, streams: Streams) -> io::Result<()> {
    use std::os::fd::AsFd;
    match streams {
        Streams::Inherited => {}
        Streams::OutputAside => {
            let aside = io::stderr().as_fd().try_clone_to_owned()?;
            command.stdin(Stdio::null()).stdout(Stdio::from(aside));
        }
        Streams::OutputDropped => {
            command.stdin(Stdio::null()).stdout(Stdio::null());
        }
    }
    Ok(())
}

fn keep_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: fcntl with F_SETFD touches no memory; a bad descriptor is an error, not undefined.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
