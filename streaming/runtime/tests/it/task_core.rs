//! One situation per test: alignment, snapshots, the end.

use crate::{
    bench::{Bench, Sent, barrier, records},
    operators::{Alarm, Bomb, Calls, Counter, Holding, Logging, Sums, sums_in},
};
use std::time::Duration;
use weir_base::{CheckpointId, Monotonic, Now, WallTime};
use weir_dataflow::{Element, Error, Operator, SourcePoll};
use weir_runtime::task::{
    core::{MAX_WALL_WAIT, TaskEvent},
    writer::BufferTimeout,
};

#[test]
fn data_after_a_barrier_waits_for_the_other_channel() {
    let mut bench = Bench::new(2, vec![Box::new(Sums::default())]);
    bench.push(0, records(&[(1, 1)]));
    bench.push(0, barrier(1));
    bench.push(0, records(&[(1, 100)]));
    bench.push(1, records(&[(1, 2)]));
    bench.take(0);
    bench.take(0);
    assert_eq!(bench.ready(), [1], "channel 0 waits although it has data");
    bench.take(1);
    assert_eq!(bench.output.take(), [], "unsent records wait for a full batch");

    bench.push(1, barrier(1));
    bench.push(1, records(&[(1, 200)]));
    bench.take(1);
    assert_eq!(bench.output.take(), [Sent::Records(vec![(1, 1), (1, 3)]), Sent::Barrier(1)]);
    assert_eq!(bench.ready(), [0, 1]);
    bench.run_dry();
    let (checkpoint, snapshot) = &bench.snapshots[0];
    assert_eq!(*checkpoint, 1);
    assert_eq!(sums_in(snapshot), [(1, 3)].into(), "nothing from behind the barriers");
}

#[test]
fn batches_between_slices_of_a_snapshot_do_not_show_in_it() {
    const KEYS: u64 = 9_000;
    let mut bench = Bench::new(1, vec![Box::new(Sums::default())]);
    let once = |amount| (0..KEYS).map(|key| (key, amount)).collect::<Vec<_>>();
    bench.push(0, records(&once(1)));
    bench.push(0, barrier(1));
    bench.run_first_two();
    let mut slices = 0;
    loop {
        // Old keys change and new ones come while the snapshot is encoded.
        bench.push(0, records(&[(slices, 10), (KEYS - 1 - slices, 10), (KEYS + slices, 10)]));
        bench.take(0);
        bench.finish_batch();
        if !bench.step_snapshot() {
            break;
        }
        slices += 1;
    }
    assert!(slices > 2, "the snapshot is encoded in slices");
    let (_, snapshot) = &bench.snapshots[0];
    assert_eq!(sums_in(snapshot), once(1).into_iter().collect());

    bench.push(0, barrier(2));
    bench.run_dry();
    let (_, snapshot) = &bench.snapshots[1];
    let sums = sums_in(snapshot);
    assert_eq!((sums[&0], sums[&(KEYS - 1)], sums[&KEYS]), (11, 11, 10));
}

impl Bench {
    /// Takes a batch and the barrier behind it, without encoding anything yet.
    fn run_first_two(&mut self) {
        self.take(0);
        self.finish_batch();
        self.take(0);
        assert!(self.snapshots.is_empty());
    }
}

#[test]
fn what_is_held_back_leaves_before_the_barrier() {
    let mut bench = Bench::new(1, vec![Box::new(Holding::default()), Box::new(Sums::default())]);
    bench.push(0, records(&[(7, 1), (7, 2)]));
    bench.run_dry();
    assert_eq!(bench.output.take(), []);
    bench.push(0, barrier(1));
    bench.run_dry();
    assert_eq!(bench.output.take(), [Sent::Records(vec![(7, 1), (7, 3)]), Sent::Barrier(1)]);
    assert_eq!(sums_in(&bench.snapshots[0].1), [(7, 3)].into(), "it is in the state behind it too");
}

#[test]
fn a_batch_is_cut_so_that_a_barrier_of_another_channel_need_not_wait_for_all_of_it() {
    let calls = Calls::default();
    let mut bench = Bench::new(1, vec![Box::new(Logging(calls.clone()))]);
    bench.push(0, records(&vec![(1, 1); 1_000]));
    bench.take(0);
    assert!(bench.core.has_pending(), "the first call is short");
    bench.finish_batch();
    let calls = calls.lock().expect("whole");
    assert_eq!(calls[0], "batch of 64");
    assert!(calls.len() > 1);
}

#[test]
fn the_end_is_data_then_a_final_checkpoint_then_input() {
    let calls = Calls::default();
    let mut bench =
        Bench::new(2, vec![Box::new(Holding::default()), Box::new(Logging(calls.clone()))]);
    bench.push(0, records(&[(1, 1)]));
    bench.push(0, Element::EndOfData);
    bench.run_dry();
    assert_eq!(bench.output.take(), [], "the other channel goes on");
    bench.push(1, records(&[(2, 2)]));
    bench.push(1, Element::EndOfData);
    bench.run_dry();
    assert_eq!(bench.output.take(), [Sent::Records(vec![(1, 1), (2, 2)]), Sent::EndOfData]);
    assert_eq!(bench.events, [TaskEvent::EndOfData]);
    assert!(!bench.core.is_finished());

    bench.push(0, barrier(9));
    bench.push(1, barrier(9));
    bench.run_dry();
    assert_eq!(bench.output.take(), [Sent::Barrier(9)]);
    bench.core.checkpoint_complete(CheckpointId(9)).expect("it commits");
    bench.note_events();
    assert_eq!(bench.events[1], TaskEvent::Committed(CheckpointId(9)));

    bench.push(0, Element::EndOfInput);
    bench.run_dry();
    assert!(!bench.core.is_finished());
    bench.push(1, Element::EndOfInput);
    bench.run_dry();
    assert_eq!(bench.output.take(), [Sent::EndOfInput]);
    assert!(bench.core.is_finished());
    bench.core.close().expect("it closes");
    let calls = calls.lock().expect("whole");
    assert_eq!(*calls, ["batch of 2", "end of input 0", "finish", "complete 9", "close"]);
}

#[test]
fn an_ended_channel_counts_as_aligned() {
    let mut bench = Bench::new(2, vec![Box::new(Sums::default())]);
    bench.push(0, records(&[(1, 1)]));
    bench.push(0, barrier(1));
    bench.push(1, Element::EndOfData);
    bench.run_dry();
    assert_eq!(bench.output.take(), []);
    bench.push(1, Element::EndOfInput);
    bench.run_dry();
    assert_eq!(bench.output.take(), [Sent::Records(vec![(1, 1)]), Sent::Barrier(1)]);
    assert_eq!(sums_in(&bench.snapshots[0].1), [(1, 1)].into());
}

#[test]
fn a_cancelled_barrier_frees_the_channel_that_waits_for_it() {
    let calls = Calls::default();
    let mut bench = Bench::new(2, vec![Box::new(Logging(calls.clone()))]);
    bench.push(0, barrier(1));
    bench.push(0, records(&[(1, 1)]));
    bench.run_dry();
    assert_eq!(bench.ready(), []);
    bench.core.checkpoint_aborted(CheckpointId(1), Now::default()).expect("it is given up");
    bench.note_events();
    bench.run_dry();
    bench.push(1, barrier(1));
    bench.push(1, barrier(2));
    bench.push(0, barrier(2));
    bench.run_dry();
    let expected = [Sent::BarrierCancelled(1), Sent::Records(vec![(1, 1)]), Sent::Barrier(2)];
    assert_eq!(bench.output.take(), expected, "the late barrier 1 means nothing");
    assert_eq!(*calls.lock().expect("whole"), ["aborted 1", "batch of 1"]);
}

#[test]
fn an_aborted_checkpoint_drops_its_snapshot_and_the_next_one_is_complete() {
    const KEYS: u64 = 9_000;
    let mut bench = Bench::new(1, vec![Box::new(Sums::default())]);
    let all: Vec<_> = (0..KEYS).map(|key| (key, 1)).collect();
    bench.push(0, records(&all));
    bench.push(0, barrier(1));
    bench.run_first_two();
    assert!(bench.step_snapshot(), "it is half encoded");
    bench.core.checkpoint_aborted(CheckpointId(1), Now::default()).expect("it is given up");
    bench.push(0, records(&[(0, 5)]));
    bench.push(0, barrier(2));
    bench.run_dry();
    assert_eq!(bench.snapshots.len(), 1);
    let (checkpoint, snapshot) = &bench.snapshots[0];
    let sums = sums_in(snapshot);
    assert_eq!((*checkpoint, sums.len() as u64, sums[&0], sums[&1]), (2, KEYS, 6, 1));
}

#[test]
fn a_source_is_triggered_and_told_to_finish() {
    let mut bench = Bench::new(0, vec![Box::new(Counter { next: 0, end: 2 })]);
    bench.core.poll_source(Now::default()).expect("it emits");
    bench.core.trigger_checkpoint(CheckpointId(1), Now::default()).expect("it begins");
    assert_eq!(bench.output.take(), [Sent::Records(vec![(0, 1)]), Sent::Barrier(1)]);
    assert!(bench.core.finish_input().is_err(), "its data has not ended");
    while bench.core.poll_source(Now::default()).expect("it emits") != SourcePoll::End {}
    assert!(!bench.core.wants_poll());
    bench.core.trigger_checkpoint(CheckpointId(2), Now::default()).expect("the final one");
    while bench.step_snapshot() {}
    bench.core.finish_input().expect("now it may");
    let expected =
        [Sent::Records(vec![(1, 1)]), Sent::EndOfData, Sent::Barrier(2), Sent::EndOfInput];
    assert_eq!(bench.output.take(), expected);
    assert!(bench.core.is_finished());
}

#[test]
fn watermarks_are_the_minimum_and_never_fall() {
    let mut bench = Bench::new(2, vec![Box::new(Sums::default())]);
    for (channel, element, shown) in [
        (0, Element::Watermark(10), None),
        (1, Element::Watermark(5), Some(5)),
        (1, Element::Idle, Some(10)),
        (1, Element::Active, Some(10)),
        (1, Element::Watermark(7), Some(10)),
        (1, Element::Watermark(12), Some(10)),
        (0, Element::Watermark(11), Some(11)),
    ] {
        bench.push(channel, element);
        bench.run_dry();
        assert_eq!(bench.control.watermark(), shown);
    }
    let watermark = |at: i64| Sent::Other(format!("Watermark({at})"));
    assert_eq!(bench.output.take(), [watermark(5), watermark(10), watermark(11)]);
}

#[test]
fn an_input_that_ends_before_its_data_is_a_defect_and_sends_nothing_illegal() {
    let mut bench = Bench::new(1, vec![Box::new(Sums::default())]);
    let error =
        bench.core.on_element(0, Element::EndOfInput, Now::default()).expect_err("it is refused");
    assert_eq!(error.code(), "WEIR-TASK-0005");
    assert_eq!(bench.output.take(), []);
}

const START: Now = Now { monotonic: Monotonic(5_000), wall: WallTime(1_700_000_000_000) };

/// The clocks so much later, after the wall clock was set by an amount.
fn later(elapsed_ms: u64, wall_set_by_ms: i64) -> Now {
    let wall = START.wall.0 + elapsed_ms;
    Now {
        monotonic: Monotonic(START.monotonic.0 + elapsed_ms),
        wall: WallTime(wall.checked_add_signed(wall_set_by_ms).expect("in range")),
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Regression: the buffer timeout was measured by the wall clock. When that was set back by an hour,
/// nothing was sent for an hour.
#[test]
fn unsent_records_leave_in_time_whatever_the_wall_clock_is_set_to() {
    for wall_set_by_ms in [0, -HOUR_MS, HOUR_MS] {
        let timeout = BufferTimeout::After(Duration::from_millis(100));
        let mut bench = Bench::with_timeout(1, vec![Box::new(Sums::default())], timeout);
        bench.now = START;
        bench.push(0, records(&[(1, 1)]));
        bench.run_dry();
        let early = later(60, wall_set_by_ms);
        bench.core.on_time(early).expect("nothing is due");
        assert_eq!(bench.output.take(), []);
        assert_eq!(bench.core.longest_wait(early, None), Some(Duration::from_millis(40)));
        bench.core.on_time(later(100, wall_set_by_ms)).expect("it is sent");
        assert_eq!(bench.output.take(), [Sent::Records(vec![(1, 1)])], "{wall_set_by_ms}");
    }
}

/// A timer belongs to the wall clock; but a wait for it must not outlast a correction of that clock.
#[test]
fn a_timer_that_has_become_due_is_not_waited_for_any_longer() {
    let calls = Calls::default();
    let alarm = Alarm { at: Some(START.wall.0 as i64 + 500), calls: calls.clone() };
    let mut bench = Bench::new(1, vec![Box::new(alarm)]);
    assert_eq!(bench.core.longest_wait(START, None), Some(Duration::from_millis(500)));
    let poll_at = Some(START.wall.0 as i64 + 20);
    assert_eq!(bench.core.longest_wait(START, poll_at), Some(Duration::from_millis(20)));
    let set_back = later(10, -HOUR_MS);
    bench.core.on_time(set_back).expect("nothing is due");
    assert_eq!(bench.core.longest_wait(set_back, None), Some(MAX_WALL_WAIT));
    let set_right = later(1_010, 0);
    assert_eq!(bench.core.longest_wait(set_right, None), Some(Duration::ZERO));
    bench.core.on_time(set_right).expect("it fires");
    assert_eq!(*calls.lock().expect("whole"), ["alarm"]);
    assert_eq!(bench.core.longest_wait(set_right, None), None);
}

#[test]
fn each_destructor_runs_and_is_blamed_although_others_panic() {
    let bomb = |emits_bomb| -> Box<dyn Operator> { Box::new(Bomb { emits_bomb }) };
    let mut bench = Bench::new(1, vec![bomb(false), bomb(false), bomb(true)]);
    bench.push(0, records(&[(1, 1)]));
    bench.take(0);
    let problems = bench.core.dispose();
    let last_word = |error: &Error| error.to_string().rsplit(": ").next().map(str::to_owned);
    let found: Vec<_> = problems
        .iter()
        .map(|(operator, error)| (operator.as_str(), error.code(), last_word(error)))
        .collect();
    let panicked = |operator, text: &str| (operator, "WEIR-TASK-0001", Some(text.to_owned()));
    let expected = [
        panicked("operator 0", "operator dropped"),
        panicked("operator 1", "operator dropped"),
        panicked("operator 2", "operator dropped"),
        panicked("operator 2", "record dropped"),
    ];
    assert_eq!(found, expected);
}
