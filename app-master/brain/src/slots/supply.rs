//! Containers: asked for, leased, started, given back.

use super::{
    Failure, FailureOrigin, Phase, SlotEffect, SlotPool, SlotSettings,
    loss::Cause,
    place::{Holder, Host, HostPlace},
};
use weir_base::{ContainerId, Now};

impl SlotPool {
    pub(super) fn registered(&mut self) {
        if self.phase == Phase::Initial {
            self.phase = Phase::Wanted;
        }
        self.granted = 0;
        self.asked = None;
        self.ask_waits.clear();
    }

    /// Places that have paused for long enough want a container again.
    pub(super) fn end_pauses(&mut self, now: Now) {
        for place in &mut self.places {
            if place.pauses_until().is_some_and(|until| until <= now.monotonic) {
                place.holder = Holder::Vacant { until: None };
            }
        }
    }

    /// Says what is wanted when that has changed.
    pub(super) fn ask(&mut self, out: &mut Vec<SlotEffect>) {
        let vacant = self.places.iter().filter(|place| place.wants_container()).count();
        let missing = match self.phase {
            Phase::Initial => return,
            Phase::Wanted => vacant as u64,
            Phase::Failed | Phase::Ended => 0,
        };
        let total = self.granted + missing;
        if self.asked != Some(total) {
            self.asked = Some(total);
            out.push(SlotEffect::Ask { total });
        }
    }

    pub(super) fn leased(&mut self, container: ContainerId, out: &mut Vec<SlotEffect>) {
        if self.place_of(container).is_some() {
            return;
        }
        self.granted += 1;
        let place = self.places.iter_mut().find(|place| place.wants_container());
        match place.filter(|_| self.phase == Phase::Wanted) {
            Some(place) => {
                place.holder = Holder::Starting(container);
                out.push(SlotEffect::StartContainer { container });
            }
            None => out.push(SlotEffect::ReleaseContainer { container }),
        }
    }

    pub(super) fn start_refused(
        &mut self,
        now: Now,
        container: ContainerId,
        failure: Failure,
        out: &mut Vec<SlotEffect>,
    ) {
        let is_starting =
            |place: &HostPlace| matches!(place.holder, Holder::Starting(id) if id == container);
        if self.places.iter().any(is_starting) {
            self.container_lost(now, container, Cause::Known(failure));
            out.push(SlotEffect::ReleaseContainer { container });
        }
    }

    pub(super) fn manager_connected(&mut self, now: Now, container: ContainerId) {
        let Some(place) = self.place_of(container) else { return };
        let holder = &mut self.places[place].holder;
        if matches!(holder, Holder::Starting(_)) {
            let host = Host::Idle { due: now.monotonic };
            *holder = Holder::Managed { container, host, hosts: 0 };
        }
    }

    pub(super) fn manager_lost(
        &mut self,
        now: Now,
        container: ContainerId,
        failure: Failure,
        out: &mut Vec<SlotEffect>,
    ) {
        if self.place_of(container).is_some() {
            self.container_lost(now, container, Cause::Vague(failure));
            out.push(SlotEffect::ReleaseContainer { container });
        }
    }

    pub(super) fn job_ended(&mut self, out: &mut Vec<SlotEffect>) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        for place in &mut self.places {
            match std::mem::replace(&mut place.holder, Holder::Vacant { until: None }) {
                Holder::Vacant { .. } => {}
                Holder::Starting(container) => {
                    out.push(SlotEffect::ReleaseContainer { container });
                }
                Holder::Managed { container, .. } => {
                    out.push(SlotEffect::StopManager { container });
                }
            }
        }
        self.losses.clear();
    }

    /// The job was without its slots for too long.
    pub(super) fn no_slots(&self) -> Failure {
        let SlotSettings { slots, request_timeout, .. } = &self.settings;
        let message = format!(
            "the job did not get its slots, {slots} of them, within {request_timeout:?} \
             (slot.request.timeout): {}",
            self.missing()
        );
        Failure::new("WEIR-JOB-0011", FailureOrigin::Permanent, message)
    }

    /// Says what deployments wait for when that has changed.
    pub(super) fn say_what_is_missing(&mut self, out: &mut Vec<SlotEffect>) {
        let what = self.waits_for();
        if self.waits_for != what {
            self.waits_for.clone_from(&what);
            out.push(SlotEffect::WaitsFor { what });
        }
    }

    /// The first thing that every other one waits for: containers, then task managers, then task hosts.
    fn waits_for(&self) -> Option<String> {
        if self.is_open || self.phase != Phase::Wanted {
            return None;
        }
        let of = self.places.len();
        let count =
            |is_it: fn(&HostPlace) -> bool| self.places.iter().filter(|place| is_it(place)).count();
        let vacant = count(HostPlace::is_vacant);
        let starting = count(|place| matches!(place.holder, Holder::Starting(_)));
        let what = match (vacant, starting) {
            (0, 0) => format!("for the task hosts of {of} containers to be ready"),
            (0, _) => format!("for {starting} of {of} task managers to connect"),
            _ if self.ask_waits.is_empty() => format!("for {vacant} of {of} containers"),
            _ => format!("for {vacant} of {of} containers: {}", self.ask_waits),
        };
        Some(what)
    }

    /// The reason why the job has not all its slots, as text for the user.
    fn missing(&self) -> String {
        let vacant = self.places.iter().filter(|place| place.is_vacant()).count();
        let mut parts = Vec::new();
        if vacant > 0 {
            let of = self.places.len();
            let reason = match self.ask_waits.as_str() {
                "" => String::new(),
                reason => format!(" ({reason})"),
            };
            parts.push(format!("{vacant} of {of} containers are not leased{reason}"));
        }
        for place in &self.places {
            match (&place.holder, place.ready()) {
                (Holder::Starting(container), _) => {
                    parts.push(format!("the task manager of {container} has not connected"));
                }
                (Holder::Managed { container, .. }, None) => {
                    parts.push(format!("the task host of {container} is not ready"));
                }
                _ => {}
            }
        }
        parts.join(", ")
    }
}
