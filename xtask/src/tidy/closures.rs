//! The crates that are reachable from a crate along edges.

use std::collections::BTreeSet;

/// Everything reachable from `start`, and `start` itself only if an edge leads back to it.
pub fn closure(start: &str, edges: impl Fn(&str) -> Vec<String>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = edges(start);
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            open.extend(edges(&name));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_is_reached_only_round_a_cycle() {
        let edges = |name: &str| match name {
            "a" => vec!["b".to_string()],
            "b" => vec!["c".to_string()],
            "c" => vec!["b".to_string()],
            _ => Vec::new(),
        };
        assert_eq!(closure("a", edges), BTreeSet::from(["b".into(), "c".into()]));
        assert!(closure("b", edges).contains("b"));
    }
}
