//! A chain: operators that hand batches to one another by call, and the writers behind them.
//!
//! Operators stand in topological order, so an operator emits only to later ones: the chain is
//! split behind the running operator and the rest is lent to what it emits into. One virtual call
//! per batch and operator; nothing is queued inside a chain.

use super::writer::OutputWriter;
use crate::{metrics::OperatorMetrics, panics};
use std::{cell::Cell, sync::Arc};
use weir_base::{CheckpointId, Monotonic, Now, OperatorId};
use weir_dataflow::{
    Batch, Element, Emit, Error, Operator, OperatorContext, RestoredState, Result, SourcePoll,
    SubtaskInfo, Timestamp,
};
use weir_state::heap::Stateful;

/// Where an operator's output goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// To a later operator of the chain.
    Operator {
        /// Its position.
        position: usize,
        /// Its numbered input.
        input: usize,
    },
    /// To other tasks.
    Writer(usize),
}

/// One operator of the chain.
pub struct Link {
    /// What it is told about itself.
    pub info: SubtaskInfo,
    /// The operator.
    pub operator: Box<dyn Operator>,
    /// Consumers of its main output.
    pub targets: Vec<Target>,
    /// Its counters.
    pub metrics: Arc<OperatorMetrics>,
}

/// The processing time of a moment: the wall clock, which may be set back.
pub(crate) fn processing_time(now: Now) -> Timestamp {
    Timestamp::try_from(now.wall.0).unwrap_or(Timestamp::MAX)
}

/// The operators of one task.
pub struct Chain {
    links: Vec<Link>,
    writers: Vec<OutputWriter>,
    /// Position of the operator that runs or failed last.
    current: Cell<usize>,
}

/// What the operators behind a running one look like to it.
struct Downstream<'a> {
    rest: &'a mut [Link],
    /// Position of the first of `rest`.
    first: usize,
    targets: &'a [Target],
    metrics: &'a OperatorMetrics,
    writers: &'a mut [OutputWriter],
    current: &'a Cell<usize>,
    now: Now,
}

impl Downstream<'_> {
    /// Calls an operator behind the running one.
    fn call(
        &mut self,
        position: usize,
        body: impl FnOnce(&mut dyn Operator, &mut OperatorContext<'_>) -> Result<()>,
    ) -> Result<()> {
        let caller = self.current.replace(position);
        let (link, rest) = self.rest[position - self.first..]
            .split_first_mut()
            .expect("a target stands behind its producer");
        let mut downstream = Downstream {
            rest,
            first: position + 1,
            targets: &link.targets,
            metrics: &link.metrics,
            writers: self.writers,
            current: self.current,
            now: self.now,
        };
        let result = body(
            &mut *link.operator,
            &mut OperatorContext::new(&mut downstream, processing_time(self.now)),
        );
        if result.is_ok() {
            // After an error it stays where it was: that names the operator to blame.
            self.current.set(caller);
        }
        result
    }

    fn deliver(&mut self, target: Target, batch: Batch) -> Result<()> {
        match target {
            Target::Writer(writer) => self.writers[writer].write(batch, self.now.monotonic),
            Target::Operator { position, input } => {
                self.rest[position - self.first].metrics.add_in(batch.len());
                self.call(position, |operator, ctx| operator.on_batch(input, batch, ctx))
            }
        }
    }
}

impl Emit for Downstream<'_> {
    fn emit(&mut self, _output: usize, batch: Batch) -> Result<()> {
        self.metrics.add_out(batch.len());
        let Some((last, others)) = self.targets.split_last() else { return Ok(()) };
        for target in others {
            self.deliver(*target, batch.duplicate())?;
        }
        self.deliver(*last, batch)
    }

    fn emit_watermark(&mut self, watermark: Timestamp) -> Result<()> {
        for target in self.targets {
            match *target {
                Target::Writer(writer) => {
                    self.writers[writer].broadcast(|| Element::Watermark(watermark))?;
                }
                Target::Operator { position, .. } => {
                    self.call(position, |operator, ctx| operator.on_watermark(watermark, ctx))?;
                }
            }
        }
        Ok(())
    }
}

impl Chain {
    /// A chain of at least one operator.
    pub fn new(links: Vec<Link>, writers: Vec<OutputWriter>) -> Self {
        assert!(!links.is_empty(), "a chain has a head");
        Self { links, writers, current: Cell::new(0) }
    }

    /// Name of the operator that runs, or that failed.
    pub fn current_operator(&self) -> &str {
        &self.links[self.current.get()].info.operator_name
    }

    /// Whether the head is polled for records.
    pub fn is_source(&self) -> bool {
        self.links[0].operator.is_source()
    }

    /// Number of operators.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// A chain is never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    fn call<R>(
        &mut self,
        position: usize,
        now: Now,
        body: impl FnOnce(&mut dyn Operator, &mut OperatorContext<'_>) -> Result<R>,
    ) -> Result<R> {
        self.current.set(position);
        let (link, rest) =
            self.links[position..].split_first_mut().expect("the position is one of the chain's");
        let mut downstream = Downstream {
            rest,
            first: position + 1,
            targets: &link.targets,
            metrics: &link.metrics,
            writers: &mut self.writers,
            current: &self.current,
            now,
        };
        body(&mut *link.operator, &mut OperatorContext::new(&mut downstream, processing_time(now)))
    }

    /// Opens every operator, last first, so that an operator finds those behind it open.
    pub fn open(&mut self, mut restored: impl FnMut(OperatorId) -> RestoredState) -> Result<()> {
        for (position, link) in self.links.iter_mut().enumerate().rev() {
            self.current.set(position);
            let mut state = restored(link.info.operator);
            link.operator.open(&link.info, &mut state)?;
        }
        Ok(())
    }

    /// Hands a batch to the head.
    pub fn on_batch(&mut self, input: usize, batch: Batch, now: Now) -> Result<()> {
        // What a source takes in is what it reads; its batches are assignments of splits.
        if !self.is_source() {
            self.links[0].metrics.add_in(batch.len());
        }
        self.call(0, now, |operator, ctx| operator.on_batch(input, batch, ctx))
    }

    /// Hands a watermark to the head.
    pub fn on_watermark(&mut self, watermark: Timestamp, now: Now) -> Result<()> {
        self.call(0, now, |operator, ctx| operator.on_watermark(watermark, ctx))
    }

    /// Asks the head for records.
    pub fn poll(&mut self, now: Now) -> Result<SourcePoll> {
        let before = self.links[0].metrics.records_out();
        let polled = self.call(0, now, |operator, ctx| operator.poll(ctx));
        let metrics = &self.links[0].metrics;
        metrics.add_in((metrics.records_out() - before) as usize);
        polled
    }

    /// The earliest timer of any operator.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.links.iter().filter_map(|link| link.operator.next_timer()).min()
    }

    /// Fires what is due.
    pub fn on_timers(&mut self, now: Now) -> Result<()> {
        for position in 0..self.links.len() {
            if self.links[position]
                .operator
                .next_timer()
                .is_some_and(|due| due <= processing_time(now))
            {
                self.call(position, now, |operator, ctx| operator.on_timers(ctx))?;
            }
        }
        Ok(())
    }

    /// A numbered input of the head has ended.
    pub fn on_end(&mut self, input: usize, now: Now) -> Result<()> {
        self.call(0, now, |operator, ctx| operator.on_end(input, ctx))
    }

    /// Finishes every operator in order, then tells the consumers that no record follows.
    pub fn finish(&mut self, now: Now) -> Result<()> {
        for position in 0..self.links.len() {
            for input in self.chained_inputs(position) {
                self.call(position, now, |operator, ctx| operator.on_end(input, ctx))?;
            }
            self.call(position, now, |operator, ctx| operator.finish(ctx))?;
        }
        self.broadcast(|| Element::EndOfData)
    }

    /// Numbered inputs of an operator that are fed from inside the chain, once each.
    fn chained_inputs(&self, position: usize) -> Vec<usize> {
        let mut inputs: Vec<usize> = self
            .links
            .iter()
            .flat_map(|link| &link.targets)
            .filter_map(|target| match target {
                Target::Operator { position: to, input } if *to == position => Some(*input),
                _ => None,
            })
            .collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    /// Lets every operator emit what must leave before a barrier, and sends what is unsent.
    pub fn before_barrier(&mut self, now: Now) -> Result<()> {
        for position in 0..self.links.len() {
            self.call(position, now, |operator, ctx| operator.before_barrier(ctx))?;
        }
        self.flush()
    }

    /// Sends a control element on every output, behind everything unsent.
    pub fn broadcast(&mut self, control: impl Fn() -> Element) -> Result<()> {
        self.writers.iter_mut().try_for_each(|writer| writer.broadcast(&control))
    }

    /// Sends everything unsent.
    pub fn flush(&mut self) -> Result<()> {
        self.writers.iter_mut().try_for_each(OutputWriter::flush)
    }

    /// Sends what has waited long enough.
    pub fn flush_if_due(&mut self, now: Now) -> Result<()> {
        self.writers.iter_mut().try_for_each(|writer| writer.flush_if_due(now.monotonic))
    }

    /// When something unsent must be sent.
    pub fn flush_deadline(&self) -> Option<Monotonic> {
        self.writers.iter().filter_map(OutputWriter::flush_deadline).min()
    }

    /// Every operator with the id of its state.
    pub fn stateful(&mut self) -> impl Iterator<Item = Stateful<'_>> {
        self.links
            .iter_mut()
            .map(|link| Stateful { id: link.info.operator, operator: &mut *link.operator })
    }

    /// Tells every operator that a checkpoint is recorded.
    pub fn on_checkpoint_complete(&mut self, checkpoint: CheckpointId) -> Result<()> {
        for (position, link) in self.links.iter_mut().enumerate() {
            self.current.set(position);
            link.operator.on_checkpoint_complete(checkpoint)?;
        }
        Ok(())
    }

    /// Tells every operator that a checkpoint will not complete.
    pub fn on_checkpoint_aborted(&mut self, checkpoint: CheckpointId) -> Result<()> {
        for (position, link) in self.links.iter_mut().enumerate() {
            self.current.set(position);
            link.operator.on_checkpoint_aborted(checkpoint)?;
        }
        Ok(())
    }

    /// Closes every operator, also when one fails or panics. The first problem is returned; its
    /// operator is then the current one.
    pub fn close(&mut self) -> Result<()> {
        let mut first = Ok(());
        for (position, link) in self.links.iter_mut().enumerate() {
            let closed = panics::catch(|| link.operator.close());
            if first.is_ok() && closed.is_err() {
                self.current.set(position);
                first = closed;
            }
        }
        first
    }

    /// Drops every operator and all unsent output, one after the other, so that a destructor that
    /// panics keeps nothing from being dropped. Gives each such panic with its operator.
    pub fn dispose(self) -> Vec<(String, Error)> {
        let mut problems = Vec::new();
        let mut last = String::new();
        for link in self.links {
            last.clone_from(&link.info.operator_name);
            if let Err(error) = panics::catch_drop(link) {
                problems.push((last.clone(), error));
            }
        }
        // Unsent records are most often those of the last operator.
        for writer in self.writers {
            if let Err(error) = panics::catch_drop(writer) {
                problems.push((last.clone(), error));
            }
        }
        problems
    }
}
