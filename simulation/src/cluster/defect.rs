//! Defects that can be put into a run, so that the oracle is seen to find them.
//!
//! They sit in the simulated world around the brains, never in the brains themselves.

use std::collections::BTreeMap;
use weir_resource_manager_brain::scheduler::{
    Fifo, GiveWay, Placement, Scheduler, SchedulingPlan, Snapshot,
};

/// Something that must not go unnoticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// The store says that facts are durable before they are.
    EarlyPersisted,
    /// The store loses submissions.
    SubmissionsDropped,
    /// The store loses what app masters leave behind.
    ArchivesDropped,
    /// A restarted resource manager does not count its start.
    EpochRepeats,
    /// A restarted agent does not look at its disk.
    DiskIgnored,
    /// Orders to kill never reach an agent.
    KillsDropped,
    /// Completed containers are not reported to app masters.
    CompletedDropped,
    /// Leases for the second request are not reported to app masters.
    LeasesDropped,
    /// A container is launched at each request, also at a repeated one.
    LaunchedAgain,
    /// App masters take all that is free, and no application gives way.
    EagerAppMasters,
    /// App masters hold their share, and no application gives way.
    NoneGivesWay,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::EarlyPersisted,
        Self::SubmissionsDropped,
        Self::ArchivesDropped,
        Self::EpochRepeats,
        Self::DiskIgnored,
        Self::KillsDropped,
        Self::CompletedDropped,
        Self::LeasesDropped,
        Self::LaunchedAgain,
        Self::EagerAppMasters,
        Self::NoneGivesWay,
    ];
}

/// A scheduler that gives all free resources to the first request: applications in order, nothing reserved.
#[derive(Debug)]
pub(crate) struct EagerScheduler;

impl Scheduler for EagerScheduler {
    fn plan(&self, snapshot: &Snapshot) -> SchedulingPlan {
        let nodes = snapshot.nodes.iter().map(|node| (node.node.clone(), node.free));
        let mut free: BTreeMap<_, _> = nodes.collect();
        let mut placements = Vec::new();
        for demand in &snapshot.demands {
            let (attempt, key, resources) = (demand.attempt, demand.key, demand.resources);
            for _ in 0..demand.missing {
                let fits = |(_, left): &(_, &mut _)| resources.fits_in(**left);
                let Some((node, left)) = free.iter_mut().find(fits) else { break };
                *left = left.saturating_sub(resources);
                placements.push(Placement { attempt, key, node: node.clone(), resources });
            }
        }
        SchedulingPlan { placements, ..SchedulingPlan::default() }
    }

    fn give_way(&self, _: &Snapshot) -> Option<GiveWay> {
        None
    }
}

/// The scheduler, but no application gives way.
#[derive(Debug)]
pub(crate) struct StubbornScheduler(pub(crate) Fifo);

impl Scheduler for StubbornScheduler {
    fn plan(&self, snapshot: &Snapshot) -> SchedulingPlan {
        self.0.plan(snapshot)
    }

    fn give_way(&self, _: &Snapshot) -> Option<GiveWay> {
        None
    }
}
