//! The job master's brain: what a job does next, decided without a clock, a thread or a socket.
//!
//! ```text
//!  StreamGraph ──plan──▶ JobGraph ──▶ JobMaster ──Effect──▶ shell (crate job-master)
//!                                        ▲                      │
//!                                        └───────Input──────────┘
//! ```
//!
//! It chains operators, deploys tasks, paces checkpoints, restarts after failures and decides
//! when a job has ended. It never touches a record: tasks report, and it answers with effects.

pub mod job_master;
pub mod messages;
pub mod plan;

pub use job_master::{JobMaster, JobView};
pub use messages::{
    AppendOutcome, CheckpointRetention, CheckpointSettings, CompletedCheckpoint, Effect,
    ExponentialDelay, Input, JobLogRecord, JobOutcome, JobSettings, RestartStrategy,
};
pub use plan::{PlanError, plan};
