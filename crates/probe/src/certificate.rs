//! What a probe wants to know of a server's certificate.

use jiff::Timestamp;
use ring::digest;
use x509_cert::der::{Decode, Encode};

/// Read from what the server showed, whether or not anybody vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub expires_at: Timestamp,
    /// `tls-server-end-point` of RFC 5929, section 4.1; `None` where the
    /// signature names no hash that it could be made with.
    pub end_point: Option<Vec<u8>>,
}

impl Certificate {
    /// `None` for what is no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let not_after = certificate.tbs_certificate().validity().not_after;
        let seconds = i64::try_from(not_after.to_unix_duration().as_secs()).ok()?;
        let algorithm = certificate.signature_algorithm();
        let parameters = algorithm.parameters.as_ref().and_then(|any| any.to_der().ok());
        Some(Self {
            expires_at: Timestamp::from_second(seconds).ok()?,
            end_point: hash_of(&algorithm.oid.to_string(), parameters.as_deref())
                .map(|hash| digest::digest(hash, der).as_ref().to_vec()),
        })
    }
}

/// The hash of a signature algorithm, with MD5 and SHA-1 raised to SHA-256.
///
/// The numbers are of RFC 8017, appendix C, and of RFC 5758, section 3.2.
fn hash_of(oid: &str, parameters: Option<&[u8]>) -> Option<&'static digest::Algorithm> {
    /// RSASSA-PSS has its hash in its parameters: here SHA-384's and SHA-512's numbers.
    const PSS: &str = "1.2.840.113549.1.1.10";
    const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
    const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
    let has = |number: &[u8]| {
        parameters.is_some_and(|parameters| parameters.windows(number.len()).any(|part| part == number))
    };
    match oid {
        // MD5, SHA-1 and SHA-256 with RSA; SHA-1 and SHA-256 with ECDSA.
        "1.2.840.113549.1.1.4" | "1.2.840.113549.1.1.5" | "1.2.840.113549.1.1.11" => Some(&digest::SHA256),
        "1.2.840.10045.4.1" | "1.2.840.10045.4.3.2" => Some(&digest::SHA256),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(&digest::SHA384),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(&digest::SHA512),
        PSS if has(SHA512) => Some(&digest::SHA512),
        PSS if has(SHA384) => Some(&digest::SHA384),
        PSS => Some(&digest::SHA256),
        _ => None,
    }
}
