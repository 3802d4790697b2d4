//! weir-protocol

pub mod data;
pub mod job_executable;
