//! The HTTP client of daemons and of the command line.

use super::msgpack::is_understood;
use futures::{
    StreamExt,
    future::{self, Either},
};
use reqwest::{
    Body, Method, RequestBuilder, Response,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    io,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_protocol::cluster::{
    self, LeaseToken, MAX_BODY_BYTES, MEDIA_TYPE, Message, PROTOCOL_HEADER, PROTOCOL_VERSION,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for an answer that the server does not hold.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout while the server accepts no further byte of a file, or has all and does not answer.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(60);
/// Size of the pieces in which a file is sent.
const PIECE_BYTES: usize = 256 * 1024;

/// Reason why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No server answers at the address.
    #[error("nothing answers at {address}: {problem}")]
    Unreachable {
        /// Address called.
        address: String,
        /// Cause.
        problem: String,
    },
    /// The answer did not come in time.
    #[error("{address} did not answer within {timeout_ms} ms")]
    TimedOut {
        /// Address called.
        address: String,
        /// Timeout.
        timeout_ms: u64,
    },
    /// Another program listens there.
    #[error("the server at {address} is not a daemon of Weir")]
    NotWeir {
        /// Address called.
        address: String,
    },
    /// The server uses a protocol version that this release does not understand.
    #[error(
        "{address} uses version {version} of the cluster protocol, this process uses version \
         {PROTOCOL_VERSION}; run releases that differ by at most one"
    )]
    OtherVersion {
        /// Address called.
        address: String,
        version: u32,
    },
    /// The request was refused.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable code; empty when the answer had none.
        code: String,
        /// Reason.
        message: String,
    },
    /// The answer cannot be decoded.
    #[error("damaged answer from {address}: {problem}")]
    Damaged {
        /// Address called.
        address: String,
        /// Cause.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{problem}")]
    File {
        /// File and cause.
        problem: String,
    },
}

impl CallError {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "WEIR-HTTP-0021",
            Self::TimedOut { .. } => "WEIR-HTTP-0022",
            Self::NotWeir { .. } => "WEIR-HTTP-0023",
            Self::OtherVersion { .. } => "WEIR-HTTP-0016",
            Self::Refused { code, .. } if !code.is_empty() => code,
            Self::Refused { .. } => "WEIR-HTTP-0024",
            Self::Damaged { .. } => "WEIR-HTTP-0025",
            Self::File { .. } => "WEIR-HTTP-0026",
        }
    }

    /// Whether the same call may succeed later: no server answered, or it was not ready.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Damaged { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

type Result<T> = std::result::Result<T, CallError>;

/// An HTTP client. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    /// Sent with each message of [`Client::call`], beside the headers of every request.
    lease: Option<HeaderValue>,
    progress_timeout: Duration,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client without a token.
    pub fn new() -> Self {
        Self::with_headers(HeaderMap::new())
    }

    /// A client that sends this token with every request.
    pub fn with_bearer(token: &str) -> Self {
        let mut headers = HeaderMap::new();
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Self::with_headers(headers)
    }

    /// This client with the token of a lease for the messages of [`Client::call`]. Shares the connections.
    pub fn with_lease(&self, token: &LeaseToken) -> Self {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).expect("hex and a dot");
        value.set_sensitive(true);
        Self { lease: Some(value), ..self.clone() }
    }

    fn with_headers(mut headers: HeaderMap) -> Self {
        headers.insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL_VERSION));
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            // A proxy variable set for external access must not redirect loopback requests.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers);
        let inner = builder.build().expect("a client without TLS needs nothing from the system");
        Self { inner, lease: None, progress_timeout: PROGRESS_TIMEOUT }
    }

    /// The inner client, for streams.
    pub fn raw(&self) -> &reqwest::Client {
        &self.inner
    }

    /// Sends a message to a daemon and waits for its answer. `address` is `host:port`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<A: Message, B: Message>(
        &self,
        address: &str,
        path: &str,
        message: &A,
        timeout: Duration,
    ) -> Result<B> {
        let request = self
            .inner
            .post(format!("http://{address}{path}"))
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .timeout(timeout)
            .body(cluster::encode(message));
        let request = match &self.lease {
            Some(lease) => request.header(AUTHORIZATION, lease.clone()),
            None => request,
        };
        let response = self.sent(address, request, timeout).await?;
        check_version(address, &response)?;
        let body = bounded_body(address, response).await?;
        cluster::decode(&body).map_err(|error| CallError::Damaged {
            address: address.to_owned(),
            problem: error.to_string(),
        })
    }

    /// `GET` of JSON.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn get_json<T: DeserializeOwned>(&self, address: &str, path: &str) -> Result<T> {
        self.json(Method::GET, address, path, None::<&Value>, ANSWER_TIMEOUT).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn post_json<A: Serialize, T: DeserializeOwned>(
        &self,
        address: &str,
        path: &str,
        body: &A,
    ) -> Result<T> {
        self.json(Method::POST, address, path, Some(body), ANSWER_TIMEOUT).await
    }

    /// `PUT` of JSON.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn put_json<A: Serialize, T: DeserializeOwned>(
        &self,
        address: &str,
        path: &str,
        body: &A,
    ) -> Result<T> {
        self.json(Method::PUT, address, path, Some(body), ANSWER_TIMEOUT).await
    }

    /// JSON request with any method; an empty answer is read as `null`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn json<A: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        address: &str,
        path: &str,
        body: Option<&A>,
        timeout: Duration,
    ) -> Result<T> {
        let mut request =
            self.inner.request(method, format!("http://{address}{path}")).timeout(timeout);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = self.sent(address, request, timeout).await?;
        let body = bounded_body(address, response).await?;
        let body = if body.is_empty() { b"null" } else { body.as_slice() };
        serde_json::from_slice(body).map_err(|error| CallError::Damaged {
            address: address.to_owned(),
            problem: error.to_string(),
        })
    }

    /// The status of a `HEAD`.
    ///
    /// # Errors
    /// No server answers.
    pub async fn head(&self, address: &str, path: &str) -> Result<u16> {
        let request = self.inner.head(format!("http://{address}{path}")).timeout(ANSWER_TIMEOUT);
        let response = request.send().await;
        response
            .map(|response| response.status().as_u16())
            .map_err(|error| no_answer(address, &error, ANSWER_TIMEOUT))
    }

    /// `PUT` of a file, in pieces. `on_sent` gets the byte count of each piece. There is no total timeout, only
    /// one of a minute without progress.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn put_file(
        &self,
        address: &str,
        path: &str,
        file: &Path,
        on_sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<()> {
        let sent_pieces = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent_pieces);
        let on_sent = move |bytes| {
            counted.fetch_add(1, Ordering::Relaxed);
            on_sent(bytes);
        };
        let sent = pin!(self.send_file(address, path, file, on_sent));
        let stalled = pin!(stalled(&sent_pieces, self.progress_timeout));
        match future::select(sent, stalled).await {
            Either::Left((sent, _)) => sent,
            Either::Right(((), _)) => Err(timed_out(address, self.progress_timeout)),
        }
    }

    async fn send_file(
        &self,
        address: &str,
        path: &str,
        file: &Path,
        on_sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<()> {
        let unreadable =
            |error: io::Error| CallError::File { problem: format!("{}: {error}", file.display()) };
        let opened = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let size_bytes = opened.metadata().await.map_err(unreadable)?.len();
        let pieces = futures::stream::try_unfold((opened, on_sent), |(mut file, on_sent)| async {
            let mut piece = vec![0; PIECE_BYTES];
            let read_bytes = file.read(&mut piece).await?;
            piece.truncate(read_bytes);
            on_sent(read_bytes as u64);
            Ok::<_, io::Error>((read_bytes > 0).then_some((piece, (file, on_sent))))
        });
        let request = self
            .inner
            .put(format!("http://{address}{path}"))
            .header(reqwest::header::CONTENT_LENGTH, size_bytes)
            .body(Body::wrap_stream(pieces));
        self.sent(address, request, ANSWER_TIMEOUT).await.map(drop)
    }

    /// `PUT` of bytes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn put_bytes(&self, address: &str, path: &str, bytes: Vec<u8>) -> Result<()> {
        let request =
            self.inner.put(format!("http://{address}{path}")).timeout(ANSWER_TIMEOUT).body(bytes);
        self.sent(address, request, ANSWER_TIMEOUT).await.map(drop)
    }

    /// `GET` into a new file; returns its size. An incomplete or too large file is left for the
    /// caller to remove.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn download(
        &self,
        address: &str,
        path: &str,
        file: &Path,
        limit_bytes: u64,
    ) -> Result<u64> {
        let request = self.inner.get(format!("http://{address}{path}"));
        let response = self.sent(address, request, ANSWER_TIMEOUT).await?;
        let failed =
            |error: io::Error| CallError::File { problem: format!("{}: {error}", file.display()) };
        let mut out = tokio::fs::File::create(file).await.map_err(failed)?;
        let mut pieces = response.bytes_stream();
        let mut size_bytes = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| no_answer(address, &error, ANSWER_TIMEOUT))?;
            size_bytes += piece.len() as u64;
            if size_bytes > limit_bytes {
                return Err(CallError::Damaged {
                    address: address.to_owned(),
                    problem: format!("the file has more than the {limit_bytes} bytes announced"),
                });
            }
            out.write_all(&piece).await.map_err(failed)?;
        }
        out.flush().await.map_err(failed)?;
        out.sync_all().await.map_err(failed)?;
        Ok(size_bytes)
    }

    async fn sent(
        &self,
        address: &str,
        request: RequestBuilder,
        timeout: Duration,
    ) -> Result<Response> {
        let response = request.send().await.map_err(|error| no_answer(address, &error, timeout))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let is_weir = response.headers().contains_key(CONTENT_TYPE);
        let body = bounded_body(address, response).await.unwrap_or_default();
        Err(refusal(address, status, is_weir, &body))
    }
}

fn refusal(address: &str, status: u16, is_weir: bool, body: &[u8]) -> CallError {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let remote = &json["RemoteException"];
    if remote.is_object() {
        return CallError::Refused {
            status,
            code: text(&remote["code"]),
            message: text(&remote["message"]),
        };
    }
    if let Some(message) = json["errors"].get(0).and_then(Value::as_str) {
        let split = message.strip_suffix(']').and_then(|text| text.rsplit_once(" [WEIR-"));
        return match split {
            Some((message, code)) => CallError::Refused {
                status,
                code: format!("WEIR-{code}"),
                message: message.to_owned(),
            },
            None => CallError::Refused { status, code: String::new(), message: message.to_owned() },
        };
    }
    if status >= 500 && is_weir {
        let message = format!("{address} answered with HTTP status {status}");
        return CallError::Refused { status, code: String::new(), message };
    }
    CallError::NotWeir { address: address.to_owned() }
}

fn check_version(address: &str, response: &Response) -> Result<()> {
    let header = response.headers().get(PROTOCOL_HEADER).and_then(|value| value.to_str().ok());
    match header.and_then(|text| text.parse().ok()) {
        Some(version) if is_understood(version) => Ok(()),
        Some(version) => Err(CallError::OtherVersion { address: address.to_owned(), version }),
        None => Err(CallError::NotWeir { address: address.to_owned() }),
    }
}

async fn bounded_body(address: &str, response: Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| no_answer(address, &error, ANSWER_TIMEOUT))?;
        if body.len() + piece.len() > MAX_BODY_BYTES {
            return Err(CallError::Damaged {
                address: address.to_owned(),
                problem: format!("it has more than {MAX_BODY_BYTES} bytes"),
            });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Ends when the count has not changed for this time.
async fn stalled(count: &AtomicU64, timeout: Duration) {
    let mut before = None;
    loop {
        let now = count.load(Ordering::Relaxed);
        if before.replace(now) == Some(now) {
            return;
        }
        tokio::time::sleep(timeout).await;
    }
}

fn timed_out(address: &str, timeout: Duration) -> CallError {
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    CallError::TimedOut { address: address.to_owned(), timeout_ms }
}

fn no_answer(address: &str, error: &reqwest::Error, timeout: Duration) -> CallError {
    let address = address.to_owned();
    if error.is_timeout() && !error.is_connect() {
        return timed_out(&address, timeout);
    }
    // The innermost cause is the informative one.
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let problem = cause.to_string();
    match problem.contains("HTTP") && error.is_request() && !error.is_connect() {
        true => CallError::NotWeir { address },
        false => CallError::Unreachable { address, problem },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, net::TcpListener};

    #[test]
    fn upload_times_out_when_the_server_reads_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("large");
        // More than the system's buffers for a connection.
        File::create(&file).and_then(|made| made.set_len(256 * 1024 * 1024)).expect("made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let client = Client { progress_timeout: Duration::from_millis(50), ..Client::new() };
        actix::System::new().block_on(async {
            // The kernel accepts the connection, but no program reads from it.
            let sent = client.put_file(&address, "/file", &file, |_| {}).await;
            assert_eq!(sent, Err(CallError::TimedOut { address, timeout_ms: 50 }));
        });
    }
}
