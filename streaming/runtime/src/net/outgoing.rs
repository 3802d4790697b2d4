//! The producers' end of a connection: connects, opens channels, takes their credit.
//!
//! A failed connection fails every channel on it; the next channel to the same host makes a new
//! connection.

use super::{
    channel::OutChannel,
    handshake,
    host::Shared,
    link::{self, Next},
    outbox::Outbox,
};
use crate::control::Signal;
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time,
};
use weir_protocol::data::{ChannelEnds, CloseReason, Error, Frame, FrameDecoder, Result};

/// The connection to one host.
pub struct OutConnection {
    pub outbox: Arc<Outbox>,
    address: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connected: bool,
    failed: Option<Error>,
    last_channel: u32,
    channels: HashMap<u32, Arc<OutChannel>>,
}

impl OutConnection {
    /// A connection that [`OutConnection::run`] will make.
    pub fn new(address: SocketAddr) -> Self {
        Self { outbox: Arc::default(), address, state: Mutex::default() }
    }

    /// Whether it is of no use any more.
    pub fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    /// Asks the consumers' host for a channel; `signal` is raised when there is something new.
    pub fn open(&self, ends: ChannelEnds, signal: Arc<Signal>) -> Result<Arc<OutChannel>> {
        let mut state = self.lock();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        state.last_channel += 1;
        let id = state.last_channel;
        let channel = Arc::new(OutChannel::new(id, signal, state.connected));
        state.channels.insert(id, Arc::clone(&channel));
        self.outbox.push_frame(&Frame::OpenChannel(id, ends));
        Ok(channel)
    }

    /// The sender of a channel is gone.
    pub fn release(&self, id: u32, reason: CloseReason) {
        self.lock().channels.remove(&id);
        self.outbox.push_frame(&Frame::CloseChannel(id, reason));
    }

    /// Connects and serves the connection to its end. However that comes, all channels know.
    pub fn run(self: Arc<Self>, shared: Arc<Shared>) -> impl Future<Output = ()> + Send + 'static {
        let guard = FailOnDrop(Arc::clone(&self));
        async move {
            let _guard = guard;
            let limit = shared.config.handshake_timeout;
            match time::timeout(limit, self.connect(&shared)).await {
                Ok(Ok(link)) => self.serve(link).await,
                Ok(Err(error)) => self.fail(&error),
                Err(_) => self.fail(&self.cannot_connect(format!("no answer within {limit:?}"))),
            }
        }
    }

    async fn connect(&self, shared: &Shared) -> Result<Link> {
        let broken = |error: io::Error| self.cannot_connect(error.to_string());
        let stream = TcpStream::connect(self.address).await.map_err(broken)?;
        handshake::set_options(&stream).map_err(broken)?;
        let (mut reader, mut writer) = stream.into_split();
        let mut decoder = FrameDecoder::new();
        let (address, halves) = (self.address.to_string(), (&mut reader, &mut writer));
        let name = handshake::connect(&shared.config, &address, halves, &mut decoder).await?;
        decoder.trust(link::READ_BYTES);
        Ok(Link { reader, writer, decoder, peer: format!("{name} ({address})") })
    }

    async fn serve(self: &Arc<Self>, link: Link) {
        let Link { mut reader, writer, mut decoder, peer } = link;
        self.on_connected();
        let lost = {
            let peer = peer.clone();
            move |problem: String| Error::ConnectionLost { peer: peer.clone(), problem }
        };
        let reading = {
            let (this, lost) = (Arc::clone(self), lost.clone());
            async move {
                let broken = |error: &io::Error| lost(error.to_string());
                let on_frame = link::each(|frame| this.on_frame(frame));
                let read = link::read_frames(&mut reader, &mut decoder, broken, on_frame).await;
                let error = read.map_or_else(
                    |error| error,
                    |_: Option<()>| lost("it closed the connection".to_owned()),
                );
                this.fail(&error);
            }
        };
        if let Err(error) = link::drive(reading, Arc::clone(&self.outbox), writer).await {
            self.fail(&lost(error.to_string()));
        }
    }

    fn on_connected(&self) {
        let mut state = self.lock();
        state.connected = true;
        for channel in state.channels.values() {
            channel.connected();
        }
    }

    fn on_frame(&self, frame: Frame<'_>) -> Result<Next<()>> {
        match frame {
            Frame::Credit { channel, batches } => {
                self.with_channel(channel, |channel| channel.give_back(batches))?;
            }
            Frame::ChannelOpened(channel, window) => {
                self.with_channel(channel, |channel| channel.opened(window))?;
            }
            Frame::CloseChannel(channel, reason) => {
                self.with_channel(channel, |channel| {
                    channel.close(reason);
                    Ok(())
                })?;
            }
            Frame::Error(report) => return Err(Error::reported(&report.code, report.message)),
            _ => return Err(Error::malformed("frame", "it is for the other end to send")),
        }
        Ok(Next::Frame)
    }

    /// Applies what the peer says of a channel, and has its sender look.
    fn with_channel(&self, id: u32, apply: impl FnOnce(&OutChannel) -> Result<()>) -> Result<()> {
        let (channel, last_channel) = {
            let state = self.lock();
            (state.channels.get(&id).cloned(), state.last_channel)
        };
        match channel {
            Some(channel) => {
                apply(&channel)?;
                channel.signal.raise();
                Ok(())
            }
            // Its sender is gone, which the peer cannot know yet.
            None if id <= last_channel => Ok(()),
            None => Err(Error::refused(format!("number {id} was never opened"))),
        }
    }

    fn fail(&self, error: &Error) {
        let channels = {
            let mut state = self.lock();
            if state.failed.is_some() {
                return;
            }
            state.failed = Some(error.clone());
            std::mem::take(&mut state.channels)
        };
        self.outbox.close();
        channels.into_values().for_each(|channel| channel.fail(error));
    }

    fn cannot_connect(&self, problem: String) -> Error {
        Error::CannotConnect { peer: self.address.to_string(), problem }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a successful connect gives.
struct Link {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    decoder: FrameDecoder,
    peer: String,
}

/// The task of a connection can end by being dropped; its senders must not wait for ever.
struct FailOnDrop(Arc<OutConnection>);

impl Drop for FailOnDrop {
    fn drop(&mut self) {
        let peer = self.0.address.to_string();
        self.0.fail(&Error::ConnectionLost { peer, problem: "this host has closed it".to_owned() });
        self.0.outbox.abort();
    }
}
