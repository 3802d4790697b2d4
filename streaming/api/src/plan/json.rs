//! The plan as JSON, in the shape that Flink's `info` prints.

use serde_json::{Value, json};
use weir_graph::{JobGraph, Partitioning, StreamGraph};

/// `{"nodes": [...]}` of the graph as written; hidden coordinators are left out. Parallelisms are
/// those of the chained graph.
pub(crate) fn plan_json(graph: &StreamGraph, chained: &JobGraph) -> String {
    let nodes: Vec<Value> = (0u32..)
        .zip(&graph.nodes)
        .filter(|(_, node)| !node.coordinator)
        .map(|(id, node)| {
            let predecessors: Vec<Value> = graph
                .edges
                .iter()
                .filter(|edge| edge.to.0 == id && !graph.node(edge.from).coordinator)
                .map(|edge| {
                    let same = parallelism(chained, edge.from.0) == parallelism(chained, id);
                    let default =
                        if same { Partitioning::Forward } else { Partitioning::Rebalance };
                    let ship = edge.partitioning.unwrap_or(default).ship_strategy();
                    json!({"id": edge.from.0 + 1, "ship_strategy": ship, "side": "second"})
                })
                .collect();
            let pact = match node.kind.as_str() {
                "source" => "Data Source",
                "sink" => "Data Sink",
                _ => "Operator",
            };
            let mut value = json!({
                "id": id + 1,
                "type": node.name,
                "pact": pact,
                "contents": node.name,
                "parallelism": parallelism(chained, id),
            });
            if !predecessors.is_empty() {
                value["predecessors"] = Value::Array(predecessors);
            }
            value
        })
        .collect();
    json!({ "nodes": nodes }).to_string()
}

fn parallelism(chained: &JobGraph, node: u32) -> u32 {
    let mut vertices = chained.vertices.iter();
    let vertex = vertices.find(|vertex| vertex.operators.iter().any(|op| op.node_id.0 == node));
    vertex.map_or(1, |vertex| vertex.parallelism)
}
