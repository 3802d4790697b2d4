//! Flink
