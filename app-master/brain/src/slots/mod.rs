//! The slot pool: how a job gets containers, task managers and task hosts, and gets them again when
//! they are lost.
//!
//! ```text
//!  resource manager ──leased, completed──▶ ┌──────────┐ ──ask, release──▶ resource manager
//!  agents           ──refused────────────▶ │ SlotPool │ ──start──────────▶ agents
//!  task managers    ──connected, ended───▶ │          │ ──start host─────▶ task managers
//!  task hosts       ──ready, gone────────▶ └──────────┘ ──open, close────▶ deployments
//! ```
//!
//! Subtask `i` of every vertex runs in slot `i`, so a job needs as many slots as its largest
//! parallelism. The slots are dealt out to *places*, as many as one task manager has slots; each place
//! wants one container, in it one task manager, under it one task host.
//!
//! Invariants:
//!
//! - It never asks for more containers than there are vacant places, and gives back what comes beside.
//! - Deployments pass only while every place has a ready host and every loss is settled: the job master
//!   knows of lost tasks before their successors run.
//! - A new host is ordered only when the end of the last one under the same task manager is settled.
//! - A place whose container ends before a host was ready asks for the next one after a pause: what is wrong
//!   with a node takes longer to be seen, or to pass, than a refusal takes to come.
//! - A place whose containers or hosts end [`FAILURES_IN_A_ROW`] times before a host was ready fails the
//!   job, with the last reason. What no retry mends fails it at once.
//! - It fails the job once, and asks for nothing after it.

mod loss;
mod messages;
mod place;
mod supply;
#[cfg(test)]
mod tests;

pub use loss::GRACE;
pub use messages::{SlotEffect, SlotInput, SlotSettings};

use loss::{Cause, Loss};
use place::{Holder, Host, HostPlace};
use std::{collections::BTreeSet, time::Duration};
use weir_base::{ContainerId, Failure, FailureOrigin, Machine, Monotonic, Now, invariant};

/// Ends before a host was ready, of one place and without a ready host between them, that fail the job.
pub const FAILURES_IN_A_ROW: u32 = 3;
/// Wait before the next host after one that ended early, times the failures so far.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// Wait before the next container after one that ended before its host was ready, times the failures so
/// far.
const CONTAINER_RETRY_DELAY: Duration = Duration::from_secs(1);
/// A ready host that ends sooner than this is followed by the next one only after a pause, so that one
/// that always ends does not keep a machine busy.
const SHORT_LIFE: Duration = Duration::from_secs(5);
const SHORT_LIFE_PAUSE: Duration = Duration::from_secs(1);

/// Containers and demands of a job. See the module for the invariants.
#[derive(Clone, Debug)]
pub struct SlotPool {
    settings: SlotSettings,
    phase: Phase,
    places: Vec<HostPlace>,
    losses: Vec<Loss>,
    /// Leases since the last registration, also those given back.
    granted: u64,
    /// The total of the last request; `None` when it must be sent again.
    asked: Option<u64>,
    ask_waits: String,
    /// The reason why deployments wait, as last reported.
    waits_for: Option<String>,
    /// Deployments pass.
    is_open: bool,
    /// Since when a place has not been ready.
    waiting_since: Option<Monotonic>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The resource manager does not know us yet.
    Initial,
    /// The job wants its slots.
    Wanted,
    /// The resource manager has refused them.
    Failed,
    /// The job has ended.
    Ended,
}

impl SlotPool {
    /// A pool with nothing in it; it waits for [`SlotInput::Registered`].
    pub fn new(settings: SlotSettings) -> Self {
        let per_manager = settings.slots_per_manager.max(1);
        let mut places = Vec::new();
        let mut left = settings.slots;
        while left > 0 {
            let slots = left.min(per_manager);
            places.push(HostPlace::new(slots));
            left -= slots;
        }
        Self {
            settings,
            phase: Phase::Initial,
            places,
            losses: Vec::new(),
            granted: 0,
            asked: None,
            ask_waits: String::new(),
            waits_for: None,
            is_open: false,
            waiting_since: None,
        }
    }

    /// Containers that the job needs.
    pub fn managers_needed(&self) -> usize {
        self.places.len()
    }

    fn place_of(&self, container: ContainerId) -> Option<usize> {
        self.places.iter().position(|place| place.container() == Some(container))
    }

    fn completed(&mut self, now: Now, container: ContainerId, why: Failure) {
        for loss in self.losses.iter_mut().filter(|loss| loss.container == container) {
            loss.explain(&why);
        }
        self.container_lost(now, container, Cause::Known(why));
    }

    /// Vacates the place of a container.
    fn container_lost(&mut self, now: Now, container: ContainerId, cause: Cause) {
        let Some(place) = self.place_of(container) else { return };
        let host = self.places[place].host();
        let (number, ready_since) = (host.and_then(Host::number), ready_since(host));
        let last_is_unsettled = self.losses.iter().any(|loss| loss.container == container);
        // Between two hosts: the loss of the first is the one that tells.
        let is_loss = number.is_some() || !last_is_unsettled;
        let failures = self.places[place].failures + 1;
        let until = (is_loss && ready_since.is_none())
            .then(|| now.monotonic.after(CONTAINER_RETRY_DELAY * failures));
        self.places[place].holder = Holder::Vacant { until };
        if is_loss {
            self.lose(
                now,
                Loss {
                    container,
                    host: number,
                    place,
                    ready_since,
                    cause,
                    is_connected: ready_since.is_some(),
                    deadline: Monotonic(0),
                },
            );
        }
    }

    /// The task host of a place was lost while its task manager runs; `false` if there was none.
    fn host_lost(
        &mut self,
        now: Now,
        (container, number): (ContainerId, u32),
        cause: Cause,
    ) -> bool {
        let Some(place) = self.place_of(container) else { return false };
        let Holder::Managed { host, .. } = &mut self.places[place].holder else { return false };
        if host.number() != Some(number) {
            return false;
        }
        let ready_since = ready_since(Some(*host));
        *host = Host::Idle { due: now.monotonic };
        // A host that was never ready has no connection, and a vague cause is its end.
        let is_connected = ready_since.is_some() && matches!(cause, Cause::Known(_));
        self.lose(
            now,
            Loss {
                container,
                host: Some(number),
                place,
                ready_since,
                cause,
                is_connected,
                deadline: Monotonic(0),
            },
        );
        true
    }

    fn lose(&mut self, now: Now, loss: Loss) {
        let deadline = now.monotonic.after(loss::GRACE);
        self.losses.push(Loss { deadline, ..loss });
    }

    fn host_disconnected(
        &mut self,
        now: Now,
        key: (ContainerId, u32),
        why: Failure,
        out: &mut Vec<SlotEffect>,
    ) {
        if let Some(loss) = self.losses.iter_mut().find(|loss| loss.is_of(key.0, key.1)) {
            loss.is_connected = false;
            return;
        }
        if self.host_lost(now, key, Cause::Vague(why)) {
            // It may live on without us.
            out.push(SlotEffect::StopHost { container: key.0, host: key.1 });
        }
    }

    fn host_ended(&mut self, now: Now, key: (ContainerId, u32), why: Failure) {
        if let Some(loss) = self.losses.iter_mut().find(|loss| loss.is_of(key.0, key.1)) {
            loss.explain(&why);
            return;
        }
        self.host_lost(now, key, Cause::Known(why));
    }

    fn host_ready(&mut self, now: Now, container: ContainerId, number: u32) {
        let Some(place) = self.place_of(container) else { return };
        let place = &mut self.places[place];
        if let Holder::Managed { host, .. } = &mut place.holder
            && *host == Host::Ordered(number)
        {
            *host = Host::Ready(number, now.monotonic);
            place.failures = 0;
        }
    }

    // ---- what follows from the state, after each input and at each deadline ----

    fn advance(&mut self, now: Now, out: &mut Vec<SlotEffect>) {
        self.close_if_broken(out);
        self.settle_losses(now, out);
        if self.phase == Phase::Wanted {
            self.order_hosts(now, out);
            self.open_if_complete(out);
            self.watch_the_clock(now, out);
        }
        self.end_pauses(now);
        self.ask(out);
        self.say_what_is_missing(out);
    }

    fn is_complete(&self) -> bool {
        self.losses.is_empty() && self.places.iter().all(|place| place.ready().is_some())
    }

    fn close_if_broken(&mut self, out: &mut Vec<SlotEffect>) {
        if self.is_open && !self.is_complete() {
            self.is_open = false;
            out.push(SlotEffect::Close);
        }
    }

    fn settle_losses(&mut self, now: Now, out: &mut Vec<SlotEffect>) {
        let losses = std::mem::take(&mut self.losses);
        let (settled, open) = losses.into_iter().partition(|loss| loss.is_settled(now.monotonic));
        self.losses = open;
        settled.into_iter().for_each(|loss| self.settle(now, loss, out));
    }

    fn settle(&mut self, now: Now, loss: Loss, out: &mut Vec<SlotEffect>) {
        let failure = loss.cause.into_failure();
        // To a host that was never ready nothing was deployed.
        if let Some(host) = loss.host.filter(|_| loss.ready_since.is_some()) {
            let (container, failure) = (loss.container, failure.clone());
            out.push(SlotEffect::TasksLost { container, host, failure });
        }
        let place = &mut self.places[loss.place];
        if loss.ready_since.is_none() {
            place.failures += 1;
        }
        let pause = match loss.ready_since {
            None => RETRY_DELAY * place.failures,
            Some(since) if now.monotonic < since.after(SHORT_LIFE) => SHORT_LIFE_PAUSE,
            Some(_) => Duration::ZERO,
        };
        if let Holder::Managed { container, host: Host::Idle { due }, .. } = &mut place.holder
            && *container == loss.container
        {
            *due = now.monotonic.after(pause);
        }
        if failure.origin == FailureOrigin::Permanent || place.failures >= FAILURES_IN_A_ROW {
            self.fail(failure, Some(loss.container), out);
        }
    }

    fn order_hosts(&mut self, now: Now, out: &mut Vec<SlotEffect>) {
        let unsettled: BTreeSet<ContainerId> =
            self.losses.iter().map(|loss| loss.container).collect();
        for place in &mut self.places {
            if let Holder::Managed { container, host, hosts } = &mut place.holder
                && matches!(host, Host::Idle { due } if *due <= now.monotonic)
                && !unsettled.contains(container)
            {
                *hosts += 1;
                *host = Host::Ordered(*hosts);
                out.push(SlotEffect::StartHost { container: *container, host: *hosts });
            }
        }
    }

    fn open_if_complete(&mut self, out: &mut Vec<SlotEffect>) {
        if self.is_open || !self.is_complete() {
            return;
        }
        self.is_open = true;
        let mut placement = Vec::new();
        for place in &self.places {
            let host = place.ready().expect("each place is ready, as just seen");
            placement.extend((0..place.slots).map(|_| host));
        }
        out.push(SlotEffect::Open { placement });
    }

    fn watch_the_clock(&mut self, now: Now, out: &mut Vec<SlotEffect>) {
        if self.is_open {
            self.waiting_since = None;
            return;
        }
        self.waiting_since.get_or_insert(now.monotonic);
        if self.gives_up_at().is_some_and(|deadline| deadline <= now.monotonic) {
            self.fail(self.no_slots(), None, out);
        }
    }

    fn gives_up_at(&self) -> Option<Monotonic> {
        let since = self.waiting_since.filter(|_| self.phase == Phase::Wanted)?;
        Some(since.after(self.settings.request_timeout))
    }

    fn fail(
        &mut self,
        failure: Failure,
        container: Option<ContainerId>,
        out: &mut Vec<SlotEffect>,
    ) {
        if self.phase == Phase::Wanted || self.phase == Phase::Initial {
            self.phase = Phase::Failed;
            let failure = Failure { origin: FailureOrigin::Permanent, ..failure };
            out.push(SlotEffect::Fail { failure, container });
        }
    }
}

fn ready_since(host: Option<Host>) -> Option<Monotonic> {
    match host {
        Some(Host::Ready(_, since)) => Some(since),
        _ => None,
    }
}

impl Machine for SlotPool {
    type Input = SlotInput;
    type Effect = SlotEffect;

    fn step(&mut self, now: Now, input: SlotInput, out: &mut Vec<SlotEffect>) {
        match input {
            SlotInput::Registered => self.registered(),
            SlotInput::AskWaits { reason } => self.ask_waits = reason,
            SlotInput::AskRefused { failure } => self.fail(failure, None, out),
            SlotInput::Leased { container } => self.leased(container, out),
            SlotInput::StartRefused { container, failure } => {
                self.start_refused(now, container, failure, out);
            }
            SlotInput::Completed { container, failure } => self.completed(now, container, failure),
            SlotInput::ManagerConnected { container } => self.manager_connected(now, container),
            SlotInput::ManagerLost { container, failure } => {
                self.manager_lost(now, container, failure, out);
            }
            SlotInput::HostReady { container, host } => self.host_ready(now, container, host),
            SlotInput::HostDisconnected { container, host, failure } => {
                self.host_disconnected(now, (container, host), failure, out);
            }
            SlotInput::HostEnded { container, host, failure } => {
                self.host_ended(now, (container, host), failure);
            }
            SlotInput::JobEnded => self.job_ended(out),
        }
        self.advance(now, out);
    }

    fn tick(&mut self, now: Now, out: &mut Vec<SlotEffect>) {
        self.advance(now, out);
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        let losses = self.losses.iter().map(|loss| loss.deadline);
        let unsettled = |place: &HostPlace| {
            self.losses.iter().any(|loss| Some(loss.container) == place.container())
        };
        let orders = self.places.iter().filter_map(|place| match place.host() {
            Some(Host::Idle { due }) if self.phase == Phase::Wanted && !unsettled(place) => {
                Some(due)
            }
            _ => None,
        });
        let pauses = self.places.iter().filter_map(HostPlace::pauses_until);
        losses.chain(orders).chain(pauses).chain(self.gives_up_at()).min()
    }

    fn check_invariants(&self) {
        let held: Vec<ContainerId> = self.places.iter().filter_map(HostPlace::container).collect();
        let distinct: BTreeSet<_> = held.iter().collect();
        invariant!(held.len() == distinct.len(), "a container serves two places: {held:?}");
        invariant!(
            !self.is_open || self.is_complete() || self.phase == Phase::Ended,
            "deployments pass while a place has no ready host"
        );
        let slots: u32 = self.places.iter().map(|place| place.slots).sum();
        invariant!(slots == self.settings.slots, "{slots} slots are dealt out");
    }
}
