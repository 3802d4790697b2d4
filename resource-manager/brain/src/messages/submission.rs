//! An application as a client submits it.

use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, ArtifactHash, Resources};
use weir_protocol::cluster::LaunchContext;

/// An application as a client submits it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Submission {
    /// Its id, from [`Reply::NewApplication`](super::Reply::NewApplication).
    pub application: ApplicationId,
    /// Its name, for people.
    pub name: String,
    /// Whose it is, for people.
    pub user: String,
    /// Its queue: `default`.
    pub queue: String,
    /// Its kind, for people: `WEIR`.
    pub application_type: String,
    /// Tags, for people and for clients that look for theirs.
    pub tags: Vec<String>,
    /// Attempts at most; `None` for as many as the cluster allows, which is the limit anyway.
    pub max_attempts: Option<u32>,
    /// Of the app master's container.
    pub resources: Resources,
    /// What runs there.
    pub launch: LaunchContext,
    /// Artefacts that its other containers use.
    pub artifacts: Vec<ArtifactHash>,
}
