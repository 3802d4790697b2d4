//! Round trips at every chunking, bounds, and seeded garbage.

use super::*;
use crate::challenge::{JobKey, Nonce, Proof, Side};
use weir_base::{CheckpointId, ExecutionAttempt, JobId, SeededRng};
use weir_graph::TaskId;

fn ends() -> ChannelEnds {
    ChannelEnds {
        edge: 3,
        producer: (TaskId { vertex: 0, subtask: 1 }, ExecutionAttempt(7)),
        consumer: (TaskId { vertex: 1, subtask: 0 }, ExecutionAttempt(8)),
    }
}

fn buffer(bytes: &[u8], is_last: bool) -> Frame<'_> {
    let columns = Columns { key_hashes: true, timestamps: false, weights: is_last };
    Frame::Buffer(Buffer { channel: 9, is_last, columns, records: 1024, bytes })
}

fn every_frame(piece: &[u8]) -> Vec<Frame<'_>> {
    let controls = [
        Control::Watermark(i64::MIN),
        Control::Idle,
        Control::Active,
        Control::Barrier(CheckpointId(u64::MAX)),
        Control::BarrierCancelled(CheckpointId(2)),
        Control::LatencyMarker(1_700_000_000_000),
        Control::EndOfData,
        Control::EndOfInput,
    ];
    let reasons = [
        CloseReason::Finished,
        CloseReason::Abandoned,
        CloseReason::ConsumerGone,
        CloseReason::refused("stale"),
    ];
    let nonce = Nonce([0xc3; 32]);
    let proof = JobKey::new([1; 32]).prove(&MAGIC, Side::Acceptor, nonce, nonce);
    let mut frames = vec![
        Frame::Hello(Hello { job: JobId::of_text("job"), from_host: "a".to_owned(), nonce }),
        Frame::Challenge(Challenge { host: "b".to_owned(), nonce, proof }),
        Frame::Proof(proof),
        Frame::OpenChannel(u32::MAX, ends()),
        Frame::ChannelOpened(1, Window { batches: 8, bytes: 1 << 40 }),
        buffer(piece, false),
        buffer(&[], true),
        Frame::Credit { channel: 4, batches: 3 },
        Frame::Error(ErrorReport::of(&Error::VersionMismatch { ours: 1, theirs: 2 })),
    ];
    frames.extend(controls.map(|control| Frame::Control(5, control)));
    frames.extend(reasons.map(|reason| Frame::CloseChannel(6, reason)));
    frames
}

fn encode(frames: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_preamble(&mut bytes);
    frames.iter().for_each(|frame| frame.encode_into(&mut bytes).unwrap());
    bytes
}

/// Feeds the bytes in chunks and compares what comes out.
fn check_chunked(bytes: &[u8], expected: &[Frame<'_>], mut chunk_bytes: impl FnMut() -> usize) {
    let mut decoder = FrameDecoder::new();
    let mut expected = expected.iter();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(chunk_bytes().min(rest.len()));
        decoder.feed(chunk);
        while let Some(frame) = decoder.next_frame().unwrap() {
            assert_eq!(Some(&frame), expected.next());
        }
        rest = later;
    }
    assert_eq!(expected.next(), None);
    assert_eq!(decoder.finish(), Ok(()));
}

fn first_error(bytes: &[u8]) -> Error {
    let mut decoder = FrameDecoder::new();
    decoder.feed(bytes);
    loop {
        match decoder.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => return decoder.finish().unwrap_err(),
            Err(error) => return error,
        }
    }
}

#[test]
fn every_frame_comes_back_at_every_chunking() {
    let piece = [0xabu8; 300];
    let frames = every_frame(&piece);
    let bytes = encode(&frames);
    for chunk_bytes in 1..bytes.len() {
        check_chunked(&bytes, &frames, || chunk_bytes);
    }
    let piece = vec![0xcdu8; MAX_BUFFER_BYTES];
    let frames: Vec<_> = (0..4).flat_map(|_| every_frame(&piece)).collect();
    let bytes = encode(&frames);
    let mut rng = SeededRng::new(1);
    for _ in 0..100 {
        check_chunked(&bytes, &frames, || 1 + rng.below(60_000) as usize);
    }
}

#[test]
fn every_truncation_is_noticed() {
    let piece = [1u8; 20];
    let bytes = encode(&every_frame(&piece)[3..7]);
    let whole = |cut: usize| {
        let mut decoder = FrameDecoder::new();
        decoder.feed(&bytes[..cut]);
        while decoder.next_frame().unwrap().is_some() {}
        decoder.finish()
    };
    let complete = (0..=bytes.len()).filter(|cut| whole(*cut).is_ok()).count();
    assert_eq!(complete, 6, "before and after the preamble and after each of the four frames");
    assert_eq!(whole(bytes.len() - 1).unwrap_err().code(), "WEIR-NET-0004");
}

#[test]
fn what_breaks_a_rule_gets_its_code() {
    let mut other_version = encode(&[]);
    other_version[8] = 77;
    let header = |kind: u8, flags: u8, length: u32| {
        let mut bytes = encode(&[]);
        bytes.extend([kind, 0, 0, 0, 0, flags, 0, 0, 0, 0]);
        bytes.extend(length.to_le_bytes());
        bytes.resize(bytes.len() + length.min(100) as usize, 0xc1);
        bytes
    };
    for (bytes, code) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), "WEIR-NET-0001"),
        (b"W\x00".to_vec(), "WEIR-NET-0001"),
        (b"WEIR".to_vec(), "WEIR-NET-0004"),
        (other_version, "WEIR-NET-0002"),
        (header(5, 0, 32 * 1024 + 1), "WEIR-NET-0003"),
        (header(1, 0, 64 * 1024 + 1), "WEIR-NET-0003"),
        (header(6, 0, 10), "WEIR-NET-0003"),
        (header(7, 0, 1), "WEIR-NET-0003"),
        (header(9, 0, u32::MAX), "WEIR-NET-0003"),
        (header(0, 0, 0), "WEIR-NET-0008"),
        (header(11, 0, 0), "WEIR-NET-0008"),
        (header(10, 0, 64 * 1024 + 1), "WEIR-NET-0003"),
        (header(5, 0x80, 4), "WEIR-NET-0008"),
        (header(6, 0, 0), "WEIR-NET-0008"),
        (header(6, 0, 9), "WEIR-NET-0008"),
        (header(3, 0, 50), "WEIR-NET-0008"),
    ] {
        let error = first_error(&bytes);
        assert_eq!(error.code(), code, "{error}");
        let report = ErrorReport::of(&error);
        assert_eq!(Error::reported(&report.code, report.message).code(), code);
    }
    let versions = Error::VersionMismatch { ours: VERSION, theirs: 77 }.to_string();
    assert!(versions.contains("77") && versions.contains('2'), "{versions}");
}

#[test]
fn a_message_above_the_limit_is_not_sent() {
    let name = "x".repeat(MAX_MESSAGE_BYTES);
    let (nonce, proof) = (Nonce([0; 32]), Proof([0; 32]));
    let frame = Frame::Challenge(Challenge { host: name, nonce, proof });
    assert_eq!(frame.encode_into(&mut Vec::new()).unwrap_err().code(), "WEIR-NET-0003");
}

#[test]
fn garbage_never_panics_and_never_makes_the_decoder_hoard() {
    let piece = [7u8; 2000];
    let good = encode(&every_frame(&piece));
    let mut rng = SeededRng::new(42);
    let mut errors = 0;
    for round in 0..20_000u32 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(4) {
            // Half of the flips hit the headers at the front, which say how much follows.
            let reach = if rng.percent(50) { 120 } else { bytes.len() as u64 };
            bytes[rng.below(reach) as usize] = rng.next_u64() as u8;
        }
        if round % 4 == 0 {
            bytes = (0..rng.below(500)).map(|_| rng.next_u64() as u8).collect();
            bytes.splice(0..0, encode(&[]));
        }
        let mut decoder = FrameDecoder::new();
        let mut assembler = BatchAssembler::new(4096);
        let failed = bytes.chunks(1 + rng.below(700) as usize).try_for_each(|chunk| {
            decoder.feed(chunk);
            while let Some(frame) = decoder.next_frame()? {
                if let Frame::Buffer(buffer) = frame {
                    assembler.piece(&buffer, Vec::new)?;
                }
            }
            Ok::<(), Error>(())
        });
        errors += u32::from(failed.and_then(|()| decoder.finish()).is_err());
        assert!(decoder.spare().len() < 2 * MAX_MESSAGE_BYTES);
    }
    assert!(errors > 10_000, "only {errors} of the rounds were refused");
}
