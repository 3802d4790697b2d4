//! Asks and leases under one registration.

use super::{ANSWER_TIMEOUT, Pause, ResourceManager, State, is_passing};
use crate::{failures, leases::LeaseEvent};
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use weir_base::ContainerId;
use weir_protocol::cluster::{
    Allocate, Allocated, AppMasterCommand, AppMasterRegistered, Ask, ContainerReport, SignedLease,
};
use weir_service::CallError;

/// The one kind of container that is asked for.
const ASK: u32 = 1;
const PRIORITY: u32 = 1;
/// Requests under way: one that is held back, and those that bring changes in the meantime.
const MAX_IN_FLIGHT: usize = 4;

/// An answer, or why there is none.
struct Answer {
    sequence: u64,
    sent: Instant,
    asked: bool,
    /// The answers that the request named as seen.
    seen: BTreeSet<ContainerId>,
    result: Result<Allocated, CallError>,
}

/// The conversation under one registration.
pub(super) struct Allocation<'a> {
    manager: &'a ResourceManager,
    epoch: u32,
    interval: Duration,
    sequence: u64,
    in_flight: FuturesUnordered<LocalBoxFuture<'a, Answer>>,
    /// When the next request goes out if there is no news before.
    due: Option<Instant>,
    /// There was news when too many requests were under way.
    is_behind: bool,
    pause: Pause,
    waits: String,
    /// A command that this release does not know was logged.
    has_warned: bool,
}

/// Consequence of an answer.
enum Next {
    GoOn,
    Register,
    End(String),
}

impl<'a> Allocation<'a> {
    pub(super) fn new(manager: &'a ResourceManager, registered: &AppMasterRegistered) -> Self {
        Self {
            manager,
            epoch: registered.epoch,
            interval: Duration::from_millis(registered.heartbeat_interval_ms.clamp(10, 60_000)),
            sequence: 0,
            in_flight: FuturesUnordered::new(),
            due: None,
            is_behind: false,
            pause: Pause::new(),
            waits: String::new(),
            has_warned: false,
        }
    }

    /// Exchanges requests with the resource manager until it asks for a new registration (`None`), or orders
    /// this app master to end.
    pub(super) async fn run(mut self) -> Option<String> {
        self.send();
        loop {
            let due = self.due.unwrap_or_else(|| Instant::now() + self.interval);
            tokio::select! {
                Some(answer) = self.in_flight.next() => match self.answered(answer) {
                    Next::GoOn => {}
                    Next::Register => return None,
                    Next::End(why) => return Some(why),
                },
                () = tokio::time::sleep_until(due.into()), if self.due.is_some() => self.send(),
                () = self.manager.news.notified() => self.send(),
            }
        }
    }

    fn send(&mut self) {
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            self.is_behind = true;
            return;
        }
        self.due = None;
        self.is_behind = false;
        self.sequence += 1;
        let request = self.request();
        let (manager, timeout) = (self.manager, self.interval + ANSWER_TIMEOUT);
        let called = async move {
            let sent = Instant::now();
            let path = "/internal/v1/app-masters/allocate";
            let address = &manager.terms.address;
            let result = manager.client.call(address, path, &request, timeout).await;
            Answer {
                sequence: request.sequence,
                sent,
                asked: !request.asks.is_empty(),
                seen: request.seen.into_iter().collect(),
                result,
            }
        };
        self.in_flight.push(called.boxed_local());
    }

    fn request(&self) -> Allocate {
        let state = self.manager.state();
        let total = state.total.filter(|_| !state.is_refused);
        let ask = |total| Ask {
            id: ASK,
            priority: PRIORITY,
            resources: self.manager.terms.resources,
            total,
        };
        Allocate {
            attempt: self.manager.terms.attempt,
            epoch: self.epoch,
            sequence: self.sequence,
            hold_ms: u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX),
            asks: total.map(ask).into_iter().collect(),
            held: state.held.keys().copied().collect(),
            release: state.release.iter().copied().collect(),
            seen: state.seen.iter().copied().collect(),
            progress: 0.0,
        }
    }

    fn answered(&mut self, answer: Answer) -> Next {
        if answer.sequence != self.sequence {
            // A newer request says more; its answer counts.
            if self.is_behind {
                self.send();
            }
            return Next::GoOn;
        }
        let allocated = match answer.result {
            Ok(allocated) => allocated,
            Err(error) => return self.failed(&error, answer.asked),
        };
        self.pause = Pause::new();
        match allocated.command {
            AppMasterCommand::Resync => return Next::Register,
            AppMasterCommand::Shutdown => {
                return Next::End("the resource manager told this app master to end".to_owned());
            }
            AppMasterCommand::Normal => {}
            AppMasterCommand::Unknown => self.warn_of_unknown_command(),
        }
        self.tell_what_waits(&allocated);
        let has_news = self.take(allocated, &answer.seen);
        // Held back as long as possible, or not at all if the resource manager holds nothing back.
        let next = answer.sent + self.interval;
        match has_news || self.is_behind || next <= Instant::now() {
            true => self.send(),
            false => self.due = Some(next),
        }
        Next::GoOn
    }

    fn failed(&mut self, error: &CallError, asked: bool) -> Next {
        if is_passing(error) {
            tracing::warn!("no answer of the resource manager: {error}");
            self.due = Some(Instant::now() + self.pause.next());
            return Next::GoOn;
        }
        // Only the request for containers of a valid request can be refused; other refusals concern this app master.
        if !asked || !matches!(error, CallError::Refused { status: 400, .. }) {
            return Next::End(format!("the resource manager refuses this app master: {error}"));
        }
        self.manager.state().is_refused = true;
        self.manager.tell(LeaseEvent::AskRefused(failures::refused_ask(error)));
        self.send();
        Next::GoOn
    }

    fn warn_of_unknown_command(&mut self) {
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                "the resource manager sent a command that this release does not know; it is ignored"
            );
        }
    }

    fn tell_what_waits(&mut self, allocated: &Allocated) {
        let waits = allocated.pending.iter().find(|pending| pending.ask == ASK);
        let waits = waits.map(|pending| pending.reason.clone()).unwrap_or_default();
        if waits != self.waits {
            self.waits.clone_from(&waits);
            self.manager.tell(LeaseEvent::AskWaits(waits));
        }
    }

    /// Takes note of leases and ends; whether there were any.
    fn take(&self, allocated: Allocated, named: &BTreeSet<ContainerId>) -> bool {
        let mut state = self.manager.state();
        state.seen.retain(|container| !named.contains(container));
        let mut events = Vec::new();
        for lease in allocated.leases {
            events.extend(state.lease(lease));
        }
        for report in allocated.completed {
            events.extend(state.complete(&report));
        }
        drop(state);
        let has_news = !events.is_empty();
        events.into_iter().for_each(|event| self.manager.tell(event));
        has_news
    }
}

impl State {
    fn lease(&mut self, signed: SignedLease) -> Option<LeaseEvent> {
        let container = signed.lease.container;
        if self.held.contains_key(&container) {
            return None;
        }
        self.known.insert(container, signed.lease.clone());
        self.held.insert(container, signed);
        Some(LeaseEvent::Leased(container))
    }

    fn complete(&mut self, report: &ContainerReport) -> Option<LeaseEvent> {
        let container = report.container;
        let is_new = self.seen.insert(container);
        self.release.remove(&container);
        self.held.remove(&container);
        let node = self.known.get(&container).map(|held| &held.node);
        let failure = failures::completed(report, node);
        is_new.then_some(LeaseEvent::Completed(container, failure))
    }
}
