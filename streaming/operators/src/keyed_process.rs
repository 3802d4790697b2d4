//! Keyed process functions: an author's own operator with keyed state and timers.
//!
//! State: the tables the function declares, and its processing-time timers (`weir.timers`). At a
//! barrier tables are marked like any other; at the end of data timers that have not fired are
//! dropped, as in Flink. Cost per record: the function, and one probe per state access.

use crate::process::{RuntimeContext, UserResult};
use std::{
    any::{Any, type_name},
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};
use weir_dataflow::{
    Batch, Collector, Error, Key, KeyedTable, Operator, OperatorContext, Record, RestoredState,
    Result, SnapshotTable, SubtaskInfo, TableVisitor, Timestamp, batch::MAX_RECORDS, hash_key,
    schema_trace::schema_of,
};
use weir_graph::{Schema, StateDeclaration, StateKind};

/// Name of the timers' state; no name of an author's state may be the same.
pub const TIMERS_STATE: &str = "weir.timers";

/// Timers fired per call, so that a barrier or a cancel never waits for all that are due.
const MAX_FIRED: usize = 1024;

/// A function with keyed state and timers. Each subtask works on a clone of the one that was handed
/// over.
///
/// This one adds up amounts per account, and emits the total once an account has been quiet for a
/// second:
///
/// ```
/// # use weir_operators as weir;
/// # mod prelude { pub use weir_dataflow::{Collector, Text, Timestamp}; pub use weir_operators::*; }
/// # use prelude::*;
/// #[derive(Clone, Default)]
/// struct TotalWhenQuiet {
///     total: StateHandle<u64>,
///     /// When the timer of the account is due.
///     due: StateHandle<Timestamp>,
/// }
///
/// impl KeyedProcessFunction for TotalWhenQuiet {
///     type Key = Text;
///     type In = (Text, u64);
///     type Out = (Text, u64);
///
///     fn declare(&mut self, states: &mut States<Text>) {
///         self.total = states.value("total");
///         self.due = states.value("due");
///     }
///
///     fn process(
///         &mut self,
///         (_, amount): (Text, u64),
///         context: &mut KeyedContext<'_, Text>,
///         _: &mut Collector<(Text, u64)>,
///     ) -> UserResult {
///         context.update(self.total, |total| *total += amount);
///         if let Some(due) = context.get(self.due).copied() {
///             context.delete_processing_time_timer(due);
///         }
///         let due = context.processing_time() + 1_000;
///         context.register_processing_time_timer(due);
///         context.set(self.due, due);
///         Ok(())
///     }
///
///     fn on_timer(
///         &mut self,
///         _: Timestamp,
///         context: &mut KeyedContext<'_, Text>,
///         out: &mut Collector<(Text, u64)>,
///     ) -> UserResult {
///         context.clear(self.due);
///         if let Some(total) = context.clear(self.total) {
///             out.collect((context.key().clone(), total));
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// A job uses it as `stream.key_by(|(account, _)| account.clone()).process(TotalWhenQuiet::default())`.
pub trait KeyedProcessFunction: Clone + Send + 'static {
    /// What the stream is keyed by.
    type Key: Key;
    /// What goes in.
    type In: Record;
    /// What comes out.
    type Out: Record;

    /// Declares every state; keep the handles for `process`. Called when the graph is built, and
    /// again for each subtask; a handle that was not declared here fails the job
    /// (`WEIR-STATE-0002`).
    fn declare(&mut self, states: &mut States<Self::Key>);

    /// Called before the first record.
    fn open(&mut self, _context: RuntimeContext<'_>) -> UserResult {
        Ok(())
    }

    /// Handles a record; the context gives the state of the record's key.
    fn process(
        &mut self,
        record: Self::In,
        context: &mut KeyedContext<'_, Self::Key>,
        out: &mut Collector<Self::Out>,
    ) -> UserResult;

    /// A timer of a key has come due.
    ///
    /// A timer that is still pending when the input ends is dropped and never fires, as in Flink:
    /// a bounded job does not wait for it. What must come out at the end of a bounded input is
    /// better emitted by `process`, or computed by an aggregate in batch mode.
    fn on_timer(
        &mut self,
        _timestamp: Timestamp,
        _context: &mut KeyedContext<'_, Self::Key>,
        _out: &mut Collector<Self::Out>,
    ) -> UserResult {
        Ok(())
    }

    /// Called last, also after errors.
    fn close(&mut self) -> UserResult {
        Ok(())
    }
}

/// Names a declared state of type `V`. [`States`] makes it; the default names no state, and using
/// it is an error (`WEIR-STATE-0002`).
pub struct StateHandle<V> {
    index: usize,
    value: PhantomData<fn() -> V>,
}

impl<V> Clone for StateHandle<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for StateHandle<V> {}

/// A handle that names no state until it is declared.
impl<V> Default for StateHandle<V> {
    fn default() -> Self {
        Self { index: usize::MAX, value: PhantomData }
    }
}

/// A keyed table without its value type.
trait AnyTable<K>: Send {
    fn as_any(&mut self) -> &mut dyn Any;
    fn as_snapshot(&mut self) -> &mut dyn SnapshotTable;
    fn restore(&mut self, bytes: &[u8]) -> Result<()>;
}

impl<K: Key, V: Record> AnyTable<K> for KeyedTable<K, V> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn as_snapshot(&mut self) -> &mut dyn SnapshotTable {
        self
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        Self::restore(self, bytes)
    }
}

/// The states a function declares.
pub struct States<K> {
    declarations: Vec<StateDeclaration>,
    tables: Vec<Box<dyn AnyTable<K>>>,
    /// The first type that cannot be stored.
    error: Option<Error>,
}

impl<K: Key> States<K> {
    fn new() -> Self {
        Self { declarations: Vec::new(), tables: Vec::new(), error: None }
    }

    /// One value per key.
    pub fn value<V: Record>(&mut self, name: &str) -> StateHandle<V> {
        self.add(name, StateKind::Value)
    }

    /// A list per key.
    pub fn list<V: Record>(&mut self, name: &str) -> StateHandle<Vec<V>> {
        self.add(name, StateKind::List)
    }

    /// A map per key.
    pub fn map<M: Record + Ord, V: Record>(&mut self, name: &str) -> StateHandle<BTreeMap<M, V>> {
        self.add(name, StateKind::Map)
    }

    fn add<V: Record>(&mut self, name: &str, kind: StateKind) -> StateHandle<V> {
        let declaration = StateDeclaration {
            name: name.to_owned(),
            kind,
            key: Some(self.schema_of::<K>()),
            value: self.schema_of::<V>(),
            ttl_ms: None,
        };
        self.declarations.push(declaration);
        self.tables.push(Box::new(KeyedTable::<K, V>::new()));
        StateHandle { index: self.tables.len() - 1, value: PhantomData }
    }

    fn schema_of<V: Record>(&mut self) -> Schema {
        schema_of::<V>().unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            Schema::opaque(type_name::<V>())
        })
    }
}

/// The states that a function declares, for the graph.
///
/// # Errors
/// A state of a type that cannot be stored.
pub fn declarations_of<P: KeyedProcessFunction>(function: &mut P) -> Result<Vec<StateDeclaration>> {
    let mut states = States::new();
    function.declare(&mut states);
    if let Some(error) = states.error {
        return Err(error);
    }
    let mut declarations = states.declarations;
    declarations.push(StateDeclaration {
        name: TIMERS_STATE.to_owned(),
        kind: StateKind::List,
        key: Some(schema_of::<P::Key>()?),
        value: schema_of::<Vec<Timestamp>>()?,
        ttl_ms: None,
    });
    Ok(declarations)
}

/// State and time of the key at hand.
pub struct KeyedContext<'a, K> {
    key: &'a K,
    hash: u64,
    tables: &'a mut [Box<dyn AnyTable<K>>],
    timers: &'a mut Timers<K>,
    processing_time: Timestamp,
    /// The first handle that names no state of this function.
    misuse: Option<Error>,
}

impl<K: Key> KeyedContext<'_, K> {
    /// The key at hand.
    pub fn key(&self) -> &K {
        self.key
    }

    /// The processing time.
    pub fn processing_time(&self) -> Timestamp {
        self.processing_time
    }

    /// The table of a state. Without one the call of the function ends in an error, whatever it
    /// returns.
    fn table<V: Record>(&mut self, state: StateHandle<V>) -> Option<&mut KeyedTable<K, V>> {
        let table = self.tables.get_mut(state.index);
        let table = table.and_then(|table| table.as_any().downcast_mut());
        if table.is_none() {
            self.misuse.get_or_insert_with(undeclared::<V>);
        }
        table
    }

    /// The result of a call of the function with this context.
    fn conclude(self, result: UserResult) -> Result<()> {
        self.misuse.map_or(Ok(()), Err)?;
        result.map_err(Error::User)
    }

    /// The state's value for this key.
    pub fn get<V: Record>(&mut self, state: StateHandle<V>) -> Option<&V> {
        let (hash, key) = (self.hash, self.key);
        self.table(state)?.get(hash, key)
    }

    /// Changes the state's value, which is made by `Default` if there is none.
    pub fn update<V: Record + Default, R>(
        &mut self,
        state: StateHandle<V>,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        let (hash, key) = (self.hash, self.key.clone());
        match self.table(state) {
            Some(table) => table.upsert(hash, key, V::default, change),
            None => change(&mut V::default()),
        }
    }

    /// Sets the state's value.
    pub fn set<V: Record>(&mut self, state: StateHandle<V>, value: V) {
        let (hash, key) = (self.hash, self.key.clone());
        let Some(table) = self.table(state) else { return };
        match table.probe(hash, &key) {
            Some(position) => *table.value_mut(position) = value,
            None => {
                table.insert_new(hash, key, value);
            }
        }
    }

    /// Removes the state's value for this key.
    pub fn clear<V: Record>(&mut self, state: StateHandle<V>) -> Option<V> {
        let (hash, key) = (self.hash, self.key);
        self.table(state)?.remove(hash, key)
    }

    /// Calls `on_timer` for this key once the processing time has reached `timestamp`
    /// (milliseconds since 1970, as [`processing_time`](Self::processing_time)). A timer that is
    /// there already is not doubled; one in the past fires soon. Timers are part of checkpoints: one
    /// that came due while the job was down fires after the restore. Those pending at the end of
    /// input are dropped.
    pub fn register_processing_time_timer(&mut self, timestamp: Timestamp) {
        self.timers.register(self.hash, self.key, timestamp);
    }

    /// Takes a timer back.
    pub fn delete_processing_time_timer(&mut self, timestamp: Timestamp) {
        self.timers.take_back(self.hash, self.key, timestamp);
    }
}

#[cold]
fn undeclared<V>() -> Error {
    let text = format!(
        "a state handle of type {} names no state of this function: keep the handle that \
         `declare` gets from `states.value(..)`, `list` or `map` in a field of the function",
        type_name::<V>()
    );
    Error::permanent("WEIR-STATE-0002", text)
}

/// Timers: the table is the state, the queue is found again from it.
struct Timers<K> {
    by_key: KeyedTable<K, BTreeSet<Timestamp>>,
    due: BTreeMap<Timestamp, Vec<K>>,
    /// Timers in the table.
    live: usize,
    /// Timers that were taken back but are still in the queue.
    stale: usize,
}

impl<K: Key> Default for Timers<K> {
    fn default() -> Self {
        Self { by_key: KeyedTable::new(), due: BTreeMap::new(), live: 0, stale: 0 }
    }
}

impl<K: Key> Timers<K> {
    fn register(&mut self, hash: u64, key: &K, timestamp: Timestamp) {
        let new =
            self.by_key.upsert(hash, key.clone(), BTreeSet::new, |timers| timers.insert(timestamp));
        if new {
            self.live += 1;
            self.due.entry(timestamp).or_default().push(key.clone());
        }
    }

    /// Whether the timer was there.
    fn delete(&mut self, hash: u64, key: &K, timestamp: Timestamp) -> bool {
        if !self.by_key.get(hash, key).is_some_and(|timers| timers.contains(&timestamp)) {
            return false;
        }
        let empty = self.by_key.upsert(hash, key.clone(), BTreeSet::new, |timers| {
            timers.remove(&timestamp);
            timers.is_empty()
        });
        if empty {
            self.by_key.remove(hash, key);
        }
        self.live -= 1;
        true
    }

    /// Takes a timer back. The queue is searched only when most of it is stale.
    fn take_back(&mut self, hash: u64, key: &K, timestamp: Timestamp) {
        if self.delete(hash, key, timestamp) {
            self.stale += 1;
            if self.stale > self.live + MAX_FIRED {
                self.rebuild();
            }
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn rebuild(&mut self) {
        self.due.clear();
        (self.live, self.stale) = (0, 0);
        for (key, timers) in self.by_key.iter() {
            for timestamp in timers {
                self.live += 1;
                self.due.entry(*timestamp).or_default().push(key.clone());
            }
        }
    }
}

/// The operator of a [`KeyedProcessFunction`].
pub struct KeyedProcess<P: KeyedProcessFunction, F> {
    function: P,
    key_of: F,
    names: Vec<String>,
    tables: Vec<Box<dyn AnyTable<P::Key>>>,
    timers: Timers<P::Key>,
    out: Collector<P::Out>,
}

impl<P: KeyedProcessFunction, F: FnMut(&P::In) -> P::Key + Send> KeyedProcess<P, F> {
    /// An operator of a function on a stream keyed by `key_of`.
    pub fn new(mut function: P, key_of: F) -> Self {
        let mut states = States::new();
        function.declare(&mut states);
        Self {
            function,
            key_of,
            names: states.declarations.into_iter().map(|state| state.name).collect(),
            tables: states.tables,
            timers: Timers::default(),
            out: Collector::new(),
        }
    }

    fn emit(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        if self.out.is_empty() { Ok(()) } else { ctx.emit_records(self.out.take()) }
    }
}

impl<P: KeyedProcessFunction, F: FnMut(&P::In) -> P::Key + Send> Operator for KeyedProcess<P, F> {
    fn open(&mut self, info: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        for (name, table) in self.names.iter().zip(&mut self.tables) {
            for bytes in restored.tables.remove(name).unwrap_or_default() {
                table.restore(&bytes)?;
            }
        }
        restored.restore_table(TIMERS_STATE, &mut self.timers.by_key)?;
        self.timers.rebuild();
        self.function.open(RuntimeContext::new(info)).map_err(Error::User)
    }

    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let (records, carried) = batch.into_parts::<P::In>()?;
        let hashes = crate::aggregate::hashes_of(carried, &records, &mut self.key_of)?;
        for (record, hash) in records.into_iter().zip(hashes) {
            let key = (self.key_of)(&record);
            let mut context = KeyedContext {
                key: &key,
                hash,
                tables: &mut self.tables,
                timers: &mut self.timers,
                processing_time: ctx.processing_time(),
                misuse: None,
            };
            let result = self.function.process(record, &mut context, &mut self.out);
            context.conclude(result)?;
            if self.out.len() >= MAX_RECORDS {
                self.emit(ctx)?;
            }
        }
        self.emit(ctx)
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.timers.due.first_key_value().map(|(timestamp, _)| *timestamp)
    }

    fn on_timers(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let mut fired = 0;
        while fired < MAX_FIRED
            && let Some(mut entry) = self.timers.due.first_entry()
        {
            let timestamp = *entry.key();
            if timestamp > ctx.processing_time() {
                break;
            }
            let keys = entry.get_mut();
            let batch = keys.split_off(keys.len().saturating_sub(MAX_FIRED));
            if keys.is_empty() {
                entry.remove();
            }
            fired += batch.len();
            for key in batch {
                let hash = hash_key(&key)?;
                // A timer that was taken back is no longer in the table.
                if !self.timers.delete(hash, &key, timestamp) {
                    self.timers.stale = self.timers.stale.saturating_sub(1);
                    continue;
                }
                let mut context = KeyedContext {
                    key: &key,
                    hash,
                    tables: &mut self.tables,
                    timers: &mut self.timers,
                    processing_time: ctx.processing_time(),
                    misuse: None,
                };
                let result = self.function.on_timer(timestamp, &mut context, &mut self.out);
                context.conclude(result)?;
            }
            self.emit(ctx)?;
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut OperatorContext<'_>) -> Result<()> {
        // Dropped for good: a restore from the final checkpoint must not fire them after all.
        self.timers.clear();
        Ok(())
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) -> Result<()> {
        for (name, table) in self.names.iter().zip(&mut self.tables) {
            visit(name, table.as_snapshot())?;
        }
        visit(TIMERS_STATE, &mut self.timers.by_key)
    }

    fn close(&mut self) -> Result<()> {
        self.function.close().map_err(Error::User)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{info, run_on, snapshot_of};
    use weir_dataflow::operator::Gathered;

    /// Emits the running count of a key, and the count again one second after its first record.
    #[derive(Clone, Default)]
    struct CountThenReport {
        count: StateHandle<u64>,
    }

    impl KeyedProcessFunction for CountThenReport {
        type Key = u64;
        type In = u64;
        type Out = (u64, u64);

        fn declare(&mut self, states: &mut States<u64>) {
            self.count = states.value("count");
        }

        fn process(
            &mut self,
            record: u64,
            context: &mut KeyedContext<'_, u64>,
            out: &mut Collector<(u64, u64)>,
        ) -> UserResult {
            let count = context.update(self.count, |count| {
                *count += 1;
                *count
            });
            if count == 1 {
                context.register_processing_time_timer(context.processing_time() + 1000);
            }
            out.collect((record, count));
            Ok(())
        }

        fn on_timer(
            &mut self,
            _: Timestamp,
            context: &mut KeyedContext<'_, u64>,
            out: &mut Collector<(u64, u64)>,
        ) -> UserResult {
            let count = context.clear(self.count).unwrap_or_default();
            out.collect((*context.key(), count * 100));
            Ok(())
        }
    }

    fn operator() -> KeyedProcess<CountThenReport, fn(&u64) -> u64> {
        KeyedProcess::new(CountThenReport::default(), |key| *key)
    }

    #[test]
    fn state_is_kept_by_key_and_timers_fire_once_in_order() {
        let mut operator = operator();
        let out: Vec<(u64, u64)> = run_on(&mut operator, vec![7u64, 8, 7]);
        assert_eq!(out, [(7, 1), (8, 1), (7, 2)]);
        assert_eq!(operator.next_timer(), Some(1000));
        let mut gathered = Gathered::default();
        operator.on_timers(&mut OperatorContext::new(&mut gathered, 1000)).unwrap();
        assert_eq!(gathered.take_records::<(u64, u64)>().unwrap(), [(7, 200), (8, 100)]);
        assert_eq!(operator.next_timer(), None);
    }

    #[test]
    fn state_and_timers_survive_a_restore() {
        let mut first = operator();
        run_on::<u64, (u64, u64)>(&mut first, vec![7u64]);
        let mut restored = snapshot_of(&mut first);
        let mut second = operator();
        second.open(&info(0, 1), &mut restored).unwrap();
        assert_eq!(second.next_timer(), Some(1000));
        let out: Vec<(u64, u64)> = run_on(&mut second, vec![7u64]);
        assert_eq!(out, [(7, 2)]);
    }

    #[test]
    fn timers_are_dropped_at_the_end_also_from_the_final_checkpoint() {
        let mut operator = operator();
        run_on::<u64, (u64, u64)>(&mut operator, vec![7u64]);
        let mut gathered = Gathered::default();
        operator.finish(&mut OperatorContext::new(&mut gathered, 0)).unwrap();
        let mut restored = snapshot_of(&mut operator);
        let mut second = KeyedProcess::new(CountThenReport::default(), |key: &u64| *key);
        second.open(&info(0, 1), &mut restored).unwrap();
        assert_eq!(second.next_timer(), None);
    }

    #[test]
    fn timers_that_are_taken_back_do_not_pile_up() {
        let mut timers = Timers::<u64>::default();
        let hash = hash_key(&7u64).unwrap();
        for timestamp in 0..100_000 {
            timers.register(hash, &7, timestamp);
            timers.take_back(hash, &7, timestamp);
        }
        assert!(timers.due.len() <= 2 * MAX_FIRED, "{}", timers.due.len());
        assert!(timers.by_key.is_empty());
    }

    #[test]
    fn every_state_stands_in_the_declarations() {
        let names: Vec<String> = declarations_of(&mut CountThenReport::default())
            .unwrap()
            .into_iter()
            .map(|state| state.name)
            .collect();
        assert_eq!(names, ["count", TIMERS_STATE]);
    }
}
