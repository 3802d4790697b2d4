//! Every crate has its row in the table and its folder, and none is a drawer for odds and ends.

use super::Problem;
use super::metadata::{Package, Workspace};
use super::table;

/// Names that say nothing: a helper lives with its owner.
const DRAWERS: &[&str] = &["common", "core", "util", "utils", "types"];

/// Problems with the names and places of our crates.
pub fn check(workspace: &Workspace) -> Vec<Problem> {
    workspace.packages.iter().filter_map(check_package).collect()
}

fn check_package(package: &Package) -> Option<Problem> {
    let name = &package.name;
    let text = if let Some(drawer) = drawer(package) {
        format!("{name} is called {drawer}: a helper lives with its owner")
    } else {
        match table::row_of(name) {
            None => format!("{name} has no row in xtask/src/tidy/table.rs"),
            Some(row) if row.path != package.path => {
                format!("{name} belongs in {}/, as its row says", row.path)
            }
            Some(_) => return None,
        }
    };
    Some(Problem::new(format!("{}/Cargo.toml", package.path), text))
}

fn drawer(package: &Package) -> Option<&'static str> {
    let folder = package.path.rsplit('/').next().unwrap_or_default();
    let parts: Vec<&str> = package.name.split(['-', '_']).collect();
    DRAWERS.iter().copied().find(|name| *name == folder || parts.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, path: &str) -> Option<String> {
        let package = Package { name: name.into(), path: path.into(), ..Package::default() };
        check_package(&package).map(|problem| problem.text)
    }

    #[test]
    fn crate_with_its_row_passes() {
        assert_eq!(problem("weir", "streaming/api"), None);
        assert_eq!(problem("weir-node-agent-brain", "node-agent/brain"), None);
    }

    #[test]
    fn crate_without_row_or_elsewhere_fails() {
        assert!(problem("weir-extras", "extras").unwrap().contains("no row"));
        assert!(problem("weir-graph", "graph").unwrap().contains("streaming/graph"));
    }

    #[test]
    fn forbidden_crate_names_are_found() {
        assert!(problem("weir-common", "common").unwrap().contains("is called common"));
        assert!(problem("weir-state-types", "streaming/state-types").unwrap().contains("types"));
        assert!(problem("weir-x", "streaming/utils").unwrap().contains("is called utils"));
    }
}
