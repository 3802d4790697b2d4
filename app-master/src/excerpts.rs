//! The end of a container's log, fetched from its agent when something in it has failed.

use crate::{leases::Leases, observed::Observed};
use futures::{StreamExt, stream::FuturesUnordered};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinHandle;
use weir_base::{ContainerId, ExecutionAttempt, NodeId};
use weir_graph::TaskId;
use weir_service::Client;

/// Size of a log excerpt that is kept with a failure.
const EXCERPT_BYTES: usize = 2048;
/// The last words of a process go through its task manager first.
const HEAD_START: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches excerpts beside everything else. One that cannot be had is not missed.
pub struct Excerpts {
    client: Client,
    leases: Arc<dyn Leases>,
    observed: Observed,
    under_way: Mutex<Vec<JoinHandle<()>>>,
}

impl Excerpts {
    /// Excerpts of containers that were leased from here.
    pub fn new(leases: Arc<dyn Leases>, observed: Observed) -> Self {
        Self { client: Client::new(), leases, observed, under_way: Mutex::default() }
    }

    /// A task has failed in this container.
    pub fn fetch(&self, task: TaskId, attempt: ExecutionAttempt, container: ContainerId) {
        let Some(held) = self.leases.of(container) else { return };
        let (client, observed) = (self.client.clone(), self.observed.clone());
        let fetching = tokio::spawn(async move {
            tokio::time::sleep(HEAD_START).await;
            let fetched =
                tokio::time::timeout(PATIENCE, end_of_log(&client, &held.node, container));
            let text = fetched.await.ok().flatten().unwrap_or_default();
            observed.excerpt(task, attempt, text);
        });
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|fetching| !fetching.is_finished());
        under_way.push(fetching);
    }

    /// Waits until all that are under way have come, or cannot.
    pub async fn settled(&self) {
        let under_way =
            std::mem::take(&mut *self.under_way.lock().unwrap_or_else(PoisonError::into_inner));
        let mut under_way: FuturesUnordered<_> = under_way.into_iter().collect();
        while under_way.next().await.is_some() {}
    }
}

async fn end_of_log(client: &Client, node: &NodeId, container: ContainerId) -> Option<String> {
    let url = format!(
        "http://{node}/ws/v1/node/containers/{container}/logs/stderr?size=-{EXCERPT_BYTES}"
    );
    let response = client.raw().get(url).send().await.ok()?;
    if !response.status().is_success() {
        return None;
    }
    let mut pieces = response.bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(piece)) = pieces.next().await {
        text.extend_from_slice(&piece);
        if text.len() > 8 * EXCERPT_BYTES {
            break;
        }
    }
    let from = text.len().saturating_sub(EXCERPT_BYTES);
    Some(String::from_utf8_lossy(&text[from..]).into_owned())
}
