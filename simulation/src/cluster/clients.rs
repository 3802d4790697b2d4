//! Clients: each submits one application, and some kill it.

use super::{
    network::{Call, Caller, Request},
    world::{Event, World},
};
use weir_base::ApplicationId;
use weir_protocol::cluster::{ArtifactUse, LaunchContext};
use weir_resource_manager_brain::{ApplicationSpec, Error, Reply};

const LOOK_MS: u64 = 200;
const ANSWER_MS: u64 = 2000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) application: Option<ApplicationId>,
    /// It has the answer that its application is stored.
    pub(crate) is_submitted: bool,
    /// It was refused, and has given up.
    pub(crate) is_refused: bool,
    is_killed: bool,
    waits_until_ms: Option<u64>,
    number: u64,
}

impl World {
    pub(crate) fn client_acts(&mut self, index: usize) {
        let now_ms = self.now_ms;
        let kill_at_ms = self.plan.applications[index].kill_at_ms;
        let client = &mut self.clients[index];
        let kills = client.is_submitted && kill_at_ms.is_some_and(|at| at <= now_ms);
        let wants_kill = kill_at_ms.is_some() && !client.is_killed;
        if client.is_refused || (client.is_submitted && !wants_kill) {
            return;
        }
        let waits = client.waits_until_ms.is_some_and(|until| until > now_ms);
        if !waits && (!client.is_submitted || kills) {
            client.number += 1;
            client.waits_until_ms = Some(now_ms + ANSWER_MS);
            let number = client.number;
            let request = match client.application {
                None => Request::NewApplication,
                Some(application) if client.is_submitted => {
                    self.oracle.kill_is_asked(application);
                    Request::Kill(application)
                }
                Some(application) => Request::Submit(self.submission(index, application)),
            };
            let call = Call { caller: Caller::Client(index), number };
            self.ask_manager(call, request);
        }
        self.queue.push(now_ms + LOOK_MS, Event::ClientActs(index));
    }

    fn submission(&self, index: usize, application: ApplicationId) -> ApplicationSpec {
        let plan = &self.plan.applications[index];
        ApplicationSpec {
            application,
            name: format!("application {index}"),
            max_attempts: plan.max_attempts,
            resources: plan.master,
            launch: LaunchContext {
                command: vec!["master".to_owned(), index.to_string()],
                artifacts: vec![ArtifactUse {
                    name: "file".to_owned(),
                    hash: plan.file,
                    size_bytes: 1,
                    executable: false,
                }],
                ..LaunchContext::default()
            },
            artifacts: plan.other_files.clone(),
            ..ApplicationSpec::default()
        }
    }

    pub(crate) fn client_is_answered(
        &mut self,
        index: usize,
        number: u64,
        reply: Result<Reply, Error>,
    ) {
        let client = &mut self.clients[index];
        if number != client.number || client.waits_until_ms.is_none() {
            return;
        }
        client.waits_until_ms = None;
        match reply {
            Ok(Reply::NewApplication { application, .. }) if client.application.is_none() => {
                client.application = Some(application);
                self.oracle.id_is_handed_out(application);
            }
            Ok(Reply::Submitted(application)) if !client.is_submitted => {
                client.is_submitted = true;
                self.counts.applications += 1;
                self.oracle.submission_is_acknowledged(application);
            }
            Ok(Reply::Kill { had_ended }) => {
                client.is_killed = true;
                if let Some(application) = client.application
                    && !had_ended
                {
                    self.oracle.kill_is_acknowledged(application);
                }
            }
            // Ended and forgotten, which is as good.
            Err(Error::UnknownApplication { .. }) => client.is_killed = true,
            Err(Error::TooLarge { .. } | Error::IdNotHandedOut { .. }) => client.is_refused = true,
            Err(error @ (Error::InvalidSubmission { .. } | Error::AlreadySubmitted { .. })) => {
                self.oracle.broken(format!("client {index} did nothing wrong: {error}"));
            }
            Ok(_) | Err(_) => {}
        }
    }
}
