//! Sink that prints records to standard output, one line each.
//!
//! Semantics: as Flink's `print()`, with the prefix `N> ` (the subtask, counted from 1) where there
//! is more than one subtask. A batch is written by one write under one lock, so lines of subtasks
//! do not mix. When nobody reads any more (`job | head`), further output is dropped and the job
//! goes on.
//!
//! No state, nothing at a barrier or at the end: what is printed after a checkpoint is printed
//! again when the job restarts from it. Cost: formatting, and a system call per batch.

use super::NothingToCommit;
use std::{
    io::{self, ErrorKind, Write},
    marker::PhantomData,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use weir_base::CheckpointId;
use weir_dataflow::{
    BoxedWriter, Committer, Record, Result, Sink, SinkContext, SinkWriter, error::file_error,
};

/// Where output may go instead of standard output.
pub type SharedWriter = Arc<Mutex<dyn Write + Send>>;

/// Prints records. See the module's documentation.
pub struct PrintSink<T, F> {
    format: Arc<F>,
    output: Output,
    item: PhantomData<fn(T)>,
}

#[derive(Clone)]
enum Output {
    Stdout,
    Shared(SharedWriter),
}

impl<T, F: Fn(&T, &mut String)> PrintSink<T, F> {
    /// Prints to standard output. `format` appends a record's text, without the line's end.
    pub fn new(format: F) -> Self {
        Self { format: Arc::new(format), output: Output::Stdout, item: PhantomData }
    }

    /// Prints to a writer of the program's own.
    #[must_use]
    pub fn with_output(mut self, output: SharedWriter) -> Self {
        self.output = Output::Shared(output);
        self
    }
}

impl<T: Record, F: Fn(&T, &mut String) + Send + Sync + 'static> Sink for PrintSink<T, F> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    fn name(&self) -> String {
        "Print to Std. Out".to_owned()
    }

    fn specification(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commits(&self) -> bool {
        false
    }

    fn writer(&self, context: &SinkContext<'_>, _restored: Vec<()>) -> Result<BoxedWriter<Self>> {
        let prefix = match context.info.parallelism {
            1 => String::new(),
            _ => format!("{}> ", context.info.subtask + 1),
        };
        Ok(Box::new(PrintWriter {
            format: Arc::clone(&self.format),
            output: Some(self.output.clone()),
            prefix,
            text: String::new(),
            item: PhantomData,
        }))
    }

    fn committer(
        &self,
        _context: &SinkContext<'_>,
    ) -> Result<Box<dyn Committer<Committable = ()>>> {
        Ok(Box::new(NothingToCommit))
    }
}

struct PrintWriter<T, F> {
    format: Arc<F>,
    /// `None` once nobody reads any more.
    output: Option<Output>,
    prefix: String,
    text: String,
    item: PhantomData<fn(T)>,
}

impl<T, F: Fn(&T, &mut String) + Send + Sync> SinkWriter for PrintWriter<T, F> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    fn write(&mut self, records: Vec<T>) -> Result<()> {
        let Some(output) = &self.output else {
            return Ok(());
        };
        self.text.clear();
        for record in &records {
            self.text.push_str(&self.prefix);
            (self.format)(record, &mut self.text);
            self.text.push('\n');
        }
        match output.write(self.text.as_bytes()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.output = None;
                Ok(())
            }
            Err(error) => {
                Err(file_error("WEIR-SINK-0002", "write to", Path::new("standard output"), &error))
            }
        }
    }

    fn prepare_commit(&mut self, _checkpoint: CheckpointId) -> Result<Vec<()>> {
        Ok(Vec::new())
    }
}

impl Output {
    fn write(&self, text: &[u8]) -> io::Result<()> {
        let write = |output: &mut dyn Write| {
            output.write_all(text)?;
            output.flush()
        };
        match self {
            Self::Stdout => weir_terminal::above(|| write(&mut io::stdout().lock())),
            Self::Shared(output) => {
                write(&mut *output.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_subtask::info;
    use super::*;
    use std::fmt::Write as _;

    /// Keeps each write, or fails every one.
    #[derive(Default)]
    struct Recorder {
        writes: Vec<String>,
        calls_count: usize,
        fails: Option<ErrorKind>,
    }

    impl Write for Recorder {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls_count += 1;
            if let Some(kind) = self.fails {
                return Err(kind.into());
            }
            self.writes.push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Writes batches and tells what came out.
    fn print(recorder: &Arc<Mutex<Recorder>>, subtask: u32, parallelism: u32) -> Result<()> {
        let sink = PrintSink::new(|record: &u64, out: &mut String| {
            write!(out, "<{record}>").unwrap();
        });
        let sink = sink.with_output(Arc::clone(recorder) as SharedWriter);
        assert!(!sink.commits());
        let info = info(subtask, parallelism, 1);
        let context = SinkContext { info: &info, restored: false };
        let mut writer = sink.writer(&context, Vec::new())?;
        writer.write(vec![1, 2])?;
        writer.write(vec![3])
    }

    #[test]
    fn a_batch_is_one_write_with_the_subtask_in_front_where_there_are_several() {
        for (subtask, parallelism, expected) in [
            (0, 1, ["<1>\n<2>\n", "<3>\n"]),
            (0, 2, ["1> <1>\n1> <2>\n", "1> <3>\n"]),
            (1, 2, ["2> <1>\n2> <2>\n", "2> <3>\n"]),
        ] {
            let recorder = Arc::new(Mutex::new(Recorder::default()));
            print(&recorder, subtask, parallelism).unwrap();
            assert_eq!(recorder.lock().unwrap().writes, expected);
        }
    }

    #[test]
    fn a_closed_pipe_drops_further_output_and_other_errors_fail() {
        for (kind, expected) in [
            (ErrorKind::BrokenPipe, None),
            (ErrorKind::StorageFull, Some("WEIR-SINK-0003")),
            (ErrorKind::Other, Some("WEIR-SINK-0002")),
        ] {
            let recorder = Recorder { fails: Some(kind), ..Recorder::default() };
            let recorder = Arc::new(Mutex::new(recorder));
            let result = print(&recorder, 0, 1);
            assert_eq!(result.err().map(|error| error.code()), expected);
            assert_eq!(recorder.lock().unwrap().calls_count, 1, "nothing is tried again");
        }
    }
}
