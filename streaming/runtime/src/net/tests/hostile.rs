//! Peers that do not keep to the protocol: each loses its own connection and nothing else.

use super::*;
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
};
use weir_base::SeededRng;
use weir_protocol::data::{
    Buffer, Columns, ErrorReport, Frame, FrameDecoder, HEADER_BYTES, Hello, VERSION,
    encode_preamble,
};

fn preamble() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_preamble(&mut bytes);
    bytes
}

fn greeting(job: &str, then: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = preamble();
    let hello = Hello { job: JobId::of_text(job), from_host: "odd\nhost".to_owned() };
    Frame::Hello(hello).encode_into(&mut bytes).unwrap();
    then.iter().for_each(|frame| frame.encode_into(&mut bytes).unwrap());
    bytes
}

/// Says all this, then reads to the end; the error it was answered with.
fn provoke(address: SocketAddr, bytes: &[u8], then: Option<Shutdown>) -> Option<ErrorReport> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // The host may close while this is on the way.
    let _ = stream.write_all(bytes);
    if let Some(how) = then {
        let _ = stream.shutdown(how);
    }
    let mut decoder = FrameDecoder::new();
    let mut answer = None;
    loop {
        let read_bytes = stream.read(decoder.spare()).unwrap_or(0);
        if read_bytes == 0 {
            return answer;
        }
        decoder.filled(read_bytes);
        while let Some(frame) = decoder.next_frame().unwrap() {
            if let Frame::Error(report) = frame {
                answer = Some(report);
            }
        }
    }
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
    let mut oversized = greeting("job", &[]);
    oversized.extend([5; HEADER_BYTES - 1]);
    oversized.push(0xff);
    let (inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let opened = Frame::OpenChannel(1, ends(0));
    let credit = Frame::Credit { channel: 1, batches: 1 };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "WEIR-NET-0001"),
        ("zeros", vec![0; 100_000], "WEIR-NET-0001"),
        ("version", other_version, "WEIR-NET-0002"),
        ("oversized", oversized, "WEIR-NET-0003"),
        ("unknown channel", greeting("job", &[plain_buffer(7, 1)]), "WEIR-NET-0005"),
        ("other job", greeting("another", &[]), "WEIR-NET-0005"),
        ("no hello", [preamble(), vec![7; HEADER_BYTES - 4], vec![0; 4]].concat(), "WEIR-NET-0008"),
        ("wrong side", greeting("job", &[credit]), "WEIR-NET-0008"),
        (
            "too early",
            greeting("job", &[Frame::OpenChannel(1, ends(3)), plain_buffer(1, 1)]),
            "WEIR-NET-0008",
        ),
        (
            "twice",
            greeting("job", &[Frame::OpenChannel(1, ends(3)), Frame::OpenChannel(1, ends(4))]),
            "WEIR-NET-0005",
        ),
        ("no records", greeting("job", &[opened.clone(), plain_buffer(1, 0)]), "WEIR-NET-0008"),
    ];
    for (name, bytes, code) in cases {
        let answer = provoke(right.local_addr(), &bytes, None);
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
fn a_peer_that_never_introduces_itself_is_shown_out() {
    let (right, log) =
        logging_host("right", |config| config.handshake_timeout = Duration::from_millis(20));
    let answer = provoke(right.local_addr(), &preamble(), None).unwrap();
    assert!(answer.message.contains("no hello came within 20ms"), "{}", answer.message);
    assert!(log.recv_timeout(LIMIT).unwrap().starts_with("WEIR-NET-0008"));
}

#[test]
fn the_answer_to_a_foreign_version_names_both() {
    let right = host("right");
    let mut bytes = preamble();
    bytes[8] = 99;
    let message = provoke(right.local_addr(), &bytes, None).unwrap().message;
    assert!(message.contains("version 99") && message.contains(&format!("version {VERSION}")));
}

#[test]
fn a_truncated_frame_is_told_from_a_good_end() {
    let left = host("left");
    let (right, log) = logging_host("right", |_| {});
    let mut bystander = Bystander::new(&left, &right);
    let whole = greeting("job", &[Frame::OpenChannel(1, ends(0))]);
    let cut = &whole[..whole.len() - 1];
    let answer = provoke(right.local_addr(), cut, Some(Shutdown::Write));
    assert_eq!(answer.unwrap().code, "WEIR-NET-0004");
    assert!(log.recv_timeout(LIMIT).unwrap().starts_with("WEIR-NET-0004"));
    for good in [&whole[..], &[]] {
        assert_eq!(provoke(right.local_addr(), good, Some(Shutdown::Write)), None);
    }
    assert!(log.try_recv().is_err(), "a good end and a mere look are no events");
    bystander.assert_undisturbed();
}

#[test]
fn a_batch_without_credit_ends_the_connection_and_its_consumer_learns_it() {
    let (right, log) = logging_host("right", |_| {});
    let (_inbox, losses) = input(&right, ends(0), TWO_BATCHES);
    let mut frames = vec![Frame::OpenChannel(1, ends(0))];
    frames.extend((0..3).map(|_| plain_buffer(1, 8)));
    let answer = provoke(right.local_addr(), &greeting("job", &frames), None).unwrap();
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
    let answer = provoke(right.local_addr(), &greeting("job", &frames), None).unwrap();
    assert_eq!(answer.code, "WEIR-NET-0003");
    assert_eq!(inbox.queued_batches(), 0);
}

#[test]
fn connections_are_bounded_and_a_place_is_free_again_afterwards() {
    let (right, log) = logging_host("right", |config| config.max_connections = 1);
    let left = host("left");
    let mut bystander = Bystander::new(&left, &right);
    assert_eq!(provoke(right.local_addr(), &preamble(), None), None);
    assert!(log.recv_timeout(LIMIT).unwrap().contains("refused: 1 connections"));
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

#[test]
fn seeded_garbage_after_a_greeting_disturbs_nobody() {
    let left = host("left");
    let (right, log) = logging_host("right", |_| {});
    let mut bystander = Bystander::new(&left, &right);
    let mut rng = SeededRng::new(11);
    let good = greeting("job", &[Frame::OpenChannel(1, ends(3)), plain_buffer(1, 1)]);
    for _ in 0..100 {
        let mut bytes = good.clone();
        let flipped = rng.below(bytes.len() as u64) as usize;
        bytes[flipped] ^= 1 << rng.below(8);
        bytes.extend((0..rng.below(200)).map(|_| rng.next_u64() as u8));
        provoke(right.local_addr(), &bytes, Some(Shutdown::Write));
    }
    bystander.assert_undisturbed();
    assert!(log.try_iter().count() > 50);
}

#[test]
fn a_peer_that_answers_nonsense_is_named_to_the_task() {
    let left = host("left");
    let mut other_version = preamble();
    other_version[8] = 77;
    for (answer, code) in [
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "WEIR-NET-0001"),
        (other_version, "WEIR-NET-0002"),
        ([preamble(), vec![0xff; HEADER_BYTES]].concat(), "WEIR-NET-0008"),
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
