//! The thread on which a store works.

use super::{Recovered, Store};
use crate::error::Error;
use futures::channel::oneshot;
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};
use weir_base::ApplicationId;
use weir_resource_manager_brain::Fact;

const STACK_BYTES: usize = 512 * 1024;

type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

enum Command {
    Append(Vec<Fact>, Done),
    Archived(ApplicationId, String, oneshot::Sender<Result<Option<String>, Error>>),
}

/// A store at work on its thread, which ends when the last clone is dropped.
#[derive(Clone)]
pub struct StoreThread {
    commands: Sender<Command>,
}

impl StoreThread {
    /// Begins a new epoch of a store and puts it to work.
    ///
    /// # Errors
    /// See [`Store::begin`].
    pub fn start(
        mut store: impl Store,
        cluster_timestamp: u64,
    ) -> Result<(Self, Recovered), Error> {
        let recovered = store.begin(cluster_timestamp)?;
        let (commands, inbox) = channel();
        thread::Builder::new()
            .name("store".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || work(&mut store, &inbox))
            .map_err(|source| weir_service::Error::System { what: "a thread", source })?;
        Ok((Self { commands }, recovered))
    }

    /// Appends facts, and calls `done` when they are on disk or cannot be written.
    pub fn append(&self, facts: Vec<Fact>, done: impl FnOnce(Result<(), Error>) + Send + 'static) {
        self.send(Command::Append(facts, Box::new(done)));
    }

    /// See [`Store::archived`].
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn archived(
        &self,
        application: ApplicationId,
        path: &str,
    ) -> Result<Option<String>, Error> {
        let (sender, receiver) = oneshot::channel();
        self.send(Command::Archived(application, path.to_owned(), sender));
        receiver.await.map_err(|_| Error::Ending)?
    }

    fn send(&self, command: Command) {
        // The thread ends before its last sender only by a panic, which has been reported; a waiting
        // caller notices that its channel was dropped.
        let _ = self.commands.send(command);
    }
}

/// Works until all senders are dropped.
fn work(store: &mut impl Store, inbox: &Receiver<Command>) {
    for command in inbox {
        match command {
            Command::Append(facts, done) => done(store.append(&facts)),
            Command::Archived(application, path, done) => {
                // A caller that was dropped needs no answer.
                let _ = done.send(store.archived(application, &path));
            }
        }
    }
}
