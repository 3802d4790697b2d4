//! Tables of graphs and what they are planned into.

use super::*;
use weir_graph::{
    ChainingStrategy, EdgeSpec, ExchangeKind, NodeId, Partitioning, RuntimeMode, StreamNode,
};

/// A change to a graph, and what it is planned into then.
type Case = (fn(&mut StreamGraph), &'static str);

/// A graph of operators A, B, C, ... with the given edges, changed by `adjust`.
fn graph(edges: &[(u32, u32)], adjust: impl FnOnce(&mut StreamGraph)) -> StreamGraph {
    let count = edges.iter().map(|(_, to)| to + 1).max().unwrap_or(1);
    let edge = |(from, to): &(u32, u32)| EdgeSpec {
        from: NodeId(*from),
        to: NodeId(*to),
        input: 0,
        partitioning: None,
        exchange: ExchangeKind::Pipelined,
    };
    let mut graph = StreamGraph {
        name: "job".into(),
        mode: RuntimeMode::Streaming,
        nodes: (0..count).map(node).collect(),
        edges: edges.iter().map(edge).collect(),
        default_parallelism: 2,
        chaining: true,
        ..StreamGraph::default()
    };
    adjust(&mut graph);
    graph
}

fn node(index: u32) -> StreamNode {
    let name = char::from(b'A' + index as u8).to_string();
    StreamNode {
        operator_id: OperatorId::of_text(&name),
        uid: None,
        kind: "run".into(),
        parallelism: None,
        max_parallelism: None,
        fixed_parallelism: None,
        parallelism_of: None,
        chaining: ChainingStrategy::Always,
        states: Vec::new(),
        output: None,
        specification: Vec::new(),
        bounded: false,
        coordinator: false,
        commits: false,
        name,
    }
}

/// `A -> B [2/128]; C [1/128]; 0.1 -HASH-> 1`: vertices, then edges.
fn render(graph: &StreamGraph) -> String {
    let job = match plan(graph) {
        Ok(job) => job,
        Err(error) => return format!("{}: {error}", error.code()),
    };
    let vertices = job
        .vertices
        .iter()
        .map(|v| format!("{} [{}/{}]", v.name, v.parallelism, v.max_parallelism));
    let edges = job.edges.iter().map(|e| {
        format!("{}.{} -{}-> {}", e.from, e.from_operator, e.partitioning.ship_strategy(), e.to)
    });
    vertices.chain(edges).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(edges: &[(u32, u32)], adjust: impl FnOnce(&mut StreamGraph), expected: &str) {
    assert_eq!(render(&graph(edges, adjust)), expected);
}

const LINE: &[(u32, u32)] = &[(0, 1), (1, 2)];

#[test]
fn operators_of_one_parallelism_become_one_chain() {
    check(LINE, |_| {}, "A -> B -> C [2/128]");
}

#[test]
fn a_chain_branches_like_the_graph() {
    check(
        &[(0, 1), (0, 2), (1, 3), (2, 4)],
        |g| g.edges[3].partitioning = Some(Partitioning::Hash),
        "A -> (B -> D, C) [2/128]; E [2/128]; 0.2 -HASH-> 1",
    );
}

#[test]
fn what_breaks_a_chain() {
    let apart = "A [2/128]; B [2/128]; 0.0 -FORWARD-> 1";
    let cases: &[Case] = &[
        (|g| g.chaining = false, apart),
        (|g| g.nodes[1].chaining = ChainingStrategy::Head, apart),
        (|g| g.nodes[1].chaining = ChainingStrategy::Never, apart),
        (|g| g.nodes[0].chaining = ChainingStrategy::Never, apart),
        (|g| g.nodes[0].chaining = ChainingStrategy::Head, "A -> B [2/128]"),
        (|g| g.edges[0].exchange = ExchangeKind::Blocking, apart),
        (
            |g| g.edges[0].partitioning = Some(Partitioning::Broadcast),
            "A [2/128]; B [2/128]; 0.0 -BROADCAST-> 1",
        ),
        (|g| g.nodes[1].parallelism = Some(3), "A [2/128]; B [3/128]; 0.0 -REBALANCE-> 1"),
        (|g| g.nodes[1].max_parallelism = Some(64), "A [2/128]; B [2/64]; 0.0 -FORWARD-> 1"),
        (|g| g.nodes[1].max_parallelism = Some(128), "A -> B [2/128]"),
        (
            |g| {
                g.nodes[0].coordinator = true;
                g.nodes[0].fixed_parallelism = Some(1);
                g.nodes[1].parallelism = Some(1);
            },
            "A [1/128]; B [1/128]; 0.0 -FORWARD-> 1",
        ),
    ];
    for (adjust, expected) in cases {
        check(&[(0, 1)], adjust, expected);
    }
}

#[test]
fn a_consumer_of_two_edges_begins_a_chain() {
    check(
        &[(0, 2), (1, 2), (2, 3)],
        |_| {},
        "A [2/128]; B [2/128]; C -> D [2/128]; 0.0 -FORWARD-> 2; 1.0 -FORWARD-> 2",
    );
}

#[test]
fn parallelism_comes_from_the_operator_then_the_followed_then_the_job() {
    check(
        LINE,
        |g| {
            g.nodes[0].parallelism = Some(200);
            g.nodes[1].parallelism_of = Some(NodeId(0));
            g.nodes[1].parallelism = Some(4);
            g.nodes[2].parallelism_of = Some(NodeId(1));
        },
        "A [200/512]; B -> C [4/128]; 0.0 -REBALANCE-> 1",
    );
    check(
        LINE,
        |g| g.nodes[0].fixed_parallelism = Some(1),
        "A [1/128]; B -> C [2/128]; 0.0 -REBALANCE-> 1",
    );
    check(&[(0, 1)], |g| g.default_max_parallelism = Some(7), "A -> B [2/7]");
}

#[test]
fn a_vertex_is_named_after_its_head_operator() {
    let job = plan(&graph(LINE, |_| {})).unwrap();
    assert_eq!(job.vertices[0].id.0, OperatorId::of_text("A").0);
}

#[test]
fn settings_that_cannot_be_met_are_refused_by_name() {
    let cases: &[Case] = &[
        (
            |g| g.default_parallelism = 0,
            "WEIR-PLAN-0001: the parallelism of job \"job\" is 0, but it needs at least one \
             subtask; set it to 1 or more",
        ),
        (
            |g| g.nodes[1].parallelism = Some(0),
            "WEIR-PLAN-0001: the parallelism of operator \"B\" is 0, but it needs at least one \
             subtask; set it to 1 or more",
        ),
        (
            |g| {
                g.nodes[1].parallelism = Some(9);
                g.nodes[1].max_parallelism = Some(8);
            },
            "WEIR-PLAN-0002: operator \"B\" has parallelism 9 but max parallelism 8; lower its \
             parallelism, or raise its max parallelism (which is fixed once the job has a \
             checkpoint or savepoint)",
        ),
        (
            |g| g.nodes[1].max_parallelism = Some(0),
            "WEIR-PLAN-0003: the max parallelism of operator \"B\" is 0, but must lie within 1 \
             and 32768",
        ),
        (
            |g| g.default_max_parallelism = Some(32_769),
            "WEIR-PLAN-0003: the max parallelism of job \"job\" is 32769, but must lie within 1 \
             and 32768",
        ),
        (
            |g| {
                for node in &mut g.nodes {
                    node.uid = Some("counts".into());
                    node.operator_id = OperatorId::of_text("counts");
                }
            },
            "WEIR-PLAN-0004: operators \"A\" and \"B\" both have the uid \"counts\"; state is \
             found by uid, so give each operator one of its own",
        ),
        (
            |g| {
                g.nodes.clear();
                g.edges.clear();
            },
            "WEIR-PLAN-0005: job \"job\" has no source; add one, and a sink behind it, before \
             execute()",
        ),
        (
            |g| {
                g.edges[0].partitioning = Some(Partitioning::Forward);
                g.nodes[1].parallelism = Some(1);
            },
            "WEIR-PLAN-0006: the forward edge from \"A\" (parallelism 2) to \"B\" (parallelism \
             1) needs one parallelism on both sides; set them alike, or use rebalance() between \
             them",
        ),
        (
            |g| {
                g.nodes[0].fixed_parallelism = Some(1);
                g.nodes[0].parallelism = Some(2);
            },
            "WEIR-PLAN-0007: operator \"A\" can only run with parallelism 1, but was set to 2; \
             remove the setting, and set the parallelism of the operator behind it instead",
        ),
    ];
    for (adjust, expected) in cases {
        check(&[(0, 1)], adjust, expected);
    }
}
