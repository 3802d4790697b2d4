//! The JSON of the REST interfaces: YARN's of resource manager and node agent, Flink's of an app
//! master. Field names and meanings are theirs, so that their clients work.

pub mod flink;
#[cfg(test)]
mod typescript;
pub mod yarn;
