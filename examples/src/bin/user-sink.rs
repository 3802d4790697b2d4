//! A sink of one's own, with prepare and commit: an outbox with a file for each checkpoint.
//!
//! ```text
//! user-sink --input README.md --outbox outbox
//! ```
//!
//! What a job writes between two checkpoints becomes visible as a whole or not at all:
//!
//! 1. the *writer* gathers records;
//! 2. at a barrier it prepares: it hands over what it has gathered as a *committable*, which becomes
//!    part of the checkpoint;
//! 3. once the checkpoint is complete, the *committer* makes it visible.
//!
//! If the job fails before 3, the committable comes back from the checkpoint and is committed then,
//! perhaps by another process; so a commit may come twice and must do no harm the second time. If
//! it fails before 2, the records come again from the source. Either way each line is in the outbox
//! once.
//!
//! The lines themselves travel in the checkpoint here, which suits small amounts. A sink for large
//! ones writes them somewhere invisible first and hands over only where that is, as the sink of
//! `write_as_text` does.

use clap::Parser;
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf, time::Duration};
use weir::prelude::*;
use weir::{CheckpointId, Committer, Sink, SinkContext, SinkWriter, TaskError, TaskResult};

/// Copy the lines of text files into an outbox, a file for each checkpoint.
#[derive(Parser)]
struct Arguments {
    /// File, folder or glob to read.
    #[arg(long)]
    input: PathBuf,
    /// Folder to write to.
    #[arg(long)]
    outbox: PathBuf,
}

/// The sink: where to write. It is never run itself.
struct Outbox {
    folder: PathBuf,
}

/// The committable: a file to be.
#[derive(Clone, Serialize, Deserialize)]
struct Message {
    name: String,
    text: String,
}

impl Sink for Outbox {
    type Item = Text;
    type Committable = Message;
    /// A writer that has prepared has nothing else to remember.
    type WriterState = ();

    fn name(&self) -> String {
        "Outbox".to_owned()
    }

    fn specification(&self) -> TaskResult<Vec<u8>> {
        Ok(self.folder.as_os_str().as_encoded_bytes().to_vec())
    }

    fn commits(&self) -> bool {
        true
    }

    fn writer(
        &self,
        context: &SinkContext<'_>,
        _restored: Vec<()>,
    ) -> TaskResult<Box<dyn SinkWriter<Item = Text, Committable = Message, WriterState = ()>>> {
        Ok(Box::new(OutboxWriter { subtask: context.info.subtask, text: String::new() }))
    }

    fn committer(
        &self,
        _context: &SinkContext<'_>,
    ) -> TaskResult<Box<dyn Committer<Committable = Message>>> {
        fs::create_dir_all(&self.folder).map_err(failed)?;
        Ok(Box::new(OutboxCommitter { folder: self.folder.clone() }))
    }
}

/// Gathers the lines of one subtask.
struct OutboxWriter {
    subtask: u32,
    text: String,
}

impl SinkWriter for OutboxWriter {
    type Item = Text;
    type Committable = Message;
    type WriterState = ();

    fn write(&mut self, lines: Vec<Text>) -> TaskResult<()> {
        for line in lines {
            self.text.push_str(&line);
            self.text.push('\n');
        }
        Ok(())
    }

    /// No checkpoint has the number of another one, so no message has the name of another one.
    fn prepare_commit(&mut self, checkpoint: CheckpointId) -> TaskResult<Vec<Message>> {
        if self.text.is_empty() {
            return Ok(Vec::new());
        }
        let name = format!("{}-{}", checkpoint.0, self.subtask);
        Ok(vec![Message { name, text: std::mem::take(&mut self.text) }])
    }
}

/// Makes messages visible.
struct OutboxCommitter {
    folder: PathBuf,
}

impl Committer for OutboxCommitter {
    type Committable = Message;

    /// A rename shows the whole file at once. Done again, it replaces the file by an equal one.
    fn commit(&mut self, messages: Vec<Message>) -> TaskResult<()> {
        for Message { name, text } in messages {
            let hidden = self.folder.join(format!(".{name}"));
            fs::write(&hidden, text).map_err(failed)?;
            fs::rename(&hidden, self.folder.join(name)).map_err(failed)?;
        }
        Ok(())
    }
}

/// An error of an outside system: the job is restarted, if its strategy says so.
fn failed(error: io::Error) -> TaskError {
    TaskError::external("OUTBOX-0001", format!("the outbox cannot be written: {error}"))
}

fn main() -> weir::Result<()> {
    let arguments = Arguments::parse();
    let env = StreamExecutionEnvironment::new()?;
    env.enable_checkpointing(Duration::from_millis(100));

    let outbox = Outbox { folder: arguments.outbox };
    env.read_text_file(arguments.input).uid("lines").sink_to(outbox).uid("outbox");

    env.execute("outbox")?;
    Ok(())
}
