//! Waits for a program and listens to it, step by step.
//!
//! ```text
//! reader thread ──messages──┐
//! signal thread ──signals───┼──▶ events ──▶ this thread: next() ──▶ Step
//! other senders ──news──────┘
//! ```
//!
//! Only this thread touches the process, so its number cannot be another's when a signal is sent.
//! A program whose messages are not valid is ended by its lifeline, and killed if it does not end.

use crate::output;
use crate::problem::Problem;
use crate::program::{self, Answers, Program, Streams};
use crate::request::ProgramCommand;
use crate::signals::{self, Reports, Signal};
use std::convert::Infallible;
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
/// How long a program may take to end by itself when its job could not be run.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// How long the rest of the messages may take after the program has ended. A child of the program
/// that kept the pipe must not keep us.
const REST: Duration = Duration::from_secs(1);
/// How long further messages of other senders are read after that.
const FLOOD: Duration = Duration::from_secs(10);

/// The messages of a program, and how it ended.
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

/// How a program ended.
#[derive(Debug)]
pub struct End {
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
    /// It uses another version of the protocol.
    Protocol {
        /// Its version.
        protocol: u32,
        /// The release it was built with.
        weir_version: String,
    },
    /// It does not use the protocol.
    Messages(protocol::Error),
}

/// The next event.
#[derive(Debug)]
pub enum Step<N> {
    /// A message of the program.
    Message(JobMessage),
    /// We got this signal.
    Signal(Signal),
    /// A message of another sender.
    News(N),
    /// The program has ended, and all its messages were returned. Comes once; signals and news may follow.
    Ended(End),
}

/// An incoming event.
#[derive(Debug)]
pub enum Event<N> {
    /// A message of the program.
    Message(JobMessage),
    /// It will say no more.
    EndOfMessages(Option<protocol::Error>),
    /// We got this signal.
    Signal(Signal),
    /// From another sender.
    News(N),
}

impl<N> From<Signal> for Event<N> {
    fn from(signal: Signal) -> Self {
        Self::Signal(signal)
    }
}

/// Starts a program and waits for its end.
pub fn run_to_end(
    command: &ProgramCommand,
    launch: Launch,
    streams: Streams,
) -> Result<Transcript, Problem> {
    let mut supervised = Supervised::<Infallible>::start(command, launch, streams, Answers::None)?;
    supervised.until_end().map_err(cannot_wait)
}

/// The system does not tell how the program is.
pub fn cannot_wait(error: io::Error) -> Problem {
    Problem::system("cannot wait for the program", &error)
}

fn hint(command: &ProgramCommand) -> String {
    format!(
        "weir: {} has run for {} s without creating a StreamExecutionEnvironment; waiting on \
         (Ctrl-C ends it). Is it a Weir job?",
        command.executable.display(),
        HINT_AFTER.as_secs()
    )
}

type Hint = Box<dyn FnOnce()>;

/// A program that was started, and the events while it runs.
pub struct Supervised<N> {
    child: Child,
    events: Receiver<Event<N>>,
    sender: Sender<Event<N>>,
    lifeline: Option<PipeWriter>,
    /// Where answers go, until they are taken.
    answers: Option<PipeWriter>,
    /// When to give the hint; taken when it is given or no longer fits.
    hint: Option<(Instant, Hint)>,
    kill_at: Option<Instant>,
    refusal: Option<Refusal>,
    killed: bool,
    /// Whether more messages may come.
    listening: bool,
    /// Since its end: how it ended, and until when its last messages are waited for.
    ended: Option<(ExitStatus, Instant)>,
    told_end: bool,
    _reports: Reports,
}

impl<N: Send + 'static> Supervised<N> {
    /// Starts a program.
    pub fn start(
        command: &ProgramCommand,
        launch: Launch,
        streams: Streams,
        answers: Answers,
    ) -> Result<Self, Problem> {
        let text = hint(command);
        let hint = Box::new(move || output::note(&text));
        Self::start_with_hint(command, launch, streams, answers, (HINT_AFTER, hint))
    }

    fn start_with_hint(
        command: &ProgramCommand,
        launch: Launch,
        streams: Streams,
        answers: Answers,
        (hint_after, hint): (Duration, Hint),
    ) -> Result<Self, Problem> {
        let (sender, events) = mpsc::channel();
        let reports = signals::report(sender.clone());
        let reports =
            reports.map_err(|error| Problem::system("cannot wait for signals", &error))?;
        let Program { child, messages, lifeline, answers } =
            program::start(command, launch, streams, answers)?;
        let to_events = sender.clone();
        thread::spawn(move || read_all(messages, &to_events));
        Ok(Self {
            child,
            events,
            sender,
            lifeline: Some(lifeline),
            answers,
            hint: Some((Instant::now() + hint_after, hint)),
            kill_at: None,
            refusal: None,
            killed: false,
            listening: true,
            ended: None,
            told_end: false,
            _reports: reports,
        })
    }

    /// Where others may send news.
    pub fn sender(&self) -> Sender<Event<N>> {
        self.sender.clone()
    }

    /// Where answers to the program go, if the launch asked for that; once.
    pub fn take_answers(&mut self) -> Option<PipeWriter> {
        self.answers.take()
    }

    /// Sends a signal that we got on to the program, unless the terminal has done so.
    pub fn pass_on(&self, signal: Signal) {
        // Once it was waited for, no signal must be sent to its number any more.
        if self.ended.is_none() {
            signal.act_on(&self.child);
        }
    }

    /// Tells the program to end, and kills it if it does not.
    pub fn end(&mut self) {
        self.hint = None;
        self.lifeline = None;
        self.kill_at.get_or_insert(Instant::now() + GRACE);
    }

    /// Leaves the program some time to end by itself, as it has learned that its job failed.
    pub fn end_soon(&mut self) {
        self.hint = None;
        self.kill_at.get_or_insert(Instant::now() + ENDS_WITHIN);
    }

    /// Ends the program at once, without waiting for its lifeline.
    pub fn end_now(&mut self) {
        if self.ended.is_none() {
            // One that has ended in the meantime needs no signal.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Waits for what happens next.
    pub fn next(&mut self) -> io::Result<Step<N>> {
        loop {
            if self.ended.is_none()
                && let Some(status) = self.child.try_wait()?
            {
                self.ended = Some((status, Instant::now() + REST));
            }
            if let Some(end) = self.end_to_tell() {
                return Ok(Step::Ended(end));
            }
            match self.next_event() {
                Some(event) => {
                    if let Some(step) = self.handle(event) {
                        return Ok(step);
                    }
                }
                None => self.on_deadline()?,
            }
        }
    }

    fn until_end(&mut self) -> io::Result<Transcript> {
        let mut messages = Vec::new();
        loop {
            match self.next()? {
                Step::Message(message) => messages.push(message),
                Step::Signal(signal) => self.pass_on(signal),
                Step::News(_) => {}
                Step::Ended(End { status, refusal, killed }) => {
                    return Ok(Transcript { messages, status, refusal, killed });
                }
            }
        }
    }

    fn end_to_tell(&mut self) -> Option<End> {
        let (status, until) = self.ended?;
        if self.told_end || (self.listening && Instant::now() < until + FLOOD) {
            return None;
        }
        self.told_end = true;
        Some(End { status, refusal: self.refusal.take(), killed: self.killed })
    }

    /// The next event, or none when a deadline has come.
    fn next_event(&self) -> Option<Event<N>> {
        let deadline = match &self.ended {
            None => {
                let hint_at = self.hint.as_ref().map(|(at, _)| *at);
                [hint_at, self.kill_at].into_iter().flatten().min()
            }
            Some((_, until)) => (!self.told_end).then_some(*until),
        };
        match deadline {
            None => self.events.recv().ok(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.events.recv_timeout(left).ok()
            }
        }
    }

    fn on_deadline(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if let Some((_, hint)) = self.hint.take_if(|(at, _)| *at <= now) {
            hint();
        }
        if self.ended.is_none() && self.kill_at.take_if(|at| *at <= now).is_some() {
            self.child.kill()?;
            self.killed = true;
        }
        // Earlier messages were read before this.
        if self.ended.is_some_and(|(_, until)| until <= now) {
            self.listening = false;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event<N>) -> Option<Step<N>> {
        match event {
            Event::Signal(signal) => signal.is_for_us().then_some(Step::Signal(signal)),
            Event::News(news) => Some(Step::News(news)),
            Event::Message(message) => self.take_in(message).map(Step::Message),
            Event::EndOfMessages(error) => {
                self.listening = false;
                if let Some(error) = error {
                    self.refuse(Refusal::Messages(error));
                }
                None
            }
        }
    }

    fn take_in(&mut self, message: JobMessage) -> Option<JobMessage> {
        self.hint = None;
        match message {
            JobMessage::Hello { protocol, weir_version } if protocol != PROTOCOL => {
                self.refuse(Refusal::Protocol { protocol, weir_version });
                None
            }
            JobMessage::Progress { .. } => None,
            // A message of another protocol is ignored.
            _ if self.refusal.is_some() => None,
            message => Some(message),
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.refusal.is_none() {
            self.refusal = Some(refusal);
            self.end();
        }
    }
}

fn read_all<N>(messages: PipeReader, events: &Sender<Event<N>>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn program_without_messages_gets_a_hint() {
        let folder = tempfile::tempdir().expect("a folder");
        let hinted = folder.path().join("hinted");
        let command = ProgramCommand {
            executable: "/bin/sh".into(),
            arguments: vec![
                "-c".into(),
                "while [ ! -e \"$0\" ]; do :; done; exit 3".into(),
                hinted.clone().into(),
            ],
        };
        let hint = Box::new(move || fs::write(&hinted, "").expect("writable"));
        let launch = Launch::default();
        let hint: (Duration, Hint) = (Duration::ZERO, hint);
        let supervised = Supervised::<Infallible>::start_with_hint(
            &command,
            launch,
            Streams::OutputDropped,
            Answers::None,
            hint,
        );
        let transcript = supervised.expect("it starts").until_end().expect("it ends by itself");
        assert_eq!(transcript.status.code(), Some(3));
        assert!(transcript.messages.is_empty() && !transcript.killed);
    }
}
