//! Messages between a job executable and the process that started it.
//!
//! ```text
//! weir run ──spawns with variables──▶ job executable
//!    ▲                                     │
//!    └───── JobMessage ◀───────────────────┘   WEIR_PARENT_FD
//!           JobAnswer ────────────────────▶    WEIR_ANSWER_FD: how a job goes that was handed over
//!           held open while weir lives ──▶     WEIR_LIFELINE_FD: end of file means end yourself
//!
//! task manager ──spawns with variables──▶ job executable in role task; TaskLaunch says where its
//!                                         job master listens
//! ```
//!
//! The variables ([`Launch`]) serve a single start: the executable takes them, removes them and
//! sets close-on-exec on the descriptors, so that programs which it starts itself see none.
//!
//! A message is its length (`u32`, little endian), then as many bytes of msgpack with field names.
//! The first is [`JobMessage::Hello`], whose shape never changes, so that any two releases can at
//! least tell that they differ. Nothing here opens, spawns or waits; the two sides do.
//!
//! What always holds: no length read is believed before its bytes are there, so a damaged or hostile
//! stream costs at most [`MAX_MESSAGE_BYTES`].

mod answer;
mod launch;
mod message;
mod task_launch;

pub use answer::JobAnswer;
pub use launch::{
    ANSWER_FD_VARIABLE, CONFIGURATION_VARIABLE, EXPECTED_VARIABLE, LIFELINE_FD_VARIABLE, Launch,
    OUTPUT_VARIABLE, PARENT_FD_VARIABLE, QUIET, ROLE_VARIABLE, Role, VARIABLES,
};
pub use message::JobMessage;
pub use task_launch::{
    CONTAINER_VARIABLE, EARLIER_VARIABLE, EPOCH_VARIABLE, HOST_VARIABLE,
    JOB_CONFIGURATION_VARIABLE, JOB_KEY_VARIABLE, JOB_MASTER_VARIABLE, JOB_VARIABLE,
    ORDINAL_VARIABLE, TaskLaunch,
};

use crate::cluster::RecordedResult;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

/// Version of the messages below, sent in [`JobMessage::Hello`]. Both sides must have the same.
pub const PROTOCOL: u32 = 2;

/// Upper bound of one message, and of the values for `env.once`.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Why a message, or a variable, could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pipe failed. When writing, `BrokenPipe` means that the parent has ended.
    #[error("cannot reach the other end of the pipe between weir and the job executable")]
    Pipe(#[from] io::Error),
    /// A message is larger than [`MAX_MESSAGE_BYTES`]: the author's to mend, commonly by a smaller
    /// value in `env.once`.
    #[error(
        "message of {size_bytes} bytes between weir and the job executable: at most \
         {MAX_MESSAGE_BYTES} are allowed"
    )]
    TooLarge {
        /// Its size, as its header says.
        size_bytes: usize,
    },
    /// The bytes are no message: something else writes to the descriptor.
    #[error("damaged message between weir and the job executable: {problem}")]
    Damaged { problem: String },
    /// A variable of [`VARIABLES`] has a value that `weir` does not set.
    #[error(
        "environment variable {name} has the value {value:?}, which weir does not set: remove it"
    )]
    Variable { name: &'static str, value: String },
}

impl Error {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pipe(_) => "WEIR-CLI-0101",
            Self::TooLarge { .. } => "WEIR-CLI-0102",
            Self::Damaged { .. } => "WEIR-CLI-0103",
            Self::Variable { .. } => "WEIR-CLI-0104",
        }
    }
}

/// Writes one message with a single call of `write_all`, then flushes.
pub fn write_message(out: &mut impl Write, message: &JobMessage) -> Result<(), Error> {
    write_frame(out, message)
}

/// Reads one message; `None` at the end of the stream, if that is between two messages.
pub fn read_message(input: &mut impl Read) -> Result<Option<JobMessage>, Error> {
    read_frame(input)
}

/// Writes one answer, as [`write_message`] does a message.
pub fn write_answer(out: &mut impl Write, answer: &JobAnswer) -> Result<(), Error> {
    write_frame(out, answer)
}

/// Reads one answer; `None` at the end of the stream, if that is between two answers.
pub fn read_answer(input: &mut impl Read) -> Result<Option<JobAnswer>, Error> {
    read_frame(input)
}

/// Writes the results of earlier jobs of the same `main`, as the file that [`EARLIER_VARIABLE`] names.
pub fn write_earlier_results(
    out: &mut impl Write,
    results: &[RecordedResult],
) -> Result<(), Error> {
    write_frame(out, &results)
}

/// Reads what [`write_earlier_results`] wrote.
pub fn read_earlier_results(input: &mut impl Read) -> Result<Vec<RecordedResult>, Error> {
    read_frame(input)?.ok_or_else(|| damaged("it is empty"))
}

/// Writes the values of `env.once`, name → msgpack, as the file that [`EXPECTED_VARIABLE`] names.
pub fn write_once_values(
    out: &mut impl Write,
    values: &BTreeMap<String, Vec<u8>>,
) -> Result<(), Error> {
    write_frame(out, values)
}

/// Reads what [`write_once_values`] wrote.
pub fn read_once_values(input: &mut impl Read) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    read_frame(input)?.ok_or_else(|| damaged("it is empty"))
}

fn write_frame(out: &mut impl Write, body: &impl Serialize) -> Result<(), Error> {
    let mut frame = vec![0; 4];
    rmp_serde::encode::write_named(&mut frame, body).map_err(|error| damaged(error.to_string()))?;
    let size_bytes = frame.len() - 4;
    if size_bytes > MAX_MESSAGE_BYTES {
        return Err(Error::TooLarge { size_bytes });
    }
    let head = u32::try_from(size_bytes).expect("at most 64 MiB, as just checked");
    frame[..4].copy_from_slice(&head.to_le_bytes());
    out.write_all(&frame)?;
    Ok(out.flush()?)
}

fn read_frame<T: DeserializeOwned>(input: &mut impl Read) -> Result<Option<T>, Error> {
    let head = read_up_to(input, 4)?;
    if head.is_empty() {
        return Ok(None);
    }
    let head = <[u8; 4]>::try_from(head).map_err(|_| damaged("it ends within its length"))?;
    let size_bytes = u32::from_le_bytes(head) as usize;
    if size_bytes > MAX_MESSAGE_BYTES {
        return Err(Error::TooLarge { size_bytes });
    }
    let body = read_up_to(input, size_bytes)?;
    if body.len() < size_bytes {
        return Err(damaged(format!("it ends after {} of {size_bytes} bytes", body.len())));
    }
    decode(&body).map(Some)
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut decoder = rmp_serde::Deserializer::new(io::Cursor::new(body));
    let value = T::deserialize(&mut decoder).map_err(|error| damaged(error.to_string()))?;
    let unread = body.len() as u64 - decoder.position();
    if unread > 0 {
        return Err(damaged(format!("{unread} bytes too many")));
    }
    Ok(value)
}

/// Reads until there are `size_bytes` or the stream ends. Memory grows with what has arrived, not
/// with what was announced.
fn read_up_to(input: &mut impl Read, size_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(size_bytes as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn damaged(problem: impl Into<String>) -> Error {
    let problem = problem.into();
    Error::Damaged { problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{BackpressureLevel, OperatorProgress};
    use weir_base::JobId;
    use weir_graph::{Fingerprint, StreamGraph};

    fn hello() -> JobMessage {
        JobMessage::Hello { protocol: PROTOCOL, weir_version: "0.1.0".to_owned() }
    }

    fn bytes_of(message: &JobMessage) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_message(&mut bytes, message).expect("fits");
        bytes
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let job = JobId::of_text("a");
        let name = || "count".to_owned();
        let graph = StreamGraph {
            once: [("seed".to_owned(), vec![0, 127, 128, 255])].into(),
            ..StreamGraph::default()
        };
        let operator = OperatorProgress {
            name: name(),
            parallelism: 2,
            records_in: u64::MAX,
            records_out: 0,
            rate_per_s: 1.5,
            backpressure_ratio: 0.25,
            backpressure_level: BackpressureLevel::Low,
        };
        let messages = [
            hello(),
            JobMessage::Graph {
                ordinal: 1,
                fingerprint: Fingerprint::of(&graph),
                stream_graph: Box::new(graph),
                plan_json: "{}".to_owned(),
                configuration: "{}".to_owned(),
            },
            JobMessage::Submitted { job, name: name() },
            JobMessage::Progress { job, operators: vec![operator] },
            JobMessage::Finished { job, name: name(), runtime_ms: 7, status: "FINISHED".into() },
            JobMessage::Failed {
                job: None,
                code: "WEIR-X-1".into(),
                message: "a\nb".into(),
                runtime_ms: None,
            },
            JobMessage::Cancel { job },
        ];
        let stream: Vec<u8> = messages.iter().flat_map(bytes_of).collect();
        let mut rest = stream.as_slice();
        for message in messages {
            assert_eq!(read_message(&mut rest).expect("whole"), Some(message));
        }
        assert_eq!(read_message(&mut rest).expect("at its end"), None);
    }

    #[test]
    fn answers_come_out_as_they_went_in() {
        let result = RecordedResult {
            job: JobId::of_text("a"),
            name: "count".to_owned(),
            runtime_ms: 7,
            operators: vec![("Map".to_owned(), 2, u64::MAX, 0)],
            restarts: 1,
            completed_checkpoints: 3,
        };
        let answers = [
            JobAnswer::Accepted { job: result.job },
            JobAnswer::Finished(result.clone()),
            JobAnswer::Failed { code: "WEIR-X-1".into(), message: "boom".into() },
            JobAnswer::Canceled,
            JobAnswer::Detached,
        ];
        let mut stream = Vec::new();
        for answer in &answers {
            write_answer(&mut stream, answer).expect("fits");
        }
        let mut rest = stream.as_slice();
        for answer in answers {
            assert_eq!(read_answer(&mut rest).expect("whole"), Some(answer));
        }
        assert_eq!(read_answer(&mut rest).expect("at its end"), None);

        let mut file = Vec::new();
        write_earlier_results(&mut file, std::slice::from_ref(&result)).expect("fits");
        assert_eq!(read_earlier_results(&mut file.as_slice()).expect("whole"), [result]);
        assert!(read_earlier_results(&mut &[][..]).is_err());
    }

    #[test]
    fn hello_keeps_its_bytes_for_ever() {
        let mut expect = vec![44, 0, 0, 0, 0x81];
        expect.extend(b"\xa5Hello\x82\xa8protocol\x02\xacweir_version\xa50.1.0");
        expect[0] = u8::try_from(expect.len() - 4).expect("short");
        assert_eq!(bytes_of(&hello()), expect);
    }

    #[test]
    fn stream_cut_anywhere_is_damaged() {
        let whole = bytes_of(&hello());
        for length in 1..whole.len() {
            let error = read_message(&mut &whole[..length]).expect_err("cut");
            assert_eq!(error.code(), "WEIR-CLI-0103", "{length}: {error}");
        }
    }

    #[test]
    fn foreign_bytes_are_refused_before_anything_is_allocated() {
        for (bytes, code) in [
            (&b"Hello, world"[..], "WEIR-CLI-0102"),
            (&[0xff; 64], "WEIR-CLI-0102"),
            (&[1, 0, 0, 4], "WEIR-CLI-0102"),
            (&[0, 0, 0, 4, 1], "WEIR-CLI-0103"),
            (&[0, 0, 0, 0], "WEIR-CLI-0103"),
            (&[1, 0, 0, 0, 0xc0], "WEIR-CLI-0103"),
            // An array that says it has 2^32 - 1 elements.
            (&[5, 0, 0, 0, 0xdd, 0xff, 0xff, 0xff, 0xff], "WEIR-CLI-0103"),
        ] {
            let error = read_message(&mut &*bytes).expect_err("no message");
            assert_eq!(error.code(), code, "{bytes:?}: {error}");
        }
        let mut padded = bytes_of(&hello());
        padded[0] += 1;
        padded.push(0);
        let error = read_message(&mut padded.as_slice()).expect_err("padded");
        assert_eq!(
            error.to_string(),
            "damaged message between weir and the job executable: 1 bytes too many"
        );
    }

    #[test]
    fn message_above_the_bound_is_not_written() {
        let message = "x".repeat(MAX_MESSAGE_BYTES);
        let message =
            JobMessage::Failed { job: None, code: String::new(), message, runtime_ms: None };
        let mut bytes = Vec::new();
        let error = write_message(&mut bytes, &message).expect_err("too large");
        assert_eq!(error.code(), "WEIR-CLI-0102");
        assert!(bytes.is_empty());
    }

    #[test]
    fn once_values_are_read_back_from_the_file() {
        let values = BTreeMap::from([("a".to_owned(), vec![1, 200]), ("b".to_owned(), vec![])]);
        let mut file = Vec::new();
        write_once_values(&mut file, &values).expect("fits");
        assert_eq!(read_once_values(&mut file.as_slice()).expect("whole"), values);
        assert!(read_once_values(&mut &[][..]).is_err());
    }
}
