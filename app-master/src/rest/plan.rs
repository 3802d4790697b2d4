//! `/jobs/:id/plan`: the vertices and how they are joined, and the operators behind them. What users
//! are not shown is left out with its edges.

use super::{
    Paths,
    extract::{Answer, Job},
};
use crate::observed::Reading;
use weir_graph::{
    ExchangeKind, JobGraph, JobVertex, NodeId, Partitioning, RuntimeMode, StreamGraph,
};
use weir_protocol::rest::flink::plan::{
    Plan, PlanAnswer, PlanInput, PlanNode, StreamGraphAnswer, StreamGraphInput, StreamGraphNode,
};

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/jobs/{jobid}/plan", plan);
}

async fn plan(job: Job) -> Answer<PlanAnswer> {
    Answer(plan_answer_of(&job.0))
}

pub(super) fn plan_answer_of(reading: &Reading) -> PlanAnswer {
    PlanAnswer { plan: plan_of(reading) }
}

pub(super) fn plan_of(reading: &Reading) -> Plan {
    let graph = &reading.facts.graph;
    let shown = (0u32..).zip(&graph.vertices).filter(|(_, vertex)| !vertex.coordinator);
    Plan {
        jid: reading.facts.submission.job,
        name: graph.name.clone(),
        job_type: job_type(graph.mode).to_owned(),
        nodes: shown
            .map(|(index, vertex)| PlanNode {
                id: vertex.id,
                parallelism: vertex.parallelism,
                operator: String::new(),
                operator_strategy: String::new(),
                description: description(vertex),
                optimizer_properties: Default::default(),
                inputs: inputs(graph, index),
            })
            .collect(),
    }
}

/// `STREAMING` or `BATCH`; which one is settled before a job is submitted.
pub(super) fn job_type(mode: RuntimeMode) -> &'static str {
    match mode {
        RuntimeMode::Batch => "BATCH",
        RuntimeMode::Streaming | RuntimeMode::Automatic => "STREAMING",
    }
}

fn inputs(graph: &JobGraph, vertex: u32) -> Vec<PlanInput> {
    let shown = |from: u32| !graph.vertices[from as usize].coordinator;
    let edges = graph.inputs_of(vertex).filter(|(_, edge)| shown(edge.from));
    (0..)
        .zip(edges)
        .map(|(num, (_, edge))| PlanInput {
            num,
            id: graph.vertices[edge.from as usize].id,
            ship_strategy: edge.partitioning.ship_strategy().to_owned(),
            exchange: exchange(edge.exchange).to_owned(),
        })
        .collect()
}

fn exchange(kind: ExchangeKind) -> &'static str {
    match kind {
        ExchangeKind::Pipelined => "pipelined_bounded",
        ExchangeKind::Blocking => "blocking",
    }
}

/// One operator to a line, as Flink draws a chain: `A<br/>+- B<br/>   +- C<br/>`.
fn description(vertex: &JobVertex) -> String {
    let mut depths = vec![0; vertex.operators.len()];
    let mut text = String::new();
    for (place, operator) in vertex.operators.iter().enumerate() {
        let edge = vertex.chain.iter().find(|edge| edge.to as usize == place);
        let above = edge.and_then(|edge| depths.get(edge.from as usize).copied());
        depths[place] = above.map_or(0, |depth: usize| depth + 1);
        if depths[place] > 0 {
            text.push_str(&"   ".repeat(depths[place] - 1));
            text.push_str("+- ");
        }
        text.push_str(&escaped(&operator.node.name));
        text.push_str("<br/>");
    }
    if text.is_empty() { escaped(&vertex.name) } else { text }
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

/// The job as it was written, one node per operator; numbers count from 1.
pub(super) fn stream_graph_of(reading: &Reading) -> StreamGraphAnswer {
    let (written, chained) = (&reading.facts.submission.stream_graph, &reading.facts.graph);
    let shown = (0u32..).zip(&written.nodes).filter(|(_, node)| !node.coordinator);
    let nodes = shown.map(|(place, node)| {
        let vertex = vertex_of(chained, NodeId(place));
        StreamGraphNode {
            id: number(NodeId(place)),
            parallelism: vertex.map_or(1, |vertex| vertex.parallelism),
            operator: node.name.clone(),
            description: escaped(&node.name),
            job_vertex_id: vertex.map(|vertex| vertex.id),
            inputs: stream_inputs(written, chained, NodeId(place)),
        }
    });
    StreamGraphAnswer { nodes: nodes.collect() }
}

fn stream_inputs(written: &StreamGraph, chained: &JobGraph, to: NodeId) -> Vec<StreamGraphInput> {
    let edges = written.inputs_of(to).filter(|edge| !written.node(edge.from).coordinator);
    let parallelism = |id| vertex_of(chained, id).map(|vertex| vertex.parallelism);
    (0..)
        .zip(edges)
        .map(|(num, edge)| {
            let same = parallelism(edge.from) == parallelism(to);
            let default = if same { Partitioning::Forward } else { Partitioning::Rebalance };
            StreamGraphInput {
                num,
                id: number(edge.from),
                ship_strategy: edge.partitioning.unwrap_or(default).ship_strategy().to_owned(),
                exchange: exchange(edge.exchange).to_owned(),
            }
        })
        .collect()
}

fn vertex_of(graph: &JobGraph, id: NodeId) -> Option<&JobVertex> {
    let hosts = |vertex: &&JobVertex| vertex.operators.iter().any(|op| op.node_id == id);
    graph.vertices.iter().find(hosts)
}

fn number(id: NodeId) -> String {
    (id.0 + 1).to_string()
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn coordinators_and_their_edges_are_left_out() {
        let reading = fixture::reading();
        assert!(reading.facts.graph.vertices.iter().any(|vertex| vertex.coordinator));
        let plan = plan_of(&reading);
        let ids: Vec<_> = plan.nodes.iter().map(|node| node.id).collect();
        let shown: Vec<_> = reading.vertices.iter().map(|vertex| vertex.id).collect();
        assert_eq!(ids, shown);
        assert!(plan.nodes[0].inputs.is_empty());
        let [input] = plan.nodes[1].inputs.as_slice() else { panic!("one input") };
        assert_eq!((input.num, input.id), (0, ids[0]));
        assert_eq!((&*input.ship_strategy, &*input.exchange), ("HASH", "pipelined_bounded"));

        let written = stream_graph_of(&reading);
        let names: Vec<_> = written.nodes.iter().map(|node| &*node.operator).collect();
        assert_eq!(names, ["read <lines>", "split", "count", "print"]);
        assert!(written.nodes[0].inputs.is_empty());
    }

    #[test]
    fn a_chain_is_drawn_as_a_tree_safe_for_html() {
        let plan = plan_of(&fixture::reading());
        assert_eq!(plan.nodes[0].description, "read &lt;lines&gt;<br/>+- split<br/>");
    }
}
