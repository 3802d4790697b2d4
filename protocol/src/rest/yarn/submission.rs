//! Requests of a client that start an application.

use super::{Entry, Resource, list::one_or_many};
use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, ArtifactHash};

/// Prefix of the hash in [`LocalResource::resource`].
pub const ARTIFACT_SCHEME: &str = "artifact:";

/// Answer to `POST /apps/new-application`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct NewApplication {
    /// To be named in the submission.
    #[cfg_attr(test, ts(type = "string"))]
    pub application_id: ApplicationId,
    /// The largest container that a node could hold now; 0 while there is no node.
    #[serde(default)]
    pub maximum_resource_capability: Resource,
}

/// Body of `POST /apps`, in YARN's shape. The resource manager checks it and stores an `ApplicationSpec`.
///
/// Weir adds `executable` in a local resource and `weir-artifacts`. What it does not know is ignored,
/// as YARN does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct Submission {
    /// As given out by `new-application`.
    #[cfg_attr(test, ts(type = "string"))]
    pub application_id: ApplicationId,
    /// Its name, as it is shown.
    #[serde(default)]
    pub application_name: String,
    /// Its queue; `default` when empty.
    #[serde(default)]
    pub queue: String,
    /// Larger numbers first, among applications of a queue.
    #[serde(default)]
    pub priority: i32,
    /// The command to run.
    pub am_container_spec: ContainerSpec,
    /// Whether the app master runs outside of the cluster, which Weir refuses.
    #[serde(default, rename = "unmanaged-AM")]
    pub unmanaged_am: bool,
    /// The highest number of attempts; 0 for as many as the cluster allows.
    #[serde(default)]
    pub max_app_attempts: u32,
    /// Resources of the app master's container.
    #[serde(default)]
    pub resource: Resource,
    /// Its kind: `WEIR` for jobs.
    #[serde(default)]
    pub application_type: String,
    /// Whether containers outlive the attempt that leased them, which Weir refuses.
    #[serde(default)]
    pub keep_containers_across_application_attempts: bool,
    /// Words by which it is found.
    #[serde(default)]
    pub application_tags: Tags,
    /// Artefacts that its containers will use, and that so are kept until it has ended.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "Array<string>"))]
    pub weir_artifacts: Vec<ArtifactHash>,
}

/// A command with its environment and files.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "kebab-case")]
pub struct ContainerSpec {
    /// Files put into its folder first.
    pub local_resources: LocalResources,
    /// Variables.
    pub environment: Environment,
    pub commands: Commands,
}

/// The files of a container.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct LocalResources {
    #[serde(deserialize_with = "one_or_many")]
    pub entry: Vec<LocalResourceEntry>,
}

/// A file with its name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LocalResourceEntry {
    /// Its name in the folder: one path component.
    pub key: String,
    /// Where it comes from.
    pub value: LocalResource,
}

/// A file to be put into a container's folder.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LocalResource {
    /// [`ARTIFACT_SCHEME`] and the hash of a file that was uploaded.
    pub resource: String,
    /// `FILE`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// `APPLICATION`; every file is shared by its content anyway.
    #[serde(default)]
    pub visibility: String,
    /// In bytes; 0 when the client does not know.
    #[serde(default)]
    pub size: u64,
    /// YARN compares it with the file's; a hash needs none.
    #[serde(default)]
    pub timestamp: u64,
    /// Whether it may be run.
    #[serde(default)]
    pub executable: bool,
}

/// The variables of a container.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Environment {
    #[serde(deserialize_with = "one_or_many")]
    pub entry: Vec<Entry>,
}

/// The command of a container.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Commands {
    /// Its words, split at white space: there is no shell.
    pub command: String,
}

/// Tags by which an application is found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Tags {
    #[serde(deserialize_with = "one_or_many")]
    pub tag: Vec<String>,
}
