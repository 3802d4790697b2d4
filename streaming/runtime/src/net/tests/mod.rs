//! Two hosts in one process, over loopback. What may block has a limit far above what it needs.

mod exchange;
mod failures;
mod hostile;

use super::{ChannelEnds, NetConfig, NetHost, incoming::SMALL_BATCHES};
use crate::{
    control::TaskControl,
    exchange::{ElementSender, Inbox, InboxLimits, QueuedElement, Received},
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};
use weir_base::{ExecutionAttempt, JobId};
use weir_dataflow::{Batch, Element, Error, Result, TypedPayload};
use weir_graph::TaskId;
use weir_protocol::challenge::{JobKey, Nonce, Proof, Side};

/// Above this, a test fails instead of hanging.
const LIMIT: Duration = Duration::from_secs(60);
const TWO_BATCHES: InboxLimits = InboxLimits { batches: 2, bytes: 1 << 20 };
/// Small batches that may be under way to an inbox of those limits.
const WINDOW: usize = TWO_BATCHES.batches * SMALL_BATCHES;

/// The nonce of peers that a test plays.
const ZEROS: Nonce = Nonce([0; 32]);

fn key() -> JobKey {
    JobKey::new([5; 32])
}

fn proof(side: Side, connector: Nonce, acceptor: Nonce) -> Proof {
    key().prove(b"WEIRDATA", side, connector, acceptor)
}

fn host(name: &str) -> NetHost {
    logging_host(name, |_| {}).0
}

fn logging_host(name: &str, configure: impl FnOnce(&mut NetConfig)) -> (NetHost, Receiver<String>) {
    let (lines, log) = channel();
    let mut config = NetConfig::new(JobId::of_text("job"), key(), name);
    config.log = Arc::new(move |line| {
        let _ = lines.send(line.to_owned());
    });
    configure(&mut config);
    (NetHost::start(config).unwrap(), log)
}

/// Channel `index`: from its own producer to its own consumer, both attempt 5.
fn ends(index: u32) -> ChannelEnds {
    let task = |vertex| (TaskId { vertex, subtask: index }, ExecutionAttempt(5));
    ChannelEnds { edge: 0, producer: task(0), consumer: task(1) }
}

/// A registered input; errors tell that its channel is lost.
fn input(host: &NetHost, ends: ChannelEnds, limits: InboxLimits) -> (Arc<Inbox>, Receiver<Error>) {
    let (lost, losses) = channel();
    let inbox = Inbox::new(1, limits);
    let on_lost = Box::new(move |error| {
        let _ = lost.send(error);
    });
    host.register_input(ends, Arc::clone(&inbox), 0, on_lost);
    (inbox, losses)
}

fn output(from: &NetHost, to: &NetHost, ends: ChannelEnds) -> Box<dyn ElementSender> {
    let control = TaskControl::new();
    let sender = from.open_output(to.local_addr(), ends, Arc::clone(&control)).unwrap();
    Box::new(Kicking { sender, control })
}

/// Kicks after each element, as a task does before it waits for something.
struct Kicking {
    sender: Box<dyn ElementSender>,
    control: Arc<TaskControl>,
}

impl ElementSender for Kicking {
    fn send(&mut self, element: Element) -> Result<()> {
        let sent = self.sender.send(element);
        self.control.kick();
        sent
    }
}

fn batch(value: u64) -> Element {
    Element::Batch(Batch::of(vec![value]))
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{what} did not happen");
        thread::yield_now();
    }
}

/// The next thing in the inbox; its own waits may end early.
fn take_queued(inbox: &Inbox) -> QueuedElement {
    let (start, control) = (Instant::now(), TaskControl::new());
    loop {
        match inbox.wait(&control, Some(LIMIT)) {
            Received::Element(0, queued) => return queued,
            Received::Nothing if start.elapsed() < LIMIT => {}
            other => panic!("expected an element, got {other:?}"),
        }
    }
}

fn take(inbox: &Inbox) -> Element {
    match take_queued(inbox) {
        QueuedElement::Element(element) => element,
        QueuedElement::Encoded(delivery) => {
            Element::Batch(delivery.decode(&TypedPayload::<u64>::new()).unwrap())
        }
    }
}

fn take_value(inbox: &Inbox) -> u64 {
    match take(inbox) {
        Element::Batch(batch) => batch.into_records::<u64>().unwrap()[0],
        other => panic!("expected a batch, got {other:?}"),
    }
}

/// Sends until that fails.
fn send_until_error(sender: &mut dyn ElementSender) -> Error {
    (0..).map(|value| sender.send(batch(value))).find_map(Result::err).unwrap()
}

fn send_all(sender: &mut dyn ElementSender, values: std::ops::Range<u64>) -> Result<()> {
    values.into_iter().try_for_each(|value| sender.send(batch(value)))
}
