//! Orders of the resource manager.

use crate::{
    resource_manager::no_orders,
    support::{Node, container, shell, wait_for},
};
use weir_base::Resources;
use weir_protocol::cluster::{KillContainer, LaunchContainer, NodeAction, NodeOrders, exit_status};

#[test]
fn app_master_is_launched_killed_forgotten_and_cleared_away() {
    let node = Node::start();
    let id = container(1);
    let resources = Resources { memory_mib: 256, vcores: 1 };
    let launch = shell("echo up; while :; do sleep 1; done");
    let launch = LaunchContainer { container: id, resources, launch };
    node.resource_manager.order(NodeOrders { launch: vec![launch], ..no_orders() });
    node.running(id);
    let log = format!("/ws/v1/node/containers/{id}/logs/stdout");
    wait_for("it has begun", || (node.get(&log) == (200, "up\n".to_owned())).then_some(()));
    let exit_status = exit_status::KILLED_BY_RESOURCE_MANAGER;
    let kill = vec![KillContainer { container: id, exit_status }];
    node.resource_manager.order(NodeOrders { kill, ..no_orders() });
    let report = node.ended(id);
    assert_eq!(report.exit_status, Some(exit_status::KILLED_BY_RESOURCE_MANAGER));
    node.nothing_is_left();
    node.resource_manager.order(NodeOrders { forget: vec![id], ..no_orders() });
    wait_for("it is forgotten", || node.resource_manager.report(id).is_none().then_some(()));
    assert!(node.container_folder(id).exists(), "its application may still want to be looked at");
    let ended = vec![id.attempt.application];
    node.resource_manager.order(NodeOrders { ended, ..no_orders() });
    wait_for("its folder goes", || (!node.container_folder(id).exists()).then_some(()));
    assert_eq!(node.log(id, "stdout"), "up\n", "logs are kept");
    let app = node.json(&format!("/ws/v1/node/apps/{}", id.attempt.application));
    assert_eq!(app.pointer("/app/state"), Some(&"FINISHED".into()));
}

#[test]
fn logs_go_when_their_time_is_over() {
    let node = Node::start_with(&["yarn.nodemanager.log.retain-seconds=0"]);
    let id = container(1);
    node.run(id, shell("echo up"));
    node.ended(id);
    let ended = vec![id.attempt.application];
    node.resource_manager.order(NodeOrders { ended, forget: vec![id], ..no_orders() });
    let logs = node.data_dir().join("logs").join(id.attempt.application.to_string());
    wait_for("its logs go", || (!logs.exists()).then_some(()));
}

#[test]
fn agent_that_is_ordered_to_end_ends_its_containers() {
    let node = Node::start();
    let id = container(1);
    node.run(id, shell("while :; do sleep 1; done"));
    node.running(id);
    let shutdown = NodeOrders { action: NodeAction::Shutdown, ..no_orders() };
    node.resource_manager.order(shutdown);
    node.nothing_is_left();
    wait_for("it listens no more", || {
        std::net::TcpStream::connect(node.address()).is_err().then_some(())
    });
}

#[test]
fn node_shows_itself() {
    let node = Node::start_with(&["yarn.nodemanager.resource.memory-mb=2048"]);
    wait_for("it registers", || node.resource_manager.state().last.is_some().then_some(()));
    for path in ["/ws/v1/node", "/ws/v1/node/info"] {
        let info = node.json(path);
        let info = &info["nodeInfo"];
        assert_eq!(info["totalPmemAllocatedContainersMB"], 2048);
        assert_eq!((&info["id"], &info["nodeHealthy"]), (&node.address().into(), &true.into()));
    }
    let (status, metrics) = node.get("/metrics");
    assert_eq!(status, 200);
    assert!(metrics.contains("weir_node_memory_bytes{kind=\"total\"} 2147483648"), "{metrics}");
    assert!(metrics.contains("weir_node_registered 1"), "{metrics}");
}
