//! Places: as many slots as one task manager has, and who serves them just now.
//!
//! ```text
//! VACANT ──leased──▶ STARTING ──connected──▶ MANAGED { IDLE ─▶ ORDERED ─▶ READY }
//!    ▲                  │                       │         ▲        │         │
//!    └──────────────────┴───container lost──────┘         └────host lost─────┘
//! ```

use weir_base::{ContainerId, Monotonic};

/// A group of slots that one task manager with one task host serves.
#[derive(Clone, Debug)]
pub(super) struct HostPlace {
    pub(super) slots: u32,
    pub(super) holder: Holder,
    /// Containers and hosts in a row that ended before their host was ready.
    pub(super) failures: u32,
}

/// The task manager and task host of a place.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    /// No host. A container is requested, after the pause if one is set.
    Vacant { until: Option<Monotonic> },
    /// A leased container whose task manager has not introduced itself.
    Starting(ContainerId),
    /// A connected task manager.
    Managed {
        container: ContainerId,
        host: Host,
        /// The number of the last task host that it was ordered to start.
        hosts: u32,
    },
}

/// The task host of a task manager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Host {
    /// None; the next one is ordered at this moment, and when the last one's loss is settled.
    Idle { due: Monotonic },
    /// Ordered to start.
    Ordered(u32),
    /// Ready for tasks since this moment.
    Ready(u32, Monotonic),
}

impl HostPlace {
    pub(super) fn new(slots: u32) -> Self {
        Self { slots, holder: Holder::Vacant { until: None }, failures: 0 }
    }

    /// The container that serves it.
    pub(super) fn container(&self) -> Option<ContainerId> {
        match &self.holder {
            Holder::Vacant { .. } => None,
            Holder::Starting(container) | Holder::Managed { container, .. } => Some(*container),
        }
    }

    /// The host, wherever it stands.
    pub(super) fn host(&self) -> Option<Host> {
        match &self.holder {
            Holder::Managed { host, .. } => Some(*host),
            _ => None,
        }
    }

    /// Where its tasks run, when they can.
    pub(super) fn ready(&self) -> Option<(ContainerId, u32)> {
        match &self.holder {
            Holder::Managed { container, host: Host::Ready(number, _), .. } => {
                Some((*container, *number))
            }
            _ => None,
        }
    }

    pub(super) fn is_vacant(&self) -> bool {
        matches!(self.holder, Holder::Vacant { .. })
    }

    /// Whether it takes the next container.
    pub(super) fn wants_container(&self) -> bool {
        matches!(self.holder, Holder::Vacant { until: None })
    }

    /// When it wants one again.
    pub(super) fn pauses_until(&self) -> Option<Monotonic> {
        match &self.holder {
            Holder::Vacant { until } => *until,
            _ => None,
        }
    }
}

impl Host {
    /// Its number, when there is one.
    pub(super) fn number(self) -> Option<u32> {
        match self {
            Self::Idle { .. } => None,
            Self::Ordered(number) | Self::Ready(number, _) => Some(number),
        }
    }
}
