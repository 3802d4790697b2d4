//! Start options of an app master: variables of its container, and the job in a file.

use crate::error::{Error, Result};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};
use weir_base::{AttemptId, ContainerId};
use weir_config::{ConfigValue, Folder};
use weir_protocol::cluster::{self, JOB_FILE, JobSubmission, MAX_BODY_BYTES, variables};

/// Where an app master runs and what it is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of its container; the job lies in it.
    pub folder: PathBuf,
    /// Variables of its container.
    pub environment: BTreeMap<String, String>,
    /// The commit from which the executable was built.
    pub commit: &'static str,
}

impl Options {
    /// As the process was started. The executable knows the commit from which it was built.
    pub fn from_process(commit: &'static str) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            folder: PathBuf::from("."),
            environment: std::env::vars_os().filter_map(text).collect(),
            commit,
        }
    }

    fn text(&self, name: &'static str) -> Result<&str> {
        let missing = || Error::Environment { name, problem: "is not set".to_owned() };
        self.environment.get(name).map(String::as_str).ok_or_else(missing)
    }

    fn folder(&self, name: &'static str) -> Result<Option<Folder>> {
        let text = self.environment.get(name).filter(|text| !text.is_empty());
        let parsed = text.map(|text| Folder::parse(text)).transpose();
        parsed.map_err(|problem| Error::Environment { name, problem })
    }

    fn parsed<T: FromStr<Err: ToString>>(&self, name: &'static str) -> Result<T> {
        parse(name, self.text(name)?)
    }

    fn optional<T: FromStr<Err: ToString>>(&self, name: &'static str) -> Result<Option<T>> {
        self.environment.get(name).map(|text| parse(name, text)).transpose()
    }
}

fn parse<T: FromStr<Err: ToString>>(name: &'static str, text: &str) -> Result<T> {
    let wrong = |error: T::Err| Error::Environment { name, problem: error.to_string() };
    text.parse().map_err(wrong)
}

/// The variables, read.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// `host:port` of the resource manager.
    pub resource_manager: String,
    pub attempt: AttemptId,
    /// Its bearer token.
    pub token: String,
    /// The own container.
    pub container: ContainerId,
    /// Name or address of the own node.
    pub node_host: String,
    /// Folder that all nodes reach, where the cluster has one.
    pub storage: Option<Folder>,
    /// Folder of the container.
    pub folder: PathBuf,
    /// When the application was submitted, in milliseconds since 1970. `None` if the resource manager is of a
    /// release that does not say it.
    pub submitted_ms: Option<u64>,
    /// The commit from which the executable was built.
    pub commit: &'static str,
}

impl Assignment {
    /// Reads the variables.
    ///
    /// # Errors
    /// One is missing or senseless.
    pub fn of(options: &Options) -> Result<Self> {
        let attempt = options.parsed(variables::APPLICATION_ATTEMPT)?;
        Ok(Self {
            resource_manager: options.text(variables::RESOURCE_MANAGER)?.to_owned(),
            attempt,
            token: options.text(variables::APPLICATION_TOKEN)?.to_owned(),
            container: options.parsed(variables::CONTAINER_ID)?,
            node_host: options.text(variables::NODE_HOST)?.to_owned(),
            storage: options.folder(variables::STORAGE_DIR)?,
            folder: options.folder.clone(),
            submitted_ms: options.optional(variables::APPLICATION_SUBMIT_TIME)?,
            commit: options.commit,
        })
    }

    /// Reads the job.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn submission(&self) -> Result<JobSubmission> {
        let path = self.folder.join(JOB_FILE);
        let submission = read(&path).map_err(|problem| Error::Submission { path, problem })?;
        Ok(submission)
    }
}

fn read(path: &Path) -> std::result::Result<JobSubmission, String> {
    let size_bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size_bytes > MAX_BODY_BYTES as u64 {
        return Err(format!("it has {size_bytes} bytes, at most {MAX_BODY_BYTES} are allowed"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let submission: JobSubmission = cluster::decode(&bytes).map_err(|error| error.to_string())?;
    check_edges(&submission)?;
    Ok(submission)
}

/// The edges of a graph lead from lower to higher node numbers, and both nodes exist. The planner relies on it.
fn check_edges(submission: &JobSubmission) -> std::result::Result<(), String> {
    let graph = &submission.stream_graph;
    let nodes = graph.nodes.len();
    for edge in &graph.edges {
        let (from, to) = (edge.from.index(), edge.to.index());
        if from >= to || to >= nodes {
            return Err(format!("an edge leads from operator {from} to {to} of {nodes}"));
        }
    }
    let follows = |node: &weir_graph::StreamNode| node.parallelism_of;
    match graph.nodes.iter().filter_map(follows).find(|node| node.index() >= nodes) {
        Some(node) => Err(format!("an operator follows operator {} of {nodes}", node.index())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        let variables = [
            (variables::RESOURCE_MANAGER, "127.0.0.1:1"),
            (variables::APPLICATION_ATTEMPT, "appattempt_5_0001_000002"),
            (variables::APPLICATION_TOKEN, "appattempt_5_0001_000002.ab"),
            (variables::CONTAINER_ID, "container_5_0001_02_000001"),
            (variables::NODE_HOST, "127.0.0.1"),
        ];
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let folder = PathBuf::from("/nowhere");
        Options { folder, environment: environment.into(), commit: "abc1234" }
    }

    #[test]
    fn variables_are_read_and_a_missing_or_invalid_one_is_named() {
        let assignment = Assignment::of(&options()).expect("complete");
        assert_eq!(assignment.attempt.number, 2);
        assert_eq!(assignment.container.sequence, 1);
        assert_eq!(assignment.storage, None);
        for name in options().environment.keys() {
            let mut options = options();
            options.environment.remove(name);
            let error = Assignment::of(&options).expect_err(name);
            assert_eq!(error.code(), "WEIR-AM-0001");
            assert!(error.to_string().contains(name), "{error}");
        }
        let mut other_storage = options();
        other_storage.environment.insert(variables::STORAGE_DIR.to_owned(), "s3://b".to_owned());
        let error = Assignment::of(&other_storage).expect_err("not a folder").to_string();
        assert!(error.contains(variables::STORAGE_DIR) && error.contains("s3"), "{error}");
        let mut timed = options();
        let name = variables::APPLICATION_SUBMIT_TIME.to_owned();
        timed.environment.insert(name.clone(), "1763640000000".to_owned());
        let submitted_ms = Assignment::of(&timed).expect("complete").submitted_ms;
        assert_eq!((assignment.submitted_ms, submitted_ms), (None, Some(1_763_640_000_000)));
        timed.environment.insert(name.clone(), "yesterday".to_owned());
        let error = Assignment::of(&timed).expect_err("no time").to_string();
        assert!(error.contains(&name), "{error}");
        let mut options = options();
        options.environment.insert(variables::CONTAINER_ID.to_owned(), "../x".to_owned());
        let error = Assignment::of(&options).expect_err("no container").to_string();
        assert!(error.contains("CONTAINER_ID") && error.contains("../x"), "{error}");
    }

    #[test]
    fn job_that_is_missing_or_damaged_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut assignment = Assignment::of(&options()).expect("complete");
        assignment.folder = folder.path().to_owned();
        assert_eq!(assignment.submission().expect_err("missing").code(), "WEIR-AM-0002");
        for bytes in [&b""[..], b"\xc1", b"{}", &[0xdf, 0xff, 0xff, 0xff, 0xff]] {
            fs::write(folder.path().join(JOB_FILE), bytes).expect("written");
            let error = assignment.submission().expect_err("damaged");
            assert_eq!(error.code(), "WEIR-AM-0002");
            assert!(error.to_string().contains(JOB_FILE), "{error}");
        }
    }
}
