//! SCRAM-SHA-256, with keys that can be kept, bound to the TLS connection where that can be.
//!
//! RFC 5802, RFC 7677; PostgreSQL's ways:
//! <https://www.postgresql.org/docs/current/sasl-authentication.html>

use std::num::NonZeroU32;
use std::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

/// One exchange, before the server's first message.
pub struct Scram {
    /// `n,,` or `p=tls-server-end-point,,`, and what it is bound to.
    header: String,
    end_point: Vec<u8>,
    first_bare: String,
    nonce: String,
}

/// The server's first message, read.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerFirst {
    text: String,
    nonce: String,
    pub salt: Vec<u8>,
    pub rounds: NonZeroU32,
}

/// What a password comes to with a salt: as good as the password for a login to this role.
pub struct ScramKeys {
    client: Zeroizing<[u8; KEY]>,
    server: Zeroizing<[u8; KEY]>,
    salt: Vec<u8>,
    rounds: NonZeroU32,
}

/// What the server's last message has to prove.
pub struct Expected {
    server_key: Zeroizing<[u8; KEY]>,
    spoken: String,
}

const KEY: usize = 32;

impl Scram {
    /// `nonce` is printable and has no comma; `end_point` is RFC 5929's
    /// `tls-server-end-point`.
    pub fn new(user: &str, nonce: String, end_point: Option<&[u8]>) -> Self {
        Self {
            header: match end_point {
                Some(_) => "p=tls-server-end-point,,".into(),
                None => "n,,".into(),
            },
            end_point: end_point.unwrap_or_default().to_vec(),
            first_bare: format!("n={user},r={nonce}"),
            nonce,
        }
    }

    pub fn mechanism(&self) -> &'static str {
        if self.end_point.is_empty() {
            "SCRAM-SHA-256"
        } else {
            "SCRAM-SHA-256-PLUS"
        }
    }

    pub fn first(&self) -> String {
        format!("{}{}", self.header, self.first_bare)
    }

    /// `None` for what no server that speaks SCRAM answers.
    pub fn read_first(&self, message: &[u8]) -> Option<ServerFirst> {
        let text = str::from_utf8(message).ok()?;
        let mut parts = text.split(',');
        let nonce = parts.next()?.strip_prefix("r=")?;
        let salt = BASE64.decode(parts.next()?.strip_prefix("s=")?).ok()?;
        let rounds = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        (nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len() && !salt.is_empty()).then(|| {
            ServerFirst {
                text: text.to_owned(),
                nonce: nonce.to_owned(),
                salt,
                rounds,
            }
        })
    }

    /// Our second message, and what the server has to answer to it.
    pub fn prove(&self, server: &ServerFirst, keys: &ScramKeys) -> (String, Expected) {
        let bound = [self.header.as_bytes(), &self.end_point].concat();
        let without_proof = format!("c={},r={}", BASE64.encode(bound), server.nonce);
        let spoken = format!("{},{},{without_proof}", self.first_bare, server.text);
        let stored = digest::digest(&digest::SHA256, &*keys.client);
        let signature = mac(stored.as_ref(), spoken.as_bytes());
        let proof: Vec<u8> = keys
            .client
            .iter()
            .zip(signature.as_ref())
            .map(|(key, bit)| key ^ bit)
            .collect();
        let expected = Expected {
            server_key: keys.server.clone(),
            spoken,
        };
        (format!("{without_proof},p={}", BASE64.encode(proof)), expected)
    }
}

impl ScramKeys {
    /// Costs milliseconds of computing: thousands of rounds, as many as the server says.
    pub fn derive(password: &str, server: &ServerFirst) -> Self {
        // What cannot be prepared is used as it is, as PostgreSQL does.
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        let prepared = Zeroizing::new(prepared.into_owned());
        let mut salted = Zeroizing::new([0; KEY]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            server.rounds,
            &server.salt,
            prepared.as_bytes(),
            &mut *salted,
        );
        Self {
            client: key(&*salted, b"Client Key"),
            server: key(&*salted, b"Server Key"),
            salt: server.salt.clone(),
            rounds: server.rounds,
        }
    }

    /// A role whose password was set again has another salt.
    pub fn are_for(&self, server: &ServerFirst) -> bool {
        self.salt == server.salt && self.rounds == server.rounds
    }
}

impl Expected {
    /// Whether the server knows the password's keys itself.
    pub fn is(&self, message: &[u8]) -> bool {
        let signature = str::from_utf8(message)
            .ok()
            .and_then(|text| text.split(',').next()?.strip_prefix("v="))
            .and_then(|text| BASE64.decode(text).ok());
        signature.is_some_and(|signature| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.server_key);
            hmac::verify(&key, self.spoken.as_bytes(), &signature).is_ok()
        })
    }
}

fn key(salted: &[u8], name: &[u8]) -> Zeroizing<[u8; KEY]> {
    let tag = mac(salted, name);
    Zeroizing::new(tag.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

fn mac(key: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_standards_example_comes_out() {
        let scram = Scram::new("user", "rOprNGfwEbeRWgbNEkqO".into(), None);
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server = scram.read_first(FIRST).expect("a server's first message");
        let keys = ScramKeys::derive("pencil", &server);
        let (last, expected) = scram.prove(&server, &keys);
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(expected.is(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        for other in [
            &b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="[..],
            b"v=",
            b"e=other-error",
            b"\xff",
        ] {
            assert!(!expected.is(other), "{other:?}");
        }
    }

    #[test]
    fn what_is_no_first_message_is_refused() {
        let scram = Scram::new("", "nonce".into(), None);
        for message in [
            &b""[..],
            b"r=nonce,s=YQ==,i=1",
            b"r=other1,s=YQ==,i=1",
            b"r=nonce1,s=,i=1",
            b"r=nonce1,s=YQ==,i=0",
            b"r=nonce1,s=YQ==,i=99999999999",
            b"r=nonce1,s=!!,i=1",
            b"m=x,r=nonce1,s=YQ==,i=1",
            b"\xff",
        ] {
            assert_eq!(scram.read_first(message), None, "{message:?}");
        }
    }

    #[test]
    fn keys_are_for_one_salt_and_one_number_of_rounds() {
        let scram = Scram::new("", "a".into(), None);
        let server = |text: &str| scram.read_first(text.as_bytes()).expect("valid");
        let keys = ScramKeys::derive("pw", &server("r=ab,s=YQ==,i=2"));
        assert!(keys.are_for(&server("r=ac,s=YQ==,i=2")));
        assert!(!keys.are_for(&server("r=ab,s=Yg==,i=2")));
        assert!(!keys.are_for(&server("r=ab,s=YQ==,i=3")));
    }
}
