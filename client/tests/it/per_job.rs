//! `weir run -t per-job`: what goes to the cluster, what the program is answered, what is printed. The
//! resource manager is a fake, the program a script.

use crate::fake_cluster::{Answer, Asked, FakeCluster, LOST, ok, refusal};
use crate::fixture::{Ended, Folder, hello, send};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use weir_base::JobId;
use weir_config::{Config, keys};
use weir_graph::{Fingerprint, StreamGraph};
use weir_protocol::cluster::{self, JobSubmission};
use weir_protocol::job_executable::{JobAnswer, JobMessage, read_answer};
use weir_protocol::rest::yarn::AppAttempt;

const APPLICATION: &str = "application_1763640000000_0001";

/// Settings in the code of the program take precedence over those of the command line.
fn resolved() -> Config {
    let mut config = Config::new();
    for (key, value) in [
        ("parallelism.default", "3"),
        ("yarn.application.name", "named in code"),
        ("yarn.application-attempts", "7"),
        ("jobmanager.memory.process.size", "300 mb"),
        ("yarn.appmaster.vcores", "2"),
    ] {
        config.set_named(key, value).expect("a valid value");
    }
    config
}

fn graph(configuration: &Config) -> JobMessage {
    let stream_graph = StreamGraph { name: "count".to_owned(), ..StreamGraph::default() };
    JobMessage::Graph {
        ordinal: 0,
        fingerprint: Fingerprint::of(&stream_graph),
        stream_graph: Box::new(stream_graph),
        plan_json: "{}".to_owned(),
        configuration: configuration.to_json(),
    }
}

fn job_id() -> JobId {
    JobId::of_text(&format!("{APPLICATION}:0"))
}

/// A job that hands its graph over, keeps what it is answered, and ends with these lines.
fn job(folder: &Folder, lines: &str) {
    job_with(folder, &resolved(), lines);
}

/// The same with this configuration, which a real program resolves from what it is given.
fn job_with(folder: &Folder, configuration: &Config, lines: &str) {
    let keep = "cat \"/dev/fd/$WEIR_ANSWER_FD\" > answers & reader=$!";
    let lines = format!("{keep}\n{lines}");
    folder.job("job", &[hello(), graph(configuration)], &lines);
}

/// Waits until this number of bytes of answers has come: two answers are more than that.
const UNTIL_ANSWERED: &str =
    "while [ $(wc -c < answers 2>/dev/null || echo 0) -lt 60 ]; do :; done; kill $reader";

fn answers(folder: &Folder) -> Vec<JobAnswer> {
    let bytes = std::fs::read(folder.path("answers")).expect("kept");
    let mut rest = bytes.as_slice();
    std::iter::from_fn(|| read_answer(&mut rest).expect("whole")).collect()
}

/// A cluster that takes every job and whose app master gives this result.
fn cluster_with(result: impl Fn() -> Option<Value> + Send + Sync + 'static) -> FakeCluster {
    FakeCluster::new(move |asked: &Asked| answer(asked, &result))
}

fn answer(asked: &Asked, result: impl Fn() -> Option<Value>) -> Option<Answer> {
    let path = asked.path.split('?').next().unwrap_or_default();
    match (asked.method.as_str(), path) {
        ("POST", "/ws/v1/cluster/apps/new-application") => ok(json!({
            "application-id": APPLICATION,
            "maximum-resource-capability": {"memory": 4096, "vCores": 4},
        })),
        ("PUT", path) if path.starts_with("/ws/v1/cluster/artifacts/") => {
            Some((201, String::new()))
        }
        ("POST", "/ws/v1/cluster/apps") => Some((202, String::new())),
        ("GET", path) if path.ends_with("/execution-result") => match result() {
            Some(result) => ok(result),
            None => Some((503, json!({"errors": ["not yet [WEIR-RM-0050]"]}).to_string())),
        },
        ("PATCH", _) => Some((202, "{}".to_owned())),
        _ => None,
    }
}

fn result(status: &str, failure: Value) -> Value {
    json!({
        "status": {"id": "COMPLETED"},
        "weir-result": {
            "status": status, "failure": failure, "restarts": 1, "completed-checkpoints": 3,
            "runtime-ms": 812, "operators": [
                {"name": "Map", "parallelism": 2, "records-in": 7, "records-out": 9},
            ],
        },
    })
}

#[test]
fn job_is_submitted_waited_for_and_answered() {
    let folder = Folder::new();
    job(&folder, &format!("{UNTIL_ANSWERED}\necho done"));
    let fake = cluster_with(|| Some(result("FINISHED", Value::Null)));
    let line =
        ["run", "-t", "per-job", "-p", "2", "-D", "weir.progress=NEVER", "job", "--x", "a b"];
    let ended = fake.weir(&folder, &line);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let job = job_id();
    assert_eq!(
        ended.stdout,
        format!(
            "Job has been submitted with JobID {job}\nProgram execution finished\nJob with JobID \
             {job} has finished.\nJob Runtime: 812 ms\ndone\n"
        )
    );
    assert!(ended.stderr.contains(&format!("Submitted application {APPLICATION}")), "{ended:#?}");
    let answers = answers(&folder);
    assert_eq!(answers[0], JobAnswer::Accepted { job });
    match &answers[1..] {
        [JobAnswer::Finished(recorded)] => {
            assert_eq!((recorded.runtime_ms, recorded.restarts), (812, 1));
            assert_eq!(recorded.operators, [("Map".to_owned(), 2, 7, 9)]);
        }
        others => panic!("{others:?}"),
    }
    check_submission(&folder, &fake);
}

#[test]
fn restarts_are_printed_also_without_progress() {
    let folder = Folder::new();
    let mut configuration = resolved();
    configuration.set(&keys::PROGRESS, keys::Progress::Never).expect("a valid value");
    job_with(&folder, &configuration, UNTIL_ANSWERED);
    let fake = FakeCluster::new(move |asked: &Asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match path.ends_with("/progress") {
            true => ok(json!({
                "version": 1, "state": "FINISHED", "restarts": 3, "restart-delay-ms": 1000,
                "failure": {"code": "WEIR-TASK-0001", "message": "boom", "operator": "Map"},
                "operators": [],
            })),
            false => answer(asked, || Some(result("FINISHED", Value::Null))),
        }
    });
    for extra in [&[][..], &["--output", "json"]] {
        let line = [&["run", "-t", "per-job", "-D", "weir.progress=NEVER"], extra, &["job"]];
        let ended = fake.weir(&folder, &line.concat());
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let warning = "warning: job restarts (restarts 1 to 3, delay 1 s): operator \"Map\": boom \
                       (WEIR-TASK-0001)\n";
        assert!(ended.stderr.contains(warning), "{ended:#?}");
        assert!(!ended.stderr.contains("progress:"), "{ended:#?}");
    }
}

/// The app master does not answer once; then the application has this number of attempts.
fn cluster_that_lost_an_app_master(attempts: u32) -> FakeCluster {
    let is_lost = AtomicBool::new(false);
    FakeCluster::new(move |asked: &Asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match path {
            path if path.ends_with("/execution-result")
                && !is_lost.swap(true, Ordering::Relaxed) =>
            {
                Some((LOST, String::new()))
            }
            path if path.ends_with(&format!("/apps/{APPLICATION}")) => {
                ok(json!({"app": {"id": APPLICATION, "state": "RUNNING"}}))
            }
            path if path.ends_with("/appattempts") => {
                let attempts: Vec<_> =
                    (1..=attempts).map(|id| AppAttempt { id, ..AppAttempt::default() }).collect();
                ok(json!({"appAttempts": {"appAttempt": attempts}}))
            }
            _ => answer(asked, || Some(result("FINISHED", Value::Null))),
        }
    })
}

#[test]
fn replaced_app_master_is_printed_with_the_counters_that_begin_again() {
    let folder = Folder::new();
    job(&folder, UNTIL_ANSWERED);
    let line = format!(
        "{APPLICATION}: the app master has ended, and attempt 2 has taken over job {}; restarts and \
         records are counted from the start of attempt 2\n",
        job_id()
    );
    for (attempts, is_told) in [(1, false), (2, true)] {
        let fake = cluster_that_lost_an_app_master(attempts);
        let ended = fake.weir(&folder, &["run", "-t", "per-job", "job"]);
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        fake.first(&format!("GET /ws/v1/cluster/apps/{APPLICATION}/appattempts"));
        assert_eq!(ended.stderr.contains(&line), is_told, "{attempts} attempts: {ended:#?}");
    }
}

fn check_submission(folder: &Folder, fake: &FakeCluster) {
    let body = fake.first("POST /ws/v1/cluster/apps").json();
    assert_eq!(body, json!({}), "the first asks for an id");
    let submission =
        fake.all().into_iter().find(|asked| asked.line_is("POST", "/ws/v1/cluster/apps"));
    let submission = submission.expect("submitted");
    let (_, user) = submission.path.split_once("?user.name=").expect("the user is named");
    assert!(!user.is_empty(), "{user:?}");
    let body = submission.json();
    assert_eq!(body["application-id"], APPLICATION);
    assert_eq!(body["application-name"], "named in code");
    assert_eq!(body["max-app-attempts"], 7);
    assert_eq!(body["application-type"], "WEIR");
    assert_eq!(body["application-tags"]["tag"], json!([format!("weir-job:{}", job_id())]));
    assert_eq!(body["resource"], json!({"memory": 300, "vCores": 2}));
    assert_eq!(body["am-container-spec"]["commands"]["command"], "./weir app-master");
    let files = &body["am-container-spec"]["local-resources"]["entry"];
    assert_eq!(
        (&files[0]["key"], &files[0]["value"]["executable"]),
        (&json!("weir"), &json!(true))
    );
    assert_eq!(files[1]["key"], "job.msgpack");
    let hash =
        files[1]["value"]["resource"].as_str().and_then(|text| text.strip_prefix("artifact:"));
    let put = fake.first(&format!("PUT /ws/v1/cluster/artifacts/{}", hash.expect("a hash")));
    assert_eq!(put.headers["authorization"], "Bearer secret");
    let job: JobSubmission = cluster::decode(&put.body).expect("as written");
    assert_eq!((job.job, job.ordinal), (job_id(), 0));
    assert_eq!(job.arguments, [b"--x".to_vec(), b"a b".to_vec()]);
    assert_eq!(job.configuration, resolved().to_json());
    let launch = Config::from_json(&job.launch_configuration).expect("as written");
    assert_eq!(launch.get(&keys::PARALLELISM_DEFAULT), 2, "of the command line");
    assert_eq!(job.executable.name, "job");
    let script = std::fs::read(folder.path("job")).expect("there");
    let sent = fake.first(&format!("PUT /ws/v1/cluster/artifacts/{}", job.executable.hash));
    assert_eq!(sent.body, script);
    let here = folder.path("").canonicalize().expect("there");
    assert_eq!(std::path::Path::new(&job.working_directory), here);
    let artifacts = body["weir-artifacts"].as_array().expect("a list");
    assert!(artifacts.contains(&json!(job.executable.hash.to_string())));
}

impl Asked {
    fn line_is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next() == Some(path)
    }
}

#[test]
fn detached_job_is_not_waited_for() {
    let folder = Folder::new();
    job(&folder, UNTIL_ANSWERED);
    let fake = cluster_with(|| None);
    let ended = fake.weir(&folder, &["run", "-t", "per-job", "-d", "--output", "json", "job"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let expect = json!({
        "job-id": job_id().to_string(), "name": "count", "status": "SUBMITTED", "runtime-ms": null,
        "application-id": APPLICATION,
        "web-address": format!("http://{}/proxy/{APPLICATION}/", fake.address),
    });
    assert_eq!(ended.json(), expect);
    assert_eq!(answers(&folder), [JobAnswer::Accepted { job: job_id() }, JobAnswer::Detached]);
    assert!(!fake.lines().iter().any(|line| line.contains("execution-result")));
}

#[test]
fn failed_job_is_printed_with_its_place_and_exit_code() {
    let folder = Folder::new();
    job(&folder, &format!("{UNTIL_ANSWERED}; exit 1"));
    let fake = cluster_with(|| {
        Some(result(
            "FAILED",
            json!({
                "code": "WEIR-TASK-0001", "message": "the map panicked", "operator": "Map",
                "task": "Map (1/2)", "host": "127.0.0.1:7", "container": "container_1_0001_01_000002",
                "log-excerpt": "a\nb",
            }),
        ))
    });
    let ended = fake.weir(&folder, &["run", "-t", "per-job", "--output", "json", "job"]);
    ended.fails(
        1,
        &[
            "failed: the map panicked",
            "operator: Map\n",
            "subtask: Map (1/2)\n",
            "container: container_1_0001_01_000002\n",
            "  | b\n",
            "WEIR-TASK-0001: see docs/errors/WEIR-TASK-0001.md",
        ],
    );
    let told = ended.json()["failure"].clone();
    assert_eq!(told["message"], "the map panicked");
    assert_eq!((&told["operator"], &told["task"]), (&json!("Map"), &json!("Map (1/2)")));
    assert_eq!((&told["host"], &told["log-excerpt"]), (&json!("127.0.0.1:7"), &json!("a\nb")));
    let failed = JobAnswer::Failed {
        code: "WEIR-TASK-0001".to_owned(),
        message: "the map panicked".to_owned(),
    };
    assert_eq!(answers(&folder)[1..], [failed]);
}

#[test]
fn refused_submission_is_printed_with_the_resource_managers_message() {
    let folder = Folder::new();
    job(&folder, &format!("{UNTIL_ANSWERED}; exit 1"));
    let fake = FakeCluster::new(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/ws/v1/cluster/apps/new-application") => ok(json!({
            "application-id": APPLICATION,
            "maximum-resource-capability": {"memory": 4096, "vCores": 4},
        })),
        ("POST", _) => Some(refusal(400, "WEIR-RM-0004", "the largest node has 4096 MiB")),
        ("PUT" | "HEAD", _) => Some((200, String::new())),
        _ => None,
    });
    let ended = fake.weir(&folder, &["run", "-t", "per-job", "--output", "json", "job"]);
    ended.fails(1, &["the largest node has 4096 MiB", "WEIR-RM-0004"]);
    assert_eq!(ended.json()["failure"]["code"], "WEIR-RM-0004");
    // Files that are there already are not sent again.
    assert_eq!(fake.lines().iter().filter(|line| line.starts_with("PUT ")).count(), 1);
}

#[test]
fn job_whose_submission_was_not_answered_is_submitted_again_as_the_same() {
    let folder = Folder::new();
    job(&folder, UNTIL_ANSWERED);
    let was_lost = AtomicBool::new(false);
    let path = |asked: &Asked| asked.path.split('?').next().unwrap_or_default().to_owned();
    let fake = FakeCluster::new(move |asked| match (asked.method.as_str(), &*path(asked)) {
        ("POST", "/ws/v1/cluster/apps/new-application") => {
            ok(json!({"application-id": APPLICATION}))
        }
        ("POST", "/ws/v1/cluster/apps") => match was_lost.swap(true, Ordering::SeqCst) {
            false => Some((LOST, String::new())),
            true => Some((202, String::new())),
        },
        ("PUT" | "HEAD", _) => Some((200, String::new())),
        _ => None,
    });
    let ended = fake.weir(&folder, &["run", "-t", "per-job", "-d", "job"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let all = fake.all();
    let is_submission = |asked: &&Asked| asked.line_is("POST", "/ws/v1/cluster/apps");
    let submissions: Vec<_> = all.iter().filter(is_submission).map(Asked::json).collect();
    assert_eq!(submissions.len(), 2);
    assert_eq!(submissions[0], submissions[1]);
}

/// Regression: only the submission itself was repeated, so a restart of the resource manager failed each
/// `weir run` that was at another step.
#[test]
fn each_step_of_a_submission_is_repeated_when_its_answer_is_lost() {
    let folder = Folder::new();
    job(&folder, UNTIL_ANSWERED);
    let lost = Mutex::new(BTreeSet::new());
    let fake = FakeCluster::new(move |asked| {
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        if path.ends_with("/info") {
            return answer(asked, || None);
        }
        let request = format!("{} {path}", asked.method);
        if lost.lock().unwrap().insert(request) {
            return Some((LOST, String::new()));
        }
        answer(asked, || None)
    });
    let ended = fake.weir(&folder, &["run", "-t", "per-job", "-d", "job"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let told = format!("the resource manager at {} does not answer", fake.address);
    assert!(ended.stderr.contains(&told), "{ended:#?}");
    let count = |part: &str| fake.lines().iter().filter(|line| line.contains(part)).count();
    assert_eq!(count("POST /ws/v1/cluster/apps/new-application"), 2);
    assert!(count("HEAD /ws/v1/cluster/artifacts/") >= 2, "{:?}", fake.lines());
    assert!(count("PUT /ws/v1/cluster/artifacts/") >= 4, "{:?}", fake.lines());
}

#[test]
fn resource_manager_of_another_release_or_of_hadoop_is_refused() {
    let folder = Folder::new();
    folder.job("job", &[hello(), graph(&resolved())], "touch started");
    for (info, part) in [
        (json!({"weirVersion": "9.8.7"}), "is of Weir 9.8.7"),
        (json!({"hadoopVersion": "3.3.6"}), "is not a resource manager of Weir"),
    ] {
        let fake = FakeCluster::new(move |_| ok(json!({"clusterInfo": info})));
        let ended = fake.weir(&folder, &["run", "-t", "per-job", "job"]);
        ended.fails(1, &[part, "WEIR-CLI-0203"]);
    }
    assert!(!folder.path("started").exists());
}

#[test]
fn application_that_dies_before_its_job_shows_its_diagnostics() {
    let folder = Folder::new();
    job(&folder, &format!("{UNTIL_ANSWERED}; exit 1"));
    let fake = FakeCluster::new(|asked| match asked.path.split('?').next().unwrap_or_default() {
        path if path.starts_with("/ws/v1/cluster/artifacts/") => Some((200, String::new())),
        "/ws/v1/cluster/apps/new-application" => ok(json!({"application-id": APPLICATION})),
        "/ws/v1/cluster/apps" => Some((202, String::new())),
        path if path.ends_with(&format!("/apps/{APPLICATION}")) => ok(json!({"app": {
            "id": APPLICATION, "state": "FAILED", "diagnostics": "the app master crashed",
        }})),
        path if path.starts_with("/proxy/") => {
            Some((404, json!({"errors": ["nothing kept [WEIR-RM-0052]"]}).to_string()))
        }
        _ => None,
    });
    let ended = fake.weir(&folder, &["run", "-t", "per-job", "job"]);
    ended.fails(1, &["failed before its job could end: the app master crashed", "WEIR-CLI-0208"]);
}

#[test]
fn job_that_ended_well_is_no_failure_where_its_result_is_lost() {
    let folder = Folder::new();
    job(&folder, UNTIL_ANSWERED);
    let fake = FakeCluster::new(|asked| match asked.path.split('?').next().unwrap_or_default() {
        path if path.starts_with("/ws/v1/cluster/artifacts/") => Some((200, String::new())),
        "/ws/v1/cluster/apps/new-application" => ok(json!({"application-id": APPLICATION})),
        "/ws/v1/cluster/apps" => Some((202, String::new())),
        path if path.ends_with(&format!("/apps/{APPLICATION}")) => ok(json!({"app": {
            "id": APPLICATION, "state": "FINISHED", "finalStatus": "SUCCEEDED",
            "startedTime": 5, "finishedTime": 12,
        }})),
        path if path.starts_with("/proxy/") => {
            Some((404, json!({"errors": ["nothing kept [WEIR-RM-0052]"]}).to_string()))
        }
        _ => None,
    });
    let ended = fake.weir(&folder, &["run", "-t", "per-job", "job"]);
    ended.fails(0, &["nothing more is kept of its job"]);
    assert!(ended.stdout.ends_with("has finished.\nJob Runtime: 7 ms\n"), "{ended:#?}");
}

/// A job that waits for its lifeline to end, on a cluster where it does not end before it is cancelled.
fn interrupted(flags: &[&str]) -> (Ended, FakeCluster) {
    static CANCELLED: AtomicBool = AtomicBool::new(false);
    let folder = Folder::new();
    job(&folder, "while [ ! -s answers ]; do :; done; touch up; cat \"/dev/fd/$WEIR_LIFELINE_FD\"");
    let fake = FakeCluster::new(|asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match (asked.method.as_str(), path) {
            ("PATCH", _) => {
                CANCELLED.store(true, Ordering::SeqCst);
                Some((202, "{}".to_owned()))
            }
            ("GET", path) if path.ends_with("/execution-result") => {
                match CANCELLED.load(Ordering::SeqCst) {
                    true => ok(result("CANCELED", Value::Null)),
                    false => ok(json!({"status": {"id": "IN_PROGRESS"}})),
                }
            }
            ("POST", "/ws/v1/cluster/apps/new-application") => {
                ok(json!({"application-id": APPLICATION}))
            }
            ("HEAD" | "PUT" | "POST", _) => Some((200, String::new())),
            _ => None,
        }
    });
    let line = [&["run", "-t", "per-job", "-D", "weir.progress=NEVER"], flags, &["job"]].concat();
    let mut command = fake.command(&folder, &line);
    let child = folder.start(command.process_group(0));
    folder.wait_for("up");
    send(libc::SIGINT, child.id());
    (Ended::of(child), fake)
}

#[test]
fn interrupt_before_the_job_is_submitted_withholds_it() {
    static ARRIVED: AtomicBool = AtomicBool::new(false);
    static RELEASED: AtomicBool = AtomicBool::new(false);
    let folder = Folder::new();
    job(&folder, "cat \"/dev/fd/$WEIR_LIFELINE_FD\"");
    let fake = FakeCluster::new(|asked| match asked.method.as_str() {
        "POST" => ok(json!({"application-id": APPLICATION})),
        // That of the job itself, whose graph is known then: the files of the program are there.
        "PUT" => {
            ARRIVED.store(true, Ordering::SeqCst);
            while !RELEASED.load(Ordering::SeqCst) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            Some((201, String::new()))
        }
        "HEAD" => Some((200, String::new())),
        _ => None,
    });
    let mut command = fake.command(&folder, &["run", "-t", "per-job", "job"]);
    let child = folder.start(command.process_group(0));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !ARRIVED.load(Ordering::SeqCst) {
        assert!(std::time::Instant::now() < end, "the job is not uploaded");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    send(libc::SIGINT, child.id());
    let ended = Ended::of(child);
    RELEASED.store(true, Ordering::SeqCst);
    ended.fails(130, &["The job was not submitted: nothing of it runs."]);
    assert!(!fake.all().iter().any(|asked| asked.line_is("POST", "/ws/v1/cluster/apps")));
}

#[test]
fn interrupt_leaves_the_job_running_unless_asked_otherwise() {
    let job = job_id().to_string();
    let (ended, fake) = interrupted(&[]);
    ended.fails(130, &["is left on the cluster", &format!("weir cancel {job}")]);
    assert!(!fake.lines().iter().any(|line| line.starts_with("PATCH")));
    let (ended, fake) = interrupted(&["-sae"]);
    ended.fails(1, &[&format!("Cancelling job {job}."), "was cancelled"]);
    fake.first(&format!("PATCH /proxy/{APPLICATION}/jobs/{job}?mode=cancel"));
}
