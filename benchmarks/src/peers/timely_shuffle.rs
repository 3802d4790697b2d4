//! The keyed exchange on timely dataflow, with its own records, channels and progress tracking.
//!
//! Each worker makes its share of the records in steps small enough to stay in the cache, exchanges them
//! by a hash of the key, and sums what arrives. Timely has no back-pressure; both workers make and take
//! records at the same pace, so that what is under way stays small all the same.

use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};
use timely::CommunicationConfig;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;
use timely::dataflow::operators::generic::operator::source;
use timely::dataflow::{Scope, StreamVec};
use timely::worker::Worker;

use crate::outcome::{Outcome, Settings};
use crate::work::{self, PARALLELISM, ShuffleRecord, Tally};

/// Records a source makes before it lets the other operators run.
const RECORDS_PER_STEP: usize = 4 * 1024;

/// Two workers in one process.
pub fn local(_settings: &Settings) -> Result<Outcome> {
    work::time(|| {
        let config = timely::Config::process(PARALLELISM);
        Ok(run_workers(config, || ())?.answer())
    })
}

/// Two members of a cluster with one worker each, joined by loopback TCP. They share a process, not
/// memory: between cluster members everything crosses the socket.
///
/// The clock starts when they have connected, which timely polls for by the second.
pub fn tcp(_settings: &Settings) -> Result<Outcome> {
    let addresses = free_addresses()?;
    let connected = Arc::new(Barrier::new(PARALLELISM + 1));
    let members: Vec<_> = (0..PARALLELISM)
        .map(|process| {
            let config = cluster_member(process, &addresses);
            let connected = Arc::clone(&connected);
            thread::spawn(move || {
                run_workers(config, move || {
                    connected.wait();
                })
            })
        })
        .collect();
    connected.wait();
    let start = Instant::now();
    let mut total = Tally::default();
    for member in members {
        let tally = member.join().map_err(|_| anyhow!("a cluster member panicked"))?;
        total.merge(tally?);
    }
    Ok(Outcome { measured: start.elapsed().as_secs_f64(), answer: total.answer() })
}

fn cluster_member(process: usize, addresses: &[String]) -> timely::Config {
    timely::Config {
        communication: CommunicationConfig::Cluster {
            threads: 1,
            process,
            addresses: addresses.to_vec(),
            report: false,
            zerocopy: false,
        },
        worker: timely::WorkerConfig::default(),
    }
}

/// Addresses that were free a moment ago; timely wants to bind them itself.
fn free_addresses() -> Result<Vec<String>> {
    let listeners: Vec<TcpListener> =
        (0..PARALLELISM).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.to_string())).collect()
}

/// Runs this member's workers to their end and adds up what they counted.
fn run_workers<F>(config: timely::Config, before: F) -> Result<Tally>
where
    F: Fn() + Send + Sync + 'static,
{
    let guards = timely::execute(config, move |worker| {
        before();
        shuffle(worker)
    })
    .map_err(|error| anyhow!("timely does not start: {error}"))?;
    let mut total = Tally::default();
    for tally in guards.join() {
        total.merge(tally.map_err(|error| anyhow!("a timely worker failed: {error}"))?);
    }
    Ok(total)
}

fn shuffle(worker: &mut Worker) -> Tally {
    let (index, peers) = (worker.index() as u64, worker.peers() as u64);
    let tally = Rc::new(Cell::new(Tally::default()));
    let sink_tally = Rc::clone(&tally);
    worker.dataflow::<u64, _, _>(|scope| {
        let records = make_records(scope, index, peers);
        records.sink(Exchange::new(work::shuffle_route), "Tally", move |(input, _)| {
            let mut sums = sink_tally.get();
            input.for_each(|_, batch| batch.iter().for_each(|(key, value)| sums.add(key ^ value)));
            sink_tally.set(sums);
        });
    });
    while worker.has_dataflows() {
        worker.step_or_park(None);
    }
    tally.get()
}

fn make_records<'scope>(
    scope: Scope<'scope, u64>,
    index: u64,
    peers: u64,
) -> StreamVec<'scope, u64, ShuffleRecord> {
    source(scope, "Records", |capability, info| {
        let activator = scope.activator_for(info.address);
        let mut capability = Some(capability);
        let mut indexes = work::shuffle_range(index, peers);
        move |output| {
            let Some(held) = &capability else { return };
            output
                .session(held)
                .give_iterator(indexes.by_ref().take(RECORDS_PER_STEP).map(work::shuffle_record));
            if indexes.is_empty() {
                capability = None;
            } else {
                activator.activate();
            }
        }
    })
}
