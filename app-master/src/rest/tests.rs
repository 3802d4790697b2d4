//! The interface over HTTP, against a job master whose tasks only pretend to run.

use super::{JobControl, archive, configure, fixture};
use crate::observed::{Facts, ManagerInfo, Observed};
use actix_web::{HttpRequest, http::header::AUTHORIZATION};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use weir_base::{ExecutionAttempt, Failure, FailureOrigin, NodeId};
use weir_checkpoint_storage::CheckpointStorage;
use weir_config::Config;
use weir_graph::{TaskDeployment, TaskId};
use weir_job_master::{Handle, JobMasterShell, ReportSender, TaskGateway};
use weir_protocol::rest::flink::metrics::PAGE_SUBTASK_METRICS;
use weir_protocol::{
    control::{OperatorCounters, TaskCounters},
    job::JobStatus,
    task::{ReportKind, TaskCommand, TaskReport},
};
use weir_service::{ApiError, Client, ErrorStyle, Server, ServerConfig};

/// Longer than anything here takes, and shorter than the longest wait of a request.
const LONG: Duration = Duration::from_secs(30);
const TOKEN: &str = "Bearer secret";

type Deployed = Arc<Mutex<Vec<(TaskId, ExecutionAttempt)>>>;

/// Tasks run as soon as they are deployed, and stop as soon as they are cancelled.
struct Pretending {
    reports: ReportSender,
    deployed: Deployed,
}

impl Pretending {
    fn report(&self, task: TaskId, attempt: ExecutionAttempt, kind: ReportKind) {
        self.reports.report(TaskReport { task, attempt, kind });
    }
}

impl TaskGateway for Pretending {
    fn deploy(&mut self, deployment: TaskDeployment) {
        let (task, attempt) = (deployment.task, deployment.attempt);
        self.deployed.lock().unwrap().push((task, attempt));
        self.report(task, attempt, ReportKind::Running);
    }

    fn command(&mut self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        match command {
            TaskCommand::Cancel => self.report(task, attempt, ReportKind::Canceled),
            TaskCommand::Finish => self.report(task, attempt, ReportKind::Finished),
            _ => {}
        }
    }
}

struct Control(Handle);

impl JobControl for Control {
    fn cancel(&self) {
        self.0.cancel();
    }

    fn may_change(&self, request: &HttpRequest) -> Result<(), ApiError> {
        let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match token {
            Some(TOKEN) => Ok(()),
            _ => Err(ApiError::unauthorized("WEIR-HTTP-0011", "the request carries no token")),
        }
    }
}

/// A running job and its interface.
struct Fixture {
    observed: Observed,
    handle: Handle,
    reports: ReportSender,
    deployed: Deployed,
    server: Server,
    client: Client,
}

impl Fixture {
    /// Waits until every task runs in a task manager of two slots, and each has counted.
    async fn start() -> Self {
        let deployed = Deployed::default();
        let sender = Arc::new(OnceLock::new());
        let handle = {
            let (deployed, sender) = (Arc::clone(&deployed), Arc::clone(&sender));
            let storage = CheckpointStorage::in_memory();
            JobMasterShell::start(fixture::graph(), fixture::settings(), storage, |reports| {
                let _ = sender.set(reports.clone());
                Box::new(Pretending { reports, deployed })
            })
        };
        let mut config = Config::new();
        config.set_named("slot.request.timeout", "1 min").expect("a valid value");
        let observed = Observed::new(Facts { config, ..fixture::facts() }, handle.clone());
        let running = handle.subscribe_status();
        while running.recv_timeout(LONG).unwrap().status != JobStatus::Running {}
        let control = Arc::new(Control(handle.clone()));
        let server = weir_service::bind(
            ServerConfig {
                name: "test",
                bind: "127.0.0.1:0".parse().unwrap(),
                error_style: ErrorStyle::Flink,
                allowed_hosts: Vec::new(),
                workers: 1,
            },
            configure(observed.clone(), control),
        );
        let reports = sender.get().unwrap().clone();
        let server = server.unwrap();
        let fixture = Self { observed, handle, reports, deployed, server, client: Client::new() };
        fixture.join();
        fixture
    }

    fn join(&self) {
        let container = fixture::container(2);
        self.observed.manager_joined(ManagerInfo {
            container,
            host: "node".to_owned(),
            node: NodeId("127.0.0.1:8042".to_owned()),
            pid: 11,
            slots: 2,
            memory_mib: 512,
        });
        self.observed.host_joined(container, 1, 12, "127.0.0.1:4000".parse().unwrap());
        self.observed.manager_memory(container, 1_000, vec![(1, 2_000)]);
        self.observed.placed(vec![(0, container), (1, container)]);
        let counted = |(task, attempt): &(TaskId, ExecutionAttempt)| TaskCounters {
            task: *task,
            attempt: *attempt,
            operators: vec![OperatorCounters { records_in: 10, records_out: 20 }; 2],
            bytes_in: 1,
            bytes_out: 2,
            busy_us: 300_000,
            backpressured_us: 600_000,
            idle_us: 100_000,
            watermark: None,
        };
        let counters = self.deployed.lock().unwrap().iter().map(counted).collect();
        self.observed.counters(container, counters);
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    /// As Flink's client asks: with a body.
    async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.client.raw().get(self.url(path));
        let request = request.header("Content-Type", "application/json; charset=UTF-8").body("{}");
        let response = request.send().await.unwrap();
        parsed(response.status().as_u16(), &response.text().await.unwrap())
    }

    async fn ok(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn cancel(&self, query: &str, token: Option<&str>) -> (u16, Value) {
        let url = self.url(&format!("/v1/jobs/{}{query}", fixture::job()));
        let mut request = self.client.raw().patch(url).body("{}");
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        let response = request.send().await.unwrap();
        parsed(response.status().as_u16(), &response.text().await.unwrap())
    }

    fn job(path: &str) -> String {
        format!("/jobs/{}{path}", fixture::job())
    }

    /// The first vertex that is shown.
    fn vertex(path: &str) -> String {
        let id = fixture::graph().vertices[1].id;
        Self::job(&format!("/vertices/{id}{path}"))
    }

    /// The second subtask of the last vertex fails.
    fn fail(&self) {
        let task = TaskId { vertex: 2, subtask: 1 };
        let deployed = self.deployed.lock().unwrap();
        let (_, attempt) = deployed.iter().find(|(deployed, _)| *deployed == task).unwrap();
        self.observed.failed_at(task, *attempt, fixture::container(2));
        self.observed.excerpt(task, *attempt, "thread 'count' panicked".to_owned());
        let failure = Failure {
            code: "WEIR-TASK-0001".to_owned(),
            message: "the function panicked: 7 is too much".to_owned(),
            origin: FailureOrigin::User,
            task: None,
            operator: Some("count".to_owned()),
        };
        let kind = ReportKind::Failed(failure);
        self.reports.report(TaskReport { task, attempt: *attempt, kind });
    }
}

fn parsed(status: u16, text: &str) -> (u16, Value) {
    let body = serde_json::from_str(text);
    (status, body.unwrap_or_else(|_| panic!("no JSON: {text}")))
}

fn ids(list: &Value) -> Vec<Value> {
    list.as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
}

/// Without what differs from one moment to the next.
fn timeless(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let passing = ["now", "end-timestamp"];
            let lasting = fields.into_iter().filter(|(name, _)| !passing.contains(&&**name));
            Value::Object(lasting.map(|(name, value)| (name, timeless(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(timeless).collect()),
        value => value,
    }
}

#[actix_web::test]
async fn every_path_is_there_bare_and_below_v1() {
    let fixture = Fixture::start().await;
    for path in [
        "/overview".to_owned(),
        "/config".to_owned(),
        "/jobs".to_owned(),
        "/jobs/overview".to_owned(),
        "/jobs/metrics".to_owned(),
        Fixture::job(""),
        Fixture::job("/status"),
        Fixture::job("/plan"),
        Fixture::job("/config"),
        Fixture::job("/exceptions?maxExceptions=5"),
        Fixture::job("/accumulators?includeSerializedValue=true"),
        Fixture::job("/metrics?get=numRestarts"),
        Fixture::job("/execution-result"),
        Fixture::job("/progress"),
        Fixture::vertex(""),
        Fixture::vertex("/subtasktimes"),
        Fixture::vertex("/taskmanagers"),
        Fixture::vertex("/backpressure"),
        Fixture::vertex("/watermarks"),
        Fixture::vertex("/accumulators"),
        Fixture::vertex("/metrics"),
        Fixture::vertex("/subtasks/metrics?get=numRecordsIn&agg=sum,skew&subtasks=0-1"),
        Fixture::vertex("/subtasks/accumulators"),
        Fixture::vertex("/subtasks/1"),
        Fixture::vertex("/subtasks/1/metrics?get=numRecordsIn"),
        "/taskmanagers".to_owned(),
        "/taskmanagers/metrics".to_owned(),
        format!("/taskmanagers/{}", fixture::container(2)),
        format!("/taskmanagers/{}/metrics", fixture::container(2)),
        "/jobmanager/config".to_owned(),
        "/jobmanager/environment".to_owned(),
        "/jobmanager/metrics".to_owned(),
    ] {
        let bare = fixture.ok(&path).await;
        let below = fixture.ok(&format!("/v1{path}")).await;
        let keys = |value: &Value| match value {
            Value::Object(fields) => fields.keys().cloned().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        assert_eq!(keys(&bare), keys(&below), "{path}");
    }
    fixture.handle.cancel();
}

/// Endpoints of Flink by `docs/coming-from-flink.md`, and whether it says that they are there.
fn endpoints_of_the_page() -> Vec<(String, bool)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/coming-from-flink.md");
    let page = std::fs::read_to_string(path).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("REST of Flink\n"));
    let mut endpoints = Vec::new();
    for row in section.unwrap().lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let is_served = match cells[1] {
            "yes" => true,
            stands => {
                assert!(stands == "not yet" || stands.starts_with("never, because "), "{row}");
                false
            }
        };
        let names = cells[0].split('`').skip(1).step_by(2);
        endpoints.extend(names.map(|name| (name.to_owned(), is_served)));
    }
    endpoints
}

#[actix_web::test]
async fn page_for_users_of_flink_lists_each_endpoint_with_its_support() {
    let fixture = Fixture::start().await;
    let endpoints = endpoints_of_the_page();
    assert!(endpoints.len() > 80, "{}", endpoints.len());
    for (endpoint, is_served) in endpoints {
        let (method, path) = endpoint.split_once(' ').unwrap();
        let path = path
            .replace(":jobid", &fixture::job().to_string())
            .replace(":vertexid", &fixture::graph().vertices[1].id.to_string())
            .replace(":taskmanagerid", &fixture::container(2).to_string());
        let path: Vec<_> =
            path.split('/').map(|part| if part.starts_with(':') { "1" } else { part }).collect();
        let method = method.parse().unwrap();
        let request = fixture.client.raw().request(method, fixture.url(&path.join("/")));
        let response = request.body("{}").send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let is_unknown = status == 404 && text.contains("Not found: ");
        assert_eq!(!is_unknown, is_served, "the page is stale: {endpoint} gives {status} {text}");
    }
    fixture.handle.cancel();
}

#[actix_web::test]
async fn answers_have_flinks_shapes() {
    let fixture = Fixture::start().await;
    let overview = fixture.ok("/v1/jobs/overview").await;
    let job = &overview["jobs"][0];
    assert_eq!(job["state"], "RUNNING");
    assert_eq!((&job["tasks"]["total"], &job["tasks"]["running"]), (&json!(4), &json!(4)));
    assert_eq!((&job["pending-operators"], &job["end-time"]), (&json!(0), &json!(-1)));

    let details = fixture.ok(&Fixture::job("")).await;
    assert_eq!(ids(&details["vertices"]), ids(&details["plan"]["nodes"]));
    assert_eq!(details["vertices"][0]["tasks"]["RUNNING"], 2);
    assert_eq!(details["vertices"][0]["metrics"]["write-records"], 40);
    assert_eq!(details["plan"]["nodes"][0].get("inputs"), None);
    assert_eq!(details["timestamps"]["FAILED"], 0);

    let vertex = fixture.ok(&Fixture::vertex("")).await;
    let subtask = &vertex["subtasks"][0];
    assert_eq!(subtask["endpoint"], "node:4000");
    assert_eq!(subtask["taskmanager-id"], fixture::container(2).to_string());
    assert_eq!(subtask["start_time"], subtask["start-time"]);
    assert_eq!(vertex["aggregated"]["metrics"]["read-records"]["sum"], 20);

    let backpressure = fixture.ok(&Fixture::vertex("/backpressure")).await;
    assert_eq!(backpressure["backpressure-level"], "high");
    assert_eq!(backpressure["backpressureLevel"], "high");
    assert_eq!(backpressure["subtasks"][1]["ratio"], 0.6);

    let config = fixture.ok(&Fixture::job("/config")).await;
    let key = "slot.request.timeout";
    assert_eq!(config["execution-config"]["user-config"], json!({key: "1 min"}));
    for entries in [&config["weir-configuration"], &fixture.ok("/jobmanager/config").await] {
        let entries = entries.as_array().expect("a list");
        let find = |key: &str| entries.iter().find(|entry| entry["key"] == key).expect("listed");
        assert_eq!(*find(key), json!({"key": key, "value": "1 min", "source": "the program"}));
        assert_eq!(find("parallelism.default")["source"], "the default");
    }

    let metrics = fixture.ok(&Fixture::vertex("/subtasks/metrics?get=numRecordsIn&agg=sum")).await;
    assert_eq!(metrics, json!([{"id": "numRecordsIn", "sum": 20.0}]));
    let managers = fixture.ok("/taskmanagers").await;
    assert_eq!(managers["taskmanagers"][0]["slotsNumber"], 2);
    assert_eq!(managers["taskmanagers"][0]["freeSlots"], 0);
    let result = fixture.ok(&Fixture::job("/execution-result")).await;
    assert_eq!(result, json!({"status": {"id": "IN_PROGRESS"}}));
    fixture.handle.cancel();
}

#[actix_web::test]
async fn what_is_not_there_is_refused_with_errors_alone() {
    let fixture = Fixture::start().await;
    let nobody = "0123456789abcdef0123456789abcdef";
    for (path, status, part) in [
        ("/v1/nonsense".to_owned(), 404, "Not found: /v1/nonsense".to_owned()),
        (format!("/jobs/{nobody}"), 404, format!("Job {nobody} not found")),
        ("/jobs/nonsense/status".to_owned(), 400, "(jobid)".to_owned()),
        (Fixture::job(&format!("/vertices/{nobody}")), 404, nobody.to_owned()),
        (Fixture::job("/vertices/x/watermarks"), 400, "(vertexid)".to_owned()),
        (Fixture::vertex("/subtasks/2"), 404, "subtask index".to_owned()),
        (Fixture::vertex("/subtasks/metrics?get=x&agg=mode"), 400, "agg=mode".to_owned()),
        (Fixture::vertex("/subtasks/metrics?get=x&subtasks=b"), 400, "subtasks=b".to_owned()),
        (Fixture::job("/exceptions?maxExceptions=-1"), 400, "query".to_owned()),
        (Fixture::job("/checkpoints"), 404, "Checkpointing has not been enabled.".to_owned()),
        ("/taskmanagers/x".to_owned(), 400, "(taskmanagerid)".to_owned()),
        (format!("/taskmanagers/{}", fixture::container(9)), 404, "TaskExecutor".to_owned()),
        (Fixture::job("/progress?since=x"), 400, "query".to_owned()),
    ] {
        let (found, body) = fixture.get(&path).await;
        assert_eq!(found, status, "{path}: {body}");
        let fields = body.as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["errors"], "{path}");
        assert!(body["errors"][0].as_str().unwrap().contains(&part), "{path}: {body}");
    }
    fixture.handle.cancel();
}

#[actix_web::test]
async fn a_job_is_cancelled_with_the_token() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.cancel("?mode=cancel", None).await.0, 401);
    assert_eq!(fixture.cancel("?mode=cancel", Some("Bearer wrong")).await.0, 401);
    assert_eq!(fixture.cancel("?mode=stop", Some(TOKEN)).await.0, 308);
    assert_eq!(fixture.cancel("?mode=nonsense", Some(TOKEN)).await.0, 400);
    assert_eq!(fixture.observed.read().state.name(), "RUNNING");
    assert_eq!(fixture.cancel("?mode=cancel", Some(TOKEN)).await, (202, json!({})));
    let result = fixture.ok(&Fixture::job("/execution-result?wait-ms=60000")).await;
    assert_eq!(result["status"]["id"], "COMPLETED");
    assert_eq!(result["job-execution-result"]["application-status"], "CANCELED");
    assert_eq!(result["weir-result"]["status"], "CANCELED");
    assert_eq!(result["weir-result"].get("failure"), None);
    // It is what was asked for.
    assert_eq!(fixture.cancel("", Some(TOKEN)).await.0, 202);
}

#[actix_web::test]
async fn a_failure_is_told_with_its_place_and_log() {
    let fixture = Fixture::start().await;
    fixture.fail();
    let result = fixture.ok(&Fixture::job("/execution-result?wait-ms=60000")).await;
    assert_eq!(result["job-execution-result"]["application-status"], "FAILED");
    let failure = &result["weir-result"]["failure"];
    assert_eq!(failure["code"], "WEIR-TASK-0001");
    assert_eq!(failure["task"], "count -> print (2/2)");
    assert_eq!(failure["operator"], "count");
    assert_eq!(failure["host"], "node:4000");
    assert_eq!(failure["container"], fixture::container(2).to_string());
    assert_eq!(failure["log-excerpt"], "thread 'count' panicked");
    assert_eq!(result["weir-result"]["operators"][1]["records-out"], 40);

    let exceptions = fixture.ok(&Fixture::job("/exceptions")).await;
    let entry = &exceptions["exceptionHistory"]["entries"][0];
    assert_eq!(entry["exceptionName"], "WEIR-TASK-0001");
    assert!(entry["stacktrace"].as_str().unwrap().ends_with("thread 'count' panicked"));
    assert_eq!(entry["taskManagerId"], fixture::container(2).to_string());
    let (status, body) = fixture.cancel("?mode=cancel", Some(TOKEN)).await;
    assert_eq!(status, 409);
    assert_eq!(
        body,
        json!({"errors": ["Job cancellation failed because the job has already reached another \
                           terminal state (FAILED)."]})
    );
}

#[actix_web::test]
async fn progress_is_answered_when_the_state_changes() {
    let fixture = Fixture::start().await;
    let before = fixture.ok(&Fixture::job("/progress")).await;
    assert_eq!(before["state"], "RUNNING");
    assert_eq!(before["operators"][1]["name"], "split");
    assert_eq!(before["operators"][1]["backpressure-level"], "high");
    let path = Fixture::job(&format!("/progress?wait-ms=60000&since={}", before["version"]));
    let asked = async {
        let mut after = fixture.ok(&path).await;
        // Versions also grow with what the job went through before the first answer.
        while after["state"] == "RUNNING" {
            let since = format!("/progress?wait-ms=60000&since={}", after["version"]);
            after = fixture.ok(&Fixture::job(&since)).await;
        }
        after
    };
    let changed = async {
        // By then the question is on its way, or it is answered at once: both are right.
        fixture.handle.cancel();
    };
    let both = async { futures::join!(asked, changed) };
    let (after, ()) = tokio::time::timeout(LONG, both).await.expect("it is not answered in time");
    assert_ne!(after["version"], before["version"]);
    // A client without a version gets its answer at once.
    let path = Fixture::job("/progress?wait-ms=60000");
    let at_once = fixture.ok(&path);
    tokio::time::timeout(LONG, at_once).await.expect("it is held back");
}

#[actix_web::test]
async fn the_archive_answers_as_the_app_master_did() {
    let fixture = Fixture::start().await;
    fixture.handle.cancel();
    fixture.ok(&Fixture::job("/execution-result?wait-ms=60000")).await;
    fixture.observed.manager_left(fixture::container(2));
    let answers = archive(&fixture.observed);
    for archived in &answers {
        let lives = fixture.ok(&archived.path).await;
        let kept: Value = serde_json::from_str(&archived.json).unwrap();
        if archived.path.ends_with("/metrics") {
            // Kept with values, to answer whatever is asked of the path.
            assert_eq!(ids(&kept), ids(&lives), "{}", archived.path);
        } else {
            assert_eq!(timeless(kept), timeless(lives), "{}", archived.path);
        }
    }
    let has = |path: &str| answers.iter().any(|archived| archived.path == path);
    let page_metrics = format!("/subtasks/metrics?get={PAGE_SUBTASK_METRICS}");
    for path in [
        // Every path that the page asks for, but for checkpoints, which this job does not take.
        "/overview",
        "/config",
        "/jobs/overview",
        "/taskmanagers",
        &Fixture::job(""),
        &Fixture::job("/config"),
        &Fixture::job("/exceptions"),
        &Fixture::job("/progress"),
        &Fixture::vertex(""),
        &Fixture::vertex("/backpressure"),
        &Fixture::vertex("/metrics"),
        &Fixture::vertex("/taskmanagers"),
        &Fixture::vertex("/watermarks"),
        &Fixture::vertex(&page_metrics),
        // Others.
        &Fixture::job("/execution-result"),
        &Fixture::vertex("/subtasks/1"),
        &Fixture::vertex("/subtasks/metrics?get=numRecordsIn"),
        &format!("/taskmanagers/{}", fixture::container(2)),
    ] {
        assert!(has(path), "{path}");
    }
    let mut paths: Vec<_> = answers.iter().map(|archived| &archived.path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), answers.len());
}

#[actix_web::test]
async fn prometheus_reads_text() {
    let fixture = Fixture::start().await;
    let response = fixture.client.raw().get(fixture.url("/metrics")).send().await.unwrap();
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(media_type.starts_with("text/plain"), "{media_type}");
    let text = response.text().await.unwrap();
    assert!(text.contains("flink_taskmanager_job_task_operator_numRecordsIn{"), "{text}");
    fixture.handle.cancel();
}
