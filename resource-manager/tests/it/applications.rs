//! Applications in YARN's REST interface: formats, lists, refused requests.

use crate::daemon::{Agent, Daemon, code, read, submission, test};
use reqwest::Method;
use serde_json::{Value, json};

const APPS: &str = "/ws/v1/cluster/apps";

/// Whether an object has all these fields.
fn assert_fields(object: &Value, fields: &str) {
    for field in fields.split_whitespace() {
        assert!(object.get(field).is_some(), "{field} is missing in {object}");
    }
}

#[test]
fn cluster_answers_have_the_format_of_yarn() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client().without_token();
        for path in ["/ws/v1/cluster", "/ws/v1/cluster/", "/ws/v1/cluster/info"] {
            assert_fields(
                &client.get(path).await["clusterInfo"],
                "id startedOn state haState rmStateStoreName resourceManagerVersion \
                 resourceManagerBuildVersion resourceManagerVersionBuiltOn hadoopVersion \
                 hadoopBuildVersion hadoopVersionBuiltOn haZooKeeperConnectionState",
            );
        }
        assert_fields(
            &client.get("/ws/v1/cluster/metrics").await["clusterMetrics"],
            "appsSubmitted appsCompleted appsPending appsRunning appsFailed appsKilled reservedMB \
             availableMB allocatedMB reservedVirtualCores availableVirtualCores \
             allocatedVirtualCores containersAllocated containersReserved containersPending totalMB \
             totalVirtualCores totalNodes lostNodes unhealthyNodes decommissioningNodes \
             decommissionedNodes rebootedNodes activeNodes shutdownNodes \
             totalUsedResourcesAcrossPartition totalClusterResourcesAcrossPartition",
        );
        let scheduler = &client.get("/ws/v1/cluster/scheduler").await["scheduler"]["schedulerInfo"];
        assert_eq!(scheduler["type"], "fifoScheduler");
        assert_eq!(scheduler["usedCapacity"], "NaN");
        assert_fields(
            scheduler,
            "capacity usedCapacity qstate minQueueMemoryCapacity maxQueueMemoryCapacity numNodes \
             usedNodeCapacity availNodeCapacity totalNodeCapacity numContainers",
        );
        assert_eq!(client.get(APPS).await, json!({"apps": {}}));
        assert_eq!(client.get("/ws/v1/cluster/nodes").await, json!({"nodes": {}}));
        let statistics = client.get("/ws/v1/cluster/appstatistics?states=running").await;
        let expected = json!([{"state": "RUNNING", "type": "*", "count": 0}]);
        assert_eq!(statistics["appStatInfo"]["statItem"], expected);
    });
}

#[test]
fn new_application_returns_id_and_largest_container() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let _agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let path = "/ws/v1/cluster/apps/new-application";
        let (status, first) = read(client.send(Method::POST, path).await).await;
        assert_eq!(status, 200);
        let largest = json!({"memory": 4096, "vCores": 4});
        assert_eq!(first["maximum-resource-capability"], largest);
        let (_, second) = read(client.send(Method::POST, path).await).await;
        assert_ne!(first["application-id"], second["application-id"]);
        assert!(second["application-id"].as_str().is_some_and(|id| id.ends_with("_0002")));
    });
}

#[test]
fn submitted_application_is_listed_shown_and_killed() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let id = client.new_application().await;
        let body = submission(id, &[("weir", &client.upload(b"weir").await)]);
        let request = client.request(Method::POST, &format!("{APPS}?user.name=ada")).json(&body);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 202);
        let location = response.headers()["location"].to_str().expect("text").to_owned();
        assert_eq!(location, format!("http://{}{APPS}/{id}", daemon.address));

        let app = client.app(id).await;
        assert_eq!(app["state"], "ACCEPTED");
        assert_eq!((&app["user"], &app["name"]), (&json!("ada"), &json!("word count")));
        assert_eq!(
            (&app["finalStatus"], &app["trackingUI"]),
            (&json!("UNDEFINED"), &json!("UNASSIGNED"))
        );
        assert_eq!(app["applicationTags"], "weir-job:0a0b");
        assert_eq!(app["trackingUrl"], format!("http://{}/proxy/{id}/", daemon.address));
        assert_fields(
            &app,
            "id user name queue state finalStatus progress trackingUI trackingUrl diagnostics \
             clusterId applicationType applicationTags priority startedTime launchTime finishedTime \
             elapsedTime amContainerLogs amHostHttpAddress amRPCAddress masterNodeId allocatedMB \
             allocatedVCores reservedMB reservedVCores runningContainers memorySeconds \
             vcoreSeconds queueUsagePercentage clusterUsagePercentage resourceSecondsMap \
             preemptedResourceMB preemptedResourceVCores numNonAMContainerPreempted \
             numAMContainerPreempted preemptedMemorySeconds preemptedVcoreSeconds \
             preemptedResourceSecondsMap resourceRequests pendingContainers pendingReason \
             logAggregationStatus \
             unmanagedApplication appNodeLabelExpression amNodeLabelExpression resourceInfo timeouts",
        );
        let listed = client.get(&format!("{APPS}?applicationTags=weir-job:0a0b")).await;
        assert_eq!(listed["apps"]["app"][0]["id"], json!(id));
        assert_eq!(client.get(&format!("{APPS}?states=RUNNING")).await, json!({"apps": {}}));
        let pending = client.get(&format!("{APPS}/{id}/pending")).await;
        let ask = &pending["pending"]["ask"][0];
        assert_eq!(ask["missing"], 1);
        assert_eq!((&app["pendingContainers"], &app["pendingReason"]), (&json!(1), &ask["reason"]));
        assert!(ask["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{pending}");

        let state = format!("{APPS}/{id}/state");
        assert_eq!(client.get(&state).await, json!({"state": "ACCEPTED"}));
        let kill = json!({"state": "KILLED"});
        let (status, _) = client.json(Method::PUT, &state, &kill).await;
        assert!(status == 202 || status == 200, "{status}");
        let app = client.app_in(id, "KILLED").await;
        assert_eq!(
            (&app["finalStatus"], &app["runningContainers"]),
            (&json!("KILLED"), &json!(-1))
        );
        let (status, body) = client.json(Method::PUT, &state, &kill).await;
        assert_eq!((status, body), (200, json!({"state": "KILLED"})));
        let metrics = client.get("/ws/v1/cluster/metrics").await;
        assert_eq!(metrics["clusterMetrics"]["appsKilled"], 1);
    });
}

#[test]
fn invalid_submission_is_refused() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let weir = client.upload(b"weir").await;
        let entry = "/am-container-spec/local-resources/entry/0";
        let resource = "/am-container-spec/local-resources/entry/0/value/resource";
        let command = "/am-container-spec/commands/command";
        let missing = format!("artifact:{}", "ab".repeat(32));
        for (what, expected, pointer, field, value) in [
            ("no command", "WEIR-RM-0005", command, "", json!("  ")),
            ("unmanaged", "WEIR-RM-0005", "", "unmanaged-AM", json!(true)),
            ("foreign file", "WEIR-RM-0005", resource, "", json!("hdfs:///x")),
            ("no such file", "WEIR-RM-0031", resource, "", json!(missing)),
            ("nor others' file", "WEIR-RM-0031", "", "weir-artifacts", json!(["cd".repeat(32)])),
            ("path as name", "WEIR-RM-0005", entry, "key", json!("../weir")),
        ] {
            let id = client.new_application().await;
            let mut body = submission(id, &[("weir", &weir)]);
            let place = body.pointer_mut(pointer).expect("a field");
            match field {
                "" => *place = value,
                field => place[field] = value,
            }
            let (status, answer) = client.json(Method::POST, APPS, &body).await;
            assert_eq!((status, code(&answer)), (400, expected), "{what}: {answer}");
            let (status, _) = read(client.send(Method::GET, &format!("{APPS}/{id}")).await).await;
            assert_eq!(status, 404, "{what}");
        }
    });
}

#[test]
fn app_master_larger_than_any_node_is_refused_with_the_largest() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let _agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let id = client.new_application().await;
        let mut body = submission(id, &[("weir", &client.upload(b"weir").await)]);
        body["resource"] = json!({"memory": 5000, "vCores": 1});
        let (status, answer) = client.json(Method::POST, APPS, &body).await;
        assert_eq!((status, code(&answer)), (400, "WEIR-RM-0006"), "{answer}");
        let message = answer["RemoteException"]["message"].as_str().expect("a text");
        assert!(message.contains("4096") && message.contains("127.0.0.1:1"), "{message}");
    });
}

#[test]
fn unknown_and_wrong_paths_are_answered_in_the_format_of_yarn() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let unknown = "application_1_0001";
        for (path, status, expected) in [
            (format!("{APPS}/{unknown}"), 404, "WEIR-RM-0002"),
            (format!("{APPS}/x"), 404, "WEIR-RM-0002"),
            (format!("{APPS}/{unknown}/state"), 404, "WEIR-RM-0002"),
            (format!("{APPS}/{unknown}/appattempts"), 404, "WEIR-RM-0002"),
            ("/ws/v1/cluster/nodes/127.0.0.1:1".to_owned(), 404, "WEIR-RM-0030"),
            ("/ws/v1/cluster/nothing".to_owned(), 404, "WEIR-HTTP-0014"),
            (format!("{APPS}?states=ASLEEP"), 400, "WEIR-RM-0033"),
        ] {
            let (found, body) = read(client.send(Method::GET, &path).await).await;
            assert_eq!((found, code(&body)), (status, expected), "{path}: {body}");
            let exception = &body["RemoteException"];
            assert!(exception["javaClassName"].is_string() && exception["message"].is_string());
        }
        let state = format!("{APPS}/{unknown}/state");
        let (status, body) = client.json(Method::PUT, &state, &json!({"state": "KILLED"})).await;
        assert_eq!((status, code(&body)), (404, "WEIR-RM-0002"));
        let (status, body) = client.json(Method::PUT, &state, &json!({"state": "RUNNING"})).await;
        assert_eq!((status, code(&body)), (400, "WEIR-RM-0032"));
    });
}
