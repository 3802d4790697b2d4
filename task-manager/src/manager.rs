//! The loop of a task manager: handles events, carries out orders, and measures memory each second.

use crate::{
    connection::Connection,
    error::{Error, Result},
    events::Event,
    host::{Host, not_started},
    memory::tree_memory,
    settings::Settings,
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    collections::BTreeMap,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};
use weir_protocol::control::{HostLaunch, ManagerOrder, ManagerReport, Order};
use weir_service::{logs::log_line, processes::Processes};

/// How often memory is measured and reported; the report also shows that the task manager is alive.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until it is ordered to end.
///
/// # Errors
/// The job master cannot be reached or is lost. All hosts have ended.
pub fn run(settings: &Settings) -> Result<()> {
    let (sender, events) = mpsc::channel();
    listen_for_signals(sender.clone())?;
    let connection = Connection::open(settings, sender.clone())?;
    log_line(&format!(
        "task manager: registered with the job master at {}, {} slots, {} MiB",
        settings.job_master, settings.slots, settings.memory_mib
    ));
    let mut manager =
        Manager { settings, connection, events, sender, hosts: BTreeMap::new(), look_at: None };
    let ended = manager.work();
    manager.end_hosts();
    ended
}

fn listen_for_signals(events: Sender<Event>) -> Result<()> {
    let refused = |source| Error::System { what: "a handler of signals", source };
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(refused)?;
    let listener = thread::Builder::new().name("signals".to_owned());
    let spawned = listener.spawn(move || {
        if signals.forever().next().is_some() {
            let _ = events.send(Event::Terminated);
        }
    });
    spawned.map(drop).map_err(|source| Error::System { what: "a thread", source })
}

struct Manager<'a> {
    settings: &'a Settings,
    connection: Connection,
    events: Receiver<Event>,
    sender: Sender<Event>,
    hosts: BTreeMap<u32, Host>,
    /// When memory is looked at next; at once in the beginning.
    look_at: Option<Instant>,
}

impl Manager<'_> {
    fn work(&mut self) -> Result<()> {
        loop {
            match self.next_event() {
                Some(Event::Order(order)) if order.epoch < self.connection.epoch => {}
                Some(Event::Order(Order { order: ManagerOrder::Shutdown, .. })) => return Ok(()),
                Some(Event::Order(order)) => self.obey(order.order)?,
                Some(Event::HostExited(number)) => self.host_exited(number)?,
                Some(Event::Disconnected(ending)) => return Err(self.connection.lost(ending)),
                Some(Event::Terminated) => return Ok(()),
                None => self.look()?,
            }
        }
    }

    /// The next event, or none when it is time to look.
    fn next_event(&self) -> Option<Event> {
        let deadlines = self.hosts.values().filter_map(Host::deadline);
        let now = Instant::now();
        let next = deadlines.chain([self.look_at.unwrap_or(now)]).min().unwrap_or(now);
        self.events.recv_timeout(next.saturating_duration_since(now)).ok()
    }

    fn obey(&mut self, order: ManagerOrder) -> Result<()> {
        match order {
            ManagerOrder::StartHost(launch) => self.start_host(*launch),
            ManagerOrder::StopHost { host } => {
                if let Some(host) = self.hosts.get_mut(&host) {
                    host.stop();
                }
                Ok(())
            }
            ManagerOrder::Shutdown | ManagerOrder::KeepAlive => Ok(()),
        }
    }

    fn start_host(&mut self, launch: HostLaunch) -> Result<()> {
        let number = launch.host;
        if self.hosts.contains_key(&number) {
            // Ordered again: it runs.
            return Ok(());
        }
        let epoch = self.connection.epoch;
        match Host::start(self.settings, epoch, launch, self.sender.clone()) {
            Ok(host) => {
                let pid = host.pid();
                self.hosts.insert(number, host);
                self.connection.report(&ManagerReport::HostStarted { host: number, pid })
            }
            Err(problem) => {
                log_line(&format!("task manager: task host {number} was not started: {problem}"));
                self.connection.report(&ManagerReport::HostEnded(not_started(number, problem)))
            }
        }
    }

    fn host_exited(&mut self, number: u32) -> Result<()> {
        let Some(host) = self.hosts.remove(&number) else { return Ok(()) };
        let end = host.reap();
        log_line(&format!("task manager: task host {number} {}", end.reason));
        self.connection.report(&ManagerReport::HostEnded(end))
    }

    fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.hosts.is_empty() && self.look_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        let processes = Processes::scan();
        let mut hosts = Vec::new();
        for (number, host) in &mut self.hosts {
            let memory = tree_memory(&processes, host.pid(), host.limit_bytes());
            host.check(&memory);
            hosts.push((*number, memory.used_bytes));
        }
        if self.look_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        self.look_at = Some(now + LOOK_INTERVAL);
        let own_bytes = processes.resident_bytes(std::process::id());
        self.connection.report(&ManagerReport::Memory { own_bytes, hosts })
    }

    /// Ends every host: by its lifeline, then by force.
    fn end_hosts(&mut self) {
        self.hosts.values_mut().for_each(Host::stop);
        while let Some(give_up) = self.hosts.values().filter_map(Host::deadline).min() {
            let left = give_up.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::HostExited(number)) => drop(self.hosts.remove(&number).map(Host::reap)),
                Ok(_) => {}
                Err(_) => {
                    for (_, mut host) in std::mem::take(&mut self.hosts) {
                        host.kill();
                        host.reap();
                    }
                }
            }
        }
    }
}
