//! The app master's brain: which containers, task managers and task hosts a job gets, decided without a
//! clock, a thread or a socket.
//!
//! It knows the cluster and no job: what the job does next is decided by `weir-coordination`, which knows no
//! cluster. The crate `app-master` carries out the effects of both.

mod slots;

pub use slots::{FAILURES_IN_A_ROW, GRACE, SlotEffect, SlotInput, SlotPool, SlotSettings};
