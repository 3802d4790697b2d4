//! Edges between our crates: exactly those of the crate table.
//!
//! Normal and build dependencies must be in the row. A dev-dependency may be any crate of ours
//! whose own normal dependencies do not lead back to the crate: then the tests would see a second
//! copy of it, with separate types.

use super::Problem;
use super::closures::closure;
use super::metadata::Workspace;
use super::table::{self, Row, Uses};

/// Problems with the edges of the workspace. A crate without a row is another check's.
pub fn check(workspace: &Workspace) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in &workspace.packages {
        let Some(row) = table::row_of(&package.name) else {
            continue;
        };
        let place = format!("{}/Cargo.toml", package.path);
        for used in package.built_dependencies().filter(|name| table::is_ours(name)) {
            if !allows(&row.uses, used) {
                problems.push(Problem::new(&place, refused(row, used)));
            }
        }
        for used in package.dev_dependencies().filter(|name| table::is_ours(name)) {
            if closure(used, |name| edges(workspace, name)).contains(&package.name) {
                let text =
                    format!("{used} uses {}, so it cannot be its dev-dependency", package.name);
                problems.push(Problem::new(&place, text));
            }
        }
    }
    problems
}

fn allows(uses: &Uses, used: &str) -> bool {
    match uses {
        Uses::Anything => true,
        Uses::Only(names) => names.contains(&used),
    }
}

fn refused(row: &Row, used: &str) -> String {
    let never = row.never_ours.concat().contains(&used);
    let allowed = match &row.uses {
        Uses::Only(names) if !names.is_empty() => names.join(", "),
        _ => "nothing".to_string(),
    };
    let verdict = if never { "must never see" } else { "may not use" };
    let package = row.package;
    format!("{package} {verdict} {used}; of our crates it may use {allowed}")
}

fn edges(workspace: &Workspace, name: &str) -> Vec<String> {
    let package = workspace.packages.iter().find(|package| package.name == name);
    package.map_or_else(Vec::new, |p| p.built_dependencies().map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::metadata::{Dependency, Kind, Package};

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|&(name, kind)| Dependency { name: name.to_string(), kind })
            .collect();
        Package { name: name.into(), path: name.into(), dependencies, ..Package::default() }
    }

    fn count(packages: Vec<Package>) -> usize {
        check(&Workspace { packages, ..Workspace::default() }).len()
    }

    #[test]
    fn edge_in_the_table_passes_and_any_other_fails() {
        assert_eq!(count(vec![package("weir-graph", &[("weir-base", Kind::Normal)])]), 0);
        assert_eq!(count(vec![package("weir-base", &[("weir-graph", Kind::Normal)])]), 1);
        assert_eq!(count(vec![package("weir-runtime", &[("weir-operators", Kind::Build)])]), 1);
        assert_eq!(count(vec![package("xtask", &[("weir-base", Kind::Normal)])]), 1);
        assert_eq!(count(vec![package("weir-benchmarks", &[("weir-runtime", Kind::Normal)])]), 0);
    }

    #[test]
    fn dev_dependency_may_be_beside_but_not_above() {
        let operators = || package("weir-operators", &[("weir-dataflow", Kind::Normal)]);
        let beside = package("weir-runtime", &[("weir-operators", Kind::Dev)]);
        assert_eq!(count(vec![operators(), beside]), 0);
        let below = package("weir-dataflow", &[("weir-operators", Kind::Dev)]);
        assert_eq!(count(vec![operators(), below]), 1);
    }

    #[test]
    fn outside_crates_are_no_edges() {
        assert_eq!(count(vec![package("weir-base", &[("serde", Kind::Normal)])]), 0);
    }
}
