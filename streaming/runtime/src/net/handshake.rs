//! What both ends of a connection say before anything else: that they hold the key of the job.
//!
//! ```text
//! connector ── Hello: job, nonce a ──────────────▶ acceptor
//! connector ◀─ Challenge: nonce b, proof ────────── acceptor
//! connector ── Proof ─────────────────────────────▶ acceptor
//! ```
//!
//! Nothing but these frames is looked at before the proof of the other side is right.

use super::{
    host::{NetConfig, Shared},
    link::{self, Next},
    outbox::Outbox,
};
use std::{io, os::fd::AsRawFd};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use weir_protocol::{
    challenge::{CHALLENGE_BYTES, Nonce, Side},
    data::{Challenge, Error, Frame, FrameDecoder, Hello, MAGIC, Result, encode_preamble},
};

/// Seconds without a word before the kernel asks whether the peer is still there.
const KEEP_ALIVE_IDLE_S: libc::c_int = 10;
/// Seconds between such questions.
const KEEP_ALIVE_INTERVAL_S: libc::c_int = 5;
/// Questions without an answer before the connection is lost.
const KEEP_ALIVE_COUNT: libc::c_int = 3;
/// Milliseconds that sent bytes may stay without an answer: while there are any, the kernel asks
/// nothing.
const UNANSWERED_MS: libc::c_int = 25_000;

/// The connector's part: introduces this host and returns the name of the other one.
pub async fn connect(
    config: &NetConfig,
    peer: &str,
    (reader, writer): (&mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)),
    decoder: &mut FrameDecoder,
) -> Result<String> {
    let cannot = |problem: String| Error::CannotConnect { peer: peer.to_owned(), problem };
    let broken = |error: &io::Error| cannot(error.to_string());
    let nonce = nonce().map_err(|error| broken(&error))?;
    let hello = Hello { job: config.job, from_host: config.host.clone(), nonce };
    let mut words = Vec::new();
    encode_preamble(&mut words);
    Frame::Hello(hello).encode_into(&mut words)?;
    writer.write_all(&words).await.map_err(|error| broken(&error))?;
    let challenge = link::read_frames(
        reader,
        decoder,
        broken,
        link::each(|frame| match frame {
            Frame::Challenge(challenge) => Ok(Next::Done(challenge)),
            Frame::Error(report) => Err(Error::reported(&report.code, report.message)),
            _ => Err(Error::malformed("connection", "it does not begin with a challenge")),
        }),
    );
    let Some(challenge) = challenge.await? else {
        return Err(cannot("it closed the connection".to_owned()));
    };
    let Challenge { host, nonce: theirs, proof } = challenge;
    if !config.key.verify(&MAGIC, Side::Acceptor, nonce, theirs, &proof) {
        return Err(Error::WrongKey { peer: peer.to_owned(), job: config.job });
    }
    words.clear();
    let proof = config.key.prove(&MAGIC, Side::Connector, nonce, theirs);
    Frame::Proof(proof).encode_into(&mut words)?;
    writer.write_all(&words).await.map_err(|error| broken(&error))?;
    Ok(printable(&host))
}

/// The acceptor's part: the name of the host that has connected, once its proof is right. `None` when
/// it has closed the connection in good order.
pub async fn accept(
    shared: &Shared,
    address: &str,
    reader: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
    outbox: &Outbox,
) -> Result<Option<String>> {
    let config = &shared.config;
    let lost = |error: &io::Error| lost(address, error);
    let hello = link::read_frames(
        reader,
        decoder,
        lost,
        link::each(|frame| match frame {
            Frame::Hello(hello) => Ok(Next::Done(hello)),
            _ => Err(Error::malformed("connection", "it does not begin with a hello")),
        }),
    );
    // A connection that ends without a byte, as of a port scan, is not logged.
    let Some(hello) = hello.await? else { return Ok(None) };
    if hello.job != config.job {
        return Err(Error::refused(format!(
            "this host runs tasks of job {}, the peer those of job {}",
            config.job, hello.job
        )));
    }
    let nonce = nonce().map_err(|error| lost(&error))?;
    let proof = config.key.prove(&MAGIC, Side::Acceptor, hello.nonce, nonce);
    outbox.push_frame(&Frame::Challenge(Challenge { host: config.host.clone(), nonce, proof }));
    let proof = link::read_frames(
        reader,
        decoder,
        lost,
        link::each(|frame| match frame {
            Frame::Proof(proof) => Ok(Next::Done(proof)),
            Frame::Error(report) => Err(Error::reported(&report.code, report.message)),
            _ => Err(Error::malformed("connection", "it goes on without a proof")),
        }),
    );
    let Some(proof) = proof.await? else { return Ok(None) };
    let peer = format!("{} ({address})", printable(&hello.from_host));
    if !config.key.verify(&MAGIC, Side::Connector, hello.nonce, nonce, &proof) {
        return Err(Error::WrongKey { peer, job: config.job });
    }
    Ok(Some(peer))
}

/// A connection whose socket broke.
pub fn lost(peer: &str, error: &io::Error) -> Error {
    Error::ConnectionLost { peer: peer.to_owned(), problem: error.to_string() }
}

fn printable(name: &str) -> String {
    name.escape_debug().take(128).collect()
}

fn nonce() -> io::Result<Nonce> {
    let mut bytes = [0; CHALLENGE_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Nonce(bytes))
}

/// Sends small frames at once, and finds out when the machine of the peer is gone without a word.
pub fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let options = [
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL_S),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, KEEP_ALIVE_COUNT),
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, UNANSWERED_MS),
    ];
    for (level, option, value) in options {
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the descriptor is open as long as the stream is borrowed, and the kernel reads
        // `size` bytes of `value`.
        let done = unsafe {
            libc::setsockopt(stream.as_raw_fd(), level, option, (&raw const value).cast(), size)
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
