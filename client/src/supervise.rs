//! Waits for a program, listens to it, and writes down what it told.
//!
//! ```text
//! reader thread ──messages──┐
//!                           ├──▶ events ──▶ this thread: record, pass signals on, wait ──▶ Transcript
//! signal thread ──signals───┘
//! ```
//!
//! Only this thread touches the process, so its number cannot be another's when a signal is sent.
//! A program whose messages make no sense is told to end by its lifeline, and killed if it does not.

use crate::output;
use crate::problem::Problem;
use crate::program::{self, Program, Streams};
use crate::request::Words;
use crate::signals::{self, Signal};
use std::io::{self, BufReader, PipeReader, PipeWriter};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};
use weir_protocol::job_executable::{self as protocol, JobMessage, Launch, PROTOCOL};

/// How long a program may take to create its environment before a hint is given.
const HINT_AFTER: Duration = Duration::from_secs(10);
/// How long a program may take to end by its lifeline before it is killed.
const GRACE: Duration = Duration::from_secs(1);
/// How long the rest of the messages may take after the program has ended. A child of the program
/// that kept the pipe must not keep us.
const REST: Duration = Duration::from_secs(1);

/// What a program told, and how it ended.
#[derive(Debug)]
pub struct Transcript {
    /// Its messages in order, without progress.
    pub messages: Vec<JobMessage>,
    /// How its process ended.
    pub status: ExitStatus,
    /// Why we no longer listened to it.
    pub refusal: Option<Refusal>,
    /// Whether we killed it.
    pub killed: bool,
}

/// Why a program is not listened to.
#[derive(Debug)]
pub enum Refusal {
    /// It speaks another version of the protocol.
    Protocol {
        /// Its version.
        protocol: u32,
        /// The release it was built with.
        weir_version: String,
    },
    /// It does not speak the protocol.
    Messages(protocol::Error),
}

enum Event {
    Message(JobMessage),
    EndOfMessages(Option<protocol::Error>),
    Signal(Signal),
}

impl From<Signal> for Event {
    fn from(signal: Signal) -> Self {
        Self::Signal(signal)
    }
}

/// Starts a program and waits for its end.
pub fn run_to_end(words: &Words, launch: Launch, streams: Streams) -> Result<Transcript, Problem> {
    let hint = || output::note(&hint(words));
    run_with_hint(words, launch, streams, HINT_AFTER, hint)
}

fn hint(words: &Words) -> String {
    format!(
        "weir: {} has run for {} s without creating a StreamExecutionEnvironment; waiting on \
         (Ctrl-C ends it). Is it a Weir job?",
        words.executable.display(),
        HINT_AFTER.as_secs()
    )
}

fn run_with_hint(
    words: &Words,
    launch: Launch,
    streams: Streams,
    hint_after: Duration,
    hint: impl FnOnce(),
) -> Result<Transcript, Problem> {
    let (sender, events) = mpsc::channel();
    let reports = signals::report(sender.clone());
    let _reports = reports.map_err(|error| Problem::system("cannot wait for signals", &error))?;
    let Program { child, messages, lifeline } = program::start(words, launch, streams)?;
    thread::spawn(move || read_all(messages, &sender));
    let watch = Watch {
        child,
        events,
        lifeline: Some(lifeline),
        transcript: Unended::default(),
        hint: Some((Instant::now() + hint_after, hint)),
        kill_at: None,
    };
    watch.until_end().map_err(|error| Problem::system("cannot wait for the program", &error))
}

fn read_all(messages: PipeReader, events: &Sender<Event>) {
    let mut messages = BufReader::new(messages);
    loop {
        let event = match protocol::read_message(&mut messages) {
            Ok(Some(message)) => Event::Message(message),
            Ok(None) => Event::EndOfMessages(None),
            Err(error) => Event::EndOfMessages(Some(error)),
        };
        let is_last = matches!(event, Event::EndOfMessages(_));
        if events.send(event).is_err() || is_last {
            return;
        }
    }
}

/// A transcript before the end of the process.
#[derive(Default)]
struct Unended {
    messages: Vec<JobMessage>,
    refusal: Option<Refusal>,
    killed: bool,
}

struct Watch<H> {
    child: Child,
    events: Receiver<Event>,
    lifeline: Option<PipeWriter>,
    transcript: Unended,
    /// When to give the hint; taken when it is given or no longer fits.
    hint: Option<(Instant, H)>,
    kill_at: Option<Instant>,
}

impl<H: FnOnce()> Watch<H> {
    fn until_end(mut self) -> io::Result<Transcript> {
        let mut listening = true;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            match self.next_event() {
                Some(event) => listening &= self.handle(event),
                None => self.on_deadline()?,
            }
        };
        let end = Instant::now() + REST;
        while listening {
            let left = end.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                // The process was waited for: no signal must be sent to its number any more.
                Ok(Event::Signal(_)) => {}
                Ok(event) => listening = self.handle(event),
                Err(_) => break,
            }
        }
        let Unended { messages, refusal, killed } = self.transcript;
        Ok(Transcript { messages, status, refusal, killed })
    }

    /// The next event, or none when a deadline has come.
    fn next_event(&self) -> Option<Event> {
        let hint_at = self.hint.as_ref().map(|(at, _)| *at);
        let Some(deadline) = [hint_at, self.kill_at].into_iter().flatten().min() else {
            return self.events.recv().ok();
        };
        let left = deadline.saturating_duration_since(Instant::now());
        self.events.recv_timeout(left).ok()
    }

    fn on_deadline(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if let Some((_, hint)) = self.hint.take_if(|(at, _)| *at <= now) {
            hint();
        }
        if self.kill_at.take_if(|at| *at <= now).is_some() {
            self.child.kill()?;
            self.transcript.killed = true;
        }
        Ok(())
    }

    /// Whether more messages may come.
    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Signal(signal) => signal.act_on(&self.child),
            Event::Message(message) => self.record(message),
            Event::EndOfMessages(error) => {
                if let Some(error) = error {
                    self.refuse(Refusal::Messages(error));
                }
                return false;
            }
        }
        true
    }

    fn record(&mut self, message: JobMessage) {
        self.hint = None;
        match message {
            JobMessage::Hello { protocol, weir_version } if protocol != PROTOCOL => {
                self.refuse(Refusal::Protocol { protocol, weir_version });
            }
            JobMessage::Progress { .. } => {}
            message => self.transcript.messages.push(message),
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.transcript.refusal.is_none() {
            self.transcript.refusal = Some(refusal);
            self.hint = None;
            self.lifeline = None;
            self.kill_at = Some(Instant::now() + GRACE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn program_that_says_nothing_gets_a_hint_and_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let hinted = folder.path().join("hinted");
        let words = Words {
            executable: "/bin/sh".into(),
            arguments: vec![
                "-c".into(),
                "while [ ! -e \"$0\" ]; do :; done; exit 3".into(),
                hinted.clone().into(),
            ],
        };
        let hint = || fs::write(&hinted, "").expect("writable");
        let launch = Launch::default();
        let transcript =
            run_with_hint(&words, launch, Streams::OutputDropped, Duration::ZERO, hint);
        let transcript = transcript.expect("it ends by itself");
        assert_eq!(transcript.status.code(), Some(3));
        assert!(transcript.messages.is_empty() && !transcript.killed);
    }
}
