//! One connection: frames in and out, keep-alives, silence.

use super::REPORT_LIMIT_BYTES;
use crate::error::Broken;
use futures::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc::UnboundedReceiver,
};
use weir_base::LeaderEpoch;
use weir_protocol::control::{
    Admission, FrameReader, KEEP_ALIVE_MS, MAX_HANDSHAKE_BYTES, MAX_PROOF_BYTES, Order,
    decode_body, encode_frame, encode_preamble,
};

const READ_BYTES: usize = 16 * 1024;
/// A peer that accepts no bytes for this time no longer reads.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Orders that go out in one write, at most.
const ORDERS_PER_WRITE: usize = 256;

/// A connection, from its first byte on.
pub(super) struct Connection {
    read: Incoming,
    write: OwnedWriteHalf,
}

struct Incoming {
    stream: OwnedReadHalf,
    frames: FrameReader,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        let frames = FrameReader::new(MAX_PROOF_BYTES);
        Self { read: Incoming { stream: read, frames, buffer: vec![0; 512] }, write }
    }

    /// The next body.
    pub(super) async fn body(&mut self) -> Result<Vec<u8>, Broken> {
        self.read.body().await
    }

    /// The peer has proved that it holds the key: an introduction may be longer than a proof.
    pub(super) fn trust(&mut self) {
        self.read.frames.set_limit(MAX_HANDSHAKE_BYTES);
    }

    /// Sends the preamble and the first message.
    pub(super) async fn begin<T: Serialize>(&mut self, message: &T) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        encode_preamble(&mut bytes);
        encode_frame(message, &mut bytes)?;
        Ok(self.write.write_all(&bytes).await?)
    }

    /// The peer is in: from now on it may send larger messages.
    pub(super) async fn welcome(&mut self, epoch: LeaderEpoch) -> Result<(), Broken> {
        self.read.frames.set_limit(REPORT_LIMIT_BYTES);
        self.read.buffer.resize(READ_BYTES, 0);
        self.send(&Admission::Welcome { epoch }).await
    }

    /// Tells the peer why it is not in, if it still listens.
    pub(super) async fn refuse(&mut self, why: &Broken) {
        let (code, message) = (why.code().to_owned(), why.to_string());
        let _ = self.send(&Admission::Refused { code, message }).await;
        let _ = self.write.shutdown().await;
    }

    async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        encode_frame(message, &mut bytes)?;
        Ok(self.write.write_all(&bytes).await?)
    }

    /// Sends orders and takes reports until one side ends it; says why it did.
    pub(super) async fn run<O: Serialize + Clone, R: DeserializeOwned>(
        self,
        epoch: LeaderEpoch,
        orders: UnboundedReceiver<O>,
        keep_alive: O,
        silence: Duration,
        take: impl FnMut(R),
    ) -> Broken {
        let Self { mut read, mut write } = self;
        let ended = AssertUnwindSafe(async {
            tokio::select! {
                ended = read.reports(silence, take) => ended,
                ended = write_orders(&mut write, epoch, orders, keep_alive) => ended,
            }
        });
        // After a panic no peer may remain whose messages are not read.
        let ended = ended.catch_unwind().await.unwrap_or(Broken::Defect);
        // The last message should arrive; the peer may be lost.
        let _ = write.shutdown().await;
        ended
    }
}

impl Incoming {
    async fn body(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(body) = self.frames.next_body()? {
                return Ok(body);
            }
            let read_bytes = self.stream.read(&mut self.buffer).await?;
            if read_bytes == 0 {
                let is_whole = self.frames.is_between_frames();
                return Err(if is_whole { Broken::Closed } else { Broken::CutOff });
            }
            self.frames.extend(&self.buffer[..read_bytes]);
        }
    }

    async fn reports<R: DeserializeOwned>(
        &mut self,
        silence: Duration,
        mut take: impl FnMut(R),
    ) -> Broken {
        loop {
            match tokio::time::timeout(silence, self.body()).await {
                Err(_) => return Broken::Silent { silence_ms: silence.as_millis() },
                Ok(Err(error)) => return error,
                Ok(Ok(body)) => match decode_body("report", &body) {
                    Ok(report) => take(report),
                    Err(error) => return error.into(),
                },
            }
        }
    }
}

/// Sends orders as they come, as many as there are in one write, and something at least every
/// [`KEEP_ALIVE_MS`].
async fn write_orders<O: Serialize + Clone>(
    write: &mut OwnedWriteHalf,
    epoch: LeaderEpoch,
    mut orders: UnboundedReceiver<O>,
    keep_alive: O,
) -> Broken {
    let patience = Duration::from_millis(KEEP_ALIVE_MS * 4 / 5);
    let mut batch = Vec::new();
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(patience, orders.recv_many(&mut batch, ORDERS_PER_WRITE)).await {
            Ok(0) => return Broken::Dropped,
            Ok(_) => {}
            Err(_) => batch.push(keep_alive.clone()),
        }
        bytes.clear();
        for order in batch.drain(..) {
            if let Err(error) = encode_frame(&Order { epoch, order }, &mut bytes) {
                return error.into();
            }
        }
        match tokio::time::timeout(WRITE_TIMEOUT, write.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return Broken::Silent { silence_ms: WRITE_TIMEOUT.as_millis() },
        }
    }
}
