//! Outside crates that a row of the crate table bans.
//!
//! A ban holds for everything below the crate, as cargo resolves its normal dependencies with all
//! our features on. Of build and dev-dependencies only the ones the crate names itself count: what
//! tests pull in further down does not ship.

use super::Problem;
use super::metadata::{Package, Workspace};
use super::table::{self, Ban, Row};

/// Problems with what stands below our crates.
pub fn check(workspace: &Workspace) -> Vec<Problem> {
    let rows = workspace
        .packages
        .iter()
        .filter_map(|package| table::row_of(&package.name).map(|row| (package, row)));
    rows.flat_map(|(package, row)| check_package(package, row)).collect()
}

fn check_package(package: &Package, row: &Row) -> Vec<Problem> {
    let named = |ban: &&Ban| package.dependencies.iter().any(|d| ban.covers(&d.name));
    let below = |ban: &Ban| package.closure.iter().find(|name| ban.covers(name));
    let breaches = row.bans.iter().chain(row.direct_bans).filter(named);
    let named_bans = breaches.map(|ban| (ban, "its manifest names it".to_string()));
    let reached_bans = row.bans.iter().filter(|ban| !named(ban)).filter_map(|ban| {
        let found = below(ban)?;
        let name = &package.name;
        Some((ban, format!("`cargo tree -p {name} -e normal -i {found}` shows it")))
    });
    let place = format!("{}/Cargo.toml", package.path);
    let problem = |(ban, how): (&Ban, String)| {
        let text = format!("{} must never see {}, but {how}", package.name, ban.name);
        Problem::new(&place, text)
    };
    named_bans.chain(reached_bans).map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::metadata::{Dependency, Kind};

    fn count(name: &str, dependencies: &[(&str, Kind)], closure: &[&str]) -> usize {
        let dependencies = dependencies
            .iter()
            .map(|&(name, kind)| Dependency { name: name.to_string(), kind })
            .collect();
        let closure = closure.iter().map(ToString::to_string).collect();
        let package = Package { name: name.into(), path: name.into(), dependencies, closure };
        check(&Workspace { packages: vec![package], ..Workspace::default() }).len()
    }

    #[test]
    fn ban_covers_transitive_dependencies() {
        assert_eq!(count("weir-dataflow", &[], &["serde"]), 0);
        assert_eq!(count("weir-dataflow", &[], &["tokio"]), 1);
        assert_eq!(count("weir-config", &[], &["actix-web"]), 1);
        assert_eq!(count("weir-cli", &[], &["librocksdb-sys"]), 1);
    }

    #[test]
    fn what_is_named_is_reported_once() {
        assert_eq!(count("weir-operators", &[("tokio", Kind::Normal)], &["tokio"]), 1);
        assert_eq!(count("weir-coordination", &[("tokio", Kind::Dev)], &[]), 1);
    }

    #[test]
    fn direct_ban_lets_others_use_it() {
        assert_eq!(count("weir-simulation", &[], &["tokio"]), 0);
        assert_eq!(count("weir-simulation", &[("tokio", Kind::Normal)], &["tokio"]), 1);
    }

    #[test]
    fn storage_and_runtime_may_use_tokio() {
        assert_eq!(count("weir-checkpoint-storage", &[], &["object_store", "tokio"]), 0);
        assert_eq!(count("weir-runtime", &[("tokio", Kind::Normal)], &["tokio"]), 0);
        assert_eq!(count("weir-job-master", &[("tokio", Kind::Normal)], &["tokio"]), 0);
    }
}
