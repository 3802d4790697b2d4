//! Defects that can be put into a run, so that the oracle is seen to find them.
//!
//! They sit in the simulated world around the job master, never in the job master itself.

/// Something that must not go unnoticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// Tasks commit a checkpoint when its record is asked for, not when it is durable.
    CommitBeforeRecord,
    /// The store overwrites a record instead of refusing to.
    StoreOverwrites,
    /// A new master takes another's identical epoch record for its own.
    EqualEpochsPass,
    /// A restore ignores the newest checkpoint.
    RestoreOlder,
    /// Disposed files are those of the newest checkpoint.
    DisposeNewest,
    /// A sweep deletes whatever its master did not know to be recorded, of newer masters too.
    SweepTakesAll,
    /// Records are deleted when the snapshot record is asked for, not when it is durable.
    DeleteBeforeSnapshot,
    /// A master believes that a record it could create counts, without a look at the log.
    NoListingAfterAppend,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CommitBeforeRecord,
        Self::StoreOverwrites,
        Self::EqualEpochsPass,
        Self::RestoreOlder,
        Self::DisposeNewest,
        Self::SweepTakesAll,
        Self::DeleteBeforeSnapshot,
        Self::NoListingAfterAppend,
    ];
}
