//! What the outside may do to a running task, and what it shows: how its time is spent, what it sends
//! and receives over the network, how far event time has come.
//!
//! Every millisecond of a task is busy, backpressured (waiting for room downstream) or idle
//! (waiting for input). Its times are measured only where a thread parks.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use weir_base::{Monotonic, Now, WallTime};
use weir_dataflow::{Error, Result, Timestamp};

/// What a thread is parked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// For room downstream.
    Output,
    Input,
}

/// Shared between a task's thread and everyone who watches or stops it.
pub struct TaskControl {
    cancelled: AtomicBool,
    started: Instant,
    times: Times,
    traffic: Traffic,
    /// Of the input; `Timestamp::MIN` before the first.
    watermark: AtomicI64,
    /// Callbacks that wake the task wherever it is parked.
    wakers: Mutex<Vec<Box<dyn Fn() + Send>>>,
    /// Consumers that were sent something without being woken.
    unkicked: Mutex<Vec<Arc<dyn Kick>>>,
    /// Number of kicks so far.
    kicks: AtomicU64,
}

/// Somebody who was handed something, and can be made to look at it.
pub trait Kick: Send + Sync {
    /// Wakes it if it waits and has something to take.
    fn kick(&self);
}

/// Has the same one kicked, registering it once between two kicks.
#[derive(Default)]
pub struct KickOnce {
    /// The task's number of kicks at the last registration.
    registered: u64,
}

impl KickOnce {
    /// See [`TaskControl::kick_later`]. To be called when something has been handed over: before that,
    /// a wait for room would be the kick.
    pub fn later(&mut self, control: &TaskControl, who: impl FnOnce() -> Arc<dyn Kick>) {
        if self.registered != control.kicks() {
            self.registered = control.kicks();
            control.kick_later(who());
        }
    }
}

#[derive(Default)]
struct Times {
    backpressured_ns: AtomicU64,
    idle_ns: AtomicU64,
    /// Start of the current wait in nanoseconds since `started`, + 1; 0 when not parked.
    waiting_since: AtomicU64,
    waiting_for_output: AtomicBool,
}

/// Written by the task's thread alone.
#[derive(Default)]
struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// How a task's life has been spent so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimeSpent {
    /// Working.
    pub busy: Duration,
    /// Waiting for room downstream.
    pub backpressured: Duration,
    /// Waiting for input.
    pub idle: Duration,
}

impl Default for TaskControl {
    fn default() -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            started: Instant::now(),
            times: Times::default(),
            traffic: Traffic::default(),
            watermark: AtomicI64::new(Timestamp::MIN),
            wakers: Mutex::new(Vec::new()),
            unkicked: Mutex::new(Vec::new()),
            kicks: AtomicU64::new(1),
        }
    }
}

impl TaskControl {
    /// The control of a task that starts now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Tells the task to stop and wakes it.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.iter().for_each(|wake| wake());
    }

    /// Whether it was told to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// `Err(Cancelled)` once it was told to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Registers a callback for [`TaskControl::cancel`]; called at once if that is past.
    pub fn on_cancel(&self, wake: impl Fn() + Send + 'static) {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_cancelled() {
            wake();
        }
        wakers.push(Box::new(wake));
    }

    /// Number of kicks so far; never 0.
    pub fn kicks(&self) -> u64 {
        self.kicks.load(Ordering::Relaxed)
    }

    /// Has a consumer kicked before the task next waits, and within about a millisecond.
    pub fn kick_later(&self, consumer: Arc<dyn Kick>) {
        self.unkicked.lock().unwrap_or_else(PoisonError::into_inner).push(consumer);
    }

    /// Makes every consumer look at what this task has sent.
    pub fn kick(&self) {
        self.kicks.fetch_add(1, Ordering::Relaxed);
        let unkicked =
            std::mem::take(&mut *self.unkicked.lock().unwrap_or_else(PoisonError::into_inner));
        unkicked.iter().for_each(|consumer| consumer.kick());
    }

    /// Bytes of records received from other hosts.
    pub fn bytes_in(&self) -> u64 {
        self.traffic.bytes_in.load(Ordering::Relaxed)
    }

    /// Bytes of records sent to other hosts.
    pub fn bytes_out(&self) -> u64 {
        self.traffic.bytes_out.load(Ordering::Relaxed)
    }

    /// The watermark of the input; `None` before the first.
    pub fn watermark(&self) -> Option<Timestamp> {
        let watermark = self.watermark.load(Ordering::Relaxed);
        (watermark != Timestamp::MIN).then_some(watermark)
    }

    /// The task has taken a batch of this size off the wire.
    pub(crate) fn received(&self, bytes: usize) {
        add(&self.traffic.bytes_in, bytes as u64);
    }

    /// The task has put a batch of this size on the wire.
    pub(crate) fn sent(&self, bytes: usize) {
        add(&self.traffic.bytes_out, bytes as u64);
    }

    /// The watermark of the input has grown.
    pub(crate) fn watermark_grows(&self, watermark: Timestamp) {
        self.watermark.store(watermark, Ordering::Relaxed);
    }

    /// Both clocks; the monotonic one counts from the start of the task.
    pub fn now(&self) -> Now {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let monotonic = Monotonic(millis(self.started.elapsed()));
        Now { monotonic, wall: WallTime(millis(wall)) }
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Runs a wait and counts its time. Receivers of what this task has sent are woken before.
    pub fn waiting<R>(&self, wait: Wait, body: impl FnOnce() -> R) -> R {
        self.kick();
        let start = self.elapsed_ns();
        let output = wait == Wait::Output;
        self.times.waiting_for_output.store(output, Ordering::Relaxed);
        self.times.waiting_since.store(start + 1, Ordering::Relaxed);
        let result = body();
        let waited = self.elapsed_ns() - start;
        self.times.waiting_since.store(0, Ordering::Relaxed);
        self.counter(output).fetch_add(waited, Ordering::Relaxed);
        result
    }

    fn counter(&self, output: bool) -> &AtomicU64 {
        if output { &self.times.backpressured_ns } else { &self.times.idle_ns }
    }

    /// Time spent waiting for room downstream, without a wait that still runs.
    pub fn backpressured(&self) -> Duration {
        Duration::from_nanos(self.times.backpressured_ns.load(Ordering::Relaxed))
    }

    /// How its life was spent up to now, a running wait included.
    pub fn time_spent(&self) -> TimeSpent {
        let now = self.elapsed_ns();
        let mut waits = [false, true].map(|out| self.counter(out).load(Ordering::Relaxed));
        let since = self.times.waiting_since.load(Ordering::Relaxed);
        if since > 0 {
            let output = self.times.waiting_for_output.load(Ordering::Relaxed);
            waits[usize::from(output)] += now.saturating_sub(since - 1);
        }
        let [idle, backpressured] = waits;
        TimeSpent {
            busy: Duration::from_nanos(now.saturating_sub(idle + backpressured)),
            backpressured: Duration::from_nanos(backpressured),
            idle: Duration::from_nanos(idle),
        }
    }
}

/// An increment by the only writer: no locked instruction.
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed) + amount, Ordering::Relaxed);
}

/// A flag that one thread waits on and others raise.
#[derive(Default)]
pub struct Signal {
    raised: Mutex<bool>,
    condition: Condvar,
}

impl Signal {
    /// Raises the flag and wakes the waiting thread.
    pub fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_all();
    }

    /// Waits until the flag is raised or the time is over, then lowers it.
    pub fn wait(&self, timeout: Option<Duration>) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        while !*raised {
            raised = match deadline {
                None => self.condition.wait(raised).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    let waited = self.condition.wait_timeout(raised, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *raised = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_is_busy_backpressured_or_idle() {
        let control = TaskControl::new();
        control.waiting(Wait::Output, || std::thread::sleep(Duration::from_millis(5)));
        control.waiting(Wait::Input, || std::thread::sleep(Duration::from_millis(3)));
        let spent = control.time_spent();
        assert!(spent.backpressured >= Duration::from_millis(5));
        assert!(spent.idle >= Duration::from_millis(3));
        assert!(spent.busy + spent.backpressured + spent.idle <= control.started.elapsed());
    }

    #[test]
    fn a_cancelled_task_is_woken_also_by_a_late_registration() {
        let control = TaskControl::new();
        let signal = Arc::new(Signal::default());
        control.cancel();
        control.on_cancel({
            let signal = Arc::clone(&signal);
            move || signal.raise()
        });
        signal.wait(None);
        assert!(matches!(control.check(), Err(Error::Cancelled)));
    }
}
