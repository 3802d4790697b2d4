//! The connection to the job master: handshake, a thread that reads orders, reports written at once.

use crate::{
    error::{Error, Result},
    events::{Ending, Event},
    settings::Settings,
};
use serde::Serialize;
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::mpsc::Sender,
    thread,
    time::{Duration, Instant},
};
use weir_base::LeaderEpoch;
use weir_protocol::{
    challenge::{CHALLENGE_BYTES, Nonce},
    control::{
        Connector, FrameReader, Hello, MAX_HANDSHAKE_BYTES, MAX_MESSAGE_BYTES, ManagerIntroduction,
        ManagerReport, Peer, decode_body, encode_frame,
    },
};

/// How long the job master is looked for.
const REACH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long between two tries.
const RETRY_DELAY: Duration = Duration::from_millis(200);
/// How long one address of the job master may take to accept.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a step of the handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 * 1024;

/// An open connection. Its reading half is with a thread.
pub struct Connection {
    stream: TcpStream,
    address: String,
    /// Leader epoch of the job master.
    pub epoch: LeaderEpoch,
}

impl Connection {
    /// Finds the job master, proves itself to it, and sends its orders as events from then on.
    pub fn open(settings: &Settings, events: Sender<Event>) -> Result<Self> {
        let address = settings.job_master.clone();
        let stream = reach(&address)?;
        let mut inbound = Inbound {
            stream: clone(&stream)?,
            frames: FrameReader::new(MAX_HANDSHAKE_BYTES),
            address: address.clone(),
        };
        let epoch = shake_hands(settings, &stream, &mut inbound)?;
        inbound.frames.set_limit(MAX_MESSAGE_BYTES);
        let limits = |source| Error::Unreachable { address: address.clone(), source };
        inbound.stream.set_read_timeout(Some(settings.heartbeat_timeout)).map_err(limits)?;
        stream.set_write_timeout(Some(settings.heartbeat_timeout)).map_err(limits)?;
        let reader = thread::Builder::new().name("orders".to_owned());
        let spawned = reader.spawn(move || inbound.read_orders(&events));
        spawned.map_err(|source| Error::System { what: "a thread", source })?;
        Ok(Self { stream, address, epoch })
    }

    /// Sends a report.
    pub fn report(&mut self, report: &ManagerReport) -> Result<()> {
        send(&mut self.stream, &self.address, report)
    }

    /// The connection's end as an error.
    pub fn lost(&self, ending: Ending) -> Error {
        match ending {
            Ending::Lost(problem) => Error::Lost { address: self.address.clone(), problem },
            Ending::Damaged(error) => Error::Control(error),
        }
    }
}

fn clone(stream: &TcpStream) -> Result<TcpStream> {
    stream.try_clone().map_err(|source| Error::System { what: "a descriptor", source })
}

/// Connects, again and again for a while: the job master listens before it asks for containers, so it
/// is commonly there at once.
fn reach(address: &str) -> Result<TcpStream> {
    let give_up = Instant::now() + REACH_TIMEOUT;
    loop {
        match connect(address) {
            Ok(stream) => {
                let prepared = stream
                    .set_nodelay(true)
                    .and_then(|()| stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT)))
                    .and_then(|()| stream.set_write_timeout(Some(HANDSHAKE_TIMEOUT)));
                let failed = |source| Error::Unreachable { address: address.to_owned(), source };
                return prepared.map(|()| stream).map_err(failed);
            }
            Err(source) if Instant::now() > give_up => {
                return Err(Error::Unreachable { address: address.to_owned(), source });
            }
            Err(_) => thread::sleep(RETRY_DELAY),
        }
    }
}

/// Tries each address of the name.
fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn shake_hands(
    settings: &Settings,
    mut stream: &TcpStream,
    inbound: &mut Inbound,
) -> Result<LeaderEpoch> {
    let Settings { key, job, container, .. } = settings;
    let nonce = Nonce(random()?);
    let hello = Hello { job: *job, container: *container, peer: Peer::TaskManager, nonce };
    let connector = Connector::new(hello, key.clone());
    let lost = |error: io::Error| lost(&settings.job_master, &error);
    stream.write_all(&connector.greeting()).map_err(lost)?;
    let challenge = inbound.answer()?;
    let introduction = ManagerIntroduction {
        host: settings.node_host.clone(),
        pid: std::process::id(),
        slots: settings.slots,
        memory_mib: settings.memory_mib,
    };
    stream.write_all(&connector.introduction(&challenge, introduction)?).map_err(lost)?;
    Ok(connector.admission(&inbound.answer()?)?)
}

fn random() -> Result<[u8; CHALLENGE_BYTES]> {
    let mut bytes = [0; CHALLENGE_BYTES];
    let refused = |error: getrandom::Error| Error::System {
        what: "a random number",
        source: io::Error::other(error.to_string()),
    };
    getrandom::fill(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

fn send(stream: &mut impl Write, address: &str, message: &impl Serialize) -> Result<()> {
    let mut bytes = Vec::new();
    encode_frame(message, &mut bytes)?;
    stream.write_all(&bytes).map_err(|error| lost(address, &error))
}

fn lost(address: &str, error: &io::Error) -> Error {
    Error::Lost { address: address.to_owned(), problem: in_words(error) }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "it was silent for too long".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "it was closed".to_owned(),
        _ => error.to_string(),
    }
}

/// The reading half.
struct Inbound {
    stream: TcpStream,
    frames: FrameReader,
    address: String,
}

impl Inbound {
    /// The next answer of the handshake.
    fn answer(&mut self) -> Result<Vec<u8>> {
        match self.next_body() {
            Ok(body) => Ok(body),
            Err(Ending::Lost(problem)) => {
                Err(Error::Lost { address: self.address.clone(), problem })
            }
            Err(Ending::Damaged(error)) => Err(error.into()),
        }
    }

    fn next_body(&mut self) -> std::result::Result<Vec<u8>, Ending> {
        let mut buffer = [0; READ_BYTES];
        loop {
            if let Some(body) = self.frames.next_body().map_err(Ending::Damaged)? {
                return Ok(body);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Ending::Lost("it was closed".to_owned())),
                Ok(read_bytes) => self.frames.extend(&buffer[..read_bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Ending::Lost(in_words(&error))),
            }
        }
    }

    fn read_orders(mut self, events: &Sender<Event>) {
        loop {
            let order = self
                .next_body()
                .and_then(|body| decode_body("order", &body).map_err(Ending::Damaged));
            let (event, is_last) = match order {
                Ok(order) => (Event::Order(order), false),
                Err(ending) => (Event::Disconnected(ending), true),
            };
            // Without a receiver the process is about to end.
            if events.send(event).is_err() || is_last {
                return;
            }
        }
    }
}
