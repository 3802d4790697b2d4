//! Runs the examples as users do: as programs of their own.

mod counting;
mod printed_commands;
mod program;
mod quiet_accounts;
mod socket_windows;
mod user_code;
