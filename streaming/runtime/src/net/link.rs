//! What both ends of a connection do with their socket: read frames, write the outbox, end.

use super::outbox::Outbox;
use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::tcp::OwnedWriteHalf,
    time::timeout,
};
use weir_protocol::data::{Error, Frame, FrameDecoder, Result};

/// Room offered to a read once the peer is known.
pub const READ_BYTES: usize = 128 * 1024;
/// How long a connection that ends may take to say its last words.
const GOODBYE: Duration = Duration::from_secs(1);

/// Whether to read on.
pub enum Next<T> {
    /// Another frame.
    Frame,
    /// No more; this is the result.
    Done(T),
}

/// Takes the frames of a connection.
pub trait OnFrame<T> {
    /// The next frame.
    fn on_frame(&mut self, frame: Frame<'_>) -> Result<Next<T>>;

    /// There are no more whole frames before more is read, which may take a while.
    fn on_read_end(&mut self) {}
}

impl<T, F: FnMut(Frame<'_>) -> Result<Next<T>>> OnFrame<T> for F {
    fn on_frame(&mut self, frame: Frame<'_>) -> Result<Next<T>> {
        self(frame)
    }
}

/// A closure as what takes the frames: its parameter may live for any time.
pub fn each<T, F: FnMut(Frame<'_>) -> Result<Next<T>>>(on_frame: F) -> F {
    on_frame
}

/// Reads frames until `on_frame` has what it wants. `None`: the peer has closed the connection in
/// good order. `lost` makes an error of a broken socket.
pub async fn read_frames<T>(
    reader: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
    lost: impl Fn(&io::Error) -> Error,
    mut on_frame: impl OnFrame<T>,
) -> Result<Option<T>> {
    loop {
        while let Some(frame) = decoder.next_frame()? {
            if let Next::Done(result) = on_frame.on_frame(frame)? {
                return Ok(Some(result));
            }
        }
        on_frame.on_read_end();
        let read_bytes = reader.read(decoder.spare()).await.map_err(|error| lost(&error))?;
        if read_bytes == 0 {
            return decoder.finish().map(|()| None);
        }
        decoder.filled(read_bytes);
    }
}

/// Runs a connection until its reader ends or nothing can be written any more. Reader and
/// writer are tasks of their own, so neither keeps the other waiting.
pub async fn drive(
    read: impl Future<Output = ()> + Send + 'static,
    outbox: Arc<Outbox>,
    mut writer: OwnedWriteHalf,
) -> io::Result<()> {
    let outbox_of_writer = Arc::clone(&outbox);
    let mut write = tokio::spawn(async move { outbox_of_writer.drain(&mut writer).await });
    let mut read = tokio::spawn(read);
    let reader_ended = {
        let mut write = pin!(&mut write);
        let mut read = pin!(&mut read);
        poll_fn(|context| {
            if read.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            write.as_mut().poll(context).map(Some)
        })
        .await
    };
    match reader_ended {
        None => {
            outbox.close();
            let _ = timeout(GOODBYE, &mut write).await;
            write.abort();
            outbox.abort();
            Ok(())
        }
        Some(written) => {
            outbox.abort();
            read.abort();
            // A writer that panicked or was cancelled has no error of the socket to tell.
            written.unwrap_or(Ok(()))
        }
    }
}
