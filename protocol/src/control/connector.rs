//! The connector's part of the handshake, without its socket: what to send, and what to make of the
//! answers.

use super::{
    Admission, Challenge, Error, Hello, MAGIC, MAX_HANDSHAKE_BYTES, decode_body, encode_frame,
    encode_preamble, frame::HEAD_BYTES,
};
use crate::challenge::{JobKey, Side};
use serde::Serialize;
use weir_base::LeaderEpoch;

/// A task manager or task host that introduces itself.
#[derive(Clone, Debug)]
pub struct Connector {
    hello: Hello,
    key: JobKey,
}

impl Connector {
    /// The nonce in `hello` must be fresh.
    pub fn new(hello: Hello, key: JobKey) -> Self {
        Self { hello, key }
    }

    /// First message: preamble and hello.
    pub fn greeting(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_preamble(&mut bytes);
        encode_frame(&self.hello, &mut bytes).expect("a hello is small");
        bytes
    }

    /// What goes second, if the first answer proves that the acceptor holds the key: the proof and the
    /// introduction, a frame each.
    ///
    /// # Errors
    /// It does not, or what is offered exceeds [`MAX_HANDSHAKE_BYTES`].
    pub fn introduction<T: Serialize>(&self, answer: &[u8], offer: T) -> Result<Vec<u8>, Error> {
        let Challenge { nonce, proof } = decode_body("challenge", answer)?;
        if !self.key.verify(&MAGIC, Side::Acceptor, self.hello.nonce, nonce, &proof) {
            return Err(Error::WrongKey { job: self.hello.job });
        }
        let proof = self.key.prove(&MAGIC, Side::Connector, self.hello.nonce, nonce);
        let mut bytes = Vec::new();
        encode_frame(&proof, &mut bytes)?;
        let proof_bytes = bytes.len();
        encode_frame(&offer, &mut bytes)?;
        let length_bytes = bytes.len() - proof_bytes - HEAD_BYTES;
        if length_bytes > MAX_HANDSHAKE_BYTES {
            let (length_bytes, limit_bytes) = (length_bytes as u64, MAX_HANDSHAKE_BYTES as u64);
            return Err(Error::Oversized { length_bytes, limit_bytes });
        }
        Ok(bytes)
    }

    /// The leader, according to the second answer.
    ///
    /// # Errors
    /// The acceptor refuses.
    pub fn admission(&self, answer: &[u8]) -> Result<LeaderEpoch, Error> {
        match decode_body("admission", answer)? {
            Admission::Welcome { epoch } => Ok(epoch),
            Admission::Refused { code, message } => Err(Error::Refused { code, message }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        challenge::{Nonce, Proof},
        control::{FrameReader, MAX_PROOF_BYTES, Peer},
    };
    use weir_base::{ContainerId, JobId};

    const THEIRS: Nonce = Nonce([2; 32]);

    fn connector() -> Connector {
        let hello = Hello {
            job: JobId::of_text("job"),
            container: ContainerId::default(),
            peer: Peer::TaskHost(1),
            nonce: Nonce([1; 32]),
        };
        Connector::new(hello, JobKey::new([7; 32]))
    }

    fn body<T: Serialize>(message: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_frame(message, &mut bytes).expect("small");
        bytes.split_off(4)
    }

    fn challenge(key: &JobKey, side: Side) -> Vec<u8> {
        let proof = key.prove(&MAGIC, side, connector().hello.nonce, THEIRS);
        body(&Challenge { nonce: THEIRS, proof })
    }

    #[test]
    fn proof_is_given_only_to_an_acceptor_with_the_key() {
        let connector = connector();
        let mut frames = FrameReader::new(MAX_PROOF_BYTES);
        frames.extend(&connector.greeting());
        let introduction =
            connector.introduction(&challenge(&connector.key, Side::Acceptor), "slots");
        frames.extend(&introduction.expect("it holds the key"));
        let hello: Hello = decode_body("hello", &frames.next_body().expect("whole").expect("one"))
            .expect("a hello");
        assert_eq!(hello, connector.hello);
        let proof: Proof = decode_body("proof", &frames.next_body().expect("whole").expect("one"))
            .expect("a proof");
        assert!(connector.key.verify(&MAGIC, Side::Connector, hello.nonce, THEIRS, &proof));
        let introduction: String =
            decode_body("introduction", &frames.next_body().expect("whole").expect("one"))
                .expect("an introduction");
        assert_eq!(introduction, "slots");

        let other = JobKey::new([8; 32]);
        for (answer, code) in [
            (challenge(&other, Side::Acceptor), "WEIR-CTRL-0005"),
            (challenge(&connector.key, Side::Connector), "WEIR-CTRL-0005"),
            (b"nonsense".to_vec(), "WEIR-CTRL-0004"),
        ] {
            let error = connector.introduction(&answer, "slots").expect_err("refused");
            assert_eq!(error.code(), code);
        }
    }

    #[test]
    fn refusal_keeps_its_code_and_an_offer_its_bound() {
        let connector = connector();
        let refused = Admission::Refused { code: "WEIR-AM-0001".into(), message: "no".into() };
        let error = connector.admission(&body(&refused)).expect_err("refused");
        assert!(matches!(error, Error::Refused { code, .. } if code == "WEIR-AM-0001"));
        let welcome = Admission::Welcome { epoch: LeaderEpoch(4) };
        assert_eq!(connector.admission(&body(&welcome)), Ok(LeaderEpoch(4)));

        let challenge = challenge(&connector.key, Side::Acceptor);
        let error = connector.introduction(&challenge, "x".repeat(MAX_HANDSHAKE_BYTES));
        assert_eq!(error.expect_err("too large").code(), "WEIR-CTRL-0003");
    }
}
