//! One task: its chain of operators, its input gate, its outputs, and the thread that steps them.

pub mod chain;
pub mod core;
pub mod gate;
pub mod runner;
pub mod writer;

pub use chain::Chain;
pub use core::{TaskCore, TaskEvent};
pub use gate::InputGate;
pub use writer::OutputWriter;
