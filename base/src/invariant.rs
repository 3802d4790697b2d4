//! Assertions that guard data, in release builds too.

/// Panics with the given words when the condition does not hold. Use it where going on would lose
/// or double a record; the message says which rule was broken.
#[macro_export]
macro_rules! invariant {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            panic!("invariant broken: {}", format_args!($($words)+));
        }
    };
}
