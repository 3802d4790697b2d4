//! Tasks stepped by hand: no thread, no clock, no network; and the runner around them.

mod bench;
mod host;
mod operators;
mod runner;
mod seeds;
mod task_core;
