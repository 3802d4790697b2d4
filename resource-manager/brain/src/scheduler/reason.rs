//! The reason why a container is not leased yet.

use std::fmt;
use weir_base::{ApplicationId, Resources, Share};

/// Why a container is not leased yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitReason {
    /// Size of one container.
    pub needs: Resources,
    pub shortage: Shortage,
    /// Position of its application among the waiting applications of its queue, from 1.
    pub position: usize,
    pub queue: String,
}

/// The obstacle to a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shortage {
    /// No node takes containers.
    NoNodes {
        /// Nodes that are up but not healthy.
        unhealthy: usize,
    },
    /// The application waits for its own ask of this more important priority.
    BehindPriority(u32),
    /// The free resources are reserved for an older application that waits.
    BehindApplication(ApplicationId),
    /// App masters hold their maximum share of the cluster.
    AppMasterShare {
        /// The resources of all app masters.
        held: Resources,
        /// The maximum for all app masters.
        allowed: Resources,
        /// Whether memory is the exceeded resource; otherwise virtual cores.
        is_memory: bool,
        /// `yarn.scheduler.capacity.maximum-am-resource-percent`.
        share: Share,
    },
    /// The nodes are too full.
    Room {
        /// Nodes that take containers.
        up: usize,
        /// Of these, nodes with too little free memory.
        lack_memory: usize,
        /// Of the others, nodes with too few free virtual cores.
        lack_vcores: usize,
        /// Nodes that are too small even when empty.
        too_small: usize,
        /// The largest free memory of a node, in MiB.
        largest_free_mib: u64,
        /// The largest number of free virtual cores of a node.
        largest_free_vcores: u32,
        /// Nodes that are up but not healthy.
        unhealthy: usize,
    },
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "needs {}: {}; ", self.needs, self.shortage)?;
        write!(f, "{} in queue {}", Ordinal(self.position), self.queue)
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoNodes { unhealthy: 0 } => f.write_str("no node is up"),
            Self::NoNodes { unhealthy } => write!(f, "no node is healthy ({unhealthy} are not)"),
            Self::BehindPriority(priority) => {
                write!(f, "waits behind the application's own ask of priority {priority}")
            }
            Self::BehindApplication(application) => {
                write!(f, "waits behind {application}, which is older and waits for containers")
            }
            Self::AppMasterShare { held, allowed, is_memory, share } => {
                match is_memory {
                    true => write!(
                        f,
                        "app masters hold {} of {} MiB allowed",
                        held.memory_mib, allowed.memory_mib
                    ),
                    false => {
                        write!(
                            f,
                            "app masters hold {} of {} vcores allowed",
                            held.vcores, allowed.vcores
                        )
                    }
                }?;
                write!(f, " (yarn.scheduler.capacity.maximum-am-resource-percent {share})")
            }
            Self::Room {
                up,
                lack_memory,
                lack_vcores,
                too_small,
                largest_free_mib,
                largest_free_vcores,
                unhealthy,
            } => {
                write!(f, "{up} {} up", if up == 1 { "node" } else { "nodes" })?;
                if lack_memory > 0 {
                    write!(f, ", {lack_memory} lack memory (largest free {largest_free_mib} MiB)")?;
                }
                if lack_vcores > 0 {
                    write!(f, ", {lack_vcores} lack vcores (largest free {largest_free_vcores})")?;
                }
                if too_small > 0 {
                    write!(f, ", {too_small} too small even when empty")?;
                }
                if unhealthy > 0 {
                    write!(f, ", {unhealthy} more unhealthy")?;
                }
                Ok(())
            }
        }
    }
}

struct Ordinal(usize);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match (self.0 % 100, self.0 % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        write!(f, "{}{suffix}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_amounts_causes_and_position() {
        let room = Shortage::Room {
            up: 2,
            lack_memory: 1,
            lack_vcores: 1,
            too_small: 0,
            largest_free_mib: 512,
            largest_free_vcores: 0,
            unhealthy: 3,
        };
        for (shortage, position, text) in [
            (
                room,
                1,
                "needs <memory:1024 MiB, vCores:1>: 2 nodes up, 1 lack memory (largest free 512 \
                 MiB), 1 lack vcores (largest free 0), 3 more unhealthy; 1st in queue default",
            ),
            (
                Shortage::NoNodes { unhealthy: 0 },
                12,
                "needs <memory:1024 MiB, vCores:1>: no node is up; 12th in queue default",
            ),
            (
                Shortage::BehindPriority(3),
                22,
                "needs <memory:1024 MiB, vCores:1>: waits behind the application's own ask of \
                 priority 3; 22nd in queue default",
            ),
            (
                Shortage::AppMasterShare {
                    held: Resources { memory_mib: 3072, vcores: 3 },
                    allowed: Resources { memory_mib: 4000, vcores: 4 },
                    is_memory: true,
                    share: Share::HALF,
                },
                2,
                "needs <memory:1024 MiB, vCores:1>: app masters hold 3072 of 4000 MiB allowed \
                 (yarn.scheduler.capacity.maximum-am-resource-percent 0.5); 2nd in queue default",
            ),
        ] {
            let needs = Resources { memory_mib: 1024, vcores: 1 };
            let queue = "default".to_owned();
            assert_eq!(WaitReason { needs, shortage, position, queue }.to_string(), text);
        }
    }
}
