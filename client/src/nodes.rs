//! `weir node`: nodes with YARN's columns.

use crate::flags::{NodeAction, NodeListFlags, Output};
use crate::output;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, Target};
use std::fmt::Write as _;
use std::time::Duration;
use weir_protocol::rest::yarn::{Node, NodeState, Nodes};
use weir_service::CallError;

/// Does it.
pub fn run(action: NodeAction) -> Result<(), Problem> {
    match action {
        NodeAction::List(flags) => list(&flags),
    }
}

fn list(flags: &NodeListFlags) -> Result<(), Problem> {
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    let mut nodes = all(&remote).map_err(|error| remote.problem(error))?;
    nodes.nodes.node.retain(|node| flags.all || node.state == NodeState::Running);
    match flags.output.output {
        Output::Json => output::print_json(&nodes),
        Output::Text => output::print(&table(&nodes.nodes.node)),
    }
}

/// Nodes in any state.
pub fn all(remote: &Remote) -> Result<Nodes, CallError> {
    let states = NodeState::ALL.map(NodeState::name).join(",");
    remote.get_held(&format!("{CLUSTER}/nodes?states={states}"), Duration::ZERO)
}

fn table(nodes: &[Node]) -> String {
    let mut text = format!("Total Nodes:{}\n", nodes.len());
    let mut row = |cells: [&str; 4]| {
        let [id, state, address, containers] = cells;
        let _ = writeln!(text, "{id:>16}\t{state:>15}\t{address:>17}\t{containers:>28}");
    };
    row(["Node-Id", "Node-State", "Node-Http-Address", "Number-of-Running-Containers"]);
    for node in nodes {
        let Node { id, state, node_http_address, num_containers, .. } = node;
        row([&id.0, state.name(), node_http_address, &num_containers.to_string()]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_yarns() {
        let text = table(&[Node { num_containers: 3, ..Node::default() }]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("Total Nodes:1", 3));
        for line in &lines[1..] {
            let widths: Vec<_> = line.split('\t').map(str::len).collect();
            assert_eq!(widths, [16, 15, 17, 28]);
        }
    }
}
