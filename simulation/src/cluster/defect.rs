//! Defects that can be put into a run, so that the oracle is seen to find them.
//!
//! They sit in the simulated world around the brains, never in the brains themselves.

/// Something that must not go unnoticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// The store says that facts are durable before they are.
    EarlyPersisted,
    /// The store loses submissions.
    SubmissionsDropped,
    /// The store loses what app masters leave behind.
    ArchivesDropped,
    /// A restarted resource manager does not count its start.
    EpochRepeats,
    /// A restarted agent does not look at its disk.
    DiskIgnored,
    /// Orders to kill never reach an agent.
    KillsDropped,
    /// App masters are not told of containers that have completed.
    CompletedDropped,
    /// App masters are not told of the leases for their second ask.
    LeasesDropped,
    /// A container is launched whenever somebody asks.
    LaunchedAgain,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::EarlyPersisted,
        Self::SubmissionsDropped,
        Self::ArchivesDropped,
        Self::EpochRepeats,
        Self::DiskIgnored,
        Self::KillsDropped,
        Self::CompletedDropped,
        Self::LeasesDropped,
        Self::LaunchedAgain,
    ];
}
