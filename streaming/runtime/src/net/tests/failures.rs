//! Cancel, fences, and hosts that die, are not there, or never answer.

use super::*;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::RecvTimeoutError,
};
use weir_protocol::data::{Challenge, Frame, FrameDecoder, Window, encode_preamble};

/// What a task meets that opens this channel and sends; either may be the first to tell.
fn first_error(from: &NetHost, to: SocketAddr, ends: ChannelEnds) -> Error {
    match from.open_output(to, ends, TaskControl::new()) {
        Ok(mut sender) => send_until_error(&mut *sender),
        Err(error) => error,
    }
}

fn at(ends: ChannelEnds, producer: u64, consumer: u64) -> ChannelEnds {
    ChannelEnds {
        producer: (ends.producer.0, ExecutionAttempt(producer)),
        consumer: (ends.consumer.0, ExecutionAttempt(consumer)),
        ..ends
    }
}

#[test]
fn cancelling_frees_a_sender_without_credit() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let control = TaskControl::new();
    let mut sender = left.open_output(right.local_addr(), ends(0), Arc::clone(&control)).unwrap();
    let producer = thread::spawn(move || send_until_error(&mut *sender));
    wait_for("a full window", || inbox.queued_batches() == WINDOW);
    control.cancel();
    assert!(matches!(producer.join().unwrap(), Error::Cancelled));
}

#[test]
fn cancelling_frees_a_sender_whose_consumer_never_came() {
    let (left, right) = (host("left"), host("right"));
    let control = TaskControl::new();
    let mut sender = left.open_output(right.local_addr(), ends(0), Arc::clone(&control)).unwrap();
    let producer = thread::spawn(move || sender.send(Element::Idle));
    control.cancel();
    assert!(matches!(producer.join().unwrap(), Err(Error::Cancelled)));
}

/// A host that greets, grants one channel endless credit, and then reads nothing.
fn deaf_host(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let mut decoder = FrameDecoder::new();
    let mut opened = false;
    while !opened {
        let read_bytes = stream.read(decoder.spare()).unwrap();
        decoder.filled(read_bytes);
        while let Some(frame) = decoder.next_frame().unwrap() {
            let mut answer = Vec::new();
            match frame {
                Frame::Hello(hello) => {
                    encode_preamble(&mut answer);
                    let proof = proof(Side::Acceptor, hello.nonce, ZEROS);
                    let challenge = Challenge { host: "deaf".to_owned(), nonce: ZEROS, proof };
                    Frame::Challenge(challenge).encode_into(&mut answer).unwrap();
                }
                Frame::Proof(_) => {}
                Frame::OpenChannel(channel, _) => {
                    let window = Window { batches: u32::MAX, bytes: u64::MAX };
                    Frame::ChannelOpened(channel, window).encode_into(&mut answer).unwrap();
                    opened = true;
                }
                other => panic!("unexpected {other:?}"),
            }
            stream.write_all(&answer).unwrap();
        }
    }
    stream
}

#[test]
fn cancelling_frees_a_sender_that_waits_for_a_buffer() {
    let left = logging_host("left", |config| config.pool_buffers = 2).0;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let deaf = thread::spawn(move || deaf_host(&listener));
    let control = TaskControl::new();
    let mut sender = left.open_output(peer, ends(0), Arc::clone(&control)).unwrap();
    let _stream = deaf.join().unwrap();
    let producer = thread::spawn(move || {
        let records = vec![u64::MAX; 10_000];
        let send = || sender.send(Element::Batch(Batch::of(records.clone())));
        std::iter::repeat_with(send).find_map(Result::err).unwrap()
    });
    wait_for("backpressure", || control.time_spent().backpressured > Duration::ZERO);
    control.cancel();
    assert!(matches!(producer.join().unwrap(), Error::Cancelled));
}

#[test]
fn only_the_expected_deployments_are_let_in() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, losses) = input(&right, ends(0), TWO_BATCHES);
    for (stale, problem) in [
        (at(ends(0), 4, 5), "the producer's attempt 5 is expected"),
        (at(ends(0), 6, 5), "the producer's attempt 5 is expected"),
        (at(ends(0), 5, 4), "the consumer is deployed anew as attempt 5"),
    ] {
        let error = first_error(&left, right.local_addr(), stale);
        assert_eq!(error.code(), "WEIR-NET-0005");
        assert!(error.to_string().contains(problem), "{error}");
    }
    let mut sender = output(&left, &right, ends(0));
    sender.send(batch(1)).unwrap();
    assert_eq!(take_value(&inbox), 1);
    let twice = first_error(&left, right.local_addr(), ends(0));
    assert!(twice.to_string().contains("open already"), "{twice}");
    right.unregister(ends(0).consumer);
    let mut late = output(&left, &right, ends(0));
    late.send(batch(1)).expect("a consumer that has ended takes everything and keeps nothing");
    assert!(losses.try_recv().is_err(), "a refusal is no loss");
}

#[test]
fn a_channel_for_the_next_deployment_waits_for_it() {
    let (left, right) = (host("left"), host("right"));
    let (_old_inbox, _old_losses) = input(&right, ends(0), TWO_BATCHES);
    let next = at(ends(0), 6, 6);
    let mut sender = output(&left, &right, next);
    let producer = thread::spawn(move || sender.send(batch(8)));
    right.unregister(ends(0).consumer);
    let (inbox, _losses) = input(&right, next, TWO_BATCHES);
    assert_eq!(take_value(&inbox), 8);
    producer.join().unwrap().unwrap();
}

#[test]
fn a_consumer_that_does_not_come_in_time_ends_the_wait() {
    let left = host("left");
    let right = logging_host("right", |config| config.open_timeout = Duration::from_millis(20)).0;
    let error = first_error(&left, right.local_addr(), ends(0));
    assert_eq!(error.code(), "WEIR-NET-0005");
    assert!(error.to_string().contains("was not there within 20ms"), "{error}");
}

#[test]
fn an_unregistered_consumer_lets_its_producers_go_on() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, losses) = input(&right, ends(0), TWO_BATCHES);
    let mut sender = output(&left, &right, ends(0));
    let producer = thread::spawn(move || send_all(&mut *sender, 0..1000));
    wait_for("a full window", || inbox.queued_batches() == WINDOW);
    inbox.close().unwrap();
    right.unregister(ends(0).consumer);
    producer.join().unwrap().unwrap();
    assert!(losses.try_recv().is_err());
}

#[test]
fn when_the_consumers_host_dies_its_senders_are_told() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let mut sender = output(&left, &right, ends(0));
    let producer = thread::spawn(move || send_until_error(&mut *sender));
    wait_for("a full window", || inbox.queued_batches() == WINDOW);
    let peer = right.local_addr().to_string();
    right.shutdown();
    let error = producer.join().unwrap();
    assert_eq!(error.code(), "WEIR-NET-0006");
    assert_eq!(error.origin(), weir_base::FailureOrigin::External);
    assert!(error.to_string().contains(&format!("right ({peer})")), "{error}");
}

#[test]
fn when_the_producers_host_dies_its_receivers_are_told_unless_they_had_it_all() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, losses) = input(&right, ends(0), TWO_BATCHES);
    let (done_inbox, done_losses) = input(&right, ends(1), TWO_BATCHES);
    let mut sender = output(&left, &right, ends(0));
    let mut done = output(&left, &right, ends(1));
    sender.send(batch(1)).unwrap();
    done.send(Element::EndOfData).unwrap();
    done.send(Element::EndOfInput).unwrap();
    assert_eq!(take_value(&inbox), 1);
    assert!(matches!(take(&done_inbox), Element::EndOfData));
    assert!(matches!(take(&done_inbox), Element::EndOfInput));
    left.shutdown();
    let error = losses.recv_timeout(LIMIT).unwrap();
    assert_eq!(error.code(), "WEIR-NET-0006");
    assert!(error.to_string().contains("left ("), "{error}");
    assert_eq!(send_until_error(&mut *sender).code(), "WEIR-NET-0006");
    drop(right);
    // The hook is dropped with the host, so this ends when it can no longer be called.
    assert_eq!(done_losses.recv_timeout(LIMIT).unwrap_err(), RecvTimeoutError::Disconnected);
}

#[test]
fn a_new_connection_replaces_a_lost_one() {
    let left = host("left");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        drop(deaf_host(&listener));
        deaf_host(&listener)
    });
    assert_eq!(first_error(&left, peer, ends(0)).code(), "WEIR-NET-0006");
    let mut sender = left.open_output(peer, ends(0), TaskControl::new()).unwrap();
    sender.send(batch(3)).unwrap();
    server.join().unwrap();
}

#[test]
fn refused_connection_and_missing_handshake_are_not_reported_as_a_loss() {
    let left =
        logging_host("left", |config| config.handshake_timeout = Duration::from_millis(50)).0;
    // An address that no other test listens at: the port stays free when it is given up.
    let silent = TcpListener::bind("127.0.0.77:0").unwrap();
    let peer = silent.local_addr().unwrap();
    let no_answer = left.open_output(peer, ends(0), TaskControl::new()).err().unwrap();
    drop(silent);
    let refused = left.open_output(peer, ends(0), TaskControl::new()).err().unwrap();
    for (error, problem) in [(no_answer, "no answer within 50ms"), (refused, "refused")] {
        assert_eq!(error.code(), "WEIR-NET-0007");
        let text = error.to_string();
        assert!(text.contains(&peer.to_string()) && text.contains(problem), "{text}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let mut config = NetConfig::new(JobId::of_text("job"), key(), "second");
    config.bind = taken;
    let error = NetHost::start(config).err().unwrap();
    assert_eq!(error.code(), "WEIR-NET-0009");
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
}
