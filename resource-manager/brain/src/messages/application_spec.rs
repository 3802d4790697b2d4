//! An application as the resource manager stores it.

use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, ArtifactHash, Resources};
use weir_protocol::cluster::LaunchContext;

/// An application as the resource manager stores it: a `Submission` of `weir_protocol::rest::yarn` that was
/// checked. It adds the submitting user, the defaults of what the client left out, the arguments of the command,
/// and the sizes of the files. It leaves out what Weir refuses or ignores.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApplicationSpec {
    /// Its id, from [`Reply::NewApplication`](super::Reply::NewApplication).
    pub application: ApplicationId,
    /// Name, as it is shown; the id if the client gave none.
    pub name: String,
    /// The submitting user, as it is shown.
    pub user: String,
    /// Its queue: `default`.
    pub queue: String,
    /// Type, as it is shown: `WEIR` for jobs.
    pub application_type: String,
    /// Tags by which clients find it.
    pub tags: Vec<String>,
    /// The largest number of attempts; the cluster may allow fewer. `None` for as many as it allows.
    pub max_attempts: Option<u32>,
    /// Resources of the app master's container.
    pub resources: Resources,
    /// Its command.
    pub launch: LaunchContext,
    /// Artefacts that its other containers use.
    pub artifacts: Vec<ArtifactHash>,
}
