//! The ends of a stream.

use crate::{
    error::Error,
    plan::Instance,
    stream::{DataStream, data_stream::DataStreamSink},
};
use std::{fmt::Display, fmt::Write as _, path::PathBuf, sync::Arc};
use weir_dataflow::{Record, Sink};
use weir_graph::{StateDeclaration, StateKind};
use weir_operators::{
    Run,
    sink::{COMMITTABLES_STATE, DiscardSink, PrintSink, SinkOperator, TextFileSink, WRITER_STATE},
};

impl<T: Record, R: Run<Out = T>> DataStream<T, R> {
    /// Writes the records to a sink of any kind.
    pub fn sink_to<S: Sink<Item = T>>(self, sink: S) -> DataStreamSink {
        let name = format!("Sink: {}", sink.name());
        let specification = sink.specification().unwrap_or_else(|error| {
            self.environment().fail(Error::of_task(&error));
            Vec::new()
        });
        let commits = sink.commits();
        let sink = Arc::new(sink);
        let list = |name: &str, value| StateDeclaration {
            name: name.to_owned(),
            kind: StateKind::OperatorList,
            key: None,
            value,
            ttl_ms: None,
        };
        let states = vec![
            list(WRITER_STATE, self.environment().schema_of::<S::WriterState>()),
            list(COMMITTABLES_STATE, self.environment().schema_of::<S::Committable>()),
        ];
        let abandoned = Arc::clone(&sink);
        let mut instance =
            Instance::new("sink", None, move || SinkOperator::new(Arc::clone(&sink)))
                .with_states(states);
        instance.specification = specification;
        instance.commits = commits;
        instance.abandon = Some(Arc::new(move || abandoned.abandon()));
        self.into_sink(name, instance)
    }

    /// Drops every record.
    pub fn discard(self) -> DataStreamSink {
        self.sink_to(DiscardSink::new())
    }

    /// Prints each record as `format` writes it, on a line of its own.
    pub fn print_with(
        self,
        format: impl Fn(&T, &mut String) + Send + Sync + 'static,
    ) -> DataStreamSink {
        self.sink_to(PrintSink::new(format))
    }

    /// Writes each record as `format` writes it, on a line of its own, into a file (parallelism
    /// 1) or a folder of part files (more). See [`DataStream::write_as_text`].
    pub fn write_as_text_with(
        self,
        path: impl Into<PathBuf>,
        format: impl Fn(&T, &mut String) + Send + Sync + 'static,
    ) -> DataStreamSink {
        let path = path.into();
        self.environment().note_output(&path);
        self.sink_to(TextFileSink::new(path, format))
    }
}

impl<T: Record + Display, R: Run<Out = T>> DataStream<T, R> {
    /// Writes the records' texts into a file (parallelism 1) or a folder of part files (more).
    ///
    /// A file appears under its final name only when it is committed: at each completed
    /// checkpoint and at the end of the job. Output that is there already is an error.
    pub fn write_as_text(self, path: impl Into<PathBuf>) -> DataStreamSink {
        self.write_as_text_with(path, |record, out| {
            // Writing to a string does not fail.
            let _ = write!(out, "{record}");
        })
    }
}

impl<T: Record + std::fmt::Debug, R: Run<Out = T>> DataStream<T, R> {
    /// Prints the records to standard output, as `{:?}` shows them; with the subtask's number
    /// before each (`2> `) when there is more than one subtask.
    pub fn print(self) -> DataStreamSink {
        self.print_with(|record, out| {
            let _ = write!(out, "{record:?}");
        })
    }
}
