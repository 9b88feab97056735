//! Reads a server's packets, and writes ours.

use ring::digest;

/// What we can do, as the protocol numbers it.
pub mod capability {
    pub const LONG_PASSWORD: u32 = 1;
    pub const CONNECT_WITH_DB: u32 = 1 << 3;
    pub const PROTOCOL_41: u32 = 1 << 9;
    pub const SSL: u32 = 1 << 11;
    pub const TRANSACTIONS: u32 = 1 << 13;
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    pub const PLUGIN_AUTH: u32 = 1 << 19;
}

/// The server's first packet, version 10 of the handshake.
#[derive(Debug, PartialEq, Eq)]
pub struct Greeting {
    pub capabilities: u32,
    pub nonce: Vec<u8>,
    pub plugin: String,
}

/// What the server says to a login.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginAnswer<'a> {
    Done,
    Error(ServerError<'a>),
    /// Another method, with its nonce.
    Switch {
        plugin: &'a str,
        nonce: &'a [u8],
    },
    /// A word of the method's own.
    More(&'a [u8]),
}

#[derive(Debug, PartialEq, Eq)]
pub struct ServerError<'a> {
    pub code: u16,
    pub message: &'a [u8],
}

const OK: u8 = 0x00;
const MORE: u8 = 0x01;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;
const NULL: u8 = 0xfb;

/// utf8mb4_general_ci, which both know.
const CHARACTER_SET: u8 = 45;
const PACKET_MAX: u32 = 1 << 24;
const NONCE: usize = 20;

impl Greeting {
    /// `None` for what is no greeting.
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        if reader.byte()? != 10 {
            return None;
        }
        let _version = reader.until_nul()?;
        let _thread = reader.take(4)?;
        let mut nonce = reader.take(8)?.to_vec();
        reader.take(1)?;
        let mut capabilities = u32::from(reader.u16()?);
        // What is older than 4.1 ends here, and is spoken to by nobody any more.
        reader.take(3)?;
        capabilities |= u32::from(reader.u16()?) << 16;
        let length = usize::from(reader.byte()?);
        reader.take(10)?;
        let rest = reader.take(length.saturating_sub(8).max(13).min(reader.0.len()))?;
        nonce.extend_from_slice(rest.strip_suffix(b"\0").unwrap_or(rest));
        let plugin = if capabilities & capability::PLUGIN_AUTH != 0 {
            String::from_utf8(reader.until_nul()?.to_vec()).ok()?
        } else {
            "mysql_native_password".into()
        };
        Some(Self {
            capabilities,
            nonce,
            plugin,
        })
    }
}

/// An error packet; before the login it has no SQLSTATE.
pub fn error(body: &[u8]) -> Option<ServerError<'_>> {
    let mut reader = Reader(body.strip_prefix(&[ERROR])?);
    let code = reader.u16()?;
    let message = match reader.0.split_first() {
        Some((b'#', rest)) if rest.len() >= 5 => &rest[5..],
        _ => reader.0,
    };
    Some(ServerError { code, message })
}

pub fn login_answer(body: &[u8]) -> Option<LoginAnswer<'_>> {
    match body.split_first()? {
        (&OK, _) => Some(LoginAnswer::Done),
        (&ERROR, _) => error(body).map(LoginAnswer::Error),
        (&MORE, rest) => Some(LoginAnswer::More(rest)),
        (&END, rest) => {
            let mut reader = Reader(rest);
            // The plugin of before 4.1 has no name.
            let plugin = reader.until_nul().and_then(|name| std::str::from_utf8(name).ok());
            Some(LoginAnswer::Switch {
                plugin: plugin.unwrap_or("mysql_old_password"),
                nonce: reader.0.strip_suffix(b"\0").unwrap_or(reader.0),
            })
        }
        _ => None,
    }
}

/// How many columns an answer to a query has; an error is told apart before.
pub fn column_count(body: &[u8]) -> Option<usize> {
    let mut reader = Reader(body);
    let count = reader.length()?;
    (reader.0.is_empty() && (1..=64).contains(&count)).then_some(count)
}

pub fn is_end(body: &[u8]) -> bool {
    body.first() == Some(&END) && body.len() < 9
}

/// The columns of a row, as text.
pub fn row(body: &[u8], columns: usize) -> Option<Vec<Option<String>>> {
    let mut reader = Reader(body);
    let read: Option<Vec<_>> = (0..columns)
        .map(|_| {
            if let Some(rest) = reader.0.strip_prefix(&[NULL]) {
                reader.0 = rest;
                return Some(None);
            }
            let length = reader.length()?;
            let value = reader.take(length)?;
            Some(Some(String::from_utf8_lossy(value).into_owned()))
        })
        .collect();
    read.filter(|_| reader.0.is_empty())
}

/// The beginning of a login, after which TLS begins.
pub fn ssl_request(capabilities: u32) -> Vec<u8> {
    let mut body = capabilities.to_le_bytes().to_vec();
    body.extend_from_slice(&PACKET_MAX.to_le_bytes());
    body.push(CHARACTER_SET);
    body.extend_from_slice(&[0; 23]);
    body
}

/// Neither name may have a NUL in it, which no parsed endpoint has.
pub fn login(capabilities: u32, user: &str, proof: &[u8], database: Option<&str>, plugin: &str) -> Vec<u8> {
    let mut body = ssl_request(capabilities);
    body.extend([user.as_bytes(), b"\0"].concat());
    body.push(u8::try_from(proof.len()).expect("a proof is a hash"));
    body.extend_from_slice(proof);
    if let Some(database) = database {
        body.extend([database.as_bytes(), b"\0"].concat());
    }
    body.extend([plugin.as_bytes(), b"\0"].concat());
    body
}

pub fn query(text: &str) -> Vec<u8> {
    [b"\x03", text.as_bytes()].concat()
}

pub const QUIT: &[u8] = b"\x01";

/// `mysql_native_password`: SHA1(password) xor SHA1(nonce, SHA1(SHA1(password))).
pub fn native_proof(password: &str, nonce: &[u8]) -> Vec<u8> {
    let sha1 = |parts: &[&[u8]]| hash(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts);
    let once = sha1(&[password.as_bytes()]);
    let twice = sha1(&[once.as_ref()]);
    let mask = sha1(&[&nonce[..nonce.len().min(NONCE)], twice.as_ref()]);
    xor(once.as_ref(), mask.as_ref())
}

/// `caching_sha2_password`: SHA256(password) xor SHA256(SHA256(SHA256(password)), nonce).
pub fn sha2_proof(password: &str, nonce: &[u8]) -> Vec<u8> {
    let sha256 = |parts: &[&[u8]]| hash(&digest::SHA256, parts);
    let once = sha256(&[password.as_bytes()]);
    let twice = sha256(&[once.as_ref()]);
    let mask = sha256(&[twice.as_ref(), &nonce[..nonce.len().min(NONCE)]]);
    xor(once.as_ref(), mask.as_ref())
}

fn hash(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish()
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    /// An integer of one, three, four or nine bytes.
    fn length(&mut self) -> Option<usize> {
        let number = match self.byte()? {
            small @ 0..=0xfa => u64::from(small),
            0xfc => u64::from(self.u16()?),
            0xfd => {
                let bytes = self.take(3)?;
                u64::from_le_bytes([bytes[0], bytes[1], bytes[2], 0, 0, 0, 0, 0])
            }
            0xfe => u64::from_le_bytes(self.take(8)?.try_into().ok()?),
            _ => return None,
        };
        usize::try_from(number).ok()
    }
}

/// For who fuzzes: every way in which a packet may be read.
pub fn parse_everything(body: &[u8]) {
    Greeting::read(body);
    error(body);
    login_answer(body);
    column_count(body);
    for columns in [1, 2, 64] {
        row(body, columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together by the documentation's table of the fields.
    fn greeting() -> Vec<u8> {
        [
            &b"\x0a8.0.36\0"[..],
            &[1, 0, 0, 0],
            b"12345678\0",
            &[0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21],
            &[0; 10],
            b"abcdefghijkl\0",
            b"caching_sha2_password\0",
        ]
        .concat()
    }

    #[test]
    fn a_greeting_is_read_whole_or_not_at_all() {
        let body = greeting();
        let read = Greeting::read(&body).expect("a greeting");
        assert_eq!(read.nonce, b"12345678abcdefghijkl");
        assert_eq!(read.plugin, "caching_sha2_password");
        assert_ne!(read.capabilities & capability::SSL, 0);
        for length in 0..body.len() {
            assert_eq!(Greeting::read(&body[..length]), None, "{length}");
        }
    }

    /// Made with Python's hashlib by the documented formulas, for the password
    /// “of the app” and the nonce above.
    #[test]
    fn proofs_are_what_the_documented_formulas_say() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let nonce = b"12345678abcdefghijkl";
        assert_eq!(hex(native_proof("of the app", nonce)), NATIVE);
        assert_eq!(hex(sha2_proof("of the app", nonce)), SHA2);
    }

    const NATIVE: &str = "4d9eaf0b0a8613415d39c4100d86a85a67e3de79";
    const SHA2: &str = "63bc2160c2427b3726e4c415590edb0c5269c0a23ae975fb05309ad0971bfcb3";

    #[test]
    fn an_error_has_a_state_or_none() {
        let read = error(b"\xff\x15\x04#28000Access denied").expect("an error");
        assert_eq!((read.code, read.message), (1045, &b"Access denied"[..]));
        let read = error(b"\xff\x10\x04Too many connections").expect("an error");
        assert_eq!((read.code, read.message), (1040, &b"Too many connections"[..]));
        assert_eq!(error(b"\xff\x10"), None);
    }

    #[test]
    fn a_row_is_read_whole_or_not_at_all() {
        let body = b"\x027a\xfb\xfc\x01\x00x";
        assert_eq!(
            row(body, 3),
            Some(vec![Some("7a".into()), None, Some("x".into())])
        );
        assert_eq!(row(body, 2), None);
        assert_eq!(row(body, 4), None);
        assert_eq!(row(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffx", 1), None);
    }
}
