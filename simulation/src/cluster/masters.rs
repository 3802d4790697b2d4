//! The app masters that run: what they send, and what they make of answers.

use super::{
    master::{HeldContainer, Master, Phase},
    network::{Call, Caller, Message, Request},
    world::{Event, World},
};
use weir_base::ContainerId;
use weir_node_agent_brain::Reply as AgentReply;
use weir_protocol::cluster::{
    Allocated, AppMasterCommand, ArchivedAnswer, FinalStatus, FinishAppMaster, LaunchContainer,
    LaunchContext,
};
use weir_resource_manager_brain::{Error, GrantedLease, Reply};

/// From look to look of an app master.
const LOOK_MS: u64 = 100;
/// Wait for an answer beyond its hold.
const ANSWER_MS: u64 = 1500;
/// From start to start of a container that its agent has not confirmed.
const START_AGAIN_MS: u64 = 700;
/// All processes run again this time after the last fault.
const SETTLED_MS: u64 = 40_000;

impl World {
    pub(crate) fn master_starts(&mut self, host: usize, container: ContainerId, plan: usize) {
        let master = Master::new(container, (host, plan), self.now_ms);
        self.masters.insert(container, master);
        self.queue.push(self.now_ms + 1, Event::MasterActs(container));
    }

    pub(crate) fn master_acts(&mut self, container: ContainerId) {
        let Some(mut master) = self.masters.remove(&container) else { return };
        self.decide(&mut master);
        let next = self.next_call(&mut master);
        let starts = self.due_starts(&mut master);
        self.masters.insert(container, master);
        if let Some((number, request)) = next {
            let call = Call { caller: Caller::Master(container), number };
            self.ask_manager(call, request);
        }
        for (host, start) in starts {
            let call = Call { caller: Caller::Master(container), number: 0 };
            self.send(Message::ToAgent { call, host, start: Box::new(start) });
        }
        self.queue.push(self.now_ms + LOOK_MS, Event::MasterActs(container));
    }

    /// Whether the work is done, or there is no hope.
    fn decide(&mut self, master: &mut Master) {
        let plan = &self.plan.applications[master.application];
        if master.phase != Phase::Working {
            return;
        }
        if plan.is_gang {
            let runs =
                |id: &ContainerId| self.hosts.iter().any(|host| host.processes.contains_key(id));
            let is_whole = master.is_whole(plan) && master.held.keys().all(runs);
            if is_whole {
                let since_ms = *master.whole_since_ms.get_or_insert(self.now_ms);
                master.progress_ms = self.now_ms;
                if self.now_ms >= since_ms + plan.work_ms {
                    master.phase = Phase::Finishing(FinalStatus::Succeeded);
                }
            } else {
                master.whole_since_ms = None;
            }
        } else if master.is_done(plan) {
            master.phase = Phase::Finishing(FinalStatus::Succeeded);
        }
        let is_hopeless = self.now_ms > master.progress_ms + plan.patience_ms + plan.work_ms;
        if master.phase == Phase::Working && is_hopeless {
            let has_settled = self.now_ms > self.plan.quiet_at_ms + SETTLED_MS;
            if has_settled && !master.has_pending {
                let attempt = master.attempt;
                self.oracle.broken(format!("{attempt} gives up, and nothing it asked for waits"));
            }
            master.phase = Phase::Finishing(FinalStatus::Failed);
        }
    }

    fn next_call(&mut self, master: &mut Master) -> Option<(u64, Request)> {
        let now_ms = self.now_ms;
        if master.waits.is_some_and(|(_, until_ms)| until_ms <= now_ms) {
            master.waits = None;
        }
        let is_finishing = matches!(master.phase, Phase::Finishing(_));
        if master.phase == Phase::Hanging
            || (master.waits.is_some() && !is_finishing)
            || master.next_call_ms > now_ms
        {
            return None;
        }
        let request = match master.phase {
            Phase::Joining => Request::RegisterMaster(master.registration()),
            Phase::Finishing(final_status) => Request::Finish(FinishAppMaster {
                attempt: master.attempt,
                final_status,
                diagnostics: String::new(),
                archive: vec![ArchivedAnswer { path: "/jobs".into(), json: "{}".into() }],
            }),
            _ => {
                let plan = &self.plan.applications[master.application];
                master.release_excess(plan);
                Request::Allocate(master.next_allocate(plan))
            }
        };
        master.calls += 1;
        master.waits = Some((master.calls, now_ms + master.hold_ms + ANSWER_MS));
        master.next_call_ms = now_ms + if is_finishing { START_AGAIN_MS } else { 0 };
        Some((master.calls, request))
    }

    /// Containers to be started at their agents, again if need be.
    fn due_starts(&mut self, master: &mut Master) -> Vec<(usize, LaunchContainer)> {
        let now_ms = self.now_ms;
        let plan = &self.plan.applications[master.application];
        let work_ms = if plan.is_gang { 0 } else { plan.work_ms };
        let mut starts = Vec::new();
        let released: Vec<_> =
            master.held.keys().copied().filter(|one| master.is_released(*one)).collect();
        for (&container, held) in &mut master.held {
            if held.is_started || held.start_at_ms > now_ms || released.contains(&container) {
                continue;
            }
            held.start_at_ms = now_ms + START_AGAIN_MS;
            let host = self.hosts.iter().position(|host| host.node == held.lease.node);
            let launch = LaunchContainer {
                container,
                resources: held.lease.resources,
                launch: LaunchContext {
                    command: vec!["worker".to_owned(), work_ms.to_string()],
                    ..LaunchContext::default()
                },
            };
            starts.extend(host.map(|host| (host, launch)));
        }
        starts
    }

    pub(crate) fn master_is_answered(
        &mut self,
        container: ContainerId,
        number: u64,
        reply: Result<Reply, Error>,
    ) {
        let Some(master) = self.masters.get_mut(&container) else { return };
        let is_awaited = master.waits.is_some_and(|(waited, _)| waited == number);
        let is_finishing = matches!(master.phase, Phase::Finishing(_));
        if !is_awaited && !is_finishing {
            return;
        }
        if is_awaited {
            master.waits = None;
        }
        match reply {
            Ok(Reply::AppMasterRegistered(answer)) if master.phase == Phase::Joining => {
                master.registered(answer.epoch, answer.heartbeat_interval_ms);
            }
            Ok(Reply::Allocated(answer)) => self.take_allocated(container, &answer),
            Ok(Reply::AppMasterFinished) if is_finishing => self.master_may_exit(container),
            Ok(_) => {}
            Err(Error::AttemptOver { .. } | Error::TooLarge { .. }) => {
                self.master_exits(container, 2);
            }
            Err(_) => {}
        }
    }

    fn take_allocated(&mut self, container: ContainerId, answer: &Allocated<GrantedLease>) {
        let now_ms = self.now_ms;
        let Some(master) = self.masters.get_mut(&container) else { return };
        match answer.command {
            AppMasterCommand::Normal if master.phase == Phase::Working => {}
            AppMasterCommand::Resync if master.phase == Phase::Working => {
                master.phase = Phase::Joining;
                return;
            }
            AppMasterCommand::Shutdown => return self.master_exits(container, 3),
            _ => return,
        }
        let fresh = master.allocated(now_ms, answer);
        for granted in fresh {
            let slow = self.strikes(self.faults.slow_start_percent);
            let wait_ms = if slow { self.delay(8000) } else { 0 };
            let held = HeldContainer {
                ask: granted.ask,
                lease: granted.lease,
                is_started: false,
                start_at_ms: now_ms + wait_ms,
            };
            if let Some(master) = self.masters.get_mut(&container) {
                master.held.insert(held.lease.container, held);
            }
        }
        // The next one goes out at once, unless this one came early and brought nothing new.
        if let Some(master) = self.masters.get_mut(&container) {
            master.next_call_ms = now_ms + 50;
        }
    }

    pub(crate) fn master_has_started(
        &mut self,
        master: ContainerId,
        container: ContainerId,
        reply: &AgentReply,
    ) {
        let Some(master) = self.masters.get_mut(&master) else { return };
        if let (AgentReply::Started(_), Some(held)) = (reply, master.held.get_mut(&container)) {
            held.is_started = true;
        }
    }

    fn master_may_exit(&mut self, container: ContainerId) {
        let Some(master) = self.masters.get_mut(&container) else { return };
        if let Phase::Finishing(status) = master.phase {
            self.oracle.finish_is_acknowledged(container.attempt, status);
        }
        master.phase = Phase::Hanging;
        if !self.strikes(self.faults.hang_percent) {
            self.master_exits(container, 0);
        }
    }

    fn master_exits(&mut self, container: ContainerId, exit_status: i32) {
        let Some(host) = self.masters.get(&container).map(|master| master.host) else { return };
        self.process_ends(host, container, exit_status);
    }
}
