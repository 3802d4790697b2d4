//! The data plane: what two task hosts say to each other on a TCP connection.
//!
//! One connection carries all channels from the host that opened it (the producers' side) to the
//! host that accepted it (the consumers' side). Both sides first send the preamble, then frames.
//! All integers are little-endian.
//!
//! ```text
//! preamble   magic "WEIRDATA"  8 bytes
//!            version           u16
//!
//! frame      kind      u8
//!            channel   u32     numbered by the side that opens; 0 where it means nothing
//!            flags     u8      Buffer only
//!            count     u32     Buffer: records of the batch; Credit: batches
//!            length    u32     bytes that follow
//! ```
//!
//! | kind | frame | from | body |
//! |---|---|---|---|
//! | 1 | Hello | producers | msgpack [`Hello`]: the job, a nonce |
//! | 2 | Challenge | consumers | msgpack [`Challenge`]: a nonce, the proof that they hold the job's key |
//! | 3 | OpenChannel | producers | msgpack [`ChannelEnds`]: both execution attempts, the fence |
//! | 4 | ChannelOpened | consumers | msgpack [`Window`]: the credit to begin with |
//! | 5 | Buffer | producers | a piece of a batch, at most 32 KiB |
//! | 6 | Control | producers | tag u8, value u64: [`Control`] |
//! | 7 | Credit | consumers | none; `count` more batches may be sent |
//! | 8 | CloseChannel | both | msgpack [`CloseReason`] |
//! | 9 | Error | both | msgpack [`ErrorReport`]; the connection ends |
//! | 10 | Proof | producers | msgpack [`Proof`](crate::challenge::Proof): that they hold it too |
//!
//! A connection begins with Hello, Challenge and Proof (see [`challenge`](crate::challenge)). A side
//! that does not hold the key is answered with an Error, and nothing that it sends is looked at.
//!
//! A batch is its columns (those flagged, in the order key hashes, timestamps, weights; 8 bytes
//! per record each) followed by its encoded records, cut into Buffers. The last one has
//! [`FLAG_LAST`]; its `count` and flags hold for the batch. Pieces of one channel keep their
//! order, between them come frames of other channels.
//!
//! A producer sends on a channel only after ChannelOpened. Batches need credit, control
//! elements need none. Whatever comes from outside is bounded before anything is allocated for it.
//!
//! Here is no socket and no clock: functions over byte slices.

mod assembly;
mod decoder;
mod error;
mod frame;
mod message;
#[cfg(test)]
mod tests;

pub use assembly::{BatchAssembler, Columns, EncodedBatch, MAX_EMPTY_RECORDS};
pub use decoder::{FrameDecoder, encode_preamble};
pub use error::{Error, Result};
pub use frame::{Buffer, Control, FLAG_LAST, Frame, HEADER_BYTES, encode_buffer};
pub use message::{Challenge, ChannelEnds, CloseReason, ErrorReport, Hello, Window};

/// First bytes of a connection.
pub const MAGIC: [u8; 8] = *b"WEIRDATA";
/// The version spoken here.
pub const VERSION: u16 = 2;
/// Bytes of a batch that one Buffer carries at most.
pub const MAX_BUFFER_BYTES: usize = 32 * 1024;
/// Bytes of a body from a peer that has not proved yet that it holds the key, at most.
pub const MAX_PROOF_BYTES: usize = 4 * 1024;
/// Bytes of a msgpack body at most.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Bytes of a batch at most, unless configured otherwise.
pub const DEFAULT_MAX_BATCH_BYTES: usize = 256 * 1024 * 1024;
