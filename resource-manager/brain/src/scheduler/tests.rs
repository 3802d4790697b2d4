//! Table tests of the FIFO scheduler: nodes and demands in, placements and waits out.

use super::{
    AppMasters, Demand, DemandKey, Fifo, GiveWay, Holding, NodeRoom, Scheduler, SchedulingPlan,
    Snapshot,
};
use weir_base::{ApplicationId, AttemptId, NodeId, Resources, Share};

/// `a 1000 4`: name, free memory and cores; the total is twice as much. `a 1000 4 of 1000 4`: with the
/// total. `a 1000 4 of 2000 8 ending 100 1`: with the resources that will become free soon.
fn nodes(text: &str) -> Vec<NodeRoom> {
    let node = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let free = resources(words[1], words[2]);
        let after = |word: &str| {
            let at = words.iter().position(|one| *one == word)?;
            Some(resources(words[at + 1], words[at + 2]))
        };
        let twice = Resources { memory_mib: 2 * free.memory_mib, vcores: 2 * free.vcores };
        NodeRoom {
            node: NodeId(words[0].to_owned()),
            total: after("of").unwrap_or(twice),
            free,
            ending: after("ending").unwrap_or_default(),
        }
    };
    text.split(',').filter(|line| !line.trim().is_empty()).map(node).collect()
}

fn attempt(number: &str) -> AttemptId {
    let application = ApplicationId { cluster_timestamp: 1, sequence: number.parse().unwrap() };
    AttemptId { application, number: 1 }
}

/// `1 p0 am 256 1 x1`: application, priority, ask or `am`, memory, cores, count.
fn demands(text: &str) -> Vec<Demand> {
    let demand = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Demand {
            attempt: attempt(words[0]),
            priority: words[1][1..].parse().unwrap(),
            key: words[2].parse().map_or(DemandKey::AppMaster, DemandKey::Ask),
            resources: resources(words[3], words[4]),
            missing: words[5][1..].parse().unwrap(),
        }
    };
    text.split(',').map(demand).collect()
}

/// `1 a 256 1`: application, node, memory, cores.
fn holdings(text: &str) -> Vec<Holding> {
    let holding = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Holding {
            attempt: attempt(words[0]),
            node: NodeId(words[1].to_owned()),
            resources: resources(words[2], words[3]),
        }
    };
    text.split(',').filter(|line| !line.trim().is_empty()).map(holding).collect()
}

fn resources(memory: &str, vcores: &str) -> Resources {
    Resources { memory_mib: memory.parse().unwrap(), vcores: vcores.parse().unwrap() }
}

fn name(attempt: AttemptId, key: DemandKey) -> String {
    let key = match key {
        DemandKey::AppMaster => "am".to_owned(),
        DemandKey::Ask(id) => id.to_string(),
    };
    format!("{}/{key}", attempt.application.sequence)
}

fn snapshot(there_is: &str, wanted: &str) -> Snapshot {
    Snapshot { nodes: nodes(there_is), demands: demands(wanted), ..Snapshot::default() }
}

#[track_caller]
fn check_plan(plan: &SchedulingPlan, placed: &str, waiting: &str) {
    let placements = plan.placements.iter();
    let placements: Vec<String> =
        placements.map(|p| format!("{}@{}", name(p.attempt, p.key), p.node)).collect();
    assert_eq!(placements.join(" "), placed);
    let waits: Vec<String> =
        plan.waiting.iter().map(|w| format!("{}: {}", name(w.attempt, w.key), w.reason)).collect();
    assert_eq!(waits.join(" | "), waiting);
}

#[track_caller]
fn check(there_is: &str, wanted: &str, placed: &str, waiting: &str) {
    let plan = Fifo::new(Share::HALF).plan(&snapshot(there_is, wanted));
    check_plan(&plan, placed, waiting);
}

/// With active app masters: `2 512 2` is their number, memory and cores.
#[track_caller]
fn check_share(
    share: &str,
    at_work: &str,
    there_is: &str,
    wanted: &str,
    placed: &str,
    waiting: &str,
) {
    let words: Vec<&str> = at_work.split_whitespace().collect();
    let app_masters =
        AppMasters { count: words[0].parse().unwrap(), resources: resources(words[1], words[2]) };
    let snapshot = Snapshot { app_masters, ..snapshot(there_is, wanted) };
    let plan = Fifo::new(share.parse().unwrap()).plan(&snapshot);
    check_plan(&plan, placed, waiting);
}

/// `3 2 to 1`: applications 3 and 2 give way to application 1.
#[track_caller]
fn check_give_way(there_is: &str, held: &str, wanted: &str, expected: &str) {
    let snapshot = Snapshot { holdings: holdings(held), ..snapshot(there_is, wanted) };
    let fifo = Fifo::new(Share::HALF);
    let given = fifo.give_way(&snapshot).map(|GiveWay { to, younger }| {
        let younger = younger.iter().map(|one| format!("{} ", one.application.sequence));
        format!("{}to {}", younger.collect::<String>(), to.application.sequence)
    });
    assert_eq!(given.as_deref().unwrap_or("nobody"), expected);
}

#[test]
fn containers_spread_over_the_nodes_with_most_free_memory() {
    check("a 1000 4, b 1000 4", "1 p1 1 300 1 x4", "1/1@a 1/1@b 1/1@a 1/1@b", "");
    check("a 1000 4, b 1000 5, c 900 9", "1 p1 1 100 1 x3", "1/1@b 1/1@a 1/1@c", "");
}

#[test]
fn cores_count_as_memory_does() {
    check("a 9000 1, b 1000 4", "1 p1 1 300 2 x1", "1/1@b", "");
    check(
        "a 9000 1, b 1000 2",
        "1 p1 1 300 2 x2",
        "1/1@b",
        "1/1: needs <memory:300 MiB, vCores:2>: 2 nodes up, 2 lack vcores (largest free 1); \
         1st in queue default",
    );
}

#[test]
fn applications_come_in_order() {
    check(
        "a 500 4",
        "1 p1 1 300 1 x1, 2 p0 am 300 1 x1",
        "1/1@a",
        "2/am: needs <memory:300 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 200 MiB); \
         1st in queue default",
    );
}

/// A node that is large enough for a waiting ask of an older application is kept for it. Otherwise small
/// containers could take its room for ever.
#[test]
fn a_node_is_kept_for_a_waiting_older_application() {
    check(
        "a 500 4",
        "1 p1 1 600 1 x1, 2 p1 1 100 1 x1, 3 p0 am 100 1 x1",
        "",
        "1/1: needs <memory:600 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 500 MiB); \
         1st in queue default | 2/1: needs <memory:100 MiB, vCores:1>: waits behind \
         application_1_0001, which is older and waits for containers; 2nd in queue default | 3/am: \
         needs <memory:100 MiB, vCores:1>: waits behind application_1_0001, which is older and \
         waits for containers; 3rd in queue default",
    );
    // Node a is too small for application 1, so others may use it.
    check(
        "a 250 4, b 500 4",
        "1 p1 1 600 1 x1, 2 p1 1 100 1 x1, 3 p0 am 100 1 x1",
        "2/1@a 3/am@a",
        "1/1: needs <memory:600 MiB, vCores:1>: 2 nodes up, 2 lack memory (largest free 500 MiB), \
         1 too small even when empty; 1st in queue default",
    );
}

/// Only the oldest waiting application closes nodes to the containers of others. Every waiting application
/// closes nodes to younger app masters.
#[test]
fn an_admitted_application_comes_before_the_next_app_master() {
    check(
        "a 200 1 of 1000 4, b 300 1 of 500 4",
        "1 p1 1 600 1 x1, 2 p1 1 400 1 x1, 3 p1 1 100 1 x1, 4 p0 am 100 1 x1",
        "3/1@b",
        "1/1: needs <memory:600 MiB, vCores:1>: 2 nodes up, 2 lack memory (largest free 200 MiB), \
         1 too small even when empty; 1st in queue default | 2/1: needs <memory:400 MiB, \
         vCores:1>: 2 nodes up, 2 lack memory (largest free 200 MiB); 2nd in queue default | 4/am: \
         needs <memory:100 MiB, vCores:1>: waits behind application_1_0001, which is older and \
         waits for containers; 3rd in queue default",
    );
}

#[test]
fn an_ask_that_is_too_large_for_every_node_keeps_no_node() {
    check(
        "a 500 4",
        "1 p1 1 1100 1 x1, 2 p1 1 100 1 x1, 3 p0 am 100 1 x1",
        "2/1@a 3/am@a",
        "1/1: needs <memory:1100 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 300 MiB), 1 \
         too small even when empty; 1st in queue default",
    );
    // The only node is too small for this ask together with the attempt's own containers.
    let snapshot = Snapshot {
        holdings: holdings("1 a 500 1"),
        ..snapshot("a 500 3 of 1000 4", "1 p1 1 600 1 x1, 2 p1 1 100 1 x1")
    };
    let plan = Fifo::new(Share::HALF).plan(&snapshot);
    assert_eq!((plan.placements.len(), plan.head), (1, None));
}

#[test]
fn app_masters_hold_at_most_their_share() {
    let four = "1 p0 am 250 1 x1, 2 p0 am 250 1 x1, 3 p0 am 250 1 x1";
    check_share(
        "0.5",
        "3 750 3",
        "a 3000 1 of 4000 4, b 3000 4 of 4000 4",
        four,
        "1/am@b",
        "2/am: needs <memory:250 MiB, vCores:1>: app masters hold 4 of 4 vcores allowed \
         (yarn.scheduler.capacity.maximum-am-resource-percent 0.5); 1st in queue default | 3/am: \
         needs <memory:250 MiB, vCores:1>: app masters hold 4 of 4 vcores allowed \
         (yarn.scheduler.capacity.maximum-am-resource-percent 0.5); 2nd in queue default",
    );
    check_share("1", "3 750 3", "a 3000 4, b 3000 4", four, "1/am@a 2/am@b 3/am@a", "");
    check_share(
        "0.1",
        "1 250 1",
        "a 1000 4 of 2000 40",
        "2 p0 am 250 1 x1",
        "",
        "2/am: needs <memory:250 MiB, vCores:1>: app masters hold 250 of 200 MiB allowed \
         (yarn.scheduler.capacity.maximum-am-resource-percent 0.1); 1st in queue default",
    );
}

#[test]
fn one_app_master_is_always_admitted() {
    check_share("0.1", "0 0 0", "a 1000 1 of 1000 1", "1 p0 am 900 1 x1", "1/am@a", "");
}

#[test]
fn a_smaller_younger_app_master_does_not_overtake_one_that_waits_for_the_share() {
    check_share(
        "0.5",
        "1 400 1",
        "a 600 4 of 1000 8",
        "2 p0 am 200 1 x1, 3 p0 am 100 1 x1",
        "",
        "2/am: needs <memory:200 MiB, vCores:1>: app masters hold 400 of 500 MiB allowed \
         (yarn.scheduler.capacity.maximum-am-resource-percent 0.5); 1st in queue default | 3/am: \
         needs <memory:100 MiB, vCores:1>: waits behind application_1_0002, which is older and \
         waits for containers; 2nd in queue default",
    );
}

#[test]
fn a_priority_without_room_blocks_lower_priorities() {
    check(
        "a 500 4",
        "1 p1 1 600 1 x1, 1 p1 2 100 1 x1, 1 p2 3 100 1 x1",
        "1/2@a 1/3@a",
        "1/1: needs <memory:600 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 300 \
         MiB); 1st in queue default",
    );
    check(
        "a 500 4",
        "1 p1 1 600 1 x1, 1 p2 3 100 1 x1",
        "",
        "1/1: needs <memory:600 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 500 \
         MiB); 1st in queue default | 1/3: needs <memory:100 MiB, vCores:1>: waits behind the \
         application's own ask of priority 1; 1st in queue default",
    );
}

#[test]
fn without_nodes_everything_waits() {
    check(
        "",
        "1 p0 am 100 1 x1",
        "",
        "1/am: needs <memory:100 MiB, vCores:1>: no node is up; 1st in queue default",
    );
    check(
        "a 100 1",
        "1 p0 am 500 1 x1",
        "",
        "1/am: needs <memory:500 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 100 \
         MiB), 1 too small even when empty; 1st in queue default",
    );
}

/// Two nodes of four cores, all used by app masters; each application waits for one container.
const FULL: &str = "a 100 0 of 1000 4, b 100 0 of 1000 4";
const MASTERS: &str = "1 a 100 1, 2 b 100 1, 3 a 100 1, 4 b 100 1";

#[test]
fn the_youngest_application_is_preempted() {
    let wanted = "1 p1 1 100 1 x1, 2 p1 1 100 1 x1, 3 p1 1 100 1 x1, 4 p1 1 100 1 x1";
    check_give_way(FULL, MASTERS, wanted, "4 to 1");
}

#[test]
fn enough_applications_give_way_for_all_containers_of_the_oldest() {
    check_give_way(FULL, MASTERS, "1 p1 1 100 1 x2, 3 p1 1 100 1 x1, 4 p1 1 100 1 x1", "4 3 to 1");
}

#[test]
fn an_application_without_waiting_asks_is_not_preempted() {
    check_give_way(FULL, MASTERS, "1 p1 1 100 1 x1, 2 p1 1 100 1 x1", "2 to 1");
    check_give_way(FULL, MASTERS, "1 p1 1 100 1 x1", "nobody");
    check_give_way(FULL, MASTERS, "4 p1 1 100 1 x1", "nobody");
}

/// A container of two cores needs room on one node. So an application on another node keeps its app master.
#[test]
fn an_application_whose_room_does_not_help_does_not_give_way() {
    let wanted = "1 p1 1 100 2 x1, 2 p1 1 100 1 x1, 3 p1 1 100 1 x1, 4 p1 1 100 1 x1";
    check_give_way("a 500 1 of 1000 4, b 100 0 of 1000 4", MASTERS, wanted, "3 to 1");
}

#[test]
fn no_application_is_preempted_without_effect() {
    check_give_way(FULL, MASTERS, "1 p1 1 100 3 x1, 4 p1 1 100 1 x1", "nobody");
    check_give_way(FULL, MASTERS, "1 p1 1 100 9 x1, 2 p1 1 100 1 x1, 4 p1 1 100 1 x1", "4 to 2");
}

#[test]
fn no_application_is_preempted_while_resources_are_about_to_become_free() {
    let ending = "a 100 0 of 1000 4 ending 100 1, b 100 0 of 1000 4";
    check_give_way(ending, MASTERS, "1 p1 1 100 1 x1, 4 p1 1 100 1 x1", "nobody");
}

#[test]
fn an_app_master_that_waits_preempts_no_application() {
    check_give_way(FULL, MASTERS, "1 p0 am 100 1 x1, 4 p1 1 100 1 x1", "nobody");
}
