//! The app master against a resource manager, agents, task managers and task hosts that tests play.

#![allow(clippy::unwrap_used)] // A helper of a test panics as the test does.

mod cluster;
mod configured;
mod ending;
mod hostile;
mod losing;
mod peer;
mod running;
mod storage;
mod submission;
