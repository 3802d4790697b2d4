//! Makes an application of a job graph and submits it.

use super::ship::{Shipped, artifact_path};
use crate::jobs;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, not_weir, other_release};
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

const MIB: u64 = 1 << 20;
/// Variables that an app master takes over from the submitter.
const PASSED_ON: [&str; 2] = ["WEIR_LOG", "RUST_BACKTRACE"];

/// A job as the program built it.
#[derive(Debug)]
pub struct Graph {
    /// Which `execute()`, from 0.
    pub ordinal: u32,
    /// The graph.
    pub stream_graph: Box<StreamGraph>,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its plan.
    pub plan_json: String,
}

/// What is the same for every job of a program.
#[derive(Debug)]
pub struct Origin {
    /// The effective configuration.
    pub config: Config,
    /// What `main` got.
    pub arguments: Vec<OsString>,
    /// Where it was started.
    pub working_directory: String,
}

/// A job that was submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Submitted {
    /// Its application.
    pub application: ApplicationId,
    /// It.
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
    remote.change(Method::POST, &format!("{CLUSTER}/apps/new-application"), &json!({}))
}

/// Submits a job under this id.
pub fn submit(
    remote: &Remote,
    application: ApplicationId,
    graph: Graph,
    origin: &Origin,
    (shipped, earlier): (&Shipped, &[RecordedResult]),
) -> Result<Submitted, Problem> {
    let job = JobId::of_text(&format!("{application}:{}", graph.ordinal));
    let name = graph.stream_graph.name.clone();
    let submission = job_submission(job, graph, origin, (shipped, earlier));
    let bytes = cluster::encode(&submission);
    let (hash, size) = (ArtifactHash(Sha256::digest(&bytes).into()), bytes.len() as u64);
    remote.put_bytes(&artifact_path(hash), bytes)?;
    let body = Submission {
        application_id: application,
        application_name: origin.config.get_optional(&keys::APPLICATION_NAME).unwrap_or(name),
        queue: String::new(),
        priority: 0,
        am_container_spec: container(shipped, hash, size),
        unmanaged_am: false,
        max_app_attempts: origin.config.get_optional(&keys::APPLICATION_ATTEMPTS).unwrap_or(0),
        resource: Resource {
            memory: origin.config.get(&keys::APP_MASTER_MEMORY).bytes().div_ceil(MIB),
            vcores: origin.config.get(&keys::APP_MASTER_VCORES),
        },
        application_type: jobs::APPLICATION_TYPE.to_owned(),
        keep_containers_across_application_attempts: false,
        application_tags: Tags { tag: vec![jobs::tag_of(job)] },
        weir_artifacts: vec![shipped.weir.hash, shipped.executable.hash, hash],
    };
    remote.change::<_, Value>(Method::POST, &format!("{CLUSTER}/apps"), &body)?;
    Ok(Submitted { application, job })
}

fn job_submission(
    job: JobId,
    graph: Graph,
    origin: &Origin,
    (shipped, earlier): (&Shipped, &[RecordedResult]),
) -> JobSubmission {
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    JobSubmission {
        job,
        ordinal: graph.ordinal,
        stream_graph: *graph.stream_graph,
        fingerprint: graph.fingerprint,
        plan_json: graph.plan_json,
        configuration: origin.config.entries().map(owned).collect(),
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
