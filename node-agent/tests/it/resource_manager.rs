//! A resource manager whose answers the test sets.

use actix_web::{
    HttpResponse,
    web::{self, Data, Path},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};
use weir_base::ContainerId;
use weir_protocol::cluster::{
    ContainerReport, LeaveNode, NodeAction, NodeHeartbeat, NodeLeft, NodeOrders, NodeRegistered,
    RegisterNode,
};
use weir_service::{ErrorStyle, Msgpack, ServerConfig, bind};

/// State and answers of the resource manager.
#[derive(Default)]
pub struct State {
    pub registrations: Vec<RegisterNode>,
    pub last: Option<NodeHeartbeat>,
    pub left: Vec<LeaveNode>,
    /// Sent once, in the answer to the next heartbeat.
    pub orders: Option<NodeOrders>,
    /// Path → content; the content may differ from the hash in the path.
    pub artifacts: BTreeMap<String, Vec<u8>>,
    pub downloads: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Notify,
}

/// The resource manager; ends when dropped.
pub struct ResourceManager {
    shared: Arc<Shared>,
    pub address: String,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub fn no_orders() -> NodeOrders {
    NodeOrders {
        sequence: 0,
        action: NodeAction::Normal,
        launch: vec![],
        kill: vec![],
        forget: vec![],
        ended: vec![],
    }
}

impl ResourceManager {
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let (address_sender, address) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let state = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let config = ServerConfig {
                    name: "the resource manager",
                    bind: ([127, 0, 0, 1], 0).into(),
                    error_style: ErrorStyle::Yarn,
                    allowed_hosts: vec![],
                    workers: 1,
                };
                let server = bind(config, move |service| {
                    service
                        .app_data(Data::from(Arc::clone(&state)))
                        .route("/internal/v1/nodes/register", web::post().to(register))
                        .route("/internal/v1/nodes/heartbeat", web::post().to(heartbeat))
                        .route("/internal/v1/nodes/leave", web::post().to(leave))
                        .route("/ws/v1/cluster/artifacts/{hash}", web::get().to(artifact));
                });
                let server = server.expect("a port");
                address_sender.send(server.address().to_string()).expect("the test waits");
                let _ = ended.await;
                server.stop().await;
            });
        });
        let address = address.recv().expect("it listens");
        Self { shared, address, end: Some(end), thread: Some(thread) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no panic")
    }

    /// Sends this in the next answer.
    pub fn order(&self, orders: NodeOrders) {
        self.state().orders = Some(orders);
        self.shared.news.notify_waiters();
    }

    /// The container as last reported.
    pub fn report(&self, id: ContainerId) -> Option<ContainerReport> {
        let state = self.state();
        let reports = &state.last.as_ref()?.containers;
        reports.iter().find(|report| report.container == id).cloned()
    }
}

impl Drop for ResourceManager {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn register(
    shared: Data<Shared>,
    Msgpack(request): Msgpack<RegisterNode>,
) -> Msgpack<NodeRegistered> {
    shared.state.lock().expect("no panic").registrations.push(request);
    Msgpack(NodeRegistered { heartbeat_interval_ms: 200, expiry_ms: 10_000 })
}

/// Like the real one, answers later requests with the order to register again.
async fn leave(shared: Data<Shared>, Msgpack(request): Msgpack<LeaveNode>) -> Msgpack<NodeLeft> {
    let mut state = shared.state.lock().expect("no panic");
    state.left.push(request);
    state.orders = Some(NodeOrders { action: NodeAction::Resync, ..no_orders() });
    drop(state);
    shared.news.notify_waiters();
    Msgpack(NodeLeft {})
}

async fn heartbeat(
    shared: Data<Shared>,
    Msgpack(request): Msgpack<NodeHeartbeat>,
) -> Msgpack<NodeOrders> {
    let sequence = request.sequence;
    let until = Instant::now() + Duration::from_millis(request.hold_ms);
    shared.state.lock().expect("no panic").last = Some(request);
    shared.news.notify_waiters();
    loop {
        let news = shared.news.notified();
        {
            let mut state = shared.state.lock().expect("no panic");
            let is_last = state.last.as_ref().is_some_and(|last| last.sequence == sequence);
            let orders = if is_last { state.orders.take() } else { Some(no_orders()) };
            if let Some(orders) = orders {
                return Msgpack(NodeOrders { sequence, ..orders });
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || tokio::time::timeout(left, news).await.is_err() {
            return Msgpack(NodeOrders { sequence, ..no_orders() });
        }
    }
}

async fn artifact(shared: Data<Shared>, hash: Path<String>) -> HttpResponse {
    let mut state = shared.state.lock().expect("no panic");
    state.downloads += 1;
    match state.artifacts.get(hash.as_str()) {
        Some(bytes) => HttpResponse::Ok().body(bytes.clone()),
        None => HttpResponse::NotFound().content_type("application/json").body("{}"),
    }
}
