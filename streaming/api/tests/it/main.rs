//! Whole jobs through the public API: what an author writes, run to its end and checked against a
//! count made without the engine.

mod paced;
mod support;

mod bad_input;
mod cancel;
mod cluster;
mod coming_from_flink;
mod destructors;
mod exactly_once;
mod failures;
mod files;
mod graphs;
mod restarts;
mod resume;
mod sockets;
mod streams;
mod types;
mod unwaited;
mod word_count;
