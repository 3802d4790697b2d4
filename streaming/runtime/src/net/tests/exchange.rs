//! What goes in comes out: order, columns, credit, independence of channels.

use super::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weir_base::CheckpointId;
use weir_dataflow::Barrier;

#[test]
fn elements_keep_their_order_and_batches_their_columns() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, _losses) = input(&right, ends(0), InboxLimits::default());
    let mut sender = output(&left, &right, ends(0));
    // Sizes below, at and far above one buffer.
    let sizes = [1u64, 7, 1024, 3, 4096, 20_000, 1];
    let producer = thread::spawn(move || {
        for size in sizes {
            let records: Vec<u64> = (0..size).collect();
            let hashes = records.iter().map(|record| record * 3).collect();
            let times = records.iter().map(|record| -record.cast_signed()).collect();
            let weights = records.iter().map(|record| record.cast_signed() % 2).collect();
            let batch = Batch::of(records).with_key_hashes(hashes);
            let batch = batch.with_timestamps(times).with_weights(weights);
            sender.send(Element::Batch(batch)).unwrap();
            sender.send(Element::Watermark(size.cast_signed())).unwrap();
        }
        let rest = [
            Element::Idle,
            Element::Active,
            Element::LatencyMarker(1),
            Element::Barrier(Barrier { checkpoint: CheckpointId(1) }),
            Element::BarrierCancelled(CheckpointId(2)),
            Element::EndOfData,
            Element::EndOfInput,
        ];
        rest.into_iter().for_each(|element| sender.send(element).unwrap());
    });
    for size in sizes {
        let Element::Batch(batch) = take(&inbox) else { panic!("a batch comes first") };
        assert_eq!(batch.len() as u64, size);
        let records = batch.records::<u64>().unwrap();
        assert!(records.iter().copied().eq(0..size));
        assert!(batch.key_hashes().unwrap().iter().copied().eq((0..size).map(|r| r * 3)));
        let times = batch.timestamps().unwrap();
        assert!(times.iter().copied().eq((0..size).map(|r| -r.cast_signed())));
        let weights = batch.weights().unwrap();
        assert!(weights.iter().copied().eq((0..size).map(|r| r.cast_signed() % 2)));
        assert!(
            matches!(take(&inbox), Element::Watermark(watermark) if watermark == size.cast_signed())
        );
    }
    assert!(matches!(take(&inbox), Element::Idle));
    assert!(matches!(take(&inbox), Element::Active));
    assert!(matches!(take(&inbox), Element::LatencyMarker(1)));
    assert!(matches!(take(&inbox), Element::Barrier(barrier) if barrier.checkpoint.0 == 1));
    assert!(matches!(take(&inbox), Element::BarrierCancelled(CheckpointId(2))));
    assert!(matches!(take(&inbox), Element::EndOfData));
    assert!(matches!(take(&inbox), Element::EndOfInput));
    producer.join().unwrap();
}

#[test]
fn batches_without_columns_and_records_without_content_arrive_too() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, _losses) = input(&right, ends(0), InboxLimits::default());
    let mut sender = output(&left, &right, ends(0));
    sender.send(batch(9)).unwrap();
    sender.send(Element::Batch(Batch::of(Vec::<u64>::new()))).unwrap();
    sender.send(Element::Batch(Batch::of(vec![(); 5]))).unwrap();
    let Element::Batch(plain) = take(&inbox) else { panic!("a batch comes first") };
    assert!(plain.key_hashes().is_none() && plain.timestamps().is_none());
    let QueuedElement::Encoded(delivery) = take_queued(&inbox) else { panic!("it comes encoded") };
    assert_eq!(delivery.decode(&TypedPayload::<()>::new()).unwrap().len(), 5);
}

#[test]
fn credit_bounds_the_data_in_flight() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let control = TaskControl::new();
    let mut sender = left.open_output(right.local_addr(), ends(0), Arc::clone(&control)).unwrap();
    let producer = thread::spawn(move || send_all(&mut *sender, 0..1000));
    wait_for("a full window", || inbox.queued_batches() == WINDOW);
    for value in 0..1000 {
        assert_eq!(take_value(&inbox), value);
        assert!(inbox.queued_batches() <= WINDOW);
    }
    producer.join().unwrap().unwrap();
    assert!(control.time_spent().backpressured > Duration::ZERO);
}

#[test]
fn bytes_in_flight_are_bounded_and_a_huge_record_still_passes() {
    let (left, right) = (host("left"), host("right"));
    let limits = InboxLimits { batches: 8, bytes: 100 };
    let (inbox, _losses) = input(&right, ends(0), limits);
    let mut sender = output(&left, &right, ends(0));
    let giant = |value| Element::Batch(Batch::of(vec![value; 50_000]));
    let producer = thread::spawn(move || {
        (0..50).try_for_each(|value| {
            sender.send(giant(value))?;
            sender.send(batch(value))
        })
    });
    for value in 0..50 {
        assert_eq!(take_value(&inbox), value);
        // The small one, and behind it the next giant, which nothing follows before it is taken.
        assert!(inbox.queued_batches() <= 2);
        assert_eq!(take_value(&inbox), value);
    }
    producer.join().unwrap().unwrap();
}

#[test]
fn a_slow_channel_does_not_hold_up_a_fast_one() {
    let left = logging_host("left", |config| config.pool_buffers = 1).0;
    let right = host("right");
    let (slow_inbox, _slow_losses) = input(&right, ends(0), TWO_BATCHES);
    let (fast_inbox, _fast_losses) = input(&right, ends(1), TWO_BATCHES);
    let slow_control = TaskControl::new();
    let mut slow =
        left.open_output(right.local_addr(), ends(0), Arc::clone(&slow_control)).unwrap();
    let mut fast = output(&left, &right, ends(1));
    let stuck = thread::spawn(move || send_until_error(&mut *slow));
    wait_for("a full slow channel", || slow_inbox.queued_batches() == WINDOW);
    let producer = thread::spawn(move || send_all(&mut *fast, 0..2000));
    (0..2000).for_each(|value| assert_eq!(take_value(&fast_inbox), value));
    producer.join().unwrap().unwrap();
    assert_eq!(slow_inbox.queued_batches(), WINDOW);
    slow_control.cancel();
    assert!(matches!(stuck.join().unwrap(), Error::Cancelled));
}

#[test]
fn many_tasks_share_one_connection_both_ways() {
    const TASKS: u32 = 8;
    let (left, right) = (Arc::new(host("left")), Arc::new(host("right")));
    let mut threads = Vec::new();
    for (from, to, edge) in [(&left, &right, 0), (&right, &left, 1)] {
        for index in 0..TASKS {
            let ends = ChannelEnds { edge, ..ends(index) };
            let (inbox, losses) = input(to, ends, TWO_BATCHES);
            let mut sender = output(from, to, ends);
            threads.push(thread::spawn(move || send_all(&mut *sender, 0..500).unwrap()));
            threads.push(thread::spawn(move || {
                (0..500).for_each(|value| assert_eq!(take_value(&inbox), value));
                assert!(losses.try_recv().is_err());
            }));
        }
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_channel_opened_early_waits_for_its_consumer() {
    let (left, right) = (host("left"), host("right"));
    let mut sender = output(&left, &right, ends(0));
    let control_goes_first = thread::spawn(move || {
        sender.send(Element::Watermark(3))?;
        sender.send(batch(4))
    });
    let (inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    assert!(matches!(take(&inbox), Element::Watermark(3)));
    assert_eq!(take_value(&inbox), 4);
    control_goes_first.join().unwrap().unwrap();
}

#[test]
fn a_batch_above_the_limit_fails_where_it_is_made() {
    let left = logging_host("left", |config| config.max_batch_bytes = 1000).0;
    let right = host("right");
    let (_inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let mut sender = output(&left, &right, ends(0));
    let error = sender.send(Element::Batch(Batch::of(vec![u64::MAX; 101]))).unwrap_err();
    assert_eq!(error.code(), "WEIR-NET-0003");
    sender.send(batch(1)).unwrap();
}

/// Is written as its square.
#[derive(Clone)]
struct Squared(u64);

impl Serialize for Squared {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (self.0 * self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Squared {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> std::result::Result<Self, D::Error> {
        u64::deserialize(reader).map(Self)
    }
}

#[test]
fn first_record_that_would_arrive_changed_is_not_sent() {
    let (left, right) = (host("left"), host("right"));
    let (_inbox, _losses) = input(&right, ends(0), TWO_BATCHES);
    let mut sender = output(&left, &right, ends(0));
    let error = sender.send(Element::Batch(Batch::of(vec![Squared(2)]))).unwrap_err();
    assert_eq!(error.code(), "WEIR-TYPE-0003");
    sender.send(Element::Batch(Batch::of(vec![Squared(1)]))).unwrap();
}

#[test]
fn bytes_are_counted_as_they_go_on_the_wire() {
    let (left, right) = (host("left"), host("right"));
    let (inbox, _losses) = input(&right, ends(0), InboxLimits::default());
    let control = TaskControl::new();
    let mut sender = left.open_output(right.local_addr(), ends(0), Arc::clone(&control)).unwrap();
    sender.send(Element::Watermark(1)).unwrap();
    assert_eq!(control.bytes_out(), 0, "only records count");
    let mut bytes = 0;
    for records in [vec![1u64], (0..20_000).collect()] {
        sender.send(Element::Batch(Batch::of(records))).unwrap();
        control.kick();
        bytes += loop {
            if let QueuedElement::Encoded(delivery) = take_queued(&inbox) {
                break delivery.bytes.len() as u64;
            }
        };
        assert_eq!(control.bytes_out(), bytes);
    }
}
