//! The world of a run: virtual time, everything that exists, and what happens next.

use crate::{
    Counts, Defect, Options, Report,
    faults::{Faults, between},
    job::{Ending, Job},
    log_store::LogStore,
    masters::{MasterEvent, Masters},
    oracle::Oracle,
    output::Output,
    queue::Queue,
    tasks::{TaskEvent, Tasks},
    trace::Trace,
};
use weir_base::{Monotonic, Now, SeededRng, WallTime};
use weir_protocol::job::JobStatus;

/// How long a job may take to end when faults have ceased.
const PATIENCE_MS: u64 = 300_000;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// To a master, or to the log.
    Master(MasterEvent),
    Task(TaskEvent),
    /// Faults cease.
    Quiet,
    /// The job is to end otherwise than by itself.
    EndEarly,
}

/// All there is.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) defect: Option<Defect>,
    pub(crate) now_ms: u64,
    pub(crate) rng: SeededRng,
    pub(crate) faults: Faults,
    pub(crate) is_quiet: bool,
    pub(crate) job: Job,
    pub(crate) queue: Queue<Event>,
    pub(crate) log: LogStore,
    pub(crate) output: Output,
    pub(crate) masters: Masters,
    pub(crate) tasks: Tasks,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let mut rng = SeededRng::new(seed);
        let faults = Faults::draw(&mut rng);
        let job = Job::draw(&mut rng);
        Self {
            seed,
            defect: options.defect,
            now_ms: 0,
            rng,
            faults,
            is_quiet: false,
            job,
            queue: Queue::new(),
            log: LogStore::default(),
            output: Output::new(),
            masters: Masters::default(),
            tasks: Tasks::default(),
            oracle: Oracle::default(),
            trace: Trace::new(options.keep_lines),
            counts: Counts::default(),
        }
    }

    /// Lets everything happen until the job and all its masters have ended.
    pub(crate) fn run(mut self) -> Report {
        self.trace.add(0, format_args!("{:?}", self.faults));
        self.trace.add(0, format_args!("{:?}", self.job));
        self.plan_beginning();
        while self.oracle.violation().is_none() && !self.is_over() {
            let Some((at_ms, event)) = self.queue.pop() else {
                self.oracle.broken("nothing happens any more, and the job has not ended".into());
                break;
            };
            self.now_ms = at_ms;
            if at_ms > self.job.quiet_at_ms + PATIENCE_MS {
                self.oracle.broken("the job has not ended in time".into());
                break;
            }
            self.counts.events += 1;
            self.handle(event);
        }
        self.judge_end();
        self.into_report()
    }

    fn plan_beginning(&mut self) {
        self.plan_start(0);
        self.queue.push(self.job.quiet_at_ms, Event::Quiet);
        self.plan_crash();
        self.plan_task_fault(TaskEvent::LoseHost, self.faults.host_lost_every_ms);
        self.plan_task_fault(TaskEvent::FailOne, self.faults.task_fails_every_ms);
        match self.job.ending {
            Ending::Finishes => {}
            Ending::IsCancelled { at_ms } | Ending::FailsForGood { at_ms } => {
                self.queue.push(at_ms, Event::EndEarly);
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Master(event) => self.handle_master(event),
            Event::Task(event) => self.handle_task(event),
            Event::Quiet => {
                self.trace.add(self.now_ms, format_args!("quiet"));
                self.faults = self.faults.quiet();
                self.is_quiet = true;
            }
            Event::EndEarly => self.end_early(),
        }
    }

    /// Requests the end repeatedly: the master may crash before it is in the log.
    fn end_early(&mut self) {
        if self.log.has_ended() {
            return;
        }
        match self.job.ending {
            Ending::IsCancelled { .. } => self.request_cancel(),
            _ => self.fail_task_for_good(),
        }
        self.queue.push(self.now_ms + 500, Event::EndEarly);
    }

    fn is_over(&self) -> bool {
        self.log.has_ended() && self.masters.all_ended()
    }

    /// The job ended as it was meant to, and its output is whole if it finished.
    fn judge_end(&mut self) {
        if self.oracle.violation().is_some() {
            return;
        }
        let Some(status) = self.masters.final_status() else { return };
        let expected: &[JobStatus] = match self.job.ending {
            Ending::Finishes => &[JobStatus::Finished],
            Ending::IsCancelled { .. } => &[JobStatus::Finished, JobStatus::Canceled],
            Ending::FailsForGood { .. } => &[JobStatus::Finished, JobStatus::Failed],
        };
        if !expected.contains(&status) {
            self.oracle.broken(format!("the job ended as {status:?}, not {expected:?}"));
        }
        let incomplete = self.output.incomplete(self.job.records);
        if let (JobStatus::Finished, Some((split, visible))) = (status, incomplete) {
            let records = self.job.records;
            self.oracle.broken(format!(
                "the job finished, but readers see {visible} of {records} records of split {split}"
            ));
        }
    }

    fn into_report(mut self) -> Report {
        self.counts.checkpoints = self.log.completed_count();
        self.counts.log_snapshots = self.log.snapshot_count();
        let violation = self.oracle.violation().cloned();
        let (trace, lines) = self.trace.take();
        Report { seed: self.seed, trace, lines, counts: self.counts, violation }
    }

    /// A random delay of at most this number of milliseconds.
    pub(crate) fn delay(&mut self, longest_ms: u64) -> u64 {
        between(&mut self.rng, 0, longest_ms)
    }

    /// Returns true with the given probability, in per cent.
    pub(crate) fn strikes(&mut self, percent: u64) -> bool {
        self.rng.percent(percent)
    }

    pub(crate) fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.now_ms), wall: WallTime(1_700_000_000_000 + self.now_ms) }
    }
}
