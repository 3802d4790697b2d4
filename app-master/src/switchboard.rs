//! The connected peers, and the routes of deployments and orders.
//!
//! ```text
//!            closed                       open
//! deploy ──▶ [queue] ──open(placement)──▶ outbox of the host of its slot ──▶ connection ──▶ host
//! ```
//!
//! The job master's thread, the pool's actor and the connections meet here, each for a few steps under
//! one lock: nothing in here waits. What always holds:
//!
//! - A connection is admitted only when its container was started, or its host ordered, and once.
//! - A task host gets a placement before the deployments that rely on it.
//! - A deployment is in the queue, or with one host; when it has ended or is lost it is nowhere.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use weir_base::{ContainerId, ExecutionAttempt};
use weir_graph::{TaskDeployment, TaskId};
use weir_job_master::ReportSender;
use weir_protocol::{
    control::{HostOrder, ManagerOrder, Placement},
    task::{ReportKind, TaskCommand, TaskReport},
};

/// A task host: its container, and its number in it.
pub type HostKey = (ContainerId, u32);

/// One deployment of one subtask.
pub type Deployed = (TaskId, ExecutionAttempt);

/// Why a connection is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// No caller waits for it.
    Unknown,
    /// It is there already.
    Twice,
}

/// See the module.
pub struct Switchboard {
    reports: ReportSender,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    managers: BTreeMap<ContainerId, Line<ManagerOrder>>,
    hosts: BTreeMap<HostKey, Line<HostOrder>>,
    data_addresses: BTreeMap<HostKey, SocketAddr>,
    gate: Gate,
    queue: VecDeque<TaskDeployment>,
    deployed: BTreeMap<Deployed, HostKey>,
    has_deployed: bool,
    /// There will be no hosts; who fails what is deployed all the same.
    doom: Option<UnboundedSender<Deployed>>,
}

/// Where orders to one peer go.
enum Line<T> {
    /// It has not connected.
    Expected,
    /// Dropping this ends the connection. Unbounded: what is sent is control traffic only, and a
    /// peer that does not read is found out by its silence.
    Connected(UnboundedSender<T>),
}

#[derive(Default)]
enum Gate {
    #[default]
    Closed,
    /// By slot.
    Open(Vec<HostKey>),
}

impl<T> Line<T> {
    fn send(&self, order: T) {
        if let Self::Connected(outbox) = self {
            // A connection that has just ended is about to be reported.
            let _ = outbox.send(order);
        }
    }
}

fn admit<K: Ord, T>(
    lines: &mut BTreeMap<K, Line<T>>,
    key: &K,
) -> Result<UnboundedReceiver<T>, Stranger> {
    match lines.get_mut(key) {
        None => Err(Stranger::Unknown),
        Some(Line::Connected(_)) => Err(Stranger::Twice),
        Some(line) => {
            let (sender, receiver) = unbounded_channel();
            *line = Line::Connected(sender);
            Ok(receiver)
        }
    }
}

impl Switchboard {
    /// A board without lines, closed.
    pub fn new(reports: ReportSender) -> Self {
        Self { reports, state: Mutex::default() }
    }

    /// The guarded data is consistent after every statement, so a poisoned lock can be used.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- lines ----

    /// The task manager of a container may connect.
    pub fn expect_manager(&self, container: ContainerId) {
        self.state().managers.entry(container).or_insert(Line::Expected);
    }

    /// A task host may connect.
    pub fn expect_host(&self, key: HostKey) {
        self.state().hosts.entry(key).or_insert(Line::Expected);
    }

    /// A task manager has connected; returns its first orders. Its connection ends when that
    /// closes.
    ///
    /// # Errors
    /// It is not expected.
    pub fn admit_manager(
        &self,
        container: ContainerId,
    ) -> Result<UnboundedReceiver<ManagerOrder>, Stranger> {
        admit(&mut self.state().managers, &container)
    }

    /// A task host has connected; see [`Switchboard::admit_manager`].
    ///
    /// # Errors
    /// It is not expected.
    pub fn admit_host(
        &self,
        key: HostKey,
        data_address: SocketAddr,
    ) -> Result<UnboundedReceiver<HostOrder>, Stranger> {
        let mut state = self.state();
        let orders = admit(&mut state.hosts, &key)?;
        state.data_addresses.insert(key, data_address);
        Ok(orders)
    }

    /// Ends a task manager's connection if it has one, and takes no other.
    pub fn drop_manager(&self, container: ContainerId) {
        self.state().managers.remove(&container);
    }

    /// Ends a task host's connection if it has one, and takes no other.
    pub fn drop_host(&self, key: HostKey) {
        let mut state = self.state();
        state.hosts.remove(&key);
        state.data_addresses.remove(&key);
    }

    /// Ends every connection of a container.
    pub fn drop_container(&self, container: ContainerId) {
        let mut state = self.state();
        state.managers.remove(&container);
        state.hosts.retain(|(of, _), _| *of != container);
        state.data_addresses.retain(|(of, _), _| *of != container);
    }

    /// Tells a task manager something, if it is connected.
    pub fn tell_manager(&self, container: ContainerId, order: ManagerOrder) {
        if let Some(line) = self.state().managers.get(&container) {
            line.send(order);
        }
    }

    /// Tells every connected task host something; how many there are.
    pub fn tell_hosts(&self, order: &HostOrder) -> usize {
        let state = self.state();
        let connected = |line: &&Line<HostOrder>| matches!(line, Line::Connected(_));
        let lines = state.hosts.values().filter(connected);
        lines.inspect(|line| line.send(order.clone())).count()
    }

    // ---- deployments ----

    /// Every slot has a host: tells all of them, and sends what has waited.
    pub fn open(&self, slots: Vec<HostKey>) {
        let mut state = self.state();
        state.publish(&slots);
        state.gate = Gate::Open(slots);
        for deployment in std::mem::take(&mut state.queue) {
            state.send(deployment);
        }
    }

    /// Deployments wait from now on.
    pub fn close(&self) {
        self.state().gate = Gate::Closed;
    }

    /// There will be no hosts: gives what has waited and, as it comes, what is deployed from now on. The
    /// caller is to fail it.
    pub fn doom(&self) -> (Vec<Deployed>, UnboundedReceiver<Deployed>) {
        let (sender, late) = unbounded_channel();
        let mut state = self.state();
        state.doom = Some(sender);
        let queue = std::mem::take(&mut state.queue);
        (queue.iter().map(|waiting| (waiting.task, waiting.attempt)).collect(), late)
    }

    /// Whether any task was ever sent to a host.
    pub fn has_deployed(&self) -> bool {
        self.state().has_deployed
    }

    /// Whether there will be no hosts.
    pub fn is_doomed(&self) -> bool {
        self.state().doom.is_some()
    }

    /// Starts a task, now or when there is a host for it.
    pub fn deploy(&self, deployment: TaskDeployment) {
        let mut state = self.state();
        match (&state.doom, &state.gate) {
            (Some(late), _) => {
                // No receiver is left when the app master is about to end.
                let _ = late.send((deployment.task, deployment.attempt));
            }
            (None, Gate::Open(_)) => state.send(deployment),
            (None, Gate::Closed) => state.queue.push_back(deployment),
        }
    }

    /// Sends a command to the host of a task. A task that has ended or is lost gets none.
    pub fn command(&self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        let mut state = self.state();
        if command == TaskCommand::Cancel && state.unqueue((task, attempt)) {
            self.reports.report(TaskReport { task, attempt, kind: ReportKind::Canceled });
            return;
        }
        let deployed = (task, attempt);
        let Some(key) = state.deployed.get(&deployed).copied() else { return };
        if let Some(line) = state.hosts.get(&key) {
            line.send(HostOrder::Command { task, attempt, command });
        }
        if command == TaskCommand::Abandon {
            tracing::warn!(
                "task {task} has not stopped within task.cancellation.timeout; its task host is killed"
            );
            // Only the end of the process frees what user code holds there: its host is left too.
            state.deployed.remove(&deployed);
            state.hosts.remove(&key);
        }
    }

    /// A task has ended by its own report.
    pub fn ended(&self, task: TaskId, attempt: ExecutionAttempt) {
        self.state().deployed.remove(&(task, attempt));
    }

    /// Takes what was deployed to a host, which is lost.
    pub fn take_tasks_of(&self, key: HostKey) -> Vec<Deployed> {
        let mut state = self.state();
        let of_host = |(_, of): &(&Deployed, &HostKey)| **of == key;
        let tasks: Vec<_> = state.deployed.iter().filter(of_host).map(|(task, _)| *task).collect();
        tasks.iter().for_each(|task| {
            state.deployed.remove(task);
        });
        tasks
    }
}

impl State {
    fn publish(&self, slots: &[HostKey]) {
        let mut keys: Vec<HostKey> = slots.to_vec();
        keys.sort_unstable();
        keys.dedup();
        // A task host that was lost in the meantime leaves a gap; its loss closes the gate soon.
        keys.retain(|key| self.data_addresses.contains_key(key));
        let index = |key: &HostKey| keys.binary_search(key).unwrap_or(0) as u32;
        let placement = Placement {
            hosts: keys.iter().map(|key| self.data_addresses[key]).collect(),
            host_of_slot: slots.iter().map(index).collect(),
            own: 0,
        };
        for (own, key) in (0u32..).zip(&keys) {
            if let Some(line) = self.hosts.get(key) {
                line.send(HostOrder::Place(Placement { own, ..placement.clone() }));
            }
        }
    }

    /// Sends a deployment to the host of its slot.
    fn send(&mut self, deployment: TaskDeployment) {
        let Gate::Open(slots) = &self.gate else {
            self.queue.push_back(deployment);
            return;
        };
        let Some(key) = slots.get(deployment.task.subtask as usize).copied() else {
            // As many slots as the largest parallelism: there is one for each subtask.
            tracing::error!("no slot for subtask {} of {}", deployment.task, deployment.name);
            return;
        };
        self.has_deployed = true;
        self.deployed.insert((deployment.task, deployment.attempt), key);
        if let Some(line) = self.hosts.get(&key) {
            line.send(HostOrder::Deploy(Box::new(deployment)));
        }
    }

    /// Removes a deployment that waits for its host; false if it does not wait.
    fn unqueue(&mut self, deployed: Deployed) -> bool {
        let before = self.queue.len();
        self.queue.retain(|waiting| (waiting.task, waiting.attempt) != deployed);
        self.queue.len() < before
    }
}
