//! The masters of a run: their log, their crashes, and the supervisor that starts new ones.
//!
//! A master that crashes ends, or continues as a zombie that believes it leads. The supervisor
//! starts a new one whenever none is left that is not a zombie, until the job's end is in the log.

use crate::{
    Defect,
    log_store::Created,
    oracle::Scene,
    task::SimTask,
    tasks::TaskEvent,
    world::{Event, World},
};
use weir_base::{Failure, FailureOrigin, LogIndex, Machine};
use weir_coordination::{AppendOutcome, Effect, Input, JobLogRecord, JobMaster, JobOutcome};
use weir_protocol::{job::JobStatus, task::TaskCommand};

/// The longest a suspended master takes to get on with an append.
const LONGEST_HANG_MS: u64 = 12_000;

/// Something that happens to masters and the log.
#[derive(Debug)]
pub(crate) enum MasterEvent {
    /// The supervisor starts one.
    Start,
    /// An event for a master.
    Tell { master: usize, input: Input },
    /// A deadline of one may have passed.
    Wake { master: usize },
    /// An append reaches the store.
    Append { master: usize, index: LogIndex, record: JobLogRecord, answer: Answer },
    /// The log is listed after an append.
    List { master: usize, index: LogIndex, created: Created },
    /// Records before this index are deleted, up to a number.
    DeleteLog { below: LogIndex, at_most: usize },
    /// The leading one crashes.
    Crash,
}

/// Answer to a master about an append that has reached the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Truth,
    /// That it failed.
    Failure,
    /// None: the failure was reported before.
    Nothing,
}

#[derive(Default)]
pub(crate) struct Masters {
    slots: Vec<Slot>,
    planned_starts: u32,
    final_status: Option<JobStatus>,
}

struct Slot {
    /// `None` when it has crashed or ended.
    machine: Option<JobMaster>,
    is_zombie: bool,
    /// It met the record of a newer master.
    superseded: bool,
    /// It has deployed tasks.
    has_led: bool,
    /// It has not read its log yet.
    is_unread: bool,
}

impl Masters {
    /// Whether none is left and none is about to start.
    pub(crate) fn all_ended(&self) -> bool {
        self.planned_starts == 0 && self.slots.iter().all(|slot| slot.machine.is_none())
    }

    /// The end of the job according to the log.
    pub(crate) fn final_status(&self) -> Option<JobStatus> {
        self.final_status
    }

    /// The newest master that has not ended.
    pub(crate) fn newest(&self) -> Option<usize> {
        self.slots.iter().rposition(|slot| slot.machine.is_some())
    }

    fn leading(&self) -> Option<usize> {
        self.slots.iter().rposition(|slot| slot.machine.is_some() && !slot.is_zombie)
    }
}

impl World {
    pub(crate) fn plan_start(&mut self, in_ms: u64) {
        self.masters.planned_starts += 1;
        self.queue.push(self.now_ms + in_ms, Event::Master(MasterEvent::Start));
    }

    pub(crate) fn plan_crash(&mut self) {
        let every_ms = self.faults.crash_every_ms;
        if every_ms > 0 {
            let in_ms = 1 + self.delay(2 * every_ms);
            self.queue.push(self.now_ms + in_ms, Event::Master(MasterEvent::Crash));
        }
    }

    pub(crate) fn request_cancel(&mut self) {
        if let Some(master) = self.masters.leading() {
            self.tell(master, 0, Input::CancelRequested);
        }
    }

    /// Schedules an event for a master; it is dropped if the master has crashed by then.
    pub(crate) fn tell(&mut self, master: usize, in_ms: u64, input: Input) {
        let event = MasterEvent::Tell { master, input };
        self.queue.push(self.now_ms + in_ms, Event::Master(event));
    }

    /// Returns true if the log has no newer master than this one.
    pub(crate) fn leads(&self, master: usize) -> bool {
        let machine = self.masters.slots[master].machine.as_ref();
        machine.is_some_and(|machine| machine.epoch() == self.log.epoch())
    }

    pub(crate) fn handle_master(&mut self, event: MasterEvent) {
        match event {
            MasterEvent::Start => self.start_master(),
            MasterEvent::Tell { master, input } => self.step_master(master, input),
            MasterEvent::Wake { master } => self.wake_master(master),
            MasterEvent::Append { master, index, record, answer } => {
                self.append(master, index, &record, answer);
            }
            MasterEvent::List { master, index, created } => self.list(master, index, created),
            MasterEvent::DeleteLog { below, at_most } => self.log.delete_below(below, at_most),
            MasterEvent::Crash => self.crash_master(),
        }
    }

    fn start_master(&mut self) {
        self.masters.planned_starts -= 1;
        if self.log.has_ended() {
            return;
        }
        let (graph, settings) = self.job.for_master(&mut self.rng);
        let machine = Some(JobMaster::new(graph, settings));
        self.masters.slots.push(Slot {
            machine,
            is_zombie: false,
            superseded: false,
            has_led: false,
            is_unread: true,
        });
        self.counts.masters += 1;
        let master = self.masters.slots.len() - 1;
        self.trace.add(self.now_ms, format_args!("master {master} starts"));
        self.read_log(master);
        if self.strikes(self.faults.double_start_percent) {
            let in_ms = self.delay(20);
            self.plan_start(in_ms);
        }
    }

    /// A listing may be outdated when the master acts on it.
    fn read_log(&mut self, master: usize) {
        let in_ms = self.delay(self.faults.append_ms);
        if self.strikes(self.faults.append_fails_percent) {
            let failure = failure("storage", FailureOrigin::External);
            return self.tell(master, in_ms, Input::LogUnreadable { failure });
        }
        match self.log.read() {
            Ok((first, log)) => self.tell(master, in_ms, Input::Start { first, log }),
            Err(broken) => self.oracle.broken(broken),
        }
    }

    fn crash_master(&mut self) {
        if let Some(master) = self.masters.leading().filter(|_| !self.is_quiet) {
            if self.strikes(self.faults.zombie_percent) {
                self.trace.add(self.now_ms, format_args!("master {master} is a zombie"));
                self.masters.slots[master].is_zombie = true;
            } else {
                self.trace.add(self.now_ms, format_args!("master {master} crashes"));
                self.masters.slots[master].machine = None;
            }
            self.supervise();
        }
        if !self.is_quiet {
            self.plan_crash();
        }
    }

    /// Starts a new master when none is left.
    fn supervise(&mut self) {
        let is_led = self.masters.leading().is_some() || self.masters.planned_starts > 0;
        if !is_led && !self.log.has_ended() {
            let in_ms = self.delay(500);
            self.plan_start(in_ms);
        }
    }

    fn step_master(&mut self, master: usize, input: Input) {
        let now = self.now();
        let slot = &mut self.masters.slots[master];
        let Some(machine) = &mut slot.machine else { return };
        if let Input::LogAppended { outcome: AppendOutcome::Taken { theirs, .. }, .. } = &input
            && matches!(&**theirs, JobLogRecord::EpochBegins { epoch, .. } if *epoch > machine.epoch())
            && !slot.superseded
        {
            slot.superseded = true;
            self.counts.superseded += 1;
        }
        match &input {
            Input::Start { log, .. } => {
                slot.is_unread = false;
                self.trace
                    .add(self.now_ms, format_args!("{master} <- start, {} records", log.len()));
            }
            input => self.trace.add(self.now_ms, format_args!("{master} <- {input:?}")),
        }
        let mut effects = Vec::new();
        machine.step(now, input, &mut effects);
        self.perform(master, effects);
    }

    fn wake_master(&mut self, master: usize) {
        let now = self.now();
        let Some(machine) = &mut self.masters.slots[master].machine else { return };
        if machine.next_deadline().is_none_or(|at| at > now.monotonic) {
            return;
        }
        self.trace.add(self.now_ms, format_args!("{master} <- tick"));
        let mut effects = Vec::new();
        machine.tick(now, &mut effects);
        if machine.next_deadline().is_some_and(|at| at <= now.monotonic) {
            self.oracle.broken(format!("master {master} asks to be woken for what is past"));
        }
        self.perform(master, effects);
    }

    /// Does what a master asks for, and plans when it is woken.
    fn perform(&mut self, master: usize, effects: Vec<Effect>) {
        let Some(machine) = &self.masters.slots[master].machine else { return };
        machine.check_invariants();
        if let Some(at) = machine.next_deadline() {
            self.queue.push(at.0.max(self.now_ms), Event::Master(MasterEvent::Wake { master }));
        }
        for effect in effects {
            let scene = Scene {
                master,
                superseded: self.masters.slots[master].superseded,
                leads: self.leads(master),
                last_completed: self.log.last_completed(),
            };
            let log = &self.log;
            self.oracle.judge(&scene, &effect, |id| log.has_completed(id));
            self.perform_one(master, effect);
        }
    }

    fn perform_one(&mut self, master: usize, effect: Effect) {
        match &effect {
            Effect::Deploy(d) => {
                let restored = d.restore.as_ref().map(|restore| restore.checkpoint);
                let (task, attempt) = (d.task, d.attempt);
                self.trace.add(
                    self.now_ms,
                    format_args!("{master} -> deploy {task} {attempt} from {restored:?}"),
                );
            }
            effect => self.trace.add(self.now_ms, format_args!("{master} -> {effect:?}")),
        }
        match effect {
            Effect::ReadLog => self.read_log(master),
            Effect::AppendLog { index, record } => self.begin_append(master, index, record),
            Effect::DeleteLog { below } => self.delete_log(below),
            Effect::Deploy(deployment) => {
                self.masters.slots[master].has_led = true;
                self.deploy(master, *deployment);
            }
            Effect::Command { task, attempt, command } => {
                if command == TaskCommand::Abandon {
                    self.counts.abandoned_tasks += 1;
                }
                self.send(task, attempt, command);
            }
            Effect::Dispose { paths, .. } => {
                let in_ms = self.delay(self.faults.message_ms);
                let event = Event::Task(TaskEvent::Dispose { paths });
                self.queue.push(self.now_ms + in_ms, event);
            }
            Effect::SweepSnapshots { below, keep } => self.plan_sweep(below, keep),
            Effect::StatusChanged { .. } => {}
            Effect::Terminated(outcome) => self.master_ended(master, &outcome),
        }
    }

    fn master_ended(&mut self, master: usize, outcome: &JobOutcome) {
        let gives_way = outcome.status == JobStatus::Suspended;
        if gives_way && self.masters.slots[master].has_led && self.leads(master) {
            self.oracle.broken(format!("master {master} stops although no newer master has begun"));
        }
        self.masters.slots[master].machine = None;
        let code = outcome.failure.as_ref().map_or("", |failure| failure.code.as_str());
        // Not the end of the job: superseded, refused because it had ended, without its log, or
        // stopped by something permanent while a checkpoint was restored, which is still good.
        let refused = matches!(code, "WEIR-JOB-0003" | "WEIR-JOB-0004" | "WEIR-JOB-0005");
        let origin = outcome.failure.as_ref().map(|failure| failure.origin);
        let may_restore =
            origin == Some(FailureOrigin::Permanent) && outcome.last_checkpoint.is_some();
        let may_go_on = refused || may_restore || self.masters.slots[master].is_unread;
        let is_wrong = if outcome.off_record { !may_go_on } else { !self.log.has_ended() };
        if is_wrong {
            self.oracle.broken(format!("master {master} ended the job without a record"));
        }
        if !outcome.off_record {
            self.masters.final_status = Some(outcome.status);
        }
        self.supervise();
    }

    // ---- the log ----

    fn begin_append(&mut self, master: usize, index: LogIndex, record: JobLogRecord) {
        if let JobLogRecord::CheckpointCompleted { checkpoint, .. } = &record
            && self.defect == Some(Defect::CommitBeforeRecord)
        {
            let owned = |task: &&SimTask| task.owner == master && task.alive;
            let tasks: Vec<_> =
                self.tasks.iter().filter(owned).map(|task| (task.id, task.attempt)).collect();
            for (task, attempt) in tasks {
                self.send(task, attempt, TaskCommand::CheckpointCompleted(*checkpoint));
            }
        }
        if matches!(record, JobLogRecord::LogSnapshot { .. })
            && self.defect == Some(Defect::DeleteBeforeSnapshot)
        {
            self.log.delete_below(index, usize::MAX);
        }
        let in_ms = 1 + self.append_delay();
        let at_ms = self.now_ms + in_ms;
        let append =
            |record, answer| Event::Master(MasterEvent::Append { master, index, record, answer });
        if self.strikes(self.faults.append_fails_percent) {
            self.append_fails(master, in_ms, index);
        } else if self.strikes(self.faults.append_lands_percent) {
            self.queue.push(at_ms, append(record, Answer::Failure));
        } else if self.strikes(self.faults.append_late_percent) {
            self.append_fails(master, in_ms, index);
            let late_ms = self.delay(3000);
            self.queue.push(at_ms + late_ms, append(record, Answer::Nothing));
        } else {
            self.queue.push(at_ms, append(record, Answer::Truth));
        }
    }

    fn append_fails(&mut self, master: usize, in_ms: u64, index: LogIndex) {
        self.counts.failed_appends += 1;
        let outcome = AppendOutcome::Failed(failure("storage", FailureOrigin::External));
        self.tell(master, in_ms, Input::LogAppended { index, outcome });
    }

    /// The append reaches the store; the listing and the answer take their time, too.
    fn append(&mut self, master: usize, index: LogIndex, record: &JobLogRecord, answer: Answer) {
        let created = self.log.create(index, record, self.defect);
        self.trace.add(self.now_ms, format_args!("log {index} {record:?}: {created:?}"));
        let in_ms = self.append_delay();
        match answer {
            Answer::Truth => {
                let event = Event::Master(MasterEvent::List { master, index, created });
                self.queue.push(self.now_ms + in_ms, event);
            }
            Answer::Failure => self.append_fails(master, in_ms, index),
            Answer::Nothing => {}
        }
    }

    fn list(&mut self, master: usize, index: LogIndex, created: Created) {
        let is_blind = self.defect == Some(Defect::NoListingAfterAppend);
        let listed = self.log.tail().filter(|_| !is_blind);
        let tail = listed.unwrap_or(LogIndex(0)..=index);
        let outcome = match created {
            Created::Free => AppendOutcome::Appended { tail },
            Created::Taken(theirs) => AppendOutcome::Taken { theirs, tail },
        };
        let in_ms = self.delay(self.faults.append_ms);
        self.tell(master, in_ms, Input::LogAppended { index, outcome });
    }

    fn append_delay(&mut self) -> u64 {
        let hangs = self.strikes(self.faults.append_hangs_percent);
        self.delay(if hangs { LONGEST_HANG_MS } else { self.faults.append_ms })
    }

    /// Deletes in two parts, the second of which may come late.
    fn delete_log(&mut self, below: LogIndex) {
        let first_part = self.delay(20) as usize;
        for at_most in [first_part, usize::MAX] {
            let in_ms = self.append_delay();
            let event = Event::Master(MasterEvent::DeleteLog { below, at_most });
            self.queue.push(self.now_ms + in_ms, event);
        }
    }
}

/// A failure of the simulated world.
pub(crate) fn failure(what: &str, origin: FailureOrigin) -> Failure {
    Failure::new("SIMULATED", origin, what)
}
