//! BSON, as far as a command and its answer need it.
//!
//! <https://bsonspec.org/spec.html>

/// A document that is being written.
pub struct Writer(Vec<u8>);

/// A document of a server's, looked at without a copy.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a>(&'a [u8]);

/// A value, as far as a probe has a use for it.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Number(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Document(Document<'a>),
    Other,
}

const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const BINARY: u8 = 0x05;
const BOOLEAN: u8 = 0x08;
const INT32: u8 = 0x10;
const INT64: u8 = 0x12;

impl Writer {
    pub fn new() -> Self {
        // The length stands before all, and is known at the end.
        Self(vec![0; 4])
    }

    fn name(&mut self, kind: u8, name: &str) {
        self.0.push(kind);
        self.0.extend(name.as_bytes());
        self.0.push(0);
    }

    pub fn int(mut self, name: &str, value: i32) -> Self {
        self.name(INT32, name);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(BOOLEAN, name);
        self.0.push(u8::from(value));
        self
    }

    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(STRING, name);
        self.0.extend(length(value.len() + 1));
        self.0.extend(value.as_bytes());
        self.0.push(0);
        self
    }

    pub fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.name(BINARY, name);
        self.0.extend(length(value.len()));
        self.0.push(0);
        self.0.extend(value);
        self
    }

    pub fn document(mut self, name: &str, value: Writer) -> Self {
        self.name(DOCUMENT, name);
        self.0.extend(value.end());
        self
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.push(0);
        let length = length(self.0.len());
        self.0[..4].copy_from_slice(&length);
        self.0
    }
}

fn length(length: usize) -> [u8; 4] {
    i32::try_from(length)
        .expect("what we send is short")
        .to_le_bytes()
}

impl<'a> Document<'a> {
    /// `None` where the bytes are no whole document.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, _) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_le_bytes(*head)).ok()?;
        let body = bytes.get(4..length)?;
        // It ends with a zero of its own.
        (body.last() == Some(&0)).then(|| Self(&body[..body.len() - 1]))
    }

    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.values()
            .find(|(known, _)| *known == name.as_bytes())
            .map(|(_, value)| value)
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    pub fn text(&self, name: &str) -> Option<&'a [u8]> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        match self.get(name)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An array is a document whose names are numbers.
    pub fn document(&self, name: &str) -> Option<Document<'a>> {
        match self.get(name)? {
            Value::Document(document) => Some(document),
            _ => None,
        }
    }

    /// Names and values, up to the first that is not understood.
    pub fn values(&self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (kind, after) = rest.split_first()?;
            let end = after.iter().position(|byte| *byte == 0)?;
            let (value, after) = value(*kind, &after[end + 1..])?;
            let name = &rest[1..=end];
            rest = after;
            Some((name, value))
        })
    }
}

fn value(kind: u8, bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let fixed = |length: usize| bytes.split_at_checked(length);
    let sized = |extra: usize| {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_le_bytes(*head)).ok()?;
        rest.split_at_checked(length.checked_add(extra)?)
    };
    Some(match kind {
        DOUBLE => {
            let (number, rest) = bytes.split_first_chunk::<8>()?;
            (Value::Number(f64::from_le_bytes(*number)), rest)
        }
        INT32 => {
            let (number, rest) = bytes.split_first_chunk::<4>()?;
            (Value::Number(i32::from_le_bytes(*number).into()), rest)
        }
        INT64 => {
            let (number, rest) = bytes.split_first_chunk::<8>()?;
            // A probe counts nothing that a double could not hold.
            (Value::Number(i64::from_le_bytes(*number) as f64), rest)
        }
        BOOLEAN => {
            let (flag, rest) = bytes.split_first()?;
            (Value::Number((*flag).into()), rest)
        }
        STRING => {
            let (text, rest) = sized(0)?;
            (Value::Text(text.strip_suffix(b"\0")?), rest)
        }
        BINARY => {
            let (binary, rest) = sized(1)?;
            (Value::Bytes(&binary[1..]), rest)
        }
        DOCUMENT | ARRAY => {
            let document = Document::read(bytes)?;
            // Its own length and its zero are not among its bytes.
            (Value::Document(document), &bytes[document.0.len() + 5..])
        }
        // Undefined, null, the smallest and the greatest key.
        0x06 | 0x0a | 0xff | 0x7f => (Value::Other, bytes),
        // An object's id, a date, a timestamp, a decimal.
        0x07 => (Value::Other, fixed(12)?.1),
        0x09 | 0x11 => (Value::Other, fixed(8)?.1),
        0x13 => (Value::Other, fixed(16)?.1),
        // Code and symbols.
        0x0d | 0x0e => (Value::Other, sized(0)?.1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let inner = Writer::new().text("0", "SCRAM-SHA-256").end();
        let bytes = Writer::new()
            .int("ok", 1)
            .flag("done", true)
            .text("errmsg", "é")
            .bytes("payload", b"a\0b")
            .document("list", Writer::new().text("0", "SCRAM-SHA-256"))
            .end();
        let document = Document::read(&bytes).expect("a document");
        assert_eq!(document.number("ok"), Some(1.0));
        assert_eq!(document.number("done"), Some(1.0));
        assert_eq!(document.text("errmsg"), Some("é".as_bytes()));
        assert_eq!(document.bytes("payload"), Some(&b"a\0b"[..]));
        let list = document.document("list").expect("a list");
        assert_eq!(list.text("0"), Some(&b"SCRAM-SHA-256"[..]));
        assert!(document.get("other").is_none());
        assert_eq!(inner.len(), 4 + 1 + 2 + 4 + 14 + 1);
    }

    #[test]
    fn what_is_no_document_is_none() {
        for bytes in [
            &b""[..],
            b"\x05\0\0",
            b"\xff\xff\xff\xff\0",
            b"\x09\0\0\0\0",
            b"\x05\0\0\0\x01",
            b"\0\0\0\0\0",
        ] {
            assert!(Document::read(bytes).is_none(), "{bytes:?}");
        }
        // A length that says more than there is ends the reading.
        let bytes = b"\x10\0\0\0\x02a\0\xff\xff\xff\x7fabcd\0";
        assert!(Document::read(bytes).is_some_and(|document| document.get("a").is_none()));
    }
}
