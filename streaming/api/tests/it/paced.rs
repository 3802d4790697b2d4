//! A source of lines that sets the pace by checkpoints and not by time: it emits a handful of lines
//! between two barriers, so a job has many checkpoints however fast the machine is.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use weir::{Collector, ReaderContext, Source, SourcePoll, SourceReader, TaskResult, Text};

/// Lines emitted between two barriers, per reader.
const LINES_PER_CHECKPOINT: usize = 40;

/// A source of lines that waits for a barrier after every few of them.
pub struct PacedLines {
    lines: Arc<Vec<String>>,
    held_while: Option<PathBuf>,
}

impl PacedLines {
    pub fn new(lines: Vec<String>) -> Self {
        Self { lines: Arc::new(lines), held_while: None }
    }

    /// Keeps the last line of each reader back as long as this file or folder exists, so the job does not
    /// end before that.
    pub fn held_while(mut self, path: PathBuf) -> Self {
        self.held_while = Some(path);
        self
    }
}

struct PacedReader {
    lines: Arc<Vec<String>>,
    held_while: Option<PathBuf>,
    /// Next line and the one behind the last.
    splits: Vec<(usize, usize)>,
    /// Number of records that may still be emitted before the next barrier; refilled by `splits`.
    allowance: AtomicU64,
}

impl Source for PacedLines {
    type Item = Text;
    type Split = (usize, usize);

    fn name(&self) -> String {
        "Paced Lines".to_owned()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn specification(&self) -> TaskResult<Vec<u8>> {
        Ok(Vec::new())
    }

    fn enumerate(&self, parallelism: u32) -> TaskResult<Vec<Vec<(usize, usize)>>> {
        let readers = parallelism as usize;
        let bound = |index| self.lines.len() * index / readers;
        Ok((0..readers).map(|index| vec![(bound(index), bound(index + 1))]).collect())
    }

    fn reader(
        &self,
        _: ReaderContext,
    ) -> TaskResult<Box<dyn SourceReader<Item = Text, Split = (usize, usize)>>> {
        let allowance = AtomicU64::new(LINES_PER_CHECKPOINT as u64);
        Ok(Box::new(PacedReader {
            lines: Arc::clone(&self.lines),
            held_while: self.held_while.clone(),
            splits: Vec::new(),
            allowance,
        }))
    }
}

impl SourceReader for PacedReader {
    type Item = Text;
    type Split = (usize, usize);

    fn add_splits(&mut self, splits: Vec<(usize, usize)>) -> TaskResult<()> {
        self.splits.extend(splits);
        Ok(())
    }

    fn poll_batch(&mut self, _: usize, out: &mut Collector<Text>) -> TaskResult<SourcePoll> {
        let Some((next, end)) = self.splits.last_mut() else { return Ok(SourcePoll::End) };
        let allowed = self.allowance.swap(0, Ordering::Relaxed) as usize;
        let is_held = self.held_while.as_ref().is_some_and(|path| path.exists());
        let last = if is_held { end.saturating_sub(1).max(*next) } else { *end };
        let stop = (*next + allowed).min(last);
        out.extend(self.lines[*next..stop].iter().map(|line| Text::from(line.as_str())));
        *next = stop;
        if next == end {
            self.splits.pop();
            return Ok(SourcePoll::More);
        }
        // The task looks again behind every barrier.
        Ok(SourcePoll::Pending(None))
    }

    fn splits(&self) -> TaskResult<Vec<(usize, usize)>> {
        self.allowance.store(LINES_PER_CHECKPOINT as u64, Ordering::Relaxed);
        Ok(self.splits.clone())
    }
}
