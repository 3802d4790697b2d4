//! Frames: the header with its bounds, and the body of each kind.

use super::{
    Challenge, ChannelEnds, CloseReason, Columns, Error, ErrorReport, Hello, MAX_BUFFER_BYTES,
    MAX_MESSAGE_BYTES, Result, Window, message,
};
use crate::challenge::Proof;
use weir_base::CheckpointId;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 14;
/// On the last Buffer of a batch.
pub const FLAG_LAST: u8 = 1;

const CONTROL_BYTES: usize = 9;

/// A piece of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Buffer<'a> {
    pub channel: u32,
    /// Whether the batch ends here.
    pub is_last: bool,
    /// Columns of the batch; they precede its records.
    pub columns: Columns,
    /// Records of the batch.
    pub records: u32,
    /// The piece.
    pub bytes: &'a [u8],
}

/// Elements other than batches, as `weir-dataflow` has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// No record with a smaller timestamp follows.
    Watermark(i64),
    /// Nothing may come for a while.
    Idle,
    /// Ends idleness.
    Active,
    /// Everything before it belongs to the checkpoint.
    Barrier(CheckpointId),
    /// The barrier of this checkpoint will not come.
    BarrierCancelled(CheckpointId),
    /// Time of birth in milliseconds since 1970.
    LatencyMarker(u64),
    /// No record follows.
    EndOfData,
    /// Nothing follows.
    EndOfInput,
}

/// One frame, decoded. The number is its channel where there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    Hello(Hello),
    Challenge(Challenge),
    OpenChannel(u32, ChannelEnds),
    ChannelOpened(u32, Window),
    Buffer(Buffer<'a>),
    Control(u32, Control),
    Credit { channel: u32, batches: u32 },
    CloseChannel(u32, CloseReason),
    Error(ErrorReport),
    Proof(Proof),
}

/// Appends a Buffer frame.
pub fn encode_buffer(buffer: &Buffer<'_>, out: &mut Vec<u8>) {
    assert!(buffer.bytes.len() <= MAX_BUFFER_BYTES, "a buffer keeps to its limit");
    let flags = buffer.columns.to_flags() | if buffer.is_last { FLAG_LAST } else { 0 };
    let header = Header {
        kind: Kind::Buffer,
        channel: buffer.channel,
        flags,
        count: buffer.records,
        length: buffer.bytes.len(),
    };
    header.encode_into(out);
    out.extend_from_slice(buffer.bytes);
}

impl Frame<'_> {
    /// Appends the frame. Fails only for a message above the limit.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<()> {
        let (kind, channel, count, body) = match self {
            Self::Buffer(buffer) => {
                encode_buffer(buffer, out);
                return Ok(());
            }
            Self::Hello(hello) => (Kind::Hello, 0, 0, message::encode("hello", hello)?),
            Self::Challenge(challenge) => {
                (Kind::Challenge, 0, 0, message::encode("challenge", challenge)?)
            }
            Self::Proof(proof) => (Kind::Proof, 0, 0, message::encode("proof", proof)?),
            Self::OpenChannel(channel, ends) => {
                (Kind::OpenChannel, *channel, 0, message::encode("opening of a channel", ends)?)
            }
            Self::ChannelOpened(channel, window) => {
                (Kind::ChannelOpened, *channel, 0, message::encode("window", window)?)
            }
            Self::Control(channel, control) => {
                (Kind::Control, *channel, 0, control.to_bytes().to_vec())
            }
            Self::Credit { channel, batches } => (Kind::Credit, *channel, *batches, Vec::new()),
            Self::CloseChannel(channel, reason) => {
                (Kind::CloseChannel, *channel, 0, message::encode("closing of a channel", reason)?)
            }
            Self::Error(report) => (Kind::Error, 0, 0, message::encode("error report", report)?),
        };
        Header { kind, channel, flags: 0, count, length: body.len() }.encode_into(out);
        out.extend_from_slice(&body);
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Hello = 1,
    Challenge = 2,
    OpenChannel = 3,
    ChannelOpened = 4,
    Buffer = 5,
    Control = 6,
    Credit = 7,
    CloseChannel = 8,
    Error = 9,
    Proof = 10,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Hello,
        Self::Challenge,
        Self::OpenChannel,
        Self::ChannelOpened,
        Self::Buffer,
        Self::Control,
        Self::Credit,
        Self::CloseChannel,
        Self::Error,
        Self::Proof,
    ];

    /// Its name and the limit of its body.
    fn rule(self) -> (&'static str, usize) {
        match self {
            Self::Buffer => ("a buffer", MAX_BUFFER_BYTES),
            Self::Control => ("a control element", CONTROL_BYTES),
            Self::Credit => ("a credit", 0),
            _ => ("a message", MAX_MESSAGE_BYTES),
        }
    }
}

/// A header whose length has been found to be within its bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    kind: Kind,
    channel: u32,
    flags: u8,
    count: u32,
    pub(super) length: usize,
}

impl Header {
    fn encode_into(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.kind as u8;
        bytes[1..5].copy_from_slice(&self.channel.to_le_bytes());
        bytes[5] = self.flags;
        bytes[6..10].copy_from_slice(&self.count.to_le_bytes());
        // Senders limit bodies to far below 4 GiB.
        bytes[10..14].copy_from_slice(&(self.length as u32).to_le_bytes());
        out.extend_from_slice(&bytes);
    }

    /// The header at the front of the bytes, if it is all there.
    pub(super) fn peek(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| *kind as u8 == bytes[0])
            .ok_or_else(|| Error::malformed("frame", format!("there is no kind {}", bytes[0])))?;
        let number = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let header = Self {
            kind,
            channel: number(1),
            flags: bytes[5],
            count: number(6),
            length: number(10) as usize,
        };
        let (what, limit) = kind.rule();
        if header.length > limit {
            return Err(Error::Oversized {
                what,
                length_bytes: header.length as u64,
                limit_bytes: limit as u64,
            });
        }
        Ok(Some(header))
    }

    /// The frame with this header and body.
    pub(super) fn frame(self, body: &[u8]) -> Result<Frame<'_>> {
        let channel = self.channel;
        Ok(match self.kind {
            Kind::Buffer => Frame::Buffer(Buffer {
                channel,
                is_last: self.flags & FLAG_LAST != 0,
                columns: Columns::from_flags(self.flags & !FLAG_LAST)?,
                records: self.count,
                bytes: body,
            }),
            Kind::Control => Frame::Control(channel, Control::from_bytes(body)?),
            Kind::Credit => Frame::Credit { channel, batches: self.count },
            Kind::Hello => Frame::Hello(message::decode("hello", body)?),
            Kind::Challenge => Frame::Challenge(message::decode("challenge", body)?),
            Kind::Proof => Frame::Proof(message::decode("proof", body)?),
            Kind::OpenChannel => {
                Frame::OpenChannel(channel, message::decode("opening of a channel", body)?)
            }
            Kind::ChannelOpened => Frame::ChannelOpened(channel, message::decode("window", body)?),
            Kind::CloseChannel => {
                Frame::CloseChannel(channel, message::decode("closing of a channel", body)?)
            }
            Kind::Error => Frame::Error(message::decode("error report", body)?),
        })
    }
}

impl Control {
    fn to_bytes(self) -> [u8; CONTROL_BYTES] {
        let (tag, value) = match self {
            Self::Watermark(watermark) => (1, watermark.cast_unsigned()),
            Self::Idle => (2, 0),
            Self::Active => (3, 0),
            Self::Barrier(checkpoint) => (4, checkpoint.0),
            Self::BarrierCancelled(checkpoint) => (5, checkpoint.0),
            Self::LatencyMarker(born_ms) => (6, born_ms),
            Self::EndOfData => (7, 0),
            Self::EndOfInput => (8, 0),
        };
        let mut bytes = [tag; CONTROL_BYTES];
        bytes[1..].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = |problem: String| Error::malformed("control element", problem);
        let Some((tag, value)) = bytes.split_first() else {
            return Err(wrong("it is empty".to_owned()));
        };
        let value = <[u8; 8]>::try_from(value)
            .map(u64::from_le_bytes)
            .map_err(|_| wrong(format!("it has {} bytes", bytes.len())))?;
        Ok(match tag {
            1 => Self::Watermark(value.cast_signed()),
            2 => Self::Idle,
            3 => Self::Active,
            4 => Self::Barrier(CheckpointId(value)),
            5 => Self::BarrierCancelled(CheckpointId(value)),
            6 => Self::LatencyMarker(value),
            7 => Self::EndOfData,
            8 => Self::EndOfInput,
            _ => return Err(wrong(format!("there is no tag {tag}"))),
        })
    }
}
