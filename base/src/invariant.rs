//! Assertions that protect data, in release builds as well.

/// Panics with the given message when the condition is false. For cases where continuing would lose
/// or duplicate a record; the message names the violated rule.
#[macro_export]
macro_rules! invariant {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            panic!("invariant broken: {}", format_args!($($message)+));
        }
    };
}
