//! Reads the body of a request in pieces, with a timeout for clients that have silently disconnected.

use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::{fmt::Display, time::Duration};

/// Longest pause between two pieces of a body.
pub const BODY_SILENCE: Duration = Duration::from_secs(60);

/// The next piece of a body; `None` at its end.
///
/// # Errors
/// The connection broke, or no data came within `silence`; the text says which.
pub async fn next_piece<E: Display>(
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    silence: Duration,
) -> Result<Option<Bytes>, String> {
    match tokio::time::timeout(silence, body.next()).await {
        Ok(piece) => piece.transpose().map_err(|error| error.to_string()),
        Err(_) => Err(format!("nothing came for {} s", silence.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    #[test]
    fn client_that_stops_in_the_middle_of_a_body_is_disconnected() {
        actix::System::new().block_on(async {
            let piece = || Ok::<_, String>(Bytes::from_static(b"piece"));
            let mut body = stream::iter([piece()]).chain(stream::pending());
            let silence = Duration::from_millis(1);
            let first = next_piece(&mut body, BODY_SILENCE).await;
            assert_eq!(first.expect("there").as_deref(), Some(&b"piece"[..]));
            assert!(next_piece(&mut body, silence).await.expect_err("silent").contains("nothing"));
            let mut whole = stream::iter([Err("broken".to_owned())]);
            assert_eq!(next_piece(&mut whole, silence).await, Err("broken".to_owned()));
            assert_eq!(next_piece(&mut whole, silence).await, Ok(None));
        });
    }
}
