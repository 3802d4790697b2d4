//! The acceptor's side of the handshake.

use super::connection::Connection;
use crate::error::Broken;
use serde::de::DeserializeOwned;
use weir_base::JobId;
use weir_protocol::{
    challenge::{CHALLENGE_BYTES, JobKey, Nonce, Side},
    control::{self, Challenge, Hello, Introduce, MAGIC, decode_body},
};

/// Who has proved to hold the key, and what it says of itself.
pub(super) struct Greeting {
    pub(super) hello: Hello,
    introduction: Vec<u8>,
}

impl Greeting {
    /// What it offers.
    pub(super) fn introduction<T: DeserializeOwned>(&self) -> Result<T, Broken> {
        let introduce: Introduce<T> = decode_body("introduction", &self.introduction)?;
        Ok(introduce.introduction)
    }
}

/// What is read of an introduction before its kind matters.
#[derive(serde::Deserialize)]
struct Proved {
    proof: weir_protocol::challenge::Proof,
}

/// Lets the connector prove that it holds the key.
pub(super) async fn accept(
    connection: &mut Connection,
    job: JobId,
    key: &JobKey,
) -> Result<Greeting, Broken> {
    let hello: Hello = decode_body("greeting", &connection.body().await?)?;
    let nonce = random_nonce()?;
    let proof = key.prove(&MAGIC, Side::Acceptor, hello.nonce, nonce);
    connection.begin(&Challenge { nonce, proof }).await?;
    let introduction = connection.body().await?;
    let Proved { proof } = decode_body("introduction", &introduction)?;
    let is_right = key.verify(&MAGIC, Side::Connector, hello.nonce, nonce, &proof);
    if !is_right || hello.job != job {
        let wrong = Broken::Protocol(control::Error::WrongKey { job });
        connection.refuse(&wrong).await;
        return Err(wrong);
    }
    Ok(Greeting { hello, introduction })
}

fn random_nonce() -> Result<Nonce, Broken> {
    let mut bytes = [0; CHALLENGE_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Broken::Lost(std::io::Error::other(error.to_string())))?;
    Ok(Nonce(bytes))
}
