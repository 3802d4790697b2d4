//! An application as the resource manager stores it.

use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, ArtifactHash, Resources};
use weir_protocol::cluster::LaunchContext;

/// An application as the resource manager stores it: a checked `Submission` of `weir_protocol::rest::yarn`. It adds
/// the user, the defaults of omitted fields, the arguments of the command, and the sizes of the files. It omits
/// fields that Weir refuses or ignores.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApplicationSpec {
    /// Its id, from [`Reply::NewApplication`](super::Reply::NewApplication).
    pub application: ApplicationId,
    /// For display. The default is the id.
    pub name: String,
    /// The user who submitted it, for display.
    pub user: String,
    /// Always `default`.
    pub queue: String,
    /// For display: `WEIR` for jobs.
    pub application_type: String,
    /// Tags by which clients search.
    pub tags: Vec<String>,
    /// The largest number of attempts. The cluster may allow fewer. `None` means the limit of the cluster.
    pub max_attempts: Option<u32>,
    /// Size of the app master's container.
    pub resources: Resources,
    /// The process in the app master's container.
    pub launch: LaunchContext,
    /// Artefacts for its other containers.
    pub artifacts: Vec<ArtifactHash>,
}
