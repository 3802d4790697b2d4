//! Peers that do not keep to the protocol: each loses its own connection and nothing else.

use super::*;
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
};
use weir_base::SeededRng;
use weir_protocol::data::{
    Buffer, Challenge, Columns, ErrorReport, Frame, FrameDecoder, HEADER_BYTES, Hello, VERSION,
    encode_preamble,
};

fn preamble() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_preamble(&mut bytes);
    bytes
}

fn frames(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode_into(&mut bytes).unwrap());
    bytes
}

fn hello(job: &str) -> Vec<u8> {
    let from_host = "odd\nhost".to_owned();
    let hello = Hello { job: JobId::of_text(job), from_host, nonce: ZEROS };
    [preamble(), frames(&[Frame::Hello(hello)])].concat()
}

/// What a peer that a test plays says.
#[derive(Clone)]
enum Words {
    /// At once, whatever it is answered.
    Stranger(Vec<u8>),
    /// Behind a proof of this key.
    Member(JobKey, Vec<u8>),
}

fn member(then: &[Frame<'_>]) -> Words {
    Words::Member(key(), frames(then))
}

/// What the host answers, a frame at a time.
struct Answers {
    stream: TcpStream,
    decoder: FrameDecoder,
}

impl Answers {
    /// What `find` looks for; `None` at the end of the connection.
    fn find<T>(&mut self, find: impl Fn(Frame<'_>) -> Option<T>) -> Option<T> {
        loop {
            while let Some(frame) = self.decoder.next_frame().unwrap() {
                if let Some(found) = find(frame) {
                    return Some(found);
                }
            }
            match self.stream.read(self.decoder.spare()) {
                Ok(read_bytes) if read_bytes > 0 => self.decoder.filled(read_bytes),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return None,
            }
        }
    }
}

/// Says all this, then reads to the end; the error it was answered with.
fn provoke(address: SocketAddr, words: &Words, then: Option<Shutdown>) -> Option<ErrorReport> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut answers = Answers { stream, decoder: FrameDecoder::new() };
    // The host may close while something is on the way.
    match words {
        Words::Stranger(bytes) => drop(answers.stream.write_all(bytes)),
        Words::Member(key, bytes) => {
            answers.stream.write_all(&hello("job")).unwrap();
            let challenge = answers.find(|frame| match frame {
                Frame::Challenge(challenge) => Some(challenge),
                _ => None,
            });
            let nonce = challenge.expect("a challenge").nonce;
            let proof = key.prove(b"WEIRDATA", Side::Connector, ZEROS, nonce);
            let bytes = [frames(&[Frame::Proof(proof)]), bytes.clone()].concat();
            let _ = answers.stream.write_all(&bytes);
        }
    }
    if let Some(how) = then {
        let _ = answers.stream.shutdown(how);
    }
    answers.find(|frame| match frame {
        Frame::Error(report) => Some(report),
        _ => None,
    })
}

/// A good channel beside whatever a test does.
struct Bystander {
    sender: Box<dyn ElementSender>,
    inbox: Arc<Inbox>,
    losses: Receiver<Error>,
    sent: u64,
}

impl Bystander {
    fn new(from: &NetHost, to: &NetHost) -> Self {
        let (inbox, losses) = input(to, ends(9), TWO_BATCHES);
        Self { sender: output(from, to, ends(9)), inbox, losses, sent: 0 }
    }

    fn assert_undisturbed(&mut self) {
        self.sent += 1;
        self.sender.send(batch(self.sent)).unwrap();
        assert_eq!(take_value(&self.inbox), self.sent);
        assert!(self.losses.try_recv().is_err());
    }
}

fn plain_buffer(channel: u32, records: u32) -> Frame<'static> {
    let columns = Columns::default();
    Frame::Buffer(Buffer { channel, is_last: true, columns, records, bytes: &[1; 8] })
}

#[test]
fn each_breach_ends_its_own_connection_with_code_answer_and_line() {
    let left = host("left");
    let (right, log) = logging_host("right", |_| {});
    let mut bystander = Bystander::new(&left, &right);
    let mut other_version = preamble();
    other_version[8] = 99;
    let mut oversized = vec![5; HEADER_BYTES - 1];
    oversized.push(0xff);
    let (inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let opened = Frame::OpenChannel(1, ends(0));
    let credit = Frame::Credit { channel: 1, batches: 1 };
    let padded = ErrorReport { code: "x".repeat(5000), message: String::new() };
    let long = [hello("job"), frames(&[Frame::Error(padded)])].concat();
    let no_hello = [preamble(), vec![7; HEADER_BYTES - 4], vec![0; 4]].concat();
    let no_proof = [hello("job"), frames(std::slice::from_ref(&opened))].concat();
    let foreign = Words::Member(JobKey::new([6; 32]), frames(std::slice::from_ref(&opened)));
    let replayed = frames(&[Frame::Proof(proof(Side::Connector, ZEROS, ZEROS)), opened.clone()]);
    let replayed = [hello("job"), replayed].concat();
    let reflected = Frame::Challenge(Challenge {
        host: "right".to_owned(),
        nonce: ZEROS,
        proof: proof(Side::Acceptor, ZEROS, ZEROS),
    });
    let reflected = [hello("job"), frames(&[reflected])].concat();
    let twice = [Frame::OpenChannel(1, ends(3)), Frame::OpenChannel(1, ends(4))];
    let stranger = Words::Stranger;
    let cases: Vec<(&str, Words, &str)> = vec![
        ("http", stranger(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()), "WEIR-NET-0001"),
        ("zeros", stranger(vec![0; 100_000]), "WEIR-NET-0001"),
        ("version", stranger(other_version), "WEIR-NET-0002"),
        ("other job", stranger(hello("another")), "WEIR-NET-0005"),
        ("no hello", stranger(no_hello), "WEIR-NET-0008"),
        ("no proof", stranger(no_proof), "WEIR-NET-0008"),
        ("proof of another connection", stranger(replayed), "WEIR-NET-0010"),
        ("our own words", stranger(reflected), "WEIR-NET-0008"),
        ("foreign key", foreign, "WEIR-NET-0010"),
        ("long before the proof", stranger(long), "WEIR-NET-0003"),
        ("oversized", Words::Member(key(), oversized), "WEIR-NET-0003"),
        ("unknown channel", member(&[plain_buffer(7, 1)]), "WEIR-NET-0005"),
        ("wrong side", member(&[credit]), "WEIR-NET-0008"),
        (
            "too early",
            member(&[Frame::OpenChannel(1, ends(3)), plain_buffer(1, 1)]),
            "WEIR-NET-0008",
        ),
        ("twice", member(&twice), "WEIR-NET-0005"),
        ("no records", member(&[opened.clone(), plain_buffer(1, 0)]), "WEIR-NET-0008"),
    ];
    for (name, words, code) in cases {
        let answer = provoke(right.local_addr(), &words, None);
        let line = log.recv_timeout(LIMIT).unwrap();
        assert!(line.starts_with(code) && !line.contains('\n'), "{name}: {line}");
        // An answer can be lost when the peer has sent more than was read of it.
        let answered = answer.map_or_else(|| code.to_owned(), |report| report.code);
        assert_eq!(answered, code, "{name}");
        bystander.assert_undisturbed();
    }
    assert_eq!(inbox.queued_batches(), 0);
}

#[test]
fn a_peer_without_a_handshake_is_disconnected() {
    let (right, log) =
        logging_host("right", |config| config.handshake_timeout = Duration::from_millis(20));
    for begun in [preamble(), hello("job")] {
        let answer = provoke(right.local_addr(), &Words::Stranger(begun), None).unwrap();
        assert!(answer.message.contains("no hello and proof came within 20ms"), "{answer:?}");
        assert!(log.recv_timeout(LIMIT).unwrap().starts_with("WEIR-NET-0008"));
    }
}

#[test]
fn the_answer_to_a_foreign_version_names_both() {
    let right = host("right");
    let mut bytes = preamble();
    bytes[8] = 99;
    let message = provoke(right.local_addr(), &Words::Stranger(bytes), None).unwrap().message;
    assert!(message.contains("version 99") && message.contains(&format!("version {VERSION}")));
}

#[test]
fn a_truncated_frame_differs_from_a_regular_end() {
    let left = host("left");
    let (right, log) = logging_host("right", |_| {});
    let mut bystander = Bystander::new(&left, &right);
    let whole = frames(&[Frame::OpenChannel(1, ends(0))]);
    let greeting = hello("job");
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 1].to_vec();
    for words in [Words::Member(key(), cut(&whole)), Words::Stranger(cut(&greeting))] {
        let answer = provoke(right.local_addr(), &words, Some(Shutdown::Write));
        assert_eq!(answer.unwrap().code, "WEIR-NET-0004");
        assert!(log.recv_timeout(LIMIT).unwrap().starts_with("WEIR-NET-0004"));
    }
    let good = [Words::Member(key(), whole), Words::Stranger(vec![]), Words::Stranger(greeting)];
    for words in good {
        assert_eq!(provoke(right.local_addr(), &words, Some(Shutdown::Write)), None);
    }
    assert!(log.try_recv().is_err(), "a good end and a mere look are no events");
    bystander.assert_undisturbed();
}

#[test]
fn a_batch_without_credit_ends_the_connection_and_its_consumer_learns_it() {
    let (right, log) = logging_host("right", |_| {});
    let (_inbox, losses) = input(&right, ends(0), TWO_BATCHES);
    let mut frames = vec![Frame::OpenChannel(1, ends(0))];
    frames.extend((0..=WINDOW).map(|_| plain_buffer(1, 8)));
    let answer = provoke(right.local_addr(), &member(&frames), None).unwrap();
    assert!(answer.message.contains("without credit"), "{}", answer.message);
    assert!(log.recv_timeout(LIMIT).unwrap().contains("without credit"));
    let loss = losses.recv_timeout(LIMIT).unwrap();
    assert_eq!(loss.code(), "WEIR-NET-0006");
    assert!(loss.to_string().contains("odd\\nhost ("), "{loss}");
}

#[test]
fn a_batch_in_too_many_pieces_is_cut_off() {
    let right = logging_host("right", |config| config.max_batch_bytes = 100_000).0;
    let (inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let columns = Columns::default();
    let piece = Buffer { channel: 1, is_last: false, columns, records: 1, bytes: &[0; 30_000] };
    let mut frames = vec![Frame::OpenChannel(1, ends(0))];
    frames.extend((0..4).map(|_| Frame::Buffer(piece)));
    let answer = provoke(right.local_addr(), &member(&frames), None).unwrap();
    assert_eq!(answer.code, "WEIR-NET-0003");
    assert_eq!(inbox.queued_batches(), 0);
}

#[test]
fn connections_are_bounded_and_a_place_is_free_again_afterwards() {
    let (right, log) = logging_host("right", |config| config.max_connections = 1);
    let left = host("left");
    let mut bystander = Bystander::new(&left, &right);
    let answer = provoke(right.local_addr(), &member(&[]), None).unwrap();
    assert_eq!(answer.code, "WEIR-NET-0005");
    assert!(log.recv_timeout(LIMIT).unwrap().contains("1 connections are open"));
    bystander.assert_undisturbed();
    drop(left);
    bystander.losses.recv_timeout(LIMIT).unwrap();
    let left = host("left");
    let mut sender = None;
    wait_for("a free place", || {
        sender = left.open_output(right.local_addr(), ends(0), TaskControl::new()).ok();
        sender.is_some()
    });
}

/// Both ends of many connections are in this process.
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls; the structure lives throughout them.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}

#[test]
fn idle_connections_do_not_lock_out_hosts() {
    raise_descriptor_limit();
    // As long as the test at least: no place becomes free because a handshake took too long.
    let (right, _log) = logging_host("right", |config| config.handshake_timeout = LIMIT);
    let left = host("left");
    let mut before = Bystander::new(&left, &right);
    let silent = |words: &[u8]| {
        let mut stream = TcpStream::connect(right.local_addr()).unwrap();
        stream.write_all(words).unwrap();
        stream
    };
    let [nothing, begun] = [vec![], hello("job")];
    let mut flood: Vec<_> = (0..1024).map(|n| silent([&nothing, &begun][n % 2])).collect();
    let other = host("other");
    let (inbox, _losses) = input(&right, ends(1), TWO_BATCHES);
    let mut sender = output(&other, &right, ends(1));
    sender.send(batch(7)).unwrap();
    assert_eq!(take_value(&inbox), 7);
    before.assert_undisturbed();
    // The oldest of them was shown out, the newest is still there.
    flood[1].set_read_timeout(Some(LIMIT)).unwrap();
    let mut answer = Vec::new();
    let _ = flood[1].read_to_end(&mut answer);
    let newest = flood.last_mut().unwrap();
    newest.set_nonblocking(true).unwrap();
    let closed = loop {
        match newest.read(&mut [0; 4096]) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) => break error.kind() != ErrorKind::WouldBlock,
        }
    };
    assert!(!closed);
}

#[test]
fn random_bytes_after_a_greeting_end_only_their_own_connection() {
    let left = host("left");
    let (right, log) = logging_host("right", |_| {});
    let mut bystander = Bystander::new(&left, &right);
    let mut rng = SeededRng::new(11);
    let good = frames(&[Frame::OpenChannel(1, ends(3)), plain_buffer(1, 1)]);
    for round in 0..200 {
        let mut bytes = if round % 2 == 0 { good.clone() } else { hello("job") };
        let flipped = rng.below(bytes.len() as u64) as usize;
        bytes[flipped] ^= 1 << rng.below(8);
        bytes.extend((0..rng.below(200)).map(|_| rng.next_u64() as u8));
        let words = match round % 2 {
            0 => Words::Member(key(), bytes),
            _ => Words::Stranger(bytes),
        };
        provoke(right.local_addr(), &words, Some(Shutdown::Write));
    }
    bystander.assert_undisturbed();
    assert!(log.try_iter().count() > 100);
}

#[test]
fn a_task_is_told_the_peer_that_sends_an_invalid_answer() {
    let left = host("left");
    let mut other_version = preamble();
    other_version[8] = 77;
    let unproved = Frame::Challenge(Challenge {
        host: "odd".to_owned(),
        nonce: ZEROS,
        proof: proof(Side::Acceptor, ZEROS, ZEROS),
    });
    for (answer, code) in [
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "WEIR-NET-0001"),
        (other_version, "WEIR-NET-0002"),
        ([preamble(), vec![0xff; HEADER_BYTES]].concat(), "WEIR-NET-0008"),
        ([preamble(), frames(&[unproved])].concat(), "WEIR-NET-0010"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&answer).unwrap();
            stream
        });
        let error = left.open_output(peer, ends(0), TaskControl::new()).err().unwrap();
        assert_eq!(error.code(), code, "{error}");
        server.join().unwrap();
    }
}
