//! Plan of a run: settings, hosts, applications.

use crate::faults::between;
use std::time::Duration;
use weir_base::{ArtifactHash, NodeId, Resources, SeededRng, Share};
use weir_resource_manager_brain::Settings;

/// Everything of a run but its faults.
#[derive(Clone, Debug)]
pub(crate) struct RunPlan {
    pub(crate) settings: Settings,
    pub(crate) hosts: Vec<HostPlan>,
    pub(crate) applications: Vec<ApplicationPlan>,
    /// When faults cease.
    pub(crate) quiet_at_ms: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct HostPlan {
    pub(crate) node: NodeId,
    pub(crate) total: Resources,
    /// When its agent starts first.
    pub(crate) from_ms: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct ApplicationPlan {
    pub(crate) submit_at_ms: u64,
    pub(crate) kill_at_ms: Option<u64>,
    pub(crate) master: Resources,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) kinds: Vec<Kind>,
    /// All containers must run at once; otherwise each does its part and exits.
    pub(crate) is_gang: bool,
    /// How long a gang, or each container, works.
    pub(crate) work_ms: u64,
    /// An application without progress for this time ends as failed.
    pub(crate) patience_ms: u64,
    /// Its containers run on without their app master until they are killed.
    pub(crate) leaves_orphans: bool,
    /// A file in the folder of its app master.
    pub(crate) file: ArtifactHash,
    /// Files that its other containers could use.
    pub(crate) other_files: Vec<ArtifactHash>,
}

/// Containers of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) priority: u32,
    pub(crate) resources: Resources,
    pub(crate) count: u64,
}

impl RunPlan {
    pub(crate) fn draw(rng: &mut SeededRng) -> Self {
        let quiet_at_ms = between(rng, 5_000, 40_000);
        let hosts: Vec<HostPlan> = (1..=between(rng, 1, 4)).map(|n| host(rng, n)).collect();
        let mut applications: Vec<ApplicationPlan> =
            (0..between(rng, 1, 5)).map(|_| application(rng, quiet_at_ms)).collect();
        if rng.percent(15) {
            let at_ms = rng.below(quiet_at_ms);
            applications.extend((0..between(rng, 5, 12)).map(|_| one_of_burst(rng, at_ms)));
        }
        Self { settings: settings(rng), hosts, applications, quiet_at_ms }
    }
}

fn settings(rng: &mut SeededRng) -> Settings {
    let share = |thousandths: u64| format!("0.{thousandths:03}").parse().unwrap_or(Share::ALL);
    let app_master_share = share(rng.below(1000));
    let mut ms = |low, high| Duration::from_millis(between(rng, low, high));
    let heartbeat_interval = ms(200, 1000);
    Settings {
        cluster_timestamp: 1_700_000_000_000,
        heartbeat_interval,
        larger_node_wait: 10 * heartbeat_interval,
        app_master_share,
        give_way_wait: 5 * heartbeat_interval,
        node_expiry: ms(2000, 8000),
        app_master_expiry: ms(2000, 8000),
        container_allocation_expiry: ms(1500, 6000),
        recovery_wait: ms(100, 3000),
        lost_node_retention: ms(1000, 60_000),
        max_app_attempts: between(rng, 1, 4) as u32,
        max_completed_applications: between(rng, 1, 6) as usize,
        minimum_allocation_mib: between(rng, 1, 64),
    }
}

fn host(rng: &mut SeededRng, number: u64) -> HostPlan {
    HostPlan {
        node: NodeId(format!("10.0.0.{number}:8042")),
        total: Resources {
            memory_mib: between(rng, 600, 2000),
            vcores: between(rng, 3, 12) as u32,
        },
        from_ms: if rng.percent(70) { 0 } else { rng.below(3000) },
    }
}

fn application(rng: &mut SeededRng, quiet_at_ms: u64) -> ApplicationPlan {
    let kind = |rng: &mut SeededRng| Kind {
        priority: between(rng, 0, 2) as u32,
        resources: Resources {
            memory_mib: between(rng, 20, 250),
            vcores: between(rng, 1, 2) as u32,
        },
        count: between(rng, 1, 4),
    };
    // Some are larger than any host.
    let master_mib = if rng.percent(5) { 3000 } else { between(rng, 20, 250) };
    ApplicationPlan {
        submit_at_ms: rng.below(quiet_at_ms + 2000),
        kill_at_ms: rng.percent(20).then(|| rng.below(quiet_at_ms + 5000)),
        master: Resources { memory_mib: master_mib, vcores: 1 },
        max_attempts: rng.percent(30).then(|| between(rng, 1, 5) as u32),
        kinds: (0..between(rng, 1, 3)).map(|_| kind(rng)).collect(),
        is_gang: rng.percent(50),
        work_ms: between(rng, 100, 6000),
        patience_ms: between(rng, 10_000, 40_000),
        leaves_orphans: rng.percent(50),
        file: file(rng),
        other_files: (0..rng.below(3)).map(|_| file(rng)).collect(),
    }
}

/// One of many that are submitted at once. It needs all its containers, does not give up while it waits
/// for them, and fits any host alone.
fn one_of_burst(rng: &mut SeededRng, at_ms: u64) -> ApplicationPlan {
    let vcores = between(rng, 1, 2) as u32;
    ApplicationPlan {
        submit_at_ms: at_ms + rng.below(300),
        kill_at_ms: None,
        master: Resources { memory_mib: between(rng, 20, 100), vcores: 1 },
        kinds: vec![Kind {
            priority: 1,
            resources: Resources { memory_mib: between(rng, 20, 100), vcores },
            count: if vcores == 1 { between(rng, 1, 2) } else { 1 },
        }],
        is_gang: true,
        work_ms: between(rng, 100, 3000),
        patience_ms: 600_000,
        ..application(rng, at_ms)
    }
}

/// One of a few files, so that applications share them.
fn file(rng: &mut SeededRng) -> ArtifactHash {
    ArtifactHash([rng.below(4) as u8; 32])
}
