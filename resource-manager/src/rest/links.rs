//! Addresses in answers. All of them point to the resource manager, with the host name that the caller used.

use actix_web::{HttpRequest, http::header::HOST};
use weir_base::{ApplicationId, ContainerId, NodeId};

/// Creates addresses for one caller.
pub struct Links(String);

impl Links {
    /// Uses the `Host` of the request, which was checked before.
    pub fn of(request: &HttpRequest) -> Self {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        Self(format!("http://{}", host.unwrap_or("localhost")))
    }

    /// The web page of an application.
    pub fn proxy(&self, application: ApplicationId) -> String {
        format!("{}/proxy/{application}/", self.0)
    }

    /// An application in YARN's REST interface.
    pub fn application(&self, application: ApplicationId) -> String {
        format!("{}/ws/v1/cluster/apps/{application}", self.0)
    }

    /// The logs of a container.
    pub fn logs(&self, node: &NodeId, container: ContainerId) -> String {
        format!("{}/proxy-node/{node}/ws/v1/node/containers/{container}/logs", self.0)
    }
}
