//! `/proxy-node/{node}/ws/v1/node/…`: the REST interface of a node agent, read through the resource manager. So a
//! page or command line that can reach the resource manager can read the logs of every container.
//!
//! Only registered nodes, only reading requests, and only the public paths of an agent are allowed. The answer may
//! contain bytes that a container has written, so no browser may run them (`Content-Security-Policy: sandbox`).

use super::{
    State, forward,
    forward::{Target, is_changing},
};
use crate::error::codes;
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Path, Payload, ServiceConfig},
};
use weir_base::NodeId;
use weir_service::ApiError;

const PUBLIC: &str = "/ws/v1/node";
const SANDBOX: &str = "sandbox";

pub fn configure(config: &mut ServiceConfig) {
    config.route("/proxy-node/{node}/{tail:.*}", web::to(read));
}

async fn read(
    request: HttpRequest,
    state: Data<State>,
    path: Path<(String, String)>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let (node, tail) = path.into_inner();
    if is_changing(request.method()) {
        let problem = format!("node {node} can only be read through the resource manager");
        return Err(ApiError::new(405, codes::READ_ONLY, problem));
    }
    let node = NodeId(node);
    let view = state.handle.recent_snapshot().await;
    if view.node(&node).is_none() {
        let problem = format!("node {node} is not registered here");
        return Err(ApiError::not_found(codes::NOT_FOUND, problem));
    }
    let path_and_query = forward::behind(&request, &format!("/proxy-node/{node}"), &tail);
    let url = forward::url(&node.0, &path_and_query);
    // Check the outgoing URL, in which all dot segments are resolved.
    let url = url.filter(|url| is_public(url.path())).ok_or_else(|| {
        let problem = format!("only paths below {PUBLIC}/ can be read on node {node}");
        ApiError::not_found(codes::NOT_FOUND, problem)
    })?;
    let target = Target { url, bearer: None };
    let response = forward::send(&state.forwarder, target, &request, payload).await;
    let response = response.map_err(|_| {
        let problem = format!("the agent of node {node} does not answer; try again");
        ApiError::unavailable(codes::NO_ANSWER, problem)
    })?;
    Ok(forward::answer(request.method(), response, SANDBOX))
}

fn is_public(path: &str) -> bool {
    path.strip_prefix(PUBLIC).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_paths_of_an_agent_are_reached() {
        let goes_out = |path: &str| {
            let url = forward::url("127.0.0.1:1", path).expect("a URL");
            is_public(url.path())
        };
        for path in ["/ws/v1/node", "/ws/v1/node/apps?state=x", "/ws/v1/node/containers/a/../b"] {
            assert!(goes_out(path), "{path}");
        }
        for path in ["/", "/ws/v1/nodes", "/ws/v1/node/../../x", "/ws/v1/node/%2e%2e/%2E./x"] {
            assert!(!goes_out(path), "{path}");
        }
    }
}
