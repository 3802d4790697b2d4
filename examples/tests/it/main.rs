//! Runs the examples as users do: as programs of their own.

mod counting;
mod program;
mod socket_windows;
mod user_code;
