//! The runner around a core: what it takes from the inbox, and when.

use crate::{
    bench::{Output, Sent, barrier, core_of, records},
    operators::{Sums, sums_in},
};
use std::sync::{Arc, Mutex};
use weir_base::CheckpointId;
use weir_dataflow::{
    Batch, Element, Operator, OperatorContext, PayloadType, RestoredState, Result, SourcePoll,
    TypedPayload,
};
use weir_runtime::{
    control::TaskControl,
    exchange::{Inbox, InboxLimits, QueuedElement},
    task::{
        core::TaskEvent,
        runner::{Mailbox, Runner},
    },
};

/// A head with inputs that is also polled: at each poll it runs what the test wants to happen
/// between a look into the empty inbox and the wait that follows. Its data ends with the last one.
struct Polled {
    scenes: Vec<Box<dyn FnOnce() + Send>>,
}

impl Operator for Polled {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        ctx.emit(batch)
    }

    fn is_source(&self) -> bool {
        true
    }

    fn poll(&mut self, _: &mut OperatorContext<'_>) -> Result<SourcePoll> {
        self.scenes.remove(0)();
        Ok(if self.scenes.is_empty() { SourcePoll::End } else { SourcePoll::Pending(None) })
    }
}

/// Regression: the runner looked into the inbox once more before it blocked the channel of a
/// barrier that it had received at the end of a wait; a record from behind the barrier was then
/// counted in front of it.
#[test]
fn a_barrier_that_ends_a_wait_blocks_its_channel_at_once() {
    let inbox = Inbox::new(2, InboxLimits::default());
    let fill = |channel: usize, elements: Vec<Element>| -> Box<dyn FnOnce() + Send> {
        let inbox = Arc::clone(&inbox);
        Box::new(move || {
            for element in elements {
                inbox.push(channel, QueuedElement::Element(element));
            }
        })
    };
    let ends = |channel| fill(channel, vec![Element::EndOfData, Element::EndOfInput]);
    let (first_ends, second_ends) = (ends(0), ends(1));
    let scenes: Vec<Box<dyn FnOnce() + Send>> = vec![
        fill(0, vec![barrier(1), records(&[(1, 100)])]),
        fill(1, vec![records(&[(1, 1)]), barrier(1)]),
        Box::new(move || {
            first_ends();
            second_ends();
        }),
    ];
    let output = Output::default();
    let operators: Vec<Box<dyn Operator>> =
        vec![Box::new(Polled { scenes }), Box::new(Sums::default())];
    let mut core = core_of(2, operators, &output);
    core.open(|_| RestoredState::default()).expect("it opens");
    let payload_type: Arc<dyn PayloadType> = Arc::new(TypedPayload::<(u64, u64)>::new());
    let mut runner = Runner {
        core,
        mailbox: Mailbox::new(Arc::clone(&inbox)),
        inbox,
        control: TaskControl::new(),
        payload_types: vec![Arc::clone(&payload_type), payload_type],
    };
    let snapshots = Mutex::new(Vec::new());
    runner
        .run(|event| {
            if let TaskEvent::SnapshotTaken(checkpoint, snapshot) = event {
                snapshots.lock().expect("whole").push((checkpoint, sums_in(&snapshot)));
            }
        })
        .expect("it ends");
    let snapshots = snapshots.into_inner().expect("whole");
    assert_eq!(snapshots, [(CheckpointId(1), [(1, 1)].into())]);
    let expected = [
        Sent::Records(vec![(1, 1)]),
        Sent::Barrier(1),
        Sent::Records(vec![(1, 101)]),
        Sent::EndOfData,
        Sent::EndOfInput,
    ];
    assert_eq!(output.take(), expected);
}
