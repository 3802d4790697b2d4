//! Small operators whose effects are easy to foretell.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use weir_base::CheckpointId;
use weir_dataflow::{
    Batch, KeyedTable, Operator, OperatorContext, RestoredState, Result, SourcePoll, SubtaskInfo,
    TableVisitor, Timestamp, hash_key,
};
use weir_state::TaskSnapshot;

const SUMS: &str = "sums";

/// Adds up `(key, amount)` by key and emits each new sum.
#[derive(Default)]
pub struct Sums {
    sums: KeyedTable<u64, u64>,
}

impl Operator for Sums {
    fn open(&mut self, _: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        restored.restore_table(SUMS, &mut self.sums)
    }

    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let mut updates = Vec::new();
        for (key, amount) in batch.into_records::<(u64, u64)>()? {
            let sum = self.sums.upsert(hash_key(&key)?, key, u64::default, |sum| {
                *sum += amount;
                *sum
            });
            updates.push((key, sum));
        }
        ctx.emit_records(updates)
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) -> Result<()> {
        visit(SUMS, &mut self.sums)
    }
}

/// The sums in a snapshot of a task with one [`Sums`].
pub fn sums_in(snapshot: &TaskSnapshot) -> BTreeMap<u64, u64> {
    let mut table = KeyedTable::<u64, u64>::new();
    let tables = snapshot.operators.iter().flat_map(|operator| &operator.tables);
    for (_, entries) in tables.flat_map(|table| &table.groups) {
        table.restore(entries).expect("as written");
    }
    table.iter().map(|(key, sum)| (*key, *sum)).collect()
}

/// Holds everything back until a barrier or the end, as a combiner does.
#[derive(Default)]
pub struct Holding {
    held: Vec<(u64, u64)>,
}

impl Holding {
    fn let_go(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        ctx.emit_records(std::mem::take(&mut self.held))
    }
}

impl Operator for Holding {
    fn on_batch(&mut self, _: usize, batch: Batch, _: &mut OperatorContext<'_>) -> Result<()> {
        self.held.extend(batch.into_records::<(u64, u64)>()?);
        Ok(())
    }

    fn before_barrier(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.let_go(ctx)
    }

    fn finish(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.let_go(ctx)
    }
}

/// What operators were told, in order.
pub type Calls = Arc<Mutex<Vec<String>>>;

/// Passes records on and writes down what it is told.
pub struct Logging(pub Calls);

impl Logging {
    fn log(&self, call: impl Into<String>) {
        self.0.lock().expect("whole").push(call.into());
    }
}

impl Operator for Logging {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.log(format!("batch of {}", batch.len()));
        ctx.emit(batch)
    }

    fn on_end(&mut self, input: usize, _: &mut OperatorContext<'_>) -> Result<()> {
        self.log(format!("end of input {input}"));
        Ok(())
    }

    fn finish(&mut self, _: &mut OperatorContext<'_>) -> Result<()> {
        self.log("finish");
        Ok(())
    }

    fn on_checkpoint_complete(&mut self, checkpoint: CheckpointId) -> Result<()> {
        self.log(format!("complete {checkpoint}"));
        Ok(())
    }

    fn on_checkpoint_aborted(&mut self, checkpoint: CheckpointId) -> Result<()> {
        self.log(format!("aborted {checkpoint}"));
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.log("close");
        Ok(())
    }
}

/// A source without an input of numbered records, one per poll.
pub struct Counter {
    pub next: u64,
    pub end: u64,
}

impl Operator for Counter {
    fn on_batch(&mut self, _: usize, _: Batch, _: &mut OperatorContext<'_>) -> Result<()> {
        unreachable!("it has no input")
    }

    fn is_source(&self) -> bool {
        true
    }

    fn poll(&mut self, ctx: &mut OperatorContext<'_>) -> Result<SourcePoll> {
        if self.next == self.end {
            return Ok(SourcePoll::End);
        }
        ctx.emit_records(vec![(self.next, 1u64)])?;
        self.next += 1;
        Ok(SourcePoll::More)
    }
}

/// Has one timer.
pub struct Alarm {
    pub at: Option<Timestamp>,
    pub calls: Calls,
}

impl Operator for Alarm {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        ctx.emit(batch)
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.at
    }

    fn on_timers(&mut self, _: &mut OperatorContext<'_>) -> Result<()> {
        self.at = None;
        self.calls.lock().expect("whole").push("alarm".to_owned());
        Ok(())
    }
}

/// Panics when it is dropped.
pub struct Bomb {
    /// Emits a record that does so too, instead of passing a batch on.
    pub emits_bomb: bool,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct BrokenRecord;

impl Operator for Bomb {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        if self.emits_bomb { ctx.emit_records(vec![BrokenRecord]) } else { ctx.emit(batch) }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("operator dropped");
    }
}

impl Drop for BrokenRecord {
    fn drop(&mut self) {
        panic!("record dropped");
    }
}
