//! `weir run -t per-job`: the program's `main` runs here, its jobs run on a cluster.
//!
//! ```text
//!  program ──Graph──▶ main thread ──Graph──▶ worker ──▶ resource manager ──▶ …
//!     ▲                   ▲  └ signals          │
//!     │                   └──────── News ───────┤
//!     └───────────────── JobAnswer ─────────────┘
//! ```
//!
//! Invariant: the job does not depend on this process. Its death, or an interrupt, leaves the
//! job running, unless asked otherwise.

mod gate;
mod hash_cache;
mod job_lines;
mod patience;
mod ship;
mod submit;
mod watch;
mod worker;

pub use job_lines::web_address;

use crate::executable;
use crate::jobs;
use crate::problem::{Exit, Problem};
use crate::program::{Answers, Streams};
use crate::remote::{Remote, Target, no_token};
use crate::request::{OnInterrupt, PerJob, ProgramCommand, Request};
use crate::signals::Signal;
use crate::summary::Summary;
use crate::supervise::{End, Event, Step, Supervised, Transcript, cannot_wait};
use crate::verdict::{self, Verdict};
use gate::Gate;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use submit::{Graph, Origin, Submitted};
use weir_config::Config;
use weir_protocol::rest::flink::result::FailureReport;
use weir_protocol::{
    job::JobStatus,
    job_executable::{JobMessage, Launch, Role},
};
use worker::{Ended, Lines, Mode, News, Worker};

/// Runs the program; its jobs run on the cluster.
pub fn run(request: &Request, per_job: &PerJob) -> (Exit, Summary) {
    let mut summary = Summary::default();
    let outcome = Run::start(request, per_job).and_then(|run| run.until_end(&mut summary));
    let exit = match outcome {
        Ok(exit) => exit,
        Err(problem) => {
            weir_terminal::note(&problem.to_string());
            summary.fail_with(&problem);
            problem.exit
        }
    };
    (exit, summary)
}

struct Run<'a> {
    command: &'a ProgramCommand,
    per_job: &'a PerJob,
    remote: Remote,
    supervised: Supervised<News>,
    graphs: Sender<Graph>,
    gate: Arc<Gate>,
    /// Jobs that were handed to the worker and are not done.
    in_flight: u32,
    /// The one that runs.
    running: Option<Submitted>,
    /// The events of the job, as a local program would report them.
    messages: Vec<JobMessage>,
    /// Why a job was not submitted or could not be followed.
    failure: Option<Problem>,
    /// Where the last job failed.
    report: Option<FailureReport>,
    last: Option<Submitted>,
    /// An interrupt before it was known what it would leave behind.
    early_signal: Option<i32>,
    /// An interrupt has cancelled the job.
    is_cancelling: bool,
    end: Option<End>,
}

/// Whether the loop continues.
enum Flow {
    On,
    Exit(Exit),
}

impl<'a> Run<'a> {
    fn start(request: &'a Request, per_job: &'a PerJob) -> Result<Self, Problem> {
        let command = &request.command;
        let executable = executable::path_to_start(&command.executable);
        executable::check(&executable)?;
        let target = Target::find_with(&per_job.cluster, &request.config)?;
        if target.token.is_none() {
            return Err(no_token(&target));
        }
        let remote = Remote::new(target)?;
        // Before the program is started: all that can be wrong with the way to the cluster is found.
        submit::check_release(&remote)?;
        let first = submit::new_application(&remote)?.application_id;
        let launch = Launch {
            role: Role::Client,
            configuration: Some(request.config.to_json()),
            // `weir` prints the lines about jobs itself.
            quiet: true,
            ..Launch::default()
        };
        let mut supervised =
            Supervised::start(command, launch, Streams::Inherited, Answers::Piped)?;
        let own_remote = remote.again()?;
        let gate = Arc::new(Gate::default());
        let worker = Worker {
            remote,
            first: Some(first),
            executable,
            origin: origin(request)?,
            mode: if per_job.is_detached { Mode::Detached } else { Mode::Attached },
            lines: if request.is_quiet() { Lines::LeftOut } else { Lines::Printed },
            answers: supervised.take_answers().expect("it was started with answers"),
            news: supervised.sender(),
            gate: Arc::clone(&gate),
            earlier: Vec::new(),
        };
        let (graphs, to_worker) = mpsc::channel();
        thread::spawn(move || worker.work(&to_worker));
        Ok(Self {
            command,
            per_job,
            remote: own_remote,
            supervised,
            graphs,
            gate,
            in_flight: 0,
            running: None,
            messages: Vec::new(),
            failure: None,
            report: None,
            last: None,
            early_signal: None,
            is_cancelling: false,
            end: None,
        })
    }

    fn until_end(mut self, summary: &mut Summary) -> Result<Exit, Problem> {
        let flow = loop {
            let step = self.supervised.next().map_err(cannot_wait)?;
            if let Flow::Exit(exit) = self.take(step)? {
                self.supervised.end_now();
                break Some(exit);
            }
            if self.end.is_some() && self.in_flight == 0 {
                break None;
            }
        };
        *summary = Summary::of(&self.messages);
        if let Some(report) = &self.report {
            summary.failed_at(report);
        }
        if let Some(last) = self.last {
            summary.of_application(last.application, web_address(self.remote.address(), last));
            summary.is_detached(self.per_job.is_detached);
        }
        match flow {
            Some(exit) => Ok(exit),
            None => self.judge(),
        }
    }

    fn take(&mut self, step: Step<News>) -> Result<Flow, Problem> {
        match step {
            Step::Message(message) => self.hear(message)?,
            Step::Signal(signal) => return self.interrupt(signal),
            Step::News(news) => return self.learn(news),
            Step::Ended(end) => return Ok(self.program_ended(end)),
        }
        Ok(Flow::On)
    }

    fn hear(&mut self, message: JobMessage) -> Result<(), Problem> {
        match message {
            JobMessage::Graph { ordinal, stream_graph, fingerprint, plan_json, configuration } => {
                let config = Config::from_json(&configuration)?;
                let graph = Graph { ordinal, stream_graph, fingerprint, plan_json, config };
                // A worker that has given up has printed the reason.
                self.in_flight += u32::from(self.graphs.send(graph).is_ok());
            }
            JobMessage::Cancel { job } => {
                if let Some(running) = self.running.filter(|running| running.job == job) {
                    self.cancel(running)?;
                }
            }
            message => self.messages.push(message),
        }
        Ok(())
    }

    fn learn(&mut self, news: News) -> Result<Flow, Problem> {
        match news {
            News::Submitted(submitted, name) => {
                self.gate.leave();
                self.report = None;
                self.running = Some(submitted);
                self.last = Some(submitted);
                self.messages.push(JobMessage::Submitted { job: submitted.job, name });
                if let Some(signal) = self.early_signal.take() {
                    return self.leave(submitted, signal);
                }
            }
            News::Ended(ended) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.running = None;
                self.report = ended.result.as_ref().and_then(|result| result.failure.clone());
                self.messages.extend(message_of(*ended));
                if self.is_cancelling {
                    self.supervised.end();
                }
            }
            News::Failed(problem) => {
                self.gate.leave();
                self.in_flight = 0;
                self.running = None;
                self.failure.get_or_insert(problem);
                self.supervised.end_soon();
            }
            News::NotCancelled(problem) if self.running.is_some() => return Err(problem),
            News::NotCancelled(_) => {}
        }
        Ok(Flow::On)
    }

    fn program_ended(&mut self, end: End) -> Flow {
        let signal = end.status.signal();
        self.end = Some(end);
        match (self.running, signal) {
            // The terminal has interrupted us both; that of the program was seen first.
            (Some(running), Some(signal @ (libc::SIGINT | libc::SIGTERM)))
                if !self.is_cancelling =>
            {
                self.leave(running, signal).unwrap_or(Flow::Exit(Exit::Signal(signal)))
            }
            (None, Some(signal @ (libc::SIGINT | libc::SIGTERM))) if self.withhold() => {
                Flow::Exit(Exit::Signal(signal))
            }
            (Some(running), _) if !self.is_cancelling => {
                weir_terminal::note(&is_left(running));
                self.in_flight = 0;
                Flow::On
            }
            _ => Flow::On,
        }
    }

    fn interrupt(&mut self, signal: Signal) -> Result<Flow, Problem> {
        let number = signal.number();
        if self.is_cancelling || self.early_signal.is_some() {
            return Ok(Flow::Exit(Exit::Signal(number)));
        }
        match self.running {
            Some(running) => self.leave(running, number),
            None if self.withhold() => Ok(Flow::Exit(Exit::Signal(number))),
            None if self.in_flight > 0 => {
                self.early_signal = Some(number);
                Ok(Flow::On)
            }
            None => {
                self.supervised.pass_on(signal);
                Ok(Flow::On)
            }
        }
    }

    /// Keeps a job from being submitted that was handed to the worker, and says so; whether that was in
    /// time.
    fn withhold(&self) -> bool {
        let is_withheld = self.in_flight > 0 && self.gate.close();
        if is_withheld {
            weir_terminal::note("The job was not submitted: nothing of it runs.");
        }
        is_withheld
    }

    /// Leaves a job that runs: as it is, or cancelled where that was asked for.
    fn leave(&mut self, running: Submitted, signal: i32) -> Result<Flow, Problem> {
        if self.per_job.on_interrupt == OnInterrupt::CancelsJob {
            weir_terminal::note(&format!("Cancelling job {}.", running.job));
            self.is_cancelling = true;
            self.cancel(running)?;
            return Ok(Flow::On);
        }
        weir_terminal::note(&is_left(running));
        Ok(Flow::Exit(Exit::Signal(signal)))
    }

    /// Cancels a job on a separate thread: its app master may be out of reach for a while, and a
    /// second signal must be handled in the meantime.
    fn cancel(&self, Submitted { application, job }: Submitted) -> Result<(), Problem> {
        let (remote, events) = (self.remote.again()?, self.supervised.sender());
        thread::spawn(move || {
            let cancelled = jobs::cancel_or_kill(&remote, application, job, jobs::PATIENCE);
            // The caller that waits for the job reports how it had ended.
            let failed = cancelled.err().filter(|one| one.code.as_deref() != Some(jobs::HAS_ENDED));
            if let Some(problem) = failed {
                // Without a main thread no receiver is left.
                let _ = events.send(Event::News(News::NotCancelled(problem)));
            }
        });
        Ok(())
    }

    fn judge(self) -> Result<Exit, Problem> {
        if let Some(problem) = self.failure {
            return Err(problem);
        }
        if self.is_cancelling {
            return Ok(Exit::Failure);
        }
        let End { status, refusal, killed } = self.end.expect("the loop ends with it");
        let transcript = Transcript { messages: self.messages, status, refusal, killed };
        match verdict::of_run(&self.command.executable, &transcript) {
            Verdict::Success => Ok(Exit::Success),
            Verdict::Told => Ok(Exit::Failure),
            Verdict::Problem(problem) => Err(problem),
        }
    }
}

fn origin(request: &Request) -> Result<Origin, Problem> {
    let folder = std::env::current_dir()
        .map_err(|error| Problem::system("cannot tell the current folder", &error))?;
    Ok(Origin {
        launch_config: request.config.clone(),
        arguments: request.command.arguments.clone(),
        working_directory: folder.to_string_lossy().into_owned(),
    })
}

fn is_left(running: Submitted) -> String {
    let job = running.job;
    format!("Job {job} is left on the cluster. `weir list` shows it, `weir cancel {job}` ends it.")
}

/// The end of a job, as a local program would report it.
fn message_of(ended: Ended) -> Option<JobMessage> {
    let Ended { submitted: Submitted { job, .. }, name, result } = ended;
    let result = result?;
    Some(match result.status {
        JobStatus::Finished | JobStatus::Canceled => JobMessage::Finished {
            job,
            name,
            runtime_ms: result.runtime_ms,
            status: result.status.name().to_owned(),
        },
        _ => {
            let failure = worker::failure_of(&result);
            JobMessage::Failed {
                job: Some(job),
                code: failure.code,
                message: failure.message,
                runtime_ms: Some(result.runtime_ms),
            }
        }
    })
}
