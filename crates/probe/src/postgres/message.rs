//! Reads a server's messages, and writes ours.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::str;

/// What a server says, as far as a probe listens.
#[derive(Debug, PartialEq, Eq)]
pub enum Backend<'a> {
    Authentication(Authentication<'a>),
    Error(ServerError<'a>),
    /// The columns of a row, as text.
    Row(Vec<Option<&'a str>>),
    Ready,
    /// Notices, parameters, and whatever else comes in between.
    Other,
}

/// What the server asks for, or says about it.
#[derive(Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    Done,
    CleartextPassword,
    Md5 {
        salt: [u8; 4],
    },
    Sasl {
        mechanisms: Vec<&'a str>,
    },
    SaslContinue(&'a [u8]),
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI.
    Other(&'static str),
}

/// The fields of an ErrorResponse that say what it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServerError<'a> {
    /// The SQLSTATE; empty where the server sent none that could be one.
    pub code: &'a str,
    pub message: &'a [u8],
}

/// Reads the body of a message of a type. `None` is what the protocol does not allow.
///
/// Of an error, whatever is there of it is read: it may have been cut.
pub fn parse(tag: u8, body: &[u8]) -> Option<Backend<'_>> {
    match tag {
        b'R' => authentication(body).map(Backend::Authentication),
        b'E' => Some(Backend::Error(error(body))),
        b'D' => row(body).map(Backend::Row),
        b'Z' => (body.len() == 1).then_some(Backend::Ready),
        // BackendKeyData, ParameterStatus, NoticeResponse, NegotiateProtocolVersion,
        // RowDescription, CommandComplete, NotificationResponse, EmptyQueryResponse.
        b'K' | b'S' | b'N' | b'v' | b'T' | b'C' | b'A' | b'I' => Some(Backend::Other),
        _ => None,
    }
}

fn authentication(body: &[u8]) -> Option<Authentication<'_>> {
    let (code, rest) = body.split_first_chunk()?;
    match u32::from_be_bytes(*code) {
        0 => Some(Authentication::Done),
        2 => Some(Authentication::Other("Kerberos")),
        3 => Some(Authentication::CleartextPassword),
        5 => Some(Authentication::Md5 {
            salt: rest.try_into().ok()?,
        }),
        7 | 8 => Some(Authentication::Other("GSSAPI")),
        9 => Some(Authentication::Other("SSPI")),
        10 => {
            // Names, each ended by a NUL, and one more at the end.
            let names = rest.strip_suffix(b"\0")?.strip_suffix(b"\0")?;
            let mechanisms: Option<Vec<_>> = names
                .split(|byte| *byte == 0)
                .map(|name| str::from_utf8(name).ok())
                .collect();
            mechanisms.map(|mechanisms| Authentication::Sasl { mechanisms })
        }
        11 => Some(Authentication::SaslContinue(rest)),
        12 => Some(Authentication::SaslFinal(rest)),
        _ => None,
    }
}

fn error(body: &[u8]) -> ServerError<'_> {
    let mut error = ServerError::default();
    for field in body.split(|byte| *byte == 0) {
        match field.split_first() {
            Some((b'C', code)) => {
                error.code = match str::from_utf8(code) {
                    // A real code has five letters and digits; a hostile server may send anything.
                    Ok(code) if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                        code
                    }
                    _ => "",
                }
            }
            Some((b'M', message)) => error.message = message,
            _ => {}
        }
    }
    error
}

fn row(body: &[u8]) -> Option<Vec<Option<&str>>> {
    let (count, mut rest) = body.split_first_chunk()?;
    let count = i16::from_be_bytes(*count);
    let mut columns = Vec::new();
    for _ in 0..usize::try_from(count).ok()? {
        let (length, after) = rest.split_first_chunk()?;
        columns.push(match i32::from_be_bytes(*length) {
            -1 => {
                rest = after;
                None
            }
            length => {
                let (value, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
                rest = after;
                Some(str::from_utf8(value).ok()?)
            }
        });
    }
    rest.is_empty().then_some(columns)
}

/// A message of a type, or one without: the length counts itself.
fn message(tag: Option<u8>, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(body.len() + 5);
    message.extend(tag);
    let length = u32::try_from(body.len() + 4).expect("what we send is short");
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}

/// Protocol 3.0, which poolers and old servers speak too. Neither value may
/// have a NUL in it, which no parsed endpoint has.
pub fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut body = 0x0003_0000_u32.to_be_bytes().to_vec();
    let parameters = [
        ("user", user),
        ("database", database),
        ("application_name", "InsightPulse"),
        ("client_encoding", "UTF8"),
    ];
    for (name, value) in parameters {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    message(None, &body)
}

pub fn ssl_request() -> Vec<u8> {
    message(None, &[0x04, 0xd2, 0x16, 0x2f])
}

/// A password, in the clear or as MD5 makes it.
pub fn password(text: &[u8]) -> Vec<u8> {
    message(Some(b'p'), &[text, b"\0"].concat())
}

pub fn sasl_initial(mechanism: &str, response: &[u8]) -> Vec<u8> {
    let length = u32::try_from(response.len())
        .expect("what we send is short")
        .to_be_bytes();
    message(
        Some(b'p'),
        &[mechanism.as_bytes(), b"\0", &length, response].concat(),
    )
}

pub fn sasl_response(response: &[u8]) -> Vec<u8> {
    message(Some(b'p'), response)
}

pub fn query(text: &str) -> Vec<u8> {
    message(Some(b'Q'), &[text.as_bytes(), b"\0"].concat())
}

pub fn terminate() -> Vec<u8> {
    message(Some(b'X'), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whole_or_not_at_all() {
        let body = [&[0, 3][..], &[0, 0, 0, 2], b"15", &[255; 4], &[0; 4]].concat();
        assert_eq!(
            parse(b'D', &body),
            Some(Backend::Row(vec![Some("15"), None, Some("")]))
        );
        for length in 0..body.len() {
            assert_eq!(parse(b'D', &body[..length]), None, "{length}");
        }
        assert_eq!(parse(b'D', &[&body[..], b"x"].concat()), None);
        assert_eq!(parse(b'D', &[0x7f, 0xff]), None);
        assert_eq!(parse(b'D', &[0, 1, 0x7f, 0xff, 0xff, 0xff, b'x']), None);
    }

    #[test]
    fn of_an_error_that_was_cut_the_beginning_is_read() {
        let error = |body| match parse(b'E', body) {
            Some(Backend::Error(error)) => (error.code, error.message),
            other => panic!("{other:?}"),
        };
        assert_eq!(error(b"SFATAL\0VFATAL\0C28P01\0Mno\0\0"), ("28P01", &b"no"[..]));
        assert_eq!(error(b"SFATAL\0C28P01\0Mvery lo"), ("28P01", &b"very lo"[..]));
        assert_eq!(error(b"C\x1b[31m\0"), ("", &b""[..]));
        assert_eq!(error(b""), ("", &b""[..]));
    }

    #[test]
    fn what_a_server_wants_is_read() {
        assert_eq!(
            parse(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
            Some(Backend::Authentication(Authentication::Sasl {
                mechanisms: vec!["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]
            }))
        );
        for body in [&b""[..], b"\0\0\0\x05abc", b"\0\0\0\x0a", b"\0\0\0\x63"] {
            assert_eq!(parse(b'R', body), None, "{body:?}");
        }
    }
}
