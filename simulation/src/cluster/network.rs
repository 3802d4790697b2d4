//! The network: callers, messages, and their faults.
//!
//! A call names its caller and a number. The answer goes back to that caller, if it still lives; it
//! ignores numbers that it does not wait for any more. Either way a message may be lost, repeated or
//! late. A host that is cut off reaches no other host, and no host reaches it. A request to the resource
//! manager reaches the process it was sent to or none, as on a connection.

use super::world::{Event, World};
use weir_base::ContainerId;
use weir_node_agent_brain as agent;
use weir_protocol::cluster::{
    Allocate, FinishAppMaster, LaunchContainer, NodeHeartbeat, RegisterAppMaster, RegisterNode,
};
use weir_resource_manager_brain as manager;

/// The caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Caller {
    /// The agent of a host, in one of its starts.
    Agent { host: usize, start: u64 },
    /// The app master in a container.
    Master(ContainerId),
    /// The client of an application.
    Client(usize),
}

/// One call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    /// Chosen by the caller.
    pub(crate) number: u64,
}

/// A request to the resource manager.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    RegisterNode(RegisterNode),
    Heartbeat(NodeHeartbeat),
    NewApplication,
    Submit(manager::ApplicationSpec),
    Kill(weir_base::ApplicationId),
    RegisterMaster(RegisterAppMaster),
    Allocate(Allocate),
    Finish(FinishAppMaster),
}

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    ToManager { call: Call, start: u64, request: Box<Request> },
    FromManager(Call, Box<Result<manager::Reply, manager::Error>>),
    ToAgent { call: Call, host: usize, start: Box<LaunchContainer> },
    FromAgent { call: Call, host: usize, container: ContainerId, reply: Box<agent::Reply> },
}

impl World {
    /// Sends a message, which may be lost.
    pub(crate) fn send(&mut self, message: Message) {
        self.counts.messages += 1;
        if self.is_cut(&message) || self.strikes(self.faults.lose_percent) {
            self.counts.lost_messages += 1;
            return;
        }
        if self.strikes(self.faults.repeat_percent) {
            let at_ms = self.arrival();
            self.queue.push(at_ms, Event::Arrives(message.clone()));
        }
        let at_ms = self.arrival();
        self.queue.push(at_ms, Event::Arrives(message));
    }

    /// Sends a request to the resource manager, which may be lost.
    pub(crate) fn ask_manager(&mut self, call: Call, request: Request) {
        let start = self.manager.start;
        self.send(Message::ToManager { call, start, request: Box::new(request) });
    }

    fn arrival(&mut self) -> u64 {
        let late = self.strikes(self.faults.late_percent);
        let longest_ms = if late { 6000 } else { self.faults.message_ms };
        self.now_ms + 1 + self.delay(longest_ms)
    }

    /// Between a host and the resource manager; app masters have their host's fate.
    fn is_cut(&self, message: &Message) -> bool {
        let hosts = match message {
            Message::ToManager { call, .. } | Message::FromManager(call, _) => {
                [self.host_of(call.caller), None]
            }
            Message::ToAgent { call, host, .. } | Message::FromAgent { call, host, .. } => {
                [self.host_of(call.caller), Some(*host)]
            }
        };
        let is_same = hosts[0].is_some() && hosts[0] == hosts[1];
        let is_away = |host: usize| self.hosts[host].is_cut_until_ms > self.now_ms;
        !is_same && hosts.into_iter().flatten().any(is_away)
    }

    fn host_of(&self, caller: Caller) -> Option<usize> {
        match caller {
            Caller::Agent { host, .. } => Some(host),
            Caller::Master(container) => self.masters.get(&container).map(|master| master.host),
            Caller::Client(_) => None,
        }
    }

    pub(crate) fn arrives(&mut self, message: Message) {
        if self.is_cut(&message) {
            self.counts.lost_messages += 1;
            return;
        }
        match message {
            Message::ToManager { call, start, request } => {
                if start == self.manager.start {
                    self.manager_is_asked(call, *request);
                }
            }
            Message::FromManager(call, reply) => match call.caller {
                Caller::Agent { host, start } => {
                    self.agent_is_answered(host, start, call.number, *reply);
                }
                Caller::Master(container) => {
                    self.master_is_answered(container, call.number, *reply);
                }
                Caller::Client(client) => self.client_is_answered(client, call.number, *reply),
            },
            Message::ToAgent { call, host, start } => self.agent_is_asked(host, call, *start),
            Message::FromAgent { call, container, reply, .. } => {
                if let Caller::Master(master) = call.caller {
                    self.master_has_started(master, container, &reply);
                }
            }
        }
    }
}
