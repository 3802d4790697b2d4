//! A resource manager and the agent of its only node, played on one port over real HTTP, and an app
//! master in its own thread.

use crate::submission;
use actix_web::{HttpRequest, HttpResponse, web};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::Notify;
use weir_app_master::Options;
use weir_base::{ApplicationId, AttemptId, ContainerId, NodeId, Resources};
use weir_protocol::cluster::{
    Allocate, Allocated, AppMasterCommand, AppMasterFinished, AppMasterRegistered, ContainerReport,
    ContainerStarted, ContainerState, FinishAppMaster, JobSubmission, LaunchContext, Lease,
    LeaseToken, RegisterAppMaster, SignedLease, StartContainer, decode, encode, variables,
};
use weir_service::{ApiError, ErrorStyle, Msgpack, ServerConfig};

/// Longer than any step of these tests; a test that waits for this time fails.
pub const LIMIT: Duration = Duration::from_secs(30);
pub const LOG_LINE: &str = "thread 'Map' panicked at boom.rs";

/// Requests that the resource manager and the agent have got, and the answers that they give.
#[derive(Default)]
pub struct State {
    pub registered: Vec<RegisterAppMaster>,
    pub allocates: Vec<Allocate>,
    pub started: BTreeMap<ContainerId, LaunchContext>,
    pub finished: Option<FinishAppMaster>,
    pub tokens: BTreeSet<String>,
    /// Whether the resource manager says that an earlier attempt has asked for containers.
    pub earlier_attempt_asked: bool,
    /// Leases it grants at most.
    pub capacity: u64,
    /// Answer to requests for containers from now on.
    pub refusal: Option<(u16, &'static str, &'static str)>,
    /// Answer to the next start of a container.
    pub start_refusal: Option<(u16, &'static str, &'static str)>,
    command: Option<AppMasterCommand>,
    leases: BTreeMap<ContainerId, SignedLease>,
    leased_since_registration: u64,
    refused: BTreeSet<ContainerId>,
    completed: BTreeMap<ContainerId, ContainerReport>,
    containers: u64,
    epoch: u32,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    news: Notify,
    node: Mutex<NodeId>,
    attempt: AttemptId,
}

/// See the module.
pub struct Cluster {
    shared: Arc<Shared>,
    pub folder: TempDir,
    app_master: Option<JoinHandle<weir_app_master::Result<()>>>,
    server: Option<(actix_web::rt::System, JoinHandle<()>)>,
}

pub fn attempt(number: u32) -> AttemptId {
    let application = ApplicationId { cluster_timestamp: 5, sequence: 1 };
    AttemptId { application, number }
}

impl Cluster {
    /// A cluster that runs a job.
    pub fn run(submission: &JobSubmission) -> Self {
        let mut cluster = Self::idle(1);
        submission::write(submission, cluster.folder.path());
        cluster.start(None);
        cluster
    }

    /// A cluster without an app master.
    pub fn idle(number: u32) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                capacity: 100,
                earlier_attempt_asked: number > 1,
                ..State::default()
            }),
            changed: Condvar::new(),
            news: Notify::new(),
            node: Mutex::default(),
            attempt: attempt(number),
        });
        let server = serve(&shared);
        let folder = tempfile::tempdir().expect("a folder");
        Self { shared, folder, app_master: None, server: Some(server) }
    }

    /// Starts the app master.
    pub fn start(&mut self, storage: Option<&Path>) {
        let attempt = self.shared.attempt;
        let own = ContainerId { attempt, epoch: 0, sequence: 1 };
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set(variables::RESOURCE_MANAGER, self.node().0);
        set(variables::APPLICATION_ATTEMPT, attempt.to_string());
        set(variables::APPLICATION_TOKEN, format!("{attempt}.token"));
        set(variables::CONTAINER_ID, own.to_string());
        set(variables::NODE_HOST, "127.0.0.1".to_owned());
        if let Some(storage) = storage {
            set(variables::STORAGE_DIR, format!("file://{}", storage.display()));
        }
        let folder = self.folder.path().to_owned();
        let options = Options { folder, environment, commit: "abc1234" };
        self.app_master = Some(std::thread::spawn(move || weir_app_master::run(&options)));
    }

    pub fn node(&self) -> NodeId {
        self.shared.node.lock().unwrap().clone()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Waits until there is what is looked for.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        let mut state = self.state();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}");
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// The `n`-th container that was leased and not refused, from 0, with what runs in it. Not the
    /// `n`-th to be started: they are started side by side, and come in any order.
    #[track_caller]
    pub fn started(&self, n: usize) -> (ContainerId, LaunchContext) {
        let leased = |state: &State| {
            let all = (1..=state.containers).map(|nth| self.shared.container(nth));
            all.filter(|container| !state.refused.contains(container)).nth(n)
        };
        self.wait(&format!("start {n}"), |state| {
            let container = leased(state)?;
            Some((container, state.started.get(&container)?.clone()))
        })
    }

    /// Answers the request that is held, and the ones to come, with this.
    pub fn command(&self, command: AppMasterCommand) {
        let mut state = self.state();
        state.command = Some(command);
        state.epoch += 1;
        drop(state);
        self.shared.news.notify_waiters();
    }

    /// A container has ended.
    pub fn complete(&self, container: ContainerId, exit_status: i32, diagnostics: &str) {
        let mut state = self.state();
        let signed = state.leases.remove(&container).expect("leased");
        state.completed.insert(
            container,
            ContainerReport {
                container,
                resources: signed.lease.resources,
                state: ContainerState::Complete,
                exit_status: Some(exit_status),
                diagnostics: diagnostics.to_owned(),
                used_memory_mib: 0,
            },
        );
        drop(state);
        self.shared.news.notify_waiters();
    }

    /// Waits for the end that the app master tells.
    #[track_caller]
    pub fn finished(&self) -> FinishAppMaster {
        self.wait("the end", |state| state.finished.clone())
    }

    /// Waits for the app master to return.
    pub fn returned(&mut self) -> weir_app_master::Result<()> {
        self.app_master.take().expect("started").join().expect("no panic")
    }

    /// An answer of the app master's REST interface.
    pub fn rest(&self, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
        let port = self.wait("the registration", |state| Some(state.registered.first()?.rest_port));
        http(SocketAddr::from(([127, 0, 0, 1], port)), method, path, token)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((system, thread)) = self.server.take() {
            system.stop();
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

fn http(address: SocketAddr, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("set");
    let token = token.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{token}Connection: close\r\n\
         Content-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

fn serve(shared: &Arc<Shared>) -> (actix_web::rt::System, JoinHandle<()>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let of_thread = Arc::clone(shared);
    let thread = std::thread::spawn(move || {
        let system = actix_web::rt::System::new();
        let server = system.block_on(async {
            let data = web::Data::from(Arc::clone(&of_thread));
            weir_service::bind(
                ServerConfig {
                    name: "fake resource manager",
                    bind: "127.0.0.1:0".parse().unwrap(),
                    error_style: ErrorStyle::Yarn,
                    allowed_hosts: Vec::new(),
                    workers: 1,
                },
                move |config| {
                    let internal = "/internal/v1/app-masters";
                    config
                        .app_data(data.clone())
                        .route(&format!("{internal}/register"), web::post().to(register))
                        .route(&format!("{internal}/allocate"), web::post().to(allocate))
                        .route(&format!("{internal}/finish"), web::post().to(finish))
                        .route("/internal/v1/containers/start", web::post().to(start))
                        .route(
                            "/ws/v1/node/containers/{id}/logs/stderr",
                            web::get().to(|| async { HttpResponse::Ok().body(LOG_LINE) }),
                        );
                },
            )
            .expect("bound")
        });
        *of_thread.node.lock().unwrap() = NodeId(server.address().to_string());
        sender.send(actix_web::rt::System::current()).unwrap();
        system.run().expect("ran");
    });
    (receiver.recv().expect("served"), thread)
}

type Answer<T> = Result<Msgpack<T>, ApiError>;

async fn register(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: Msgpack<RegisterAppMaster>,
) -> Answer<AppMasterRegistered> {
    let mut state = shared.state.lock().unwrap();
    let token = weir_service::auth::bearer_of(&request).unwrap_or_default().to_owned();
    state.tokens.insert(token);
    state.registered.push(body.0);
    state.leased_since_registration = 0;
    state.command = None;
    shared.changed.notify_all();
    Ok(Msgpack(AppMasterRegistered {
        epoch: state.epoch,
        heartbeat_interval_ms: 200,
        earlier_attempt_asked: state.earlier_attempt_asked,
    }))
}

async fn allocate(shared: web::Data<Shared>, body: Msgpack<Allocate>) -> Answer<Allocated> {
    let request = body.0;
    let held_until = Instant::now() + Duration::from_millis(request.hold_ms);
    shared.state.lock().unwrap().allocates.push(request.clone());
    shared.changed.notify_all();
    // A newer request has whatever is held answered.
    shared.news.notify_waiters();
    loop {
        let news = shared.news.notified();
        let (answer, is_overtaken) = shared.answer(&request)?;
        let has_news = answer.command != AppMasterCommand::Normal
            || !answer.leases.is_empty()
            || !answer.completed.is_empty();
        if has_news || is_overtaken || Instant::now() >= held_until {
            return Ok(Msgpack(answer));
        }
        let _ = tokio::time::timeout_at(held_until.into(), news).await;
    }
}

impl Shared {
    /// The `n`-th container leased, from 1; the app master's own has the number before.
    fn container(&self, n: u64) -> ContainerId {
        ContainerId { attempt: self.attempt, epoch: 0, sequence: 1 + n }
    }

    fn answer(&self, request: &Allocate) -> Result<(Allocated, bool), ApiError> {
        let mut state = self.state.lock().unwrap();
        let newest = state.allocates.last().is_some_and(|last| last.sequence == request.sequence);
        if let (Some((status, code, message)), false) = (state.refusal, request.asks.is_empty()) {
            return Err(ApiError::new(status, code, message));
        }
        state.completed.retain(|container, _| !request.seen.contains(container));
        if newest && state.command.is_none() {
            for ask in &request.asks {
                while state.leased_since_registration < ask.total.min(state.capacity) {
                    self.lease(&mut state, ask.id, ask.resources);
                }
            }
        }
        for container in &request.release {
            if let Some(signed) = state.leases.remove(container) {
                state.completed.insert(
                    *container,
                    ContainerReport {
                        container: *container,
                        resources: signed.lease.resources,
                        state: ContainerState::Complete,
                        exit_status: Some(-100),
                        diagnostics: String::new(),
                        used_memory_mib: 0,
                    },
                );
            }
        }
        let not_held = |signed: &&SignedLease| !request.held.contains(&signed.lease.container);
        let answer = Allocated {
            sequence: request.sequence,
            command: state.command.unwrap_or(AppMasterCommand::Normal),
            leases: state.leases.values().filter(not_held).cloned().collect(),
            completed: state.completed.values().cloned().collect(),
            pending: Vec::new(),
        };
        Ok((answer, !newest))
    }

    fn lease(&self, state: &mut State, ask: u32, resources: Resources) {
        state.leased_since_registration += 1;
        state.containers += 1;
        let container = self.container(state.containers);
        let node = self.node.lock().unwrap().clone();
        let lease = Lease { container, node, resources };
        let token = LeaseToken { claims: encode(&lease), mac: vec![9; 32] };
        state.leases.insert(container, SignedLease { ask, lease, token });
    }
}

async fn finish(
    shared: web::Data<Shared>,
    body: Msgpack<FinishAppMaster>,
) -> Answer<AppMasterFinished> {
    shared.state.lock().unwrap().finished = Some(body.0);
    shared.changed.notify_all();
    Ok(Msgpack(AppMasterFinished {}))
}

async fn start(
    shared: web::Data<Shared>,
    request: HttpRequest,
    body: Msgpack<StartContainer>,
) -> Answer<ContainerStarted> {
    let token = weir_service::auth::bearer_of(&request).expect("a lease token");
    let token: LeaseToken = token.parse().expect("a lease token");
    let claims: Lease = decode(&token.claims).expect("our own");
    let mut state = shared.state.lock().unwrap();
    if let Some((status, code, message)) = state.start_refusal.take() {
        state.refused.insert(claims.container);
        shared.changed.notify_all();
        return Err(ApiError::new(status, code, message));
    }
    state.started.insert(claims.container, body.0.launch);
    shared.changed.notify_all();
    Ok(Msgpack(ContainerStarted {}))
}
