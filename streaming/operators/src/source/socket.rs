//! Source of the lines that a socket sends, as Flink's `socketTextStream`.
//!
//! Semantics: the reader connects as a client and emits what comes, cut at the delimiter; with the
//! default `\n` a `\r` before it goes too. When the peer closes, a last line without delimiter is
//! emitted and the source ends. Bytes that are not UTF-8 become U+FFFD. It is serial.
//!
//! ```text
//! thread:  connect ─▶ read ─▶ lines ──bounded queue──▶ poll_batch (never waits)
//!                                  └──── waker ──────▶ task
//! ```
//!
//! **At most once.** A socket cannot be read again: lines that came after the last completed
//! checkpoint are lost when the job restarts, and the reader connects anew.
//!
//! State: that the address is still to be read. Nothing is done at a barrier. A full queue stops
//! the thread and so, through TCP, the sender. Cost: one queue operation per read of up to 64 KiB.

use memchr::memmem;
use serde::{Deserialize, Serialize};
use std::{
    io::{self, ErrorKind, Read},
    mem,
    net::{Shutdown, TcpStream, ToSocketAddrs},
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
    vec,
};
use weir_dataflow::{
    Collector, Error, ReaderContext, Result, Source, SourcePoll, SourceReader, Text, Waker, codec,
};

const READ_BYTES: usize = 64 << 10;
const MAX_LINE_BYTES: usize = 64 << 20;
/// Reads whose lines wait for the task at most.
const QUEUE_READS: usize = 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait before another attempt to connect, as in Flink.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Emits the lines that a socket sends. See the module's documentation.
#[derive(Clone, Debug)]
pub struct SocketTextSource {
    host: String,
    port: u16,
    delimiter: char,
    retries: u32,
}

impl SocketTextSource {
    /// Lines from `host:port`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, delimiter: '\n', retries: 0 }
    }

    /// Cuts lines at another character than `\n`.
    #[must_use]
    pub fn delimiter(mut self, delimiter: char) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Tries so many times more, every half second, when it cannot connect.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }
}

/// The address that is to be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SocketTextSplit {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Source for SocketTextSource {
    type Item = Text;
    type Split = SocketTextSplit;

    fn name(&self) -> String {
        "Socket Stream".to_owned()
    }

    fn is_bounded(&self) -> bool {
        false
    }

    fn is_serial(&self) -> bool {
        true
    }

    fn specification(&self) -> Result<Vec<u8>> {
        codec::encode(&(&self.host, self.port, self.delimiter, self.retries))
    }

    fn enumerate(&self, parallelism: u32) -> Result<Vec<Vec<SocketTextSplit>>> {
        let mut readers = vec![Vec::new(); parallelism as usize];
        if let Some(first) = readers.first_mut() {
            first.push(SocketTextSplit { host: self.host.clone(), port: self.port });
        }
        Ok(readers)
    }

    fn reader(
        &self,
        context: ReaderContext,
    ) -> Result<Box<dyn SourceReader<Item = Text, Split = SocketTextSplit>>> {
        let (source, waker) = (self.clone(), context.waker);
        Ok(Box::new(SocketReader { source, waker, connection: None }))
    }
}

struct SocketReader {
    source: SocketTextSource,
    waker: Waker,
    connection: Option<Connection>,
}

/// The reading thread and what came from it.
struct Connection {
    split: SocketTextSplit,
    messages: Receiver<Message>,
    lines: vec::IntoIter<Text>,
    stop: Arc<Stop>,
    thread: JoinHandle<()>,
}

enum Message {
    Lines(Vec<Text>),
    End,
    Failed(Error),
}

impl SourceReader for SocketReader {
    type Item = Text;
    type Split = SocketTextSplit;

    fn add_splits(&mut self, splits: Vec<SocketTextSplit>) -> Result<()> {
        for split in splits {
            if self.connection.is_some() {
                return Err(Error::internal("a socket source reads one address"));
            }
            self.connection = Some(Connection::start(&self.source, split, &self.waker)?);
        }
        Ok(())
    }

    fn poll_batch(
        &mut self,
        budget_records: usize,
        out: &mut Collector<Text>,
    ) -> Result<SourcePoll> {
        let Some(connection) = &mut self.connection else {
            return Ok(SourcePoll::End);
        };
        let enough = out.len() + budget_records.max(1);
        loop {
            out.extend(connection.lines.by_ref().take(enough - out.len()));
            if out.len() == enough {
                return Ok(SourcePoll::More);
            }
            match connection.messages.try_recv() {
                Ok(Message::Lines(lines)) => connection.lines = lines.into_iter(),
                Ok(Message::End) => {
                    self.close()?;
                    return Ok(SourcePoll::End);
                }
                Ok(Message::Failed(error)) => return Err(error),
                Err(TryRecvError::Empty) => return Ok(SourcePoll::Pending(None)),
                Err(TryRecvError::Disconnected) => {
                    return Err(Error::internal("the thread of a socket source is gone"));
                }
            }
        }
    }

    fn splits(&self) -> Result<Vec<SocketTextSplit>> {
        Ok(self.connection.iter().map(|connection| connection.split.clone()).collect())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(Connection { messages, stop, thread, .. }) = self.connection.take() {
            drop(messages); // a thread that waits for room gives up
            // A thread that is still connecting ends by itself; waiting for it could take long.
            if stop.stop() {
                thread.join().map_err(|_| Error::internal("a socket source's thread panicked"))?;
            }
        }
        Ok(())
    }
}

impl Drop for SocketReader {
    fn drop(&mut self) {
        // The error of a thread that is of no use any more helps nobody.
        let _ = self.close();
    }
}

impl Connection {
    fn start(source: &SocketTextSource, split: SocketTextSplit, waker: &Waker) -> Result<Self> {
        let (sender, messages) = sync_channel(QUEUE_READS);
        let stop = Arc::new(Stop::default());
        let worker = Worker {
            address: format!("{}:{}", split.host, split.port),
            split: split.clone(),
            retries: source.retries,
            queue: Queue { sender, waker: Arc::clone(waker) },
            cutter: LineCutter::new(source.delimiter),
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new()
            .name("socket-source".to_owned())
            .spawn(|| worker.run())
            .map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        Ok(Self { split, messages, lines: Vec::new().into_iter(), stop, thread })
    }
}

/// Ends the thread from outside.
#[derive(Default)]
struct Stop {
    state: Mutex<StopState>,
    changed: Condvar,
}

#[derive(Default)]
struct StopState {
    stopped: bool,
    /// What the thread may be waiting for.
    stream: Option<TcpStream>,
}

impl Stop {
    fn state(&self) -> MutexGuard<'_, StopState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the thread; whether it ends at once.
    fn stop(&self) -> bool {
        let mut state = self.state();
        state.stopped = true;
        self.changed.notify_all();
        let stream = state.stream.take();
        // An error means that the connection is gone already.
        stream.map(|stream| stream.shutdown(Shutdown::Both)).is_some()
    }

    /// Lets the thread be woken from reads on this stream; false if it has been stopped.
    fn watch(&self, stream: &TcpStream) -> io::Result<bool> {
        let mut state = self.state();
        state.stream = Some(stream.try_clone()?);
        Ok(!state.stopped)
    }

    /// Waits; false if it has been stopped.
    fn wait(&self, delay: Duration) -> bool {
        let wait = self.changed.wait_timeout_while(self.state(), delay, |state| !state.stopped);
        !wait.unwrap_or_else(PoisonError::into_inner).0.stopped
    }
}

/// The end of the queue at the thread.
struct Queue {
    sender: SyncSender<Message>,
    waker: Waker,
}

impl Queue {
    /// Waits for room; false if nobody reads any more.
    fn send(&self, message: Message) -> bool {
        let sent = self.sender.send(message).is_ok();
        (self.waker)();
        sent
    }
}

/// What the thread does.
struct Worker {
    address: String,
    split: SocketTextSplit,
    retries: u32,
    queue: Queue,
    cutter: LineCutter,
    stop: Arc<Stop>,
}

impl Worker {
    /// The task waits for what this thread sends, so it sends how it ended, whatever happens.
    fn run(mut self) {
        let read = panic::catch_unwind(AssertUnwindSafe(|| {
            self.connect().and_then(|stream| self.read(stream))
        }));
        let last = match read {
            Ok(Ok(())) => Message::End,
            Ok(Err(Error::Cancelled)) => return,
            Ok(Err(error)) => Message::Failed(error),
            Err(_) => {
                let problem = "the thread of a socket source panicked; standard error says where";
                Message::Failed(Error::internal(problem))
            }
        };
        self.queue.send(last);
    }

    fn connect(&self) -> Result<TcpStream> {
        let mut retries_left = self.retries;
        loop {
            match self.try_connect() {
                Ok(stream) => return Ok(stream),
                Err(_) if retries_left > 0 => retries_left -= 1,
                Err(error) => return Err(self.cannot_connect(&error)),
            }
            if !self.stop.wait(RETRY_DELAY) {
                return Err(Error::Cancelled);
            }
        }
    }

    fn try_connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in (self.split.host.as_str(), self.split.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn read(&mut self, mut stream: TcpStream) -> Result<()> {
        if !self.stop.watch(&stream).map_err(|error| self.lost(&error))? {
            return Err(Error::Cancelled);
        }
        self.read_lines(&mut stream)
    }

    fn read_lines(&mut self, input: &mut impl Read) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let lines = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => self.cutter.cut(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.lost(&error)),
            };
            if self.cutter.open_line.len() > MAX_LINE_BYTES {
                return Err(self.line_too_long());
            }
            self.send_lines(lines)?;
        }
        let last = self.cutter.finish();
        self.send_lines(last.into_iter().collect())
    }

    fn send_lines(&self, lines: Vec<Text>) -> Result<()> {
        if lines.is_empty() || self.queue.send(Message::Lines(lines)) {
            return Ok(());
        }
        Err(Error::Cancelled)
    }

    fn cannot_connect(&self, error: &io::Error) -> Error {
        let (address, port) = (&self.address, self.split.port);
        Error::external(
            "WEIR-SRC-0010",
            format!(
                "cannot connect to {address}: {error}; start what sends the lines first, for \
                 example `nc -lk {port}`"
            ),
        )
    }

    fn lost(&self, error: &io::Error) -> Error {
        let address = &self.address;
        Error::external("WEIR-SRC-0011", format!("connection to {address} was lost: {error}"))
    }

    fn line_too_long(&self) -> Error {
        Error::permanent(
            "WEIR-SRC-0006",
            format!("a line from {} is longer than {} MiB", self.address, MAX_LINE_BYTES >> 20),
        )
    }
}

/// Cuts what comes in pieces of any size into lines.
struct LineCutter {
    delimiter: String,
    /// The line whose end has not come yet.
    open_line: Vec<u8>,
    /// Bytes of it that are known to hold no delimiter.
    searched: usize,
}

impl LineCutter {
    fn new(delimiter: char) -> Self {
        Self { delimiter: delimiter.to_string(), open_line: Vec::new(), searched: 0 }
    }

    fn cut(&mut self, bytes: &[u8]) -> Vec<Text> {
        self.open_line.extend_from_slice(bytes);
        let mut lines = Vec::new();
        let mut start = 0;
        for found in memmem::find_iter(&self.open_line[self.searched..], &self.delimiter) {
            let end = self.searched + found;
            lines.push(self.line(&self.open_line[start..end]));
            start = end + self.delimiter.len();
        }
        self.open_line.drain(..start);
        // A delimiter of several bytes may have come in part.
        self.searched = (self.open_line.len() + 1).saturating_sub(self.delimiter.len());
        lines
    }

    fn finish(&mut self) -> Option<Text> {
        let last = mem::take(&mut self.open_line);
        (!last.is_empty()).then(|| self.line(&last))
    }

    fn line(&self, bytes: &[u8]) -> Text {
        let line = match bytes.strip_suffix(b"\r") {
            Some(stripped) if self.delimiter == "\n" => stripped,
            _ => bytes,
        };
        Text::from(&*String::from_utf8_lossy(line))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_reader::Reader;
    use super::*;
    use std::{
        io::Write,
        net::TcpListener,
        sync::mpsc::{Sender, channel},
    };
    use weir_base::FailureOrigin;

    struct Rig {
        reader: Reader<SocketTextSource>,
        woken: Receiver<()>,
    }

    fn read(source: &SocketTextSource) -> Rig {
        let (wake, woken): (Sender<()>, _) = channel();
        let wake = Mutex::new(wake);
        let waker: Waker = Arc::new(move || {
            let _ = wake.lock().unwrap().send(());
        });
        let context = ReaderContext { subtask: 0, parallelism: 1, waker };
        let mut reader = source.reader(context).unwrap();
        reader.add_splits(source.enumerate(1).unwrap().remove(0)).unwrap();
        Rig { reader, woken }
    }

    impl Rig {
        /// Polls, and waits for the waker as a task does, until there are so many lines or the end.
        fn lines(&mut self, count: usize) -> Result<Vec<Text>> {
            let mut out = Collector::new();
            while out.len() < count {
                match self.reader.poll_batch(2, &mut out)? {
                    SourcePoll::Pending(None) if out.len() < count => self.woken.recv().unwrap(),
                    SourcePoll::Pending(Some(_)) => panic!("a socket has no deadline"),
                    SourcePoll::More | SourcePoll::Pending(None) => {}
                    SourcePoll::End => break,
                }
            }
            Ok(out.take())
        }
    }

    fn listen() -> (TcpListener, SocketTextSource) {
        listen_on("127.0.0.1")
    }

    /// Tests that give their port back listen on an address of their own: nobody else takes it.
    fn listen_on(host: &str) -> (TcpListener, SocketTextSource) {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, SocketTextSource::new(host, port))
    }

    #[test]
    fn lines_are_cut_however_the_bytes_arrive() {
        let cases: &[(char, &str, &[&str])] = &[
            ('\n', "one\ntwo\r\n\nlast", &["one", "two", "", "last"]),
            ('\n', "a\n", &["a"]),
            ('|', "a\r|b\n|c", &["a\r", "b\n", "c"]),
            ('¶', "eins¶zwei¶¶µ", &["eins", "zwei", "", "µ"]),
            ('\n', "", &[]),
        ];
        for (delimiter, content, expected) in cases {
            for piece_bytes in 1..=content.len().max(1) {
                let mut cutter = LineCutter::new(*delimiter);
                let pieces = content.as_bytes().chunks(piece_bytes);
                let mut lines: Vec<Text> = pieces.flat_map(|piece| cutter.cut(piece)).collect();
                lines.extend(cutter.finish());
                assert_eq!(lines, *expected, "{content:?} by {piece_bytes}");
            }
        }
    }

    #[test]
    fn what_comes_is_emitted_until_the_peer_closes() {
        let (listener, source) = listen();
        let mut rig = read(&source);
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"one\r\ntwo\nthr").unwrap();
        assert_eq!(rig.lines(2).unwrap(), ["one", "two"]);
        let mut out = Collector::new();
        assert_eq!(rig.reader.poll_batch(9, &mut out).unwrap(), SourcePoll::Pending(None));
        assert_eq!(rig.reader.splits().unwrap().len(), 1);
        peer.write_all(b"ee\nbad \xff\nlast").unwrap();
        drop(peer);
        assert_eq!(rig.lines(9).unwrap(), ["three", "bad \u{fffd}", "last"]);
        assert_eq!(rig.reader.poll_batch(9, &mut out).unwrap(), SourcePoll::End);
        assert_eq!(rig.reader.splits().unwrap(), [], "what has ended is not read again");
    }

    #[test]
    fn restored_reader_connects_anew() {
        let (listener, source) = listen();
        let mut first = read(&source);
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"one\n").unwrap();
        assert_eq!(first.lines(1).unwrap(), ["one"]);
        let splits = first.reader.splits().unwrap();
        first.reader.close().unwrap();
        assert_eq!(peer.read(&mut [0; 8]).unwrap_or(0), 0, "the old connection is closed");

        let context = ReaderContext { subtask: 0, parallelism: 1, waker: Arc::new(|| ()) };
        let mut second = source.reader(context).unwrap();
        second.add_splits(splits).unwrap();
        listener.accept().unwrap();
        second.close().unwrap();
    }

    #[test]
    fn a_full_queue_stops_the_thread_and_close_ends_it() {
        let (listener, source) = listen();
        let mut rig = read(&source);
        let (mut peer, _) = listener.accept().unwrap();
        // Not joined: TCP may take a minute to tell a peer with a closed window that we are gone.
        thread::spawn(move || while peer.write_all(&[b'\n'; 1 << 16]).is_ok() {});
        for _ in 0..QUEUE_READS {
            rig.woken.recv().unwrap();
        }
        rig.reader.close().unwrap();
        rig.reader.close().unwrap();
    }

    #[test]
    fn nobody_listening_is_an_error_that_says_what_to_start() {
        let (listener, source) = listen_on("127.0.0.2");
        drop(listener);
        let error = read(&source).lines(1).unwrap_err();
        assert_eq!((error.code(), error.origin()), ("WEIR-SRC-0010", FailureOrigin::External));
        let port = source.port;
        for part in [format!("127.0.0.2:{port}"), format!("nc -lk {port}")] {
            assert!(error.to_string().contains(&part), "{error}");
        }
    }

    #[test]
    fn close_does_not_wait_for_retries() {
        let (listener, source) = listen_on("127.0.0.3");
        drop(listener);
        let mut rig = read(&source.retries(u32::MAX));
        let mut out = Collector::new();
        assert_eq!(rig.reader.poll_batch(1, &mut out).unwrap(), SourcePoll::Pending(None));
        rig.reader.close().unwrap();
        let Rig { reader, woken } = rig;
        drop(reader);
        // The last waker goes with the thread.
        while woken.recv().is_ok() {}
    }

    #[test]
    fn retries_connect_to_a_peer_that_comes_late() {
        let (listener, source) = listen_on("127.0.0.4");
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut rig = read(&source.retries(u32::MAX));
        let listener = TcpListener::bind(address).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"late\n").unwrap();
        assert_eq!(rig.lines(1).unwrap(), ["late"]);
    }

    #[test]
    fn a_reset_is_a_lost_connection() {
        struct Reset(&'static [u8]);
        impl Read for Reset {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match mem::take(&mut self.0) {
                    [] => Err(ErrorKind::ConnectionReset.into()),
                    bytes => (&*bytes).read(buffer),
                }
            }
        }
        let (sender, messages) = sync_channel(2);
        let mut worker = Worker {
            address: "host:9".to_owned(),
            split: SocketTextSplit { host: "host".to_owned(), port: 9 },
            retries: 0,
            queue: Queue { sender, waker: Arc::new(|| ()) },
            cutter: LineCutter::new('\n'),
            stop: Arc::default(),
        };
        let error = worker.read_lines(&mut Reset(b"one\ntw")).unwrap_err();
        assert_eq!((error.code(), error.origin()), ("WEIR-SRC-0011", FailureOrigin::External));
        assert!(error.to_string().contains("host:9"), "{error}");
        assert!(matches!(messages.try_recv(), Ok(Message::Lines(lines)) if lines == ["one"]));

        let error = worker.read_lines(&mut io::repeat(b'x')).unwrap_err();
        assert_eq!((error.code(), error.origin()), ("WEIR-SRC-0006", FailureOrigin::Permanent));
    }
}
