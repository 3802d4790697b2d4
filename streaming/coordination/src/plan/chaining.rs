//! Chaining: the operators that run in one task, and the vertices and edges between tasks.
//!
//! An operator joins its producer when that is its only input, the edge is a pipelined forward
//! one, and both sides allow it. One producer may feed several operators of its chain, so a chain
//! is a tree with the head at its root:
//!
//! ```text
//!  A ──▶ B ──▶ D            vertex "A -> (B -> D, C)"
//!  └───▶ C ──hash──▶ E      vertex "E"
//! ```

use super::parallelism::Size;
use weir_base::VertexId;
use weir_graph::{
    ChainEdge, ChainedOperator, ChainingStrategy, EdgeSpec, ExchangeKind, JobEdge, JobVertex,
    NodeId, Partitioning, StreamGraph,
};

/// Where a node went.
#[derive(Clone, Copy)]
struct ChainPosition {
    /// Index of its vertex.
    vertex: u32,
    /// Position in the vertex's chain.
    position: u32,
}

/// The vertices and the edges between them.
///
/// Heads keep the order of their nodes. That order is topological: an edge between vertices leads
/// to a head, from an operator below it, whose own head is not above that operator.
pub(super) fn chain(
    graph: &StreamGraph,
    sizes: &[Size],
    partitionings: &[Partitioning],
) -> (Vec<JobVertex>, Vec<JobEdge>) {
    let chained: Vec<bool> = graph
        .edges
        .iter()
        .zip(partitionings)
        .map(|(edge, partitioning)| is_chainable(graph, sizes, edge, *partitioning))
        .collect();
    let mut vertices: Vec<JobVertex> = Vec::new();
    let mut places: Vec<ChainPosition> = Vec::new();
    for (id, size) in (0..).map(NodeId).zip(sizes) {
        let into = graph.edges.iter().zip(&chained).find(|(e, chained)| **chained && e.to == id);
        let place = match into {
            Some((edge, _)) => join(&mut vertices, places[edge.from.index()], edge, graph),
            None => open(&mut vertices, id, *size, graph),
        };
        places.push(place);
    }
    for vertex in &mut vertices {
        vertex.name = chain_name(vertex, 0);
    }
    let edges = (0u32..)
        .zip(&graph.edges)
        .zip(partitionings.iter().zip(&chained))
        .filter(|(_, (_, chained))| !**chained)
        .map(|((index, edge), (partitioning, _))| job_edge(index, edge, *partitioning, &places))
        .collect();
    (vertices, edges)
}

fn is_chainable(
    graph: &StreamGraph,
    sizes: &[Size],
    edge: &EdgeSpec,
    partitioning: Partitioning,
) -> bool {
    let (from, to) = (graph.node(edge.from), graph.node(edge.to));
    // Equal sizes imply equal parallelism; an operator with another max parallelism is not chained.
    graph.chaining
        && partitioning == Partitioning::Forward
        && edge.exchange == ExchangeKind::Pipelined
        && sizes[edge.from.index()] == sizes[edge.to.index()]
        && graph.inputs_of(edge.to).count() == 1
        && to.chaining == ChainingStrategy::Always
        && from.chaining != ChainingStrategy::Never
        && !from.coordinator
        && !to.coordinator
}

/// Starts a vertex with this node as its head.
fn open(
    vertices: &mut Vec<JobVertex>,
    id: NodeId,
    size: Size,
    graph: &StreamGraph,
) -> ChainPosition {
    let node = graph.node(id);
    vertices.push(JobVertex {
        id: VertexId(node.operator_id.0),
        name: String::new(),
        parallelism: size.parallelism,
        max_parallelism: size.max_parallelism,
        operators: vec![ChainedOperator { node_id: id, node: node.clone() }],
        chain: Vec::new(),
        coordinator: node.coordinator,
    });
    ChainPosition { vertex: vertices.len() as u32 - 1, position: 0 }
}

/// Puts the consumer of an edge into its producer's chain.
fn join(
    vertices: &mut [JobVertex],
    producer: ChainPosition,
    edge: &EdgeSpec,
    graph: &StreamGraph,
) -> ChainPosition {
    let vertex = &mut vertices[producer.vertex as usize];
    let position = vertex.operators.len() as u32;
    let node = graph.node(edge.to).clone();
    vertex.operators.push(ChainedOperator { node_id: edge.to, node });
    vertex.chain.push(ChainEdge { from: producer.position, to: position, input: edge.input });
    ChainPosition { vertex: producer.vertex, position }
}

fn job_edge(
    stream_edge: u32,
    edge: &EdgeSpec,
    partitioning: Partitioning,
    places: &[ChainPosition],
) -> JobEdge {
    let (from, to) = (places[edge.from.index()], places[edge.to.index()]);
    JobEdge {
        stream_edge,
        from: from.vertex,
        from_operator: from.position,
        to: to.vertex,
        input: edge.input,
        partitioning,
        exchange: edge.exchange,
    }
}

/// Flink's name of a chain from this operator on: `A -> B`, or `A -> (B, C)` where it branches.
fn chain_name(vertex: &JobVertex, position: u32) -> String {
    let name = &vertex.operators[position as usize].node.name;
    let followers: Vec<String> = vertex
        .chain
        .iter()
        .filter(|edge| edge.from == position)
        .map(|edge| chain_name(vertex, edge.to))
        .collect();
    match followers.as_slice() {
        [] => name.clone(),
        [only] => format!("{name} -> {only}"),
        many => format!("{name} -> ({})", many.join(", ")),
    }
}
