//! The consumers' end of a connection: takes frames off the socket and puts batches into inboxes.
//!
//! ```text
//! accepted ─ handshake ─▶ known ─ OpenChannel ─▶ waiting ─▶ attached ─ EndOfInput ─▶ finished
//!                                              └▶ closed (refused, consumer gone)
//! ```
//!
//! Nothing here waits: inboxes take what has credit, and a batch without is an error. A channel
//! that is closed here swallows what is still on the way.

use super::{
    admission::Pending,
    credit::Returns,
    handshake,
    host::Shared,
    link::{self, Next, OnFrame},
    outbox::Outbox,
    registry::LostHook,
    task_error,
};
use crate::{
    control::Kick,
    exchange::{Delivery, Inbox, QueuedElement},
};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{net::TcpStream, net::tcp::OwnedReadHalf, time};
use weir_dataflow::{Barrier, Element, vec_pool};
use weir_protocol::data::{
    BatchAssembler, Buffer, ChannelEnds, CloseReason, Control, EncodedBatch, Error, ErrorReport,
    Frame, FrameDecoder, Result, Window,
};

/// What is queued here is encoded, and bounded by its bytes: this factor more batches than in a
/// queue of decoded ones.
pub const SMALL_BATCHES: usize = 4;
/// Channels that one connection may have open.
const MAX_CHANNELS: usize = 64 * 1024;

/// Where a channel's elements go.
pub struct Attachment {
    inbox: Arc<Inbox>,
    index: usize,
    on_lost: Mutex<LostHook>,
}

impl Attachment {
    /// Channel `index` of the inbox.
    pub fn new(inbox: Arc<Inbox>, index: usize, on_lost: LostHook) -> Self {
        Self { inbox, index, on_lost: Mutex::new(on_lost) }
    }
}

/// A channel as the registry and the connection share it.
pub struct InChannel {
    id: u32,
    outbox: Arc<Outbox>,
    attached: OnceLock<(Attachment, Arc<Returns>)>,
    closed: AtomicBool,
}

impl InChannel {
    /// Connects the channel with its inbox and tells the producer to begin.
    pub fn attach(&self, attachment: Attachment) {
        let limits = attachment.inbox.limits();
        let batches = limits.batches.max(1).saturating_mul(SMALL_BATCHES);
        let batches = u32::try_from(batches).unwrap_or(u32::MAX);
        let window = Window { batches, bytes: limits.bytes as u64 };
        let returns = Arc::new(Returns::new(self.id, window, Arc::clone(&self.outbox)));
        attachment.inbox.on_batch_taken(attachment.index, {
            let returns = Arc::clone(&returns);
            move |batch_bytes| returns.on_taken(batch_bytes)
        });
        if self.attached.set((attachment, returns)).is_ok() {
            self.outbox.push_frame(&Frame::ChannelOpened(self.id, window));
        }
    }

    /// Takes nothing any more, and says why.
    pub fn close(&self, reason: CloseReason) {
        if !self.closed.swap(true, Ordering::SeqCst) {
            self.outbox.push_frame(&Frame::CloseChannel(self.id, reason));
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// A channel as its connection sees it.
struct Channel {
    shared: Arc<InChannel>,
    assembler: BatchAssembler,
    is_finished: bool,
}

/// Serves an accepted connection until it ends.
pub async fn serve(stream: TcpStream, address: SocketAddr, shared: Arc<Shared>, pending: Pending) {
    // A socket that refuses an option is about to fail anyway.
    let _ = handshake::set_options(&stream);
    let (mut reader, writer) = stream.into_split();
    let outbox = Arc::new(Outbox::default());
    outbox.push_preamble();
    let reading = {
        let outbox = Arc::clone(&outbox);
        async move {
            if let Err(error) = read(&mut reader, address, (&shared, pending), &outbox).await {
                shared.log(&format!(
                    "{}: data connection from {address} ended: {error}",
                    error.code()
                ));
                outbox.push_frame(&Frame::Error(ErrorReport::of(&error)));
            }
        }
    };
    // Whatever the writer met, the reader's end has told everyone.
    let _ = link::drive(reading, outbox, writer).await;
}

async fn read(
    reader: &mut OwnedReadHalf,
    address: SocketAddr,
    (shared, mut pending): (&Arc<Shared>, Pending),
    outbox: &Arc<Outbox>,
) -> Result<()> {
    let mut decoder = FrameDecoder::of_stranger();
    let address = address.to_string();
    let lost = |error: &io::Error| handshake::lost(&address, error);
    let limit = shared.config.handshake_timeout;
    let peer = handshake::accept(shared, &address, reader, &mut decoder, outbox);
    let late =
        |_| Error::malformed("connection", format!("no hello and proof came within {limit:?}"));
    // A connection that has given way is closed without a word.
    let Some(peer) = pending.unless_given_way(time::timeout(limit, peer)).await else {
        return Ok(());
    };
    let Some(peer) = peer.map_err(late)?? else { return Ok(()) };
    let _place = pending.prove()?;
    decoder.trust(link::READ_BYTES);
    let mut connection = Connection::new(shared, outbox, peer);
    let read: Result<Option<()>> =
        link::read_frames(reader, &mut decoder, lost, &mut connection).await;
    connection.problem = match &read {
        Ok(_) => "it closed the connection".to_owned(),
        Err(error) => error.to_string(),
    };
    match read {
        // The peer's end is no fault of the connection; its channels are told when it is dropped.
        Ok(_) | Err(Error::ConnectionLost { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Channels of one connection. Dropping it tells the consumers of those not finished.
struct Connection {
    shared: Arc<Shared>,
    outbox: Arc<Outbox>,
    peer: String,
    problem: String,
    channels: HashMap<u32, Channel>,
    /// Got batches since they were last kicked.
    filled: Vec<Arc<Inbox>>,
}

impl Connection {
    fn new(shared: &Arc<Shared>, outbox: &Arc<Outbox>, peer: String) -> Self {
        Self {
            shared: Arc::clone(shared),
            outbox: Arc::clone(outbox),
            peer,
            problem: "the connection was given up".to_owned(),
            channels: HashMap::new(),
            filled: Vec::new(),
        }
    }

    fn on_open(&mut self, id: u32, ends: ChannelEnds) -> Result<()> {
        if self.channels.contains_key(&id) || self.channels.len() >= MAX_CHANNELS {
            return Err(Error::refused(format!("number {id} is taken, or there are too many")));
        }
        let channel = Arc::new(InChannel {
            id,
            outbox: Arc::clone(&self.outbox),
            attached: OnceLock::new(),
            closed: AtomicBool::new(false),
        });
        let assembler = BatchAssembler::new(self.shared.config.max_batch_bytes);
        let entry = Channel { shared: Arc::clone(&channel), assembler, is_finished: false };
        self.channels.insert(id, entry);
        self.shared.registry.open(ends, Arc::clone(&channel));
        if channel.attached.get().is_none() && !channel.is_closed() {
            tokio::spawn(give_up_in_time(Arc::clone(&self.shared), channel, ends));
        }
        Ok(())
    }

    fn on_buffer(&mut self, buffer: &Buffer<'_>) -> Result<()> {
        let channel = channel_of(&mut self.channels, buffer.channel)?;
        if channel.shared.is_closed() {
            return Ok(());
        }
        let Some((attachment, returns)) = channel.shared.attached.get() else {
            return Err(Error::malformed("buffer", "its channel is not opened yet"));
        };
        if let Some(batch) = channel.assembler.piece(buffer, vec_pool::take)? {
            returns.on_received()?;
            let inbox = &attachment.inbox;
            inbox.push(attachment.index, QueuedElement::Encoded(delivery(batch)));
            if !self.filled.iter().any(|filled| Arc::ptr_eq(filled, inbox)) {
                self.filled.push(Arc::clone(inbox));
            }
        }
        Ok(())
    }

    fn on_control(&mut self, id: u32, control: Control) -> Result<()> {
        let channel = channel_of(&mut self.channels, id)?;
        if channel.shared.is_closed() {
            return Ok(());
        }
        let Some((attachment, _)) = channel.shared.attached.get() else {
            return Err(Error::malformed("control element", "its channel is not opened yet"));
        };
        channel.is_finished |= control == Control::EndOfInput;
        attachment.inbox.push(attachment.index, QueuedElement::Element(element(control)));
        Ok(())
    }

    fn on_close(&mut self, id: u32) -> Result<()> {
        let channel = channel_of(&mut self.channels, id)?;
        let shared = Arc::clone(&channel.shared);
        self.channels.remove(&id);
        self.shared.registry.stop_waiting(&shared);
        Ok(())
    }
}

impl OnFrame<()> for &mut Connection {
    fn on_frame(&mut self, frame: Frame<'_>) -> Result<Next<()>> {
        match frame {
            Frame::Buffer(buffer) => self.on_buffer(&buffer)?,
            Frame::Control(id, control) => self.on_control(id, control)?,
            Frame::OpenChannel(id, ends) => self.on_open(id, ends)?,
            Frame::CloseChannel(id, _) => self.on_close(id)?,
            Frame::Error(report) => return Err(Error::reported(&report.code, report.message)),
            _ => return Err(Error::malformed("frame", "it is for the other end to send")),
        }
        Ok(Next::Frame)
    }

    fn on_read_end(&mut self) {
        self.filled.drain(..).for_each(|inbox| inbox.kick());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let error = Error::ConnectionLost {
            peer: std::mem::take(&mut self.peer),
            problem: std::mem::take(&mut self.problem),
        };
        for channel in self.channels.values() {
            self.shared.registry.stop_waiting(&channel.shared);
            if channel.is_finished || channel.shared.is_closed() {
                continue;
            }
            if let Some((attachment, _)) = channel.shared.attached.get() {
                let tell = attachment.on_lost.lock().unwrap_or_else(PoisonError::into_inner);
                tell(task_error(&error));
            }
        }
    }
}

fn channel_of(channels: &mut HashMap<u32, Channel>, id: u32) -> Result<&mut Channel> {
    channels.get_mut(&id).ok_or_else(|| Error::refused(format!("number {id} is not open")))
}

/// Refuses a channel whose consumer does not register.
async fn give_up_in_time(shared: Arc<Shared>, channel: Arc<InChannel>, ends: ChannelEnds) {
    let timeout = shared.config.open_timeout;
    time::sleep(timeout).await;
    if shared.registry.stop_waiting(&channel) {
        let problem = format!("{ends}: the consumer was not there within {timeout:?}");
        channel.close(CloseReason::refused(&problem));
    }
}

fn delivery(batch: EncodedBatch) -> Delivery {
    Delivery {
        records: batch.records,
        has_key_hashes: batch.columns.key_hashes,
        has_timestamps: batch.columns.timestamps,
        has_weights: batch.columns.weights,
        bytes: batch.bytes,
    }
}

fn element(control: Control) -> Element {
    match control {
        Control::Watermark(watermark) => Element::Watermark(watermark),
        Control::Idle => Element::Idle,
        Control::Active => Element::Active,
        Control::Barrier(checkpoint) => Element::Barrier(Barrier { checkpoint }),
        Control::BarrierCancelled(checkpoint) => Element::BarrierCancelled(checkpoint),
        Control::LatencyMarker(born_ms) => Element::LatencyMarker(born_ms),
        Control::EndOfData => Element::EndOfData,
        Control::EndOfInput => Element::EndOfInput,
    }
}
