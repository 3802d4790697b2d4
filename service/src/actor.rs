//! The one adapter around a brain: an actix actor with a bounded mailbox and one timer.
//!
//! ```text
//! Handle::ask  ─┐ waits for space, then for Outlet::reply
//! Handle::tell ─┼─▶ mailbox ─▶ step ─▶ effects ─▶ Shell::perform, in order
//! timer        ─┘                └─ next_deadline sets the next timer
//! ```
//!
//! Invariants: one thread runs the brain; effects are performed in the given order, before the next step;
//! every `ask` ends, at the latest with [`ActorStopped`]; a snapshot is made only when one is read and the last
//! is older than 100 ms; a panic of the brain or its shell ends the process.

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, SpawnHandle};
use futures::channel::oneshot;
use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use weir_base::{Machine, Monotonic, Now, WallTime};

/// Maximum age of a snapshot when it is read.
const SNAPSHOT_AGE: Duration = Duration::from_millis(100);
/// Inputs in the mailbox at most; further callers wait for space.
const MAILBOX_CAPACITY: usize = 1024;

/// Performs the effects of a brain.
pub trait Shell: Sized + Unpin + 'static {
    /// The brain.
    type Brain: Machine<Input: Send, Effect: Unpin> + Unpin + 'static;
    /// Answer to a caller.
    type Reply: Send + 'static;
    /// State shown to readers.
    type Snapshot: Send + Sync + 'static;

    /// Performs one effect; must not block. Slow work runs in a thread or a task, and its result
    /// comes back through [`Handle::tell`].
    fn perform(
        &mut self,
        now: Now,
        effect: <Self::Brain as Machine>::Effect,
        outlet: &mut Outlet<Self>,
    );

    /// Copies the state that readers see.
    fn snapshot(&self, brain: &Self::Brain, now: Now) -> Self::Snapshot;
}

type InputOf<S> = <<S as Shell>::Brain as Machine>::Input;

/// Identifies a waiting caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// The brain's actor has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is shutting down")]
pub struct ActorStopped;

/// Both clocks of a process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts the clocks; monotonic time counts from now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The current time.
    pub fn now(&self) -> Now {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic: Monotonic(millis(self.started.elapsed())), wall: WallTime(millis(wall)) }
    }
}

/// State shared by the actor and its handles.
struct Shared<S: Shell> {
    callers: Mutex<BTreeMap<Ticket, oneshot::Sender<S::Reply>>>,
    next_ticket: AtomicU64,
    snapshot: Mutex<(Instant, Arc<S::Snapshot>)>,
    is_refreshing: AtomicBool,
}

/// Ignores poisoning: the data is consistent after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way for a shell to answer its callers.
pub struct Outlet<S: Shell> {
    handle: Handle<S>,
}

impl<S: Shell> Outlet<S> {
    /// Answers a caller. Ignores a caller that has stopped waiting, and a second answer.
    pub fn reply(&mut self, ticket: Ticket, reply: S::Reply) {
        if let Some(caller) = lock(&self.handle.shared.callers).remove(&ticket) {
            let _ = caller.send(reply);
        }
    }

    /// A handle for work that reports its result later.
    pub fn handle(&self) -> Handle<S> {
        self.handle.clone()
    }
}

/// Sends inputs to a brain. Clones address the same brain.
pub struct Handle<S: Shell> {
    address: Addr<BrainActor<S>>,
    shared: Arc<Shared<S>>,
}

impl<S: Shell> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: Shell> fmt::Debug for Handle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Removes the caller on drop, also when it stops waiting.
struct Waiting<'a, S: Shell>(&'a Shared<S>, Ticket);

impl<S: Shell> Drop for Waiting<'_, S> {
    fn drop(&mut self) {
        lock(&self.0.callers).remove(&self.1);
    }
}

impl<S: Shell> Handle<S> {
    /// Gives the brain an input that names a ticket, and waits for the shell to answer it.
    ///
    /// # Errors
    /// The daemon is ending.
    pub async fn ask(
        &self,
        make: impl FnOnce(Ticket) -> InputOf<S> + Send,
    ) -> Result<S::Reply, ActorStopped> {
        let ticket = Ticket(self.shared.next_ticket.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        lock(&self.shared.callers).insert(ticket, sender);
        let _waiting = Waiting(&*self.shared, ticket);
        self.address.send(Step::<S>(make(ticket))).await.map_err(|_| ActorStopped)?;
        receiver.await.map_err(|_| ActorStopped)
    }

    /// Gives the brain an input. Never waits; the input is dropped when the daemon is ending. For results of
    /// effects, whose number is bounded by that of the effects; external callers use [`Handle::ask`].
    pub fn tell(&self, input: InputOf<S>) {
        self.address.do_send(Step::<S>(input));
    }

    /// A snapshot, at most 100 ms old, or an older one while its replacement is being made.
    pub fn snapshot(&self) -> Arc<S::Snapshot> {
        let (made, snapshot) = {
            let published = lock(&self.shared.snapshot);
            (published.0, Arc::clone(&published.1))
        };
        let is_stale = made.elapsed() >= SNAPSHOT_AGE;
        if is_stale && !self.shared.is_refreshing.swap(true, Ordering::SeqCst) {
            self.address.do_send(Refresh);
        }
        snapshot
    }

    /// A snapshot made now: it includes every step whose reply the caller has seen.
    pub async fn fresh_snapshot(&self) -> Arc<S::Snapshot> {
        // An actor that has ended leaves its last snapshot.
        let _ = self.address.send(Refresh).await;
        Arc::clone(&lock(&self.shared.snapshot).1)
    }

    /// A snapshot that is at most 100 ms old.
    pub async fn recent_snapshot(&self) -> Arc<S::Snapshot> {
        let made = lock(&self.shared.snapshot).0;
        match made.elapsed() < SNAPSHOT_AGE {
            true => self.snapshot(),
            false => self.fresh_snapshot().await,
        }
    }
}

struct Step<S: Shell>(InputOf<S>);

impl<S: Shell> Message for Step<S> {
    type Result = ();
}

struct Refresh;

impl Message for Refresh {
    type Result = ();
}

/// Reaction to a panic of a brain or its shell, with the panic message; in a daemon it does not return.
type OnPanic = Box<dyn Fn(&str)>;

/// Runs a brain in the current actix system, until the system ends. When brain or shell panics, the
/// process aborts: the brain's state may be inconsistent, and a server without a brain would refuse every
/// request, while a new process recovers from the store.
pub fn start<S: Shell>(brain: S::Brain, shell: S) -> Handle<S> {
    start_with(brain, shell, Box::new(abort))
}

fn abort(problem: &str) {
    tracing::error!("the brain or its shell panicked, aborting: {problem}");
    std::process::abort();
}

fn start_with<S: Shell>(brain: S::Brain, shell: S, on_panic: OnPanic) -> Handle<S> {
    let clock = Clock::start();
    let first = shell.snapshot(&brain, clock.now());
    let shared = Arc::new(Shared {
        callers: Mutex::default(),
        next_ticket: AtomicU64::new(1),
        snapshot: Mutex::new((Instant::now(), Arc::new(first))),
        is_refreshing: AtomicBool::new(false),
    });
    let address = BrainActor::create(|context| {
        context.set_mailbox_capacity(MAILBOX_CAPACITY);
        let outlet =
            Outlet { handle: Handle { address: context.address(), shared: Arc::clone(&shared) } };
        BrainActor { brain, shell, clock, outlet, timer: None, effects: Vec::new(), on_panic }
    });
    Handle { address, shared }
}

struct BrainActor<S: Shell> {
    brain: S::Brain,
    shell: S,
    clock: Clock,
    outlet: Outlet<S>,
    /// The running timer and its deadline.
    timer: Option<(Monotonic, SpawnHandle)>,
    effects: Vec<<S::Brain as Machine>::Effect>,
    on_panic: OnPanic,
}

impl<S: Shell> BrainActor<S> {
    /// Runs work; when it panics, the actor does nothing more.
    fn guarded(
        &mut self,
        context: &mut Context<Self>,
        work: impl FnOnce(&mut Self, &mut Context<Self>),
    ) {
        let done = catch_unwind(AssertUnwindSafe(|| work(self, context)));
        if let Err(panic) = done {
            (self.on_panic)(message_of(&*panic));
            context.stop();
        }
    }

    fn stepped(&mut self, now: Now, context: &mut Context<Self>) {
        if cfg!(debug_assertions) {
            self.brain.check_invariants();
        }
        for effect in std::mem::take(&mut self.effects) {
            self.shell.perform(now, effect, &mut self.outlet);
        }
        self.set_timer(context);
    }

    fn set_timer(&mut self, context: &mut Context<Self>) {
        let deadline = self.brain.next_deadline();
        if self.timer.map(|(at, _)| at) == deadline {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            context.cancel_future(timer);
        }
        if let Some(deadline) = deadline {
            let wait = deadline.millis_since(self.clock.now().monotonic);
            let timer = context.run_later(Duration::from_millis(wait), |actor, context| {
                actor.guarded(context, |actor, context| {
                    actor.timer = None;
                    let now = actor.clock.now();
                    actor.brain.tick(now, &mut actor.effects);
                    actor.stepped(now, context);
                });
            });
            self.timer = Some((deadline, timer));
        }
    }
}

impl<S: Shell> Actor for BrainActor<S> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.set_timer(context);
    }

    fn stopped(&mut self, context: &mut Self::Context) {
        context.terminate();
        // Waiting callers get `ActorStopped`.
        lock(&self.outlet.handle.shared.callers).clear();
    }
}

impl<S: Shell> Handler<Step<S>> for BrainActor<S> {
    type Result = ();

    fn handle(&mut self, step: Step<S>, context: &mut Self::Context) {
        self.guarded(context, |actor, context| {
            let now = actor.clock.now();
            actor.brain.step(now, step.0, &mut actor.effects);
            actor.stepped(now, context);
        });
    }
}

impl<S: Shell> Handler<Refresh> for BrainActor<S> {
    type Result = ();

    fn handle(&mut self, _: Refresh, context: &mut Self::Context) {
        self.guarded(context, |actor, _| {
            let shared = &actor.outlet.handle.shared;
            shared.is_refreshing.store(false, Ordering::SeqCst);
            let snapshot = actor.shell.snapshot(&actor.brain, actor.clock.now());
            *lock(&shared.snapshot) = (Instant::now(), Arc::new(snapshot));
        });
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds up its inputs, and answers at its deadline.
    #[derive(Default)]
    struct Adder {
        sum: u64,
        waiting: Vec<Ticket>,
        due: Option<Monotonic>,
        panics_in_tick: bool,
    }

    #[derive(Debug)]
    enum Input {
        Add(u64),
        Later(Ticket),
        PanicInStep,
        PanicInTick,
        PanicInPerform,
    }

    /// Ticket for which the shell panics.
    const PANICS: Ticket = Ticket(0);

    #[derive(Debug)]
    struct Answer(Ticket, u64);

    impl Machine for Adder {
        type Input = Input;
        type Effect = Answer;

        fn step(&mut self, now: Now, input: Input, out: &mut Vec<Answer>) {
            match input {
                Input::Add(number) => self.sum += number,
                Input::Later(ticket) => {
                    self.waiting.push(ticket);
                    self.due = Some(now.monotonic.after(Duration::from_millis(5)));
                }
                Input::PanicInStep => panic!("in a step"),
                Input::PanicInTick => {
                    self.panics_in_tick = true;
                    self.due = Some(now.monotonic);
                }
                Input::PanicInPerform => out.push(Answer(PANICS, 0)),
            }
        }

        fn tick(&mut self, _: Now, out: &mut Vec<Answer>) {
            assert!(!self.panics_in_tick, "in a tick");
            self.due = None;
            out.extend(self.waiting.drain(..).map(|ticket| Answer(ticket, self.sum)));
        }

        fn next_deadline(&self) -> Option<Monotonic> {
            self.due
        }

        fn check_invariants(&self) {}
    }

    struct AdderShell;

    impl Shell for AdderShell {
        type Brain = Adder;
        type Reply = u64;
        type Snapshot = u64;

        fn perform(&mut self, _: Now, answer: Answer, outlet: &mut Outlet<Self>) {
            assert!(answer.0 != PANICS, "in the shell");
            outlet.reply(answer.0, answer.1);
        }

        fn snapshot(&self, brain: &Adder, _: Now) -> u64 {
            brain.sum
        }
    }

    #[test]
    fn callers_are_answered_at_a_deadline_and_readers_see_the_new_state() {
        actix::System::new().block_on(async {
            let handle = start(Adder::default(), AdderShell);
            handle.tell(Input::Add(2));
            handle.tell(Input::Add(3));
            assert_eq!(handle.ask(Input::Later).await, Ok(5));
            assert_eq!(*handle.fresh_snapshot().await, 5);
            assert!(lock(&handle.shared.callers).is_empty());
        });
    }

    #[test]
    fn caller_that_stops_waiting_is_forgotten() {
        actix::System::new().block_on(async {
            let handle = start(Adder::default(), AdderShell);
            let asked = tokio::time::timeout(Duration::ZERO, handle.ask(Input::Later)).await;
            assert!(asked.is_err());
            assert!(lock(&handle.shared.callers).is_empty());
        });
    }

    #[test]
    fn a_panic_in_step_tick_or_shell_ends_the_process() {
        for (input, message) in [
            (Input::PanicInStep, "in a step"),
            (Input::PanicInTick, "in a tick"),
            (Input::PanicInPerform, "in the shell"),
        ] {
            actix::System::new().block_on(async {
                let (sender, receiver) = oneshot::channel();
                let sender = Mutex::new(Some(sender));
                let on_panic = move |message: &str| {
                    let sender = lock(&sender).take().expect("one panic");
                    sender.send(message.to_owned()).expect("the receiver exists");
                };
                let handle = start_with(Adder::default(), AdderShell, Box::new(on_panic));
                handle.tell(input);
                assert_eq!(receiver.await.as_deref(), Ok(message));
                assert_eq!(handle.ask(Input::Later).await, Err(ActorStopped));
            });
        }
    }
}
