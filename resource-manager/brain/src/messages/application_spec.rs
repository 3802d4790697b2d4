//! An application as the resource manager stores it.

use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, ArtifactHash, Resources};
use weir_protocol::cluster::LaunchContext;

/// An application as the resource manager stores it: a `Submission` of `weir_protocol::rest::yarn` that was
/// checked. It adds the user who submitted, the defaults for what the client left out, the words of the command,
/// and the sizes of the files. It leaves out what Weir refuses or ignores.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApplicationSpec {
    /// Its id, from [`Reply::NewApplication`](super::Reply::NewApplication).
    pub application: ApplicationId,
    /// For people; the id if the client gave none.
    pub name: String,
    /// Who submitted it, for people.
    pub user: String,
    /// Its queue: `default`.
    pub queue: String,
    /// For people: `WEIR` for jobs.
    pub application_type: String,
    /// Tags by which clients find it.
    pub tags: Vec<String>,
    /// The largest number of attempts; the cluster may allow fewer. `None` for as many as it allows.
    pub max_attempts: Option<u32>,
    /// Of the app master's container.
    pub resources: Resources,
    /// What runs in it.
    pub launch: LaunchContext,
    /// Artefacts that its other containers use.
    pub artifacts: Vec<ArtifactHash>,
}
