//! The control connection of a task host: blocking, one thread reads, another writes.

use super::error::{Error, Result, lost};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};
use weir_base::LeaderEpoch;
use weir_protocol::{
    challenge::{CHALLENGE_BYTES, Nonce},
    control::{
        Connector, FrameReader, Hello, MAX_HANDSHAKE_BYTES, MAX_MESSAGE_BYTES, Peer, decode_body,
    },
    job_executable::TaskLaunch,
};

/// Time for the connection to come to be, and for each answer of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 * 1024;

/// The reading end.
pub(super) struct Connection {
    stream: TcpStream,
    frames: FrameReader,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects without sending anything.
    pub fn open(address: &str) -> Result<Self> {
        let failed = |error: io::Error| {
            let problem = error.to_string();
            Error::CannotConnect { address: address.to_owned(), problem }
        };
        let mut last = io::Error::other("the name has no address");
        for candidate in address.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&candidate, HANDSHAKE) {
                Ok(stream) => return Self::of(stream).map_err(failed),
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANDSHAKE))?;
        stream.set_write_timeout(Some(HANDSHAKE))?;
        let frames = FrameReader::new(MAX_HANDSHAKE_BYTES);
        Ok(Self { stream, frames, buffer: vec![0; READ_BYTES] })
    }

    /// Where this host is, as the job master sees it.
    pub fn local_address(&self) -> Result<SocketAddr> {
        self.stream.local_addr().map_err(|error| lost(&error))
    }

    /// Shows that both sides hold the key, and introduces this host; gives the leader's epoch.
    pub fn introduce<T: Serialize>(
        &mut self,
        launch: &TaskLaunch,
        offer: T,
    ) -> Result<LeaderEpoch> {
        let mut nonce = [0; CHALLENGE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|error| Error::Lost { problem: format!("no random number: {error}") })?;
        let hello = Hello {
            job: launch.job,
            container: launch.container,
            peer: Peer::TaskHost(launch.host),
            nonce: Nonce(nonce),
        };
        let connector = Connector::new(hello, launch.key.clone());
        self.say(&connector.greeting())?;
        let challenge = self.next_body()?;
        self.say(&connector.introduction(&challenge, offer)?)?;
        let epoch = connector.admission(&self.next_body()?)?;
        self.frames.set_limit(MAX_MESSAGE_BYTES);
        Ok(epoch)
    }

    fn say(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).map_err(|error| lost(&error))
    }

    /// The writing end. A write that finds no room for this time fails.
    pub fn writer(&self, silence: Duration) -> Result<TcpStream> {
        let writer = self.stream.try_clone().and_then(|stream| {
            stream.set_write_timeout(Some(silence))?;
            Ok(stream)
        });
        writer.map_err(|error| lost(&error))
    }

    /// From now on a job master that is silent for this time counts as lost.
    pub fn wait_at_most(&mut self, silence: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(silence)).map_err(|error| lost(&error))
    }

    /// The next message.
    pub fn next<T: DeserializeOwned>(&mut self, what: &'static str) -> Result<T> {
        Ok(decode_body(what, &self.next_body()?)?)
    }

    fn next_body(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(body) = self.frames.next_body()? {
                return Ok(body);
            }
            match self.stream.read(&mut self.buffer) {
                Ok(0) => {
                    return Err(Error::Lost { problem: "it closed the connection".to_owned() });
                }
                Ok(read_bytes) => self.frames.extend(&self.buffer[..read_bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(&error)),
            }
        }
    }
}
