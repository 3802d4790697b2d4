//! Yarn
