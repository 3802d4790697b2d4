//! The resource manager of a cluster, as the command line sees it: calls that block, and errors that say
//! what to do.
//!
//! ```text
//! flags, configuration, data folder ──▶ locate ──▶ Target {address, token} ──▶ Remote ──▶ answers, problems
//! ```
//!
//! All calls of one [`Remote`] use the same connection. It needs no separate thread.

mod locate;
mod problem;

pub use locate::{Target, checked_address, default_data_dir, without_scheme};
pub use problem::{
    call_problem, no_application, no_token, not_weir, other_release, runtime_problem,
};

use crate::problem::Problem;
use reqwest::{Method, header::ETAG};
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use weir_base::ApplicationId;
use weir_service::{CallError, Client};

/// Where the resource manager has its REST interface.
pub const CLUSTER: &str = "/ws/v1/cluster";

/// How long an answer may take that is not held back.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Answer to a request for a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextAnswer {
    /// It was read to its end.
    Read {
        /// The tag of its file.
        tag: Option<String>,
    },
    /// Another file has this name now.
    Other,
}

/// A resource manager, or what is reached through it.
pub struct Remote {
    runtime: Runtime,
    client: Client,
    target: Target,
}

impl Remote {
    /// A way to it; nothing is sent yet.
    pub fn new(target: Target) -> Result<Self, Problem> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|e| runtime_problem(&e))?;
        let client = match &target.token {
            Some(token) => Client::with_bearer(token),
            None => Client::new(),
        };
        Ok(Self { runtime, client, target })
    }

    /// Another way to the same one, for another thread.
    pub fn again(&self) -> Result<Self, Problem> {
        Self::new(self.target.clone())
    }

    /// Its `host:port`.
    pub fn address(&self) -> &str {
        &self.target.address
    }

    /// A question that changes nothing.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        self.ask(Method::GET, path, None::<&()>, ANSWER_TIMEOUT).map_err(|e| self.problem(e))
    }

    /// A question whose answer the server may hold back for this time.
    pub fn get_held<T: DeserializeOwned>(
        &self,
        path: &str,
        hold: Duration,
    ) -> Result<T, CallError> {
        self.ask(Method::GET, path, None::<&()>, hold + ANSWER_TIMEOUT)
    }

    /// Something that changes the cluster, which takes a token.
    pub fn change<A: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &A,
    ) -> Result<T, Problem> {
        self.try_change(method, path, body).map_err(|error| self.problem(error))
    }

    /// The same, for a caller who knows what a refusal means.
    pub fn try_change<A: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &A,
    ) -> Result<T, CallError> {
        self.ask(method, path, Some(body), ANSWER_TIMEOUT)
    }

    /// Whether there is something at a path.
    pub fn has(&self, path: &str) -> Result<bool, CallError> {
        let head = self.client.head(self.address(), path);
        match self.runtime.block_on(head)? {
            200..=299 => Ok(true),
            404 => Ok(false),
            // The upload that follows is refused with a reason.
            _ => Ok(false),
        }
    }

    /// Uploads a file; `on_sent` gets the number of bytes of each piece.
    pub fn put_file(
        &self,
        path: &str,
        file: &Path,
        on_sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<(), CallError> {
        self.runtime.block_on(self.client.put_file(self.address(), path, file, on_sent))
    }

    /// Uploads bytes.
    pub fn put_bytes(&self, path: &str, bytes: Vec<u8>) -> Result<(), CallError> {
        self.runtime.block_on(self.client.put_bytes(self.address(), path, bytes))
    }

    /// A text, piece by piece as it comes; for answers that are no JSON. With a tag, only of the file
    /// that has it.
    pub fn get_text(
        &self,
        path: &str,
        tag: Option<&str>,
        on_piece: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<TextAnswer, CallError> {
        self.runtime.block_on(self.text(path, tag, on_piece))
    }

    async fn text(
        &self,
        path: &str,
        tag: Option<&str>,
        mut on_piece: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<TextAnswer, CallError> {
        let unreachable = |error: reqwest::Error| CallError::Unreachable {
            address: self.address().to_owned(),
            problem: crate::problem::with_causes(&error),
        };
        let url = format!("http://{}{path}", self.address());
        let mut response = self.client.raw().get(url).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            let status = response.status().as_u16();
            let body = response.text().await.unwrap_or_default();
            return Err(problem::refusal(self.address(), status, &body));
        }
        let found = response.headers().get(ETAG).and_then(|value| value.to_str().ok());
        let found = found.map(str::to_owned);
        if tag.is_some() && found.as_deref() != tag {
            return Ok(TextAnswer::Other);
        }
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            // Only standard output can be the problem.
            on_piece(&piece).map_err(|problem| CallError::File { problem: problem.what })?;
        }
        Ok(TextAnswer::Read { tag: found })
    }

    /// The error as its reader sees it.
    pub fn problem(&self, error: CallError) -> Problem {
        call_problem(&self.target, error)
    }

    fn ask<A: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&A>,
        timeout: Duration,
    ) -> Result<T, CallError> {
        let call = self.client.json(method, self.address(), path, body, timeout);
        self.runtime.block_on(call)
    }
}

/// The path of an application at the resource manager.
pub fn application_path(id: ApplicationId) -> String {
    format!("{CLUSTER}/apps/{id}")
}

/// The path by which an application's app master is reached through the resource manager.
pub fn proxy_path(id: ApplicationId) -> String {
    format!("/proxy/{id}")
}
