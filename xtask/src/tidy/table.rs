//! The crate table: every crate of the house, also those to come, what it may use of ours and
//! what it must never use. Everything that `tidy` knows about borders is here.
//!
//! Edges between our crates are exact: what is not listed is refused. Of the outside crates only
//! bans are listed. A change here is a decision about the architecture and wants an ADR.

/// One row of the table.
pub struct Row {
    pub package: &'static str,
    /// The crate's folder from the root of the repository.
    pub path: &'static str,
    /// Our crates that its normal and build dependencies may name.
    pub uses: Uses,
    /// Our crates that must not be reached even through others. The table is tested to keep this.
    pub never_ours: &'static [&'static [&'static str]],
    /// Outside crates that must not stand anywhere below it.
    pub bans: &'static [Ban],
    /// Outside crates that it must not name itself, though others below it may.
    pub direct_bans: &'static [Ban],
    /// Calls that its sources must not make.
    pub pure: Purity,
}

/// Crates of ours that a crate may use.
pub enum Uses {
    Only(&'static [&'static str]),
    Anything,
}

/// An outside crate that is banned, with the crates that come with it.
#[derive(Debug)]
pub struct Ban {
    pub name: &'static str,
    /// Exact package names; one that ends in `-` is a prefix.
    packages: &'static [&'static str],
}

impl Ban {
    /// Whether the ban means this package.
    pub fn covers(&self, package: &str) -> bool {
        self.packages
            .iter()
            .any(|name| package == *name || (name.ends_with('-') && package.starts_with(name)))
    }
}

/// Calls that a crate's sources must not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purity {
    /// No rule.
    Free,
    /// Pure: no clock, thread, socket, file, foreign randomness or unordered map.
    Brain,
    /// Simulated: no socket and no real time.
    Simulated,
}

const TOKIO: Ban = Ban { name: "tokio", packages: &["tokio", "tokio-"] };
const ACTIX: Ban = Ban { name: "actix", packages: &["actix", "actix-"] };
const REQWEST: Ban = Ban { name: "reqwest", packages: &["reqwest"] };
const ROCKSDB: Ban =
    Ban { name: "rocksdb", packages: &["rocksdb", "rust-rocksdb", "librocksdb-sys"] };
const SOCKETS: Ban =
    Ban { name: "sockets", packages: &["mio", "socket2", "hyper", "hyper-util", "quinn"] };

const BRAINS: &[&str] = &[
    "weir-resource-manager-brain",
    "weir-node-agent-brain",
    "weir-app-master-brain",
    "weir-coordination",
];

/// The engine, without `weir-graph`: that is plain data, which the protocol carries.
const ENGINE: &[&str] = &[
    "weir-dataflow",
    "weir-operators",
    "weir-state",
    "weir-checkpoint-storage",
    "weir-runtime",
    "weir-coordination",
    "weir-job-master",
    "weir-connectors",
    "weir-sql",
    "weir-cep",
    "weir",
];

const DAEMONS: &[&str] =
    &["weir-resource-manager", "weir-node-agent", "weir-app-master", "weir-task-manager"];

/// A row without bans, to be filled up.
const fn row(package: &'static str, path: &'static str, uses: &'static [&'static str]) -> Row {
    Row {
        package,
        path,
        uses: Uses::Only(uses),
        never_ours: &[],
        bans: &[],
        direct_bans: &[],
        pure: Purity::Free,
    }
}

/// The row of a brain: pure, and apart from the other brains.
const fn brain(package: &'static str, path: &'static str, uses: &'static [&'static str]) -> Row {
    Row { bans: &[TOKIO, ACTIX], pure: Purity::Brain, ..row(package, path, uses) }
}

/// The table, in the order in which the house is built.
pub const ROWS: &[Row] = &[
    Row { bans: &[TOKIO, ACTIX], ..row("weir-base", "base", &[]) },
    Row { bans: &[TOKIO, ACTIX], ..row("weir-config", "config", &["weir-base"]) },
    Row { bans: &[TOKIO, ACTIX], ..row("weir-terminal", "terminal", &[]) },
    row("weir-graph", "streaming/graph", &["weir-base"]),
    Row {
        bans: &[ACTIX, TOKIO, REQWEST],
        ..row("weir-protocol", "protocol", &["weir-base", "weir-graph"])
    },
    // The engine.
    Row {
        never_ours: &[&["weir-protocol"]],
        bans: &[TOKIO, ROCKSDB],
        ..row("weir-dataflow", "streaming/dataflow", &["weir-base", "weir-graph"])
    },
    Row {
        never_ours: &[&["weir-state"]],
        bans: &[TOKIO],
        ..row(
            "weir-operators",
            "streaming/operators",
            &["weir-dataflow", "weir-graph", "weir-base", "weir-terminal"],
        )
    },
    Row {
        never_ours: &[&["weir-state"]],
        bans: &[TOKIO],
        ..row("weir-cep", "streaming/cep", &["weir-dataflow", "weir-graph", "weir-base"])
    },
    Row {
        bans: &[ROCKSDB],
        ..row(
            "weir-checkpoint-storage",
            "streaming/checkpoint-storage",
            &["weir-base", "weir-graph"],
        )
    },
    Row {
        never_ours: &[&["weir-operators", "weir-protocol"]],
        ..row(
            "weir-state",
            "streaming/state",
            &[
                "weir-dataflow",
                "weir-checkpoint-storage",
                // Deployments and key group ranges, by which a restore finds its state (ADR 0002).
                "weir-graph",
                "weir-base",
            ],
        )
    },
    Row {
        // Instances come by registry, so the runtime names no operator, connector or query.
        never_ours: &[&["weir-operators", "weir-sql", "weir-connectors"]],
        ..row(
            "weir-runtime",
            "streaming/runtime",
            &[
                "weir-dataflow",
                "weir-graph",
                "weir-state",
                "weir-checkpoint-storage",
                "weir-protocol",
                "weir-base",
            ],
        )
    },
    brain(
        "weir-coordination",
        "streaming/coordination",
        &["weir-graph", "weir-protocol", "weir-base"],
    ),
    Row {
        never_ours: &[&["weir-runtime"]],
        bans: &[ACTIX],
        ..row(
            "weir-job-master",
            "streaming/job-master",
            &[
                "weir-coordination",
                "weir-checkpoint-storage",
                "weir-graph",
                "weir-protocol",
                "weir-config",
                "weir-base",
            ],
        )
    },
    Row {
        never_ours: &[&["weir-sql", "weir-runtime"]],
        ..row(
            "weir-connectors",
            "streaming/connectors",
            &["weir-dataflow", "weir-graph", "weir-base"],
        )
    },
    Row {
        // Table factories are registered in the API.
        never_ours: &[&["weir-connectors", "weir-runtime"]],
        ..row(
            "weir-sql",
            "streaming/sql",
            &["weir-dataflow", "weir-operators", "weir-graph", "weir-base"],
        )
    },
    Row {
        never_ours: &[&["weir-service"], DAEMONS],
        ..row(
            "weir",
            "streaming/api",
            &[
                "weir-base",
                "weir-config",
                "weir-protocol",
                "weir-graph",
                "weir-dataflow",
                "weir-operators",
                "weir-cep",
                "weir-checkpoint-storage",
                "weir-state",
                "weir-runtime",
                "weir-coordination",
                "weir-job-master",
                "weir-connectors",
                "weir-sql",
                "weir-terminal",
            ],
        )
    },
    // The cluster.
    Row {
        never_ours: &[BRAINS, ENGINE],
        ..row("weir-service", "service", &["weir-protocol", "weir-config", "weir-base"])
    },
    brain("weir-resource-manager-brain", "resource-manager/brain", &["weir-protocol", "weir-base"]),
    Row {
        never_ours: &[ENGINE],
        ..row(
            "weir-resource-manager",
            "resource-manager",
            &[
                "weir-resource-manager-brain",
                "weir-service",
                "weir-protocol",
                "weir-config",
                "weir-base",
                "weir-web-ui",
            ],
        )
    },
    brain("weir-node-agent-brain", "node-agent/brain", &["weir-protocol", "weir-base"]),
    Row {
        never_ours: &[ENGINE, &["weir-resource-manager", "weir-app-master", "weir-task-manager"]],
        ..row(
            "weir-node-agent",
            "node-agent",
            &["weir-node-agent-brain", "weir-service", "weir-protocol", "weir-config", "weir-base"],
        )
    },
    Row {
        never_ours: &[ENGINE, &["weir-resource-manager", "weir-app-master", "weir-node-agent"]],
        ..row(
            "weir-task-manager",
            "task-manager",
            &["weir-service", "weir-protocol", "weir-config", "weir-base"],
        )
    },
    brain("weir-app-master-brain", "app-master/brain", &["weir-base"]),
    Row {
        never_ours: &[&["weir-runtime", "weir-operators", "weir-sql", "weir-state"]],
        ..row(
            "weir-app-master",
            "app-master",
            &[
                "weir-app-master-brain",
                "weir-job-master",
                "weir-coordination",
                "weir-checkpoint-storage",
                "weir-graph",
                "weir-service",
                "weir-protocol",
                "weir-config",
                "weir-base",
                "weir-web-ui",
            ],
        )
    },
    Row {
        never_ours: &[&["weir-runtime", "weir-sql"]],
        bans: &[ROCKSDB],
        ..row(
            "weir-cli",
            "client",
            &[
                "weir-resource-manager",
                "weir-node-agent",
                "weir-app-master",
                "weir-task-manager",
                "weir-service",
                "weir-protocol",
                "weir-config",
                "weir-terminal",
                "weir-base",
                // Inspecting savepoints.
                "weir-checkpoint-storage",
                // The types of the plan that it prints (ADR 0001).
                "weir-graph",
            ],
        )
    },
    row("weir-web-ui", "web-ui", &[]),
    // Around the house.
    Row {
        direct_bans: &[TOKIO, ACTIX, REQWEST, SOCKETS],
        pure: Purity::Simulated,
        ..row(
            "weir-simulation",
            "simulation",
            &[
                "weir-resource-manager-brain",
                "weir-node-agent-brain",
                "weir-coordination",
                "weir-runtime",
                "weir-operators",
                "weir-dataflow",
                "weir-graph",
                "weir-protocol",
                "weir-base",
            ],
        )
    },
    row("weir-examples", "examples", &["weir"]),
    Row { uses: Uses::Anything, ..row("weir-benchmarks", "benchmarks", &[]) },
    row("xtask", "xtask", &[]),
];

/// The row of a package.
pub fn row_of(package: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.package == package)
}

/// Whether a package is one of ours, existing or to come.
pub fn is_ours(package: &str) -> bool {
    row_of(package).is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::tidy::closures::closure;

    fn allowed(package: &str) -> Vec<String> {
        match row_of(package).map(|row| &row.uses) {
            Some(Uses::Only(names)) => names.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_crate_named_has_one_row_and_one_folder() {
        let packages: BTreeSet<_> = ROWS.iter().map(|row| row.package).collect();
        let paths: BTreeSet<_> = ROWS.iter().map(|row| row.path).collect();
        assert_eq!(packages.len(), ROWS.len());
        assert_eq!(paths.len(), ROWS.len());
        for row in ROWS {
            let named = row.never_ours.concat();
            for name in allowed(row.package).iter().map(String::as_str).chain(named) {
                assert!(packages.contains(name), "{} names {name}", row.package);
            }
        }
    }

    #[test]
    fn allowed_edges_have_no_cycle_and_reach_no_forbidden_crate() {
        for row in ROWS {
            let reached = closure(row.package, allowed);
            assert!(!reached.contains(row.package), "{} reaches itself", row.package);
            for never in row.never_ours.concat() {
                assert!(!reached.contains(never), "{} reaches {never}", row.package);
            }
        }
    }

    #[test]
    fn brains_are_pure_and_apart() {
        for name in BRAINS {
            let row = row_of(name).expect("a brain has a row");
            assert_eq!(row.pure, Purity::Brain);
            let reached = closure(name, allowed);
            assert!(BRAINS.iter().all(|other| !reached.contains(*other)));
        }
    }

    #[test]
    fn ban_covers_companions_but_not_lookalikes() {
        assert!(TOKIO.covers("tokio") && TOKIO.covers("tokio-util"));
        assert!(!TOKIO.covers("tokiox"));
        assert!(ROCKSDB.covers("librocksdb-sys") && !ROCKSDB.covers("rocksdb2"));
    }
}
