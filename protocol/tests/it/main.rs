//! Messages of releases that differ, as they meet in one cluster.

mod cluster_messages;
mod samples;
