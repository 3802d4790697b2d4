//! Makes an application of a job graph and submits it.

use super::patience::until_answered;
use super::ship::{Shipped, artifact_path};
use crate::jobs;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, not_weir, other_release};
use crate::user;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use weir_base::{ApplicationId, ArtifactHash, JobId};
use weir_config::{Config, keys};
use weir_graph::{Fingerprint, StreamGraph};
use weir_protocol::cluster::{self, JOB_FILE, JobSubmission, RecordedResult};
use weir_protocol::rest::yarn::{
    ARTIFACT_SCHEME, ClusterInfoAnswer, Commands, ContainerSpec, Entry, Environment, LocalResource,
    LocalResourceEntry, LocalResources, NewApplication, Resource, Submission, Tags,
};
use weir_service::CallError;

const MIB: u64 = 1 << 20;
/// Variables that an app master takes over from the submitter.
const PASSED_ON: [&str; 2] = ["WEIR_LOG", "RUST_BACKTRACE"];

/// A job as the program built it.
#[derive(Debug)]
pub struct Graph {
    /// Index of the `execute()` call, from 0.
    pub ordinal: u32,
    pub stream_graph: Box<StreamGraph>,
    pub fingerprint: Fingerprint,
    pub plan_json: String,
    /// Its configuration, with what the code of the program has set.
    pub config: Config,
}

/// Values that are the same for every job of a program.
#[derive(Debug)]
pub struct Origin {
    /// The configuration that `main` was started with.
    pub launch_config: Config,
    /// Arguments of `main`.
    pub arguments: Vec<OsString>,
    /// Where it was started.
    pub working_directory: String,
}

/// A job that was submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Submitted {
    pub application: ApplicationId,
    pub job: JobId,
}

/// Refuses a resource manager that is not ours, or of a release too far from this one.
pub fn check_release(remote: &Remote) -> Result<(), Problem> {
    let info: ClusterInfoAnswer = remote.get(&format!("{CLUSTER}/info"))?;
    let (theirs, ours) = (info.cluster_info.weir_version, env!("CARGO_PKG_VERSION"));
    if theirs.is_empty() {
        return Err(not_weir(remote.address()));
    }
    match are_close(&theirs, ours) {
        true => Ok(()),
        false => Err(other_release(remote.address(), &theirs)),
    }
}

/// Whether two releases differ by one minor number at most.
fn are_close(one: &str, other: &str) -> bool {
    let numbers = |release: &str| {
        let mut parts = release.split('.').map(|part| part.parse::<u32>().ok());
        Some((parts.next()??, parts.next()??))
    };
    match (numbers(one), numbers(other)) {
        (Some((major, minor)), Some((other_major, other_minor))) => {
            major == other_major && minor.abs_diff(other_minor) <= 1
        }
        _ => false,
    }
}

/// Asks for the id of an application to come, which takes the token.
pub fn new_application(remote: &Remote) -> Result<NewApplication, Problem> {
    let path = format!("{CLUSTER}/apps/new-application");
    let post = || remote.try_change(Method::POST, &path, &json!({}));
    until_answered(remote, post).map_err(|error| remote.problem(error))
}

/// Brings a job to the cluster; gives what is to be submitted under this id.
pub fn prepare(
    remote: &Remote,
    application: ApplicationId,
    graph: Graph,
    origin: &Origin,
    (shipped, earlier): (&Shipped, &[RecordedResult]),
) -> Result<(JobId, Submission), Problem> {
    let job = JobId::of_text(&format!("{application}:{}", graph.ordinal));
    let (name, config) = (graph.stream_graph.name.clone(), graph.config.clone());
    let submission = job_submission(job, graph, origin, (shipped, earlier));
    let bytes = cluster::encode(&submission);
    let (hash, size) = (ArtifactHash(Sha256::digest(&bytes).into()), bytes.len() as u64);
    let path = artifact_path(hash);
    until_answered(remote, || remote.put_bytes(&path, bytes.clone()))
        .map_err(|error| remote.problem(error))?;
    let submission = Submission {
        application_id: application,
        application_name: config.get_optional(&keys::APPLICATION_NAME).unwrap_or(name),
        queue: String::new(),
        priority: 0,
        am_container_spec: container(shipped, hash, size),
        unmanaged_am: false,
        max_app_attempts: config.get_optional(&keys::APPLICATION_ATTEMPTS).unwrap_or(0),
        resource: Resource {
            memory: config.get(&keys::APP_MASTER_MEMORY).bytes().div_ceil(MIB),
            vcores: config.get(&keys::APP_MASTER_VCORES),
        },
        application_type: jobs::APPLICATION_TYPE.to_owned(),
        keep_containers_across_application_attempts: false,
        application_tags: Tags { tag: vec![jobs::tag_of(job)] },
        weir_artifacts: vec![shipped.weir.hash, shipped.executable.hash, hash],
    };
    Ok((job, submission))
}

/// Submits a job that was prepared.
pub fn submit(remote: &Remote, job: JobId, submission: &Submission) -> Result<Submitted, Problem> {
    let application = submission.application_id;
    let path = format!("{CLUSTER}/apps?user.name={}", user::in_query(&user::name()));
    let post = || remote.try_change::<_, Value>(Method::POST, &path, submission).map(drop);
    match until_answered(remote, post) {
        Ok(()) => Ok(Submitted { application, job }),
        Err(error) if error.is_passing() => Err(perhaps_submitted(application, &error)),
        Err(error) => Err(remote.problem(error)),
    }
}

/// The resource manager may have taken it, and then runs it.
fn perhaps_submitted(application: ApplicationId, error: &CallError) -> Problem {
    let what = format!("it is not known whether {application} was submitted: {error}");
    Problem::failure("WEIR-CLI-0213", what).help(format!(
        "the job may be running; when the resource manager answers again, `weir application status \
         {application}` shows whether it does"
    ))
}

fn job_submission(
    job: JobId,
    graph: Graph,
    origin: &Origin,
    (shipped, earlier): (&Shipped, &[RecordedResult]),
) -> JobSubmission {
    JobSubmission {
        job,
        ordinal: graph.ordinal,
        stream_graph: *graph.stream_graph,
        fingerprint: graph.fingerprint,
        plan_json: graph.plan_json,
        configuration: graph.config.to_json(),
        launch_configuration: origin.launch_config.to_json(),
        weir: shipped.weir.clone(),
        executable: shipped.executable.clone(),
        arguments: origin.arguments.iter().map(|word| word.as_bytes().to_vec()).collect(),
        working_directory: origin.working_directory.clone(),
        earlier: earlier.to_vec(),
    }
}

/// The container of the app master: `weir` and the job.
fn container(shipped: &Shipped, job: ArtifactHash, job_bytes: u64) -> ContainerSpec {
    let file = |name: &str, hash: ArtifactHash, size: u64, executable| LocalResourceEntry {
        key: name.to_owned(),
        value: LocalResource {
            resource: format!("{ARTIFACT_SCHEME}{hash}"),
            kind: "FILE".to_owned(),
            visibility: "APPLICATION".to_owned(),
            size,
            timestamp: 0,
            executable,
        },
    };
    let passed = |name: &str| Some(Entry::new(name, std::env::var(name).ok()?));
    ContainerSpec {
        local_resources: LocalResources {
            entry: vec![
                file("weir", shipped.weir.hash, shipped.weir.size_bytes, true),
                file(JOB_FILE, job, job_bytes, false),
            ],
        },
        environment: Environment { entry: PASSED_ON.into_iter().filter_map(passed).collect() },
        commands: Commands { command: "./weir app-master".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> CallError {
        CallError::Unreachable { address: "127.0.0.1:1".to_owned(), problem: "reset".to_owned() }
    }

    #[test]
    fn submission_without_an_answer_names_the_application_that_may_run() {
        let id = ApplicationId::default();
        let problem = perhaps_submitted(id, &unreachable());
        assert!(problem.what.contains(&id.to_string()), "{}", problem.what);
        let help = problem.help.expect("what to do");
        assert!(help.contains(&format!("weir application status {id}")), "{help}");
    }

    #[test]
    fn releases_may_differ_by_one() {
        for (one, other, close) in [
            ("0.1.0", "0.1.7", true),
            ("0.1.0", "0.2.0", true),
            ("0.1.0", "0.3.0", false),
            ("1.0.0", "0.9.0", false),
            ("3.3.6-SNAPSHOT", "3.3.6", true),
            ("new", "0.1.0", false),
        ] {
            assert_eq!(are_close(one, other), close, "{one} {other}");
        }
    }
}
