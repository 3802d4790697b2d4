//! Windows of a keyed stream.

use crate::{
    plan::{Body, Instance, OutputType, SharedFn},
    stream::{
        AggregateFunction, DataStream, KeyedStream,
        aggregations::{Aggregate, Reduce, extreme, sum},
        keyed::state_of,
    },
};
use std::{cmp::Ordering, marker::PhantomData, ops::AddAssign, time::Duration};
use weir_dataflow::{Key, Record};
use weir_graph::StateKind;
use weir_operators::{Aggregation, TumblingWindow, window};

/// Windows of equal length, one after the other, by the time at which records are processed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TumblingProcessingTimeWindows(window::TumblingSpec);

impl TumblingProcessingTimeWindows {
    /// Windows of a length, aligned to 1970-01-01 UTC. Lengths below 1 ms count as 1 ms.
    pub fn of(size: Duration) -> Self {
        Self(window::TumblingSpec::of(size))
    }

    /// The same, with every start shifted: for windows that follow a time zone.
    pub fn with_offset(self, offset: Duration) -> Self {
        let offset_ms = i64::try_from(offset.as_millis()).unwrap_or(i64::MAX / 4);
        Self(window::TumblingSpec { offset_ms, ..self.0 })
    }
}

/// A keyed stream cut into windows.
pub struct WindowedStream<T, K, F> {
    keyed: KeyedStream<T, K, F>,
    windows: TumblingProcessingTimeWindows,
}

impl<T: Record, K: Key, F> WindowedStream<T, K, F>
where
    F: Fn(&T) -> K + Clone + Send + 'static,
{
    pub(crate) fn new(keyed: KeyedStream<T, K, F>, windows: TumblingProcessingTimeWindows) -> Self {
        Self { keyed, windows }
    }

    fn add<A: Aggregation<In = T>>(self, name: &str, aggregation: A) -> DataStream<A::Out> {
        let (aggregation, key_of) = (SharedFn::new(aggregation), self.keyed.key_of());
        let TumblingProcessingTimeWindows(spec) = self.windows;
        let output = Some(OutputType::of::<A::Out>(self.keyed.environment()));
        let instance = Instance::new("window", output, move || {
            TumblingWindow::new(spec, aggregation.get(), key_of.get())
        });
        let state = state_of::<K, Vec<(i64, A::Accumulator)>>(
            self.keyed.environment(),
            window::STATE,
            StateKind::Value,
        );
        let name = format!("TumblingProcessingTimeWindows({} ms): {name}", spec.size_ms);
        self.keyed.into_operation(&name, Body::Single(instance.with_states(vec![state])))
    }

    /// Combines the records of a key and window: `function(total, next)`.
    pub fn reduce<G>(self, function: G) -> DataStream<T>
    where
        G: FnMut(&mut T, T) + Clone + Send + 'static,
    {
        self.add("Reduce", Reduce { function, record: PhantomData })
    }

    /// Aggregates the records of a key and window with an accumulator.
    pub fn aggregate<A: AggregateFunction<In = T>>(self, function: A) -> DataStream<A::Out> {
        self.add("Aggregate", Aggregate(function))
    }

    /// Adds up one field per key and window.
    pub fn sum<N, G>(self, field: G) -> DataStream<T>
    where
        N: AddAssign + Clone + 'static,
        G: FnMut(&mut T) -> &mut N + Clone + Send + 'static,
    {
        self.add("Sum", Reduce { function: sum(field), record: PhantomData })
    }

    /// The smallest value of one field per key and window.
    pub fn min<N, G>(self, field: G) -> DataStream<T>
    where
        N: PartialOrd + Clone + 'static,
        G: FnMut(&mut T) -> &mut N + Clone + Send + 'static,
    {
        self.add("Min", Reduce { function: extreme(field, Ordering::Less), record: PhantomData })
    }

    /// The largest value of one field per key and window.
    pub fn max<N, G>(self, field: G) -> DataStream<T>
    where
        N: PartialOrd + Clone + 'static,
        G: FnMut(&mut T) -> &mut N + Clone + Send + 'static,
    {
        self.add("Max", Reduce { function: extreme(field, Ordering::Greater), record: PhantomData })
    }
}
