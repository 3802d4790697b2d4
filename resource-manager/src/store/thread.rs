//! The thread that uses a store.

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

/// A handle to the thread of a store. The thread ends when the last clone is dropped.
#[derive(Clone)]
pub struct StoreThread {
    commands: Sender<Command>,
}

impl StoreThread {
    /// Begins a new epoch of a store and starts its thread.
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

    /// Appends facts. Calls `done` when they are durable or cannot be written.
    pub fn append(&self, facts: Vec<Fact>, done: impl FnOnce(Result<(), Error>) + Send + 'static) {
        self.send(Command::Append(facts, Box::new(done)));
    }

    /// See [`Store::archived`].
    ///
    /// # Errors
    /// The archive cannot be read.
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
        // The send fails only if the thread has panicked. The panic has been reported, and the drop of the command
        // tells its caller.
        let _ = self.commands.send(command);
    }
}

/// Runs until all senders are dropped.
fn work(store: &mut impl Store, inbox: &Receiver<Command>) {
    for command in inbox {
        match command {
            Command::Append(facts, done) => done(store.append(&facts)),
            Command::Archived(application, path, done) => {
                // The send fails if the caller no longer waits.
                let _ = done.send(store.archived(application, &path));
            }
        }
    }
}
