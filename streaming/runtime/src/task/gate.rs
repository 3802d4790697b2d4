//! The input gate: which channels are blocked, ended, idle; barrier alignment; the watermark.
//!
//! Pure bookkeeping. A channel that has delivered the barrier of the running alignment is blocked
//! until every open channel has; a channel whose input has ended counts as aligned.

use std::collections::BTreeSet;
use weir_base::CheckpointId;
use weir_dataflow::{GrammarError, Timestamp};

/// What the caller has to do after an element.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GateOutcome {
    /// Leave this channel alone from now on.
    pub block: Option<usize>,
    /// Take from these channels again.
    pub unblock: Vec<usize>,
    /// Every open channel has delivered this barrier: take the checkpoint.
    pub aligned: Option<CheckpointId>,
    /// This checkpoint will not be taken here: tell those behind.
    pub cancelled: Option<CheckpointId>,
}

#[derive(Clone, Debug)]
struct Channel {
    watermark: Timestamp,
    idle: bool,
    data_ended: bool,
    input_ended: bool,
}

/// The gate of one task.
#[derive(Clone, Debug)]
pub struct InputGate {
    channels: Vec<Channel>,
    /// Numbered input each channel belongs to.
    inputs: Vec<usize>,
    aligning: Option<(CheckpointId, BTreeSet<usize>)>,
    /// The highest checkpoint that is done with: taken or cancelled.
    settled: Option<CheckpointId>,
    watermark: Timestamp,
}

impl InputGate {
    /// A gate of channels, each belonging to a numbered input.
    pub fn new(inputs: Vec<usize>) -> Self {
        let channel = Channel {
            watermark: Timestamp::MIN,
            idle: false,
            data_ended: false,
            input_ended: false,
        };
        Self {
            channels: vec![channel; inputs.len()],
            inputs,
            aligning: None,
            settled: None,
            watermark: Timestamp::MIN,
        }
    }

    /// The numbered input of a channel.
    pub fn input_of(&self, channel: usize) -> usize {
        self.inputs[channel]
    }

    /// The checkpoint whose barriers are being awaited.
    pub fn aligning(&self) -> Option<CheckpointId> {
        self.aligning.as_ref().map(|(checkpoint, _)| *checkpoint)
    }

    /// A barrier has come on a channel.
    pub fn on_barrier(&mut self, channel: usize, checkpoint: CheckpointId) -> GateOutcome {
        let mut outcome = GateOutcome::default();
        if self.settled.is_some_and(|settled| checkpoint <= settled) {
            return outcome;
        }
        match self.aligning() {
            Some(current) if checkpoint < current => return outcome,
            Some(current) if checkpoint > current => {
                // The older one was given up upstream without a word; so do we.
                outcome = self.give_up(current);
            }
            _ => {}
        }
        let (_, received) = self.aligning.get_or_insert_with(|| (checkpoint, BTreeSet::new()));
        received.insert(channel);
        outcome.unblock.retain(|unblocked| *unblocked != channel);
        outcome.block = Some(channel);
        self.complete_if_aligned(&mut outcome);
        outcome
    }

    /// A checkpoint will not complete, says a channel or the job master.
    pub fn on_cancelled(&mut self, checkpoint: CheckpointId) -> GateOutcome {
        if self.settled.is_some_and(|settled| checkpoint <= settled) {
            return GateOutcome::default();
        }
        match self.aligning() {
            Some(current) if current > checkpoint => GateOutcome::default(),
            _ => self.give_up(checkpoint),
        }
    }

    fn give_up(&mut self, checkpoint: CheckpointId) -> GateOutcome {
        let blocked = self.aligning.take().map(|(_, received)| received).unwrap_or_default();
        self.settled = Some(checkpoint);
        GateOutcome {
            unblock: blocked.into_iter().collect(),
            cancelled: Some(checkpoint),
            ..GateOutcome::default()
        }
    }

    fn complete_if_aligned(&mut self, outcome: &mut GateOutcome) {
        let Some((checkpoint, received)) = &self.aligning else { return };
        let open = |channel: &usize| !self.channels[*channel].input_ended;
        if !(0..self.channels.len()).filter(open).all(|channel| received.contains(&channel)) {
            return;
        }
        let checkpoint = *checkpoint;
        outcome.aligned = Some(checkpoint);
        outcome.unblock.extend(received.iter().copied());
        if let Some(blocked) = outcome.block.take() {
            outcome.unblock.retain(|channel| *channel != blocked);
        }
        self.settled = Some(checkpoint);
        self.aligning = None;
    }

    /// No record follows on a channel. Returns the numbered input if this was its last channel.
    pub fn on_end_of_data(&mut self, channel: usize) -> Result<Option<usize>, GrammarError> {
        if std::mem::replace(&mut self.channels[channel].data_ended, true) {
            return Err(GrammarError("end of data comes twice"));
        }
        let input = self.inputs[channel];
        let all = self.of_input(input).all(|c| c.data_ended);
        Ok(all.then_some(input))
    }

    fn of_input(&self, input: usize) -> impl Iterator<Item = &Channel> {
        let pairs = self.channels.iter().zip(&self.inputs);
        pairs.filter(move |(_, of)| **of == input).map(|(channel, _)| channel)
    }

    /// Whether no record follows on any channel.
    pub fn all_data_ended(&self) -> bool {
        self.channels.iter().all(|channel| channel.data_ended)
    }

    /// Nothing follows on a channel.
    pub fn on_end_of_input(&mut self, channel: usize) -> GateOutcome {
        self.channels[channel].input_ended = true;
        let mut outcome = GateOutcome::default();
        if !self.all_input_ended() {
            self.complete_if_aligned(&mut outcome);
        }
        outcome
    }

    /// Whether nothing follows on any channel.
    pub fn all_input_ended(&self) -> bool {
        self.channels.iter().all(|channel| channel.input_ended)
    }

    /// A watermark has come on a channel; returns the new minimum if it has grown.
    pub fn on_watermark(&mut self, channel: usize, watermark: Timestamp) -> Option<Timestamp> {
        self.channels[channel].watermark = watermark;
        self.grown_watermark()
    }

    /// A channel has become idle or active; returns the new minimum if it has grown.
    pub fn on_idle(&mut self, channel: usize, idle: bool) -> Option<Timestamp> {
        self.channels[channel].idle = idle;
        self.grown_watermark()
    }

    fn grown_watermark(&mut self) -> Option<Timestamp> {
        let active = self.channels.iter().filter(|channel| !channel.idle);
        let minimum = active.map(|channel| channel.watermark).min()?;
        if minimum <= self.watermark {
            return None;
        }
        self.watermark = minimum;
        Some(minimum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const C1: CheckpointId = CheckpointId(1);
    const C2: CheckpointId = CheckpointId(2);

    #[test]
    fn barriers_block_until_all_channels_have_delivered() {
        let mut gate = InputGate::new(vec![0, 0]);
        assert_eq!(gate.on_barrier(0, C1).block, Some(0));
        let outcome = gate.on_barrier(1, C1);
        assert_eq!((outcome.aligned, outcome.block), (Some(C1), None));
        assert_eq!(outcome.unblock, [0]);
    }

    #[test]
    fn one_channel_aligns_at_once() {
        let outcome = InputGate::new(vec![0]).on_barrier(0, C1);
        assert_eq!(outcome, GateOutcome { aligned: Some(C1), ..GateOutcome::default() });
    }

    #[test]
    fn a_newer_barrier_gives_the_older_alignment_up() {
        let mut gate = InputGate::new(vec![0, 0]);
        gate.on_barrier(0, C1);
        let outcome = gate.on_barrier(1, C2);
        assert_eq!((outcome.cancelled, outcome.block), (Some(C1), Some(1)));
        assert_eq!(outcome.unblock, [0]);
        assert_eq!(gate.on_barrier(0, C2).aligned, Some(C2));
    }

    #[test]
    fn a_cancelled_checkpoint_stays_cancelled() {
        let mut gate = InputGate::new(vec![0, 0]);
        gate.on_barrier(0, C1);
        assert_eq!(gate.on_cancelled(C1).unblock, [0]);
        assert_eq!(gate.on_barrier(1, C1), GateOutcome::default());
        assert_eq!(gate.on_cancelled(C1), GateOutcome::default());
        gate.on_barrier(0, C2);
        assert_eq!(gate.on_barrier(1, C2).aligned, Some(C2));
    }

    #[test]
    fn an_ended_channel_counts_as_aligned() {
        let mut gate = InputGate::new(vec![0, 1]);
        gate.on_barrier(0, C1);
        assert_eq!(gate.on_end_of_data(1), Ok(Some(1)));
        assert_eq!(gate.on_end_of_input(1).aligned, Some(C1));
    }

    #[test]
    fn the_watermark_is_the_minimum_of_active_channels() {
        let mut gate = InputGate::new(vec![0, 0]);
        assert_eq!(gate.on_watermark(0, 10), None);
        assert_eq!(gate.on_watermark(1, 5), Some(5));
        assert_eq!(gate.on_idle(1, true), Some(10));
        assert_eq!(gate.on_idle(1, false), None);
        assert_eq!(gate.on_watermark(1, 20), None);
    }
}
