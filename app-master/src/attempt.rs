//! One attempt of the application: starts all parts, watches the job, reports its end.

use crate::{
    assignment::{Assignment, Options},
    conclusion::{self, Conclusion, has_begun},
    control::{self, Control},
    director::{self, Beginning, Director},
    error::{Error, Result},
    excerpts::Excerpts,
    gateway::TcpGateway,
    job::Job,
    job_events,
    leases::{LeaseEvent, Leases},
    observed::{Facts, Observed, OwnAddress, wall_ms},
    reports::Reports,
    resource_manager::{ResourceManager, Terms},
    switchboard::Switchboard,
    web,
};
use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, mpsc},
    thread,
};
use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    task::JoinHandle,
};
use weir_app_master_brain::SlotPool;
use weir_base::LeaderEpoch;
use weir_config::keys;
use weir_coordination::JobOutcome;
use weir_job_master::{Handle, JobMasterShell, ReportSender};
use weir_protocol::{
    challenge::{CHALLENGE_BYTES, JobKey},
    cluster::{ArtifactUse, JobSubmission, LaunchContext, variables},
    control::HostLaunch,
    job_executable,
};
use weir_service::Server;

/// The command of a task manager, and names that the program must not have.
const WEIR: &str = "weir";

/// Runs the attempt to its end.
///
/// # Errors
/// It cannot start, has lost its job, or leaves it to the next attempt. An error of the job itself is reported to the resource
/// manager as the end of the application, and returned too.
pub async fn run(options: &Options) -> Result<()> {
    let assignment = Assignment::of(options)?;
    match Job::prepare(&assignment) {
        Ok(job) => attempt(&assignment, job).await,
        Err(error) => {
            conclusion::cannot_begin(&assignment, &error).await;
            Err(error)
        }
    }
}

async fn attempt(assignment: &Assignment, job: Job) -> Result<()> {
    let Started { conclusion, mut watched, server } = start(assignment, &job).await?;
    let ended = watched.end(&conclusion).await;
    watched.asking.abort();
    let concluded = conclusion.conclude(ended).await;
    server.stop().await;
    concluded
}

/// An attempt under way.
struct Started<'a> {
    conclusion: Conclusion<'a>,
    watched: Watched,
    server: Server,
}

/// Reasons for the end of an attempt.
struct Watched {
    job: Handle,
    earlier_attempt_asked: mpsc::Sender<bool>,
    events: UnboundedReceiver<LeaseEvent>,
    director_is_gone: oneshot::Receiver<()>,
    accepting: JoinHandle<()>,
    asking: JoinHandle<()>,
}

/// Starts everything. The app master registers first: then the job's log is read, however long that takes,
/// while the heartbeats continue. Containers are requested when the log says that the job is to run.
async fn start<'a>(assignment: &'a Assignment, job: &Job) -> Result<Started<'a>> {
    let host = own_address(&assignment.node_host)?;
    let (listener, control_address) = control::listen(SocketAddr::new(host, 0))
        .await
        .map_err(|source| Error::Listen { host: assignment.node_host.clone(), source })?;
    let key = random_key()?;
    let (earlier_attempt_asked, registration) = mpsc::channel();
    let (handle, switchboard, sender) = start_job(job, registration)?;
    let rest_control = Arc::new(web::Control::new(handle.clone(), assignment.token.clone()));
    let (server, observed) = web::serve(host, &assignment.node_host, &rest_control, |port| {
        observe(assignment, job, &handle, port)
    })?;
    job_events::log(&handle);
    tracing::info!("REST at {}, control at {control_address}", server.address());

    let (manager, events) = ResourceManager::new(Terms {
        address: assignment.resource_manager.clone(),
        attempt: assignment.attempt,
        token: assignment.token.clone(),
        rest_port: server.address().port(),
        resources: job.manager_resources(),
        launch: manager_launch(job, control_address, &key),
    });
    let leases: Arc<dyn Leases> = Arc::new(Arc::clone(&manager));
    let excerpts = Arc::new(Excerpts::new(Arc::clone(&leases), observed.clone()));
    let (board, logs) = (Arc::clone(&switchboard), Arc::clone(&excerpts));
    let reports = Arc::new(Reports::new(board, sender, observed.clone(), logs));
    let (alive, director_is_gone) = oneshot::channel();
    let slots = job.slot_settings();
    let slots_per_manager = slots.slots_per_manager;
    let director = Director {
        leases: Arc::clone(&leases),
        switchboard: Arc::clone(&switchboard),
        reports: Arc::clone(&reports),
        observed: observed.clone(),
        launch: host_launch(job),
        alive,
    };
    let pool = weir_service::start(SlotPool::new(slots), director);
    let control = Arc::new(Control {
        job: job.submission.job,
        key,
        epoch: LeaderEpoch(u64::from(assignment.attempt.number)),
        fingerprint: job.submission.fingerprint.clone(),
        slots_per_manager,
        heartbeat_timeout: job.config.get(&keys::HEARTBEAT_TIMEOUT),
        switchboard: Arc::clone(&switchboard),
        leases,
        reports: Arc::clone(&reports),
        observed: observed.clone(),
        pool: pool.clone(),
    });
    let accepting = tokio::spawn(control.serve(listener));
    let asking = actix_web::rt::spawn(Arc::clone(&manager).run());
    let conclusion = Conclusion {
        assignment,
        is_resumable: job.is_resumable(),
        manager,
        pool,
        switchboard,
        reports,
        excerpts,
        observed,
    };
    let watched =
        Watched { job: handle, earlier_attempt_asked, events, director_is_gone, accepting, asking };
    Ok(Started { conclusion, watched, server })
}

impl Watched {
    /// Waits for the end of the job, or for what keeps this attempt from seeing it.
    async fn end(&mut self, parts: &Conclusion<'_>) -> Result<JobOutcome> {
        let (pool, switchboard) = (parts.pool.clone(), Arc::clone(&parts.switchboard));
        let beginning = Beginning {
            earlier_attempt_asked: self.earlier_attempt_asked.clone(),
            has_begun: Box::pin(job_beginning(self.job.clone())?),
        };
        tokio::select! {
            outcome = job_end(self.job.clone()) => outcome,
            why = director::follow(&mut self.events, beginning, pool, switchboard) => {
                Err(Error::Superseded { why })
            }
            _ = &mut self.director_is_gone => {
                Err(Error::Internal { problem: "the slot pool has panicked".to_owned() })
            }
            error = panic_of(&mut self.accepting) => Err(error),
            error = panic_of(&mut self.asking) => Err(error),
            terminated = weir_service::signals::terminated() => {
                terminated?;
                Err(Error::Superseded { why: "it was told to end by a signal".to_owned() })
            }
        }
    }
}

/// Starts the job master. Its deployments wait on the switchboard until there are task hosts.
fn start_job(
    job: &Job,
    registration: mpsc::Receiver<bool>,
) -> Result<(Handle, Arc<Switchboard>, ReportSender)> {
    let mut wired = None;
    let (graph, settings) = (job.graph.clone(), job.settings.clone());
    let open = job.storage_opener(registration);
    let handle = JobMasterShell::start_submitted(graph, settings, open, |sender| {
        let switchboard = Arc::new(Switchboard::new(sender.clone()));
        wired = Some((Arc::clone(&switchboard), sender));
        Box::new(TcpGateway::new(switchboard))
    });
    let unwired = || Error::Internal { problem: "the job master has no gateway".to_owned() };
    let (switchboard, sender) = wired.ok_or_else(unwired)?;
    Ok((handle, switchboard, sender))
}

fn observe(assignment: &Assignment, job: &Job, handle: &Handle, rest_port: u16) -> Observed {
    let own = OwnAddress {
        host: assignment.node_host.clone(),
        rest_port,
        attempt: assignment.attempt,
        container: assignment.container,
        application: assignment.attempt.application,
    };
    let started_ms = wall_ms();
    let facts = Facts {
        submission: Arc::clone(&job.submission),
        graph: job.graph.clone(),
        config: job.config.clone(),
        own,
        commit: assignment.commit,
        // The clock of the resource manager may be ahead of the clock of this node.
        submitted_ms: assignment.submitted_ms.map_or(started_ms, |ms| ms.min(started_ms)),
        started_ms,
    };
    Observed::new(facts, handle.clone())
}

/// Completes when the job has begun under this attempt; a separate thread waits for it. It never completes
/// for a job that an earlier attempt has ended.
fn job_beginning(handle: Handle) -> Result<impl Future<Output = ()>> {
    let (sender, receiver) = oneshot::channel();
    let waiting = thread::Builder::new().name("job-beginning".to_owned()).spawn(move || {
        if handle.subscribe_status().iter().any(|change| has_begun(change.status)) {
            // The receiver was dropped if the resource manager has ordered the app master to end.
            let _ = sender.send(());
        }
    });
    let problem = |error| format!("no thread waits for the job: {error}");
    waiting.map_err(|error| Error::Internal { problem: problem(error) })?;
    Ok(async move {
        if receiver.await.is_err() {
            std::future::pending().await
        }
    })
}

/// Completes at the end of the job; a separate thread waits for it.
async fn job_end(handle: Handle) -> Result<JobOutcome> {
    let (sender, receiver) = oneshot::channel();
    let waiting = thread::Builder::new().name("job-end".to_owned()).spawn(move || {
        // The receiver was dropped if the resource manager has ordered the app master to end.
        let _ = sender.send(handle.wait());
    });
    let problem = |problem: String| Error::Internal { problem };
    waiting.map_err(|error| problem(format!("no thread waits for the job: {error}")))?;
    receiver.await.map_err(|_| problem("the job ended without an outcome".to_owned()))
}

/// Waits for a task to panic; one that ends reports this in another way.
async fn panic_of(task: &mut JoinHandle<()>) -> Error {
    match task.await {
        Err(error) if error.is_panic() => Error::Internal { problem: error.to_string() },
        _ => std::future::pending().await,
    }
}

/// Where task managers find the app master: the address of the own node.
fn own_address(node_host: &str) -> Result<IpAddr> {
    let failed = |source| Error::Listen { host: node_host.to_owned(), source };
    let mut addresses = (node_host, 0).to_socket_addrs().map_err(failed)?;
    let none = || failed(std::io::Error::other("the name has no address"));
    addresses.next().map(|address| address.ip()).ok_or_else(none)
}

fn random_key() -> Result<JobKey> {
    let mut bytes = [0; CHALLENGE_BYTES];
    let problem = |error: getrandom::Error| Error::Internal { problem: error.to_string() };
    getrandom::fill(&mut bytes).map_err(problem)?;
    Ok(JobKey::new(bytes))
}

fn manager_launch(job: &Job, control: SocketAddr, key: &JobKey) -> LaunchContext {
    let submission = &job.submission;
    let heartbeat_timeout_ms = job.config.get(&keys::HEARTBEAT_TIMEOUT).as_millis();
    let variable = |name: &str, value: String| (name.to_owned(), value);
    LaunchContext {
        command: vec![format!("./{WEIR}"), "task-manager".to_owned()],
        environment: vec![
            variable(variables::JOB_MASTER, control.to_string()),
            variable(variables::JOB, submission.job.to_string()),
            variable(variables::JOB_KEY, key.to_hex()),
            variable(variables::TASK_SLOTS, job.config.get(&keys::TASK_SLOTS).to_string()),
            variable(variables::HEARTBEAT_TIMEOUT_MS, heartbeat_timeout_ms.to_string()),
        ],
        artifacts: vec![
            ArtifactUse {
                name: WEIR.to_owned(),
                hash: submission.weir.hash,
                size_bytes: submission.weir.size_bytes,
                executable: true,
            },
            ArtifactUse {
                name: executable_name(submission),
                hash: submission.executable.hash,
                size_bytes: submission.executable.size_bytes,
                executable: true,
            },
        ],
    }
}

/// As it was called, unless that is taken.
fn executable_name(submission: &JobSubmission) -> String {
    match submission.executable.name.as_str() {
        WEIR => format!("{WEIR}.job"),
        name => name.to_owned(),
    }
}

fn host_launch(job: &Job) -> HostLaunch {
    let submission = &job.submission;
    let mut once_values = Vec::new();
    job_executable::write_once_values(&mut once_values, &submission.stream_graph.once)
        .expect("they came in one message of the same bound, into memory");
    HostLaunch {
        host: 0,
        executable: executable_name(submission),
        arguments: submission.arguments.clone(),
        working_directory: submission.working_directory.clone(),
        ordinal: submission.ordinal,
        earlier: submission.earlier.clone(),
        configuration: job.config.to_json(),
        launch_configuration: submission.launch_configuration.clone(),
        once_values,
        memory_limit_mib: 0,
    }
}
