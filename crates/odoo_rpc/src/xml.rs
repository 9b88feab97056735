//! XML-RPC's own XML, read and written: <http://xmlrpc.com/spec.md>.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::Event;
use serde_json::{Map, Number, Value};

use crate::error::Error;

pub enum Response {
    Value(Value),
    Fault { code: String, text: String },
}

/// Not what XML-RPC allows.
#[derive(Debug)]
pub struct Malformed;

/// Deeper than any answer of Odoo's.
const DEPTH_MAX: usize = 64;

/// A call, with what XML cannot carry refused.
pub fn request(method: &str, arguments: &[Value]) -> Result<String, Error> {
    let mut xml = format!("<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>");
    for argument in arguments {
        xml.push_str("<param>");
        write(&mut xml, argument)?;
        xml.push_str("</param>");
    }
    xml.push_str("</params></methodCall>");
    Ok(xml)
}

fn write(xml: &mut String, value: &Value) -> Result<(), Error> {
    xml.push_str("<value>");
    match value {
        Value::Null => xml.push_str("<nil/>"),
        Value::Bool(true) => xml.push_str("<boolean>1</boolean>"),
        Value::Bool(false) => xml.push_str("<boolean>0</boolean>"),
        Value::Number(number) => write_number(xml, number),
        Value::String(text) => {
            xml.push_str("<string>");
            write_text(xml, text)?;
            xml.push_str("</string>");
        }
        Value::Array(values) => {
            xml.push_str("<array><data>");
            for value in values {
                write(xml, value)?;
            }
            xml.push_str("</data></array>");
        }
        Value::Object(members) => {
            xml.push_str("<struct>");
            for (name, value) in members {
                xml.push_str("<member><name>");
                write_text(xml, name)?;
                xml.push_str("</name>");
                write(xml, value)?;
                xml.push_str("</member>");
            }
            xml.push_str("</struct>");
        }
    }
    xml.push_str("</value>");
    Ok(())
}

fn write_number(xml: &mut String, number: &Number) {
    let tag = match number.as_i64() {
        Some(whole) if i32::try_from(whole).is_ok() => "int",
        // Python reads it; the specification knows 32 bits only.
        Some(_) => "i8",
        None => "double",
    };
    xml.push_str(&format!("<{tag}>{number}</{tag}>"));
}

fn write_text(xml: &mut String, text: &str) -> Result<(), Error> {
    // Not allowed in XML 1.0, however it is written.
    let is_allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}');
    if !text
        .chars()
        .all(|c| is_allowed(c) && c != '\u{fffe}' && c != '\u{ffff}')
    {
        return Err(Error::Invalid("XML-RPC cannot carry a control character".into()));
    }
    // A parser would read a carriage return as a line feed.
    xml.push_str(&escape(text).replace('\r', "&#13;"));
    Ok(())
}

/// Reads an answer. Entities beside XML's own five are not known, and not looked up.
pub fn response(bytes: &[u8]) -> Result<Response, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
    let mut xml = Xml {
        reader: Reader::from_str(text),
    };
    xml.open("methodResponse")?;
    match xml.tag()?.as_str() {
        "params" => {
            xml.open("param")?;
            xml.open("value")?;
            Ok(Response::Value(xml.value(DEPTH_MAX)?))
        }
        "fault" => {
            xml.open("value")?;
            let fault = xml.value(DEPTH_MAX)?;
            let text = |name: &str| match &fault[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Ok(Response::Fault {
                code: text("faultCode"),
                text: text("faultString"),
            })
        }
        _ => Err(Malformed),
    }
}

struct Xml<'a> {
    reader: Reader<&'a [u8]>,
}

/// What stands between two tags.
enum Piece {
    Open(String),
    Empty(String),
    Close,
}

impl Xml<'_> {
    /// The next tag, and the text before it.
    fn next(&mut self) -> Result<(String, Piece), Malformed> {
        let mut text = String::new();
        loop {
            match self.reader.read_event().map_err(|_| Malformed)? {
                Event::Start(tag) => return Ok((text, Piece::Open(tag.name().as_ref().to_owned()))),
                Event::Empty(tag) => return Ok((text, Piece::Empty(tag.name().as_ref().to_owned()))),
                Event::End(_) => return Ok((text, Piece::Close)),
                Event::Text(more) => text.push_str(&more),
                Event::CData(more) => text.push_str(&more),
                Event::GeneralRef(reference) => {
                    if let Some(character) = reference.resolve_char_ref().map_err(|_| Malformed)? {
                        text.push(character);
                    } else {
                        text.push_str(resolve_predefined_entity(&reference).ok_or(Malformed)?);
                    }
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                // A document type could define entities that grow without bound.
                Event::DocType(_) | Event::Eof => return Err(Malformed),
            }
        }
    }

    fn tag(&mut self) -> Result<String, Malformed> {
        match self.next()? {
            (_, Piece::Open(name)) => Ok(name),
            _ => Err(Malformed),
        }
    }

    fn open(&mut self, expected: &str) -> Result<(), Malformed> {
        (self.tag()? == expected).then_some(()).ok_or(Malformed)
    }

    fn close(&mut self) -> Result<String, Malformed> {
        match self.next()? {
            (text, Piece::Close) => Ok(text),
            _ => Err(Malformed),
        }
    }

    /// The rest of a `<value>` that was opened.
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let value = match self.next()? {
            // Without a type it is a text.
            (text, Piece::Close) => return Ok(Value::String(text)),
            (_, Piece::Empty(tag)) => empty(&tag)?,
            (_, Piece::Open(tag)) => match tag.as_str() {
                "array" => self.array(depth)?,
                "struct" => self.members(depth)?,
                scalar => typed(scalar, self.close()?)?,
            },
        };
        self.close()?;
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut values = Vec::new();
        match self.next()? {
            (_, Piece::Empty(tag)) if tag == "data" => {}
            (_, Piece::Open(tag)) if tag == "data" => loop {
                match self.next()? {
                    (_, Piece::Open(tag)) if tag == "value" => values.push(self.value(depth)?),
                    (_, Piece::Empty(tag)) if tag == "value" => values.push(Value::String(String::new())),
                    (_, Piece::Close) => break,
                    _ => return Err(Malformed),
                }
            },
            _ => return Err(Malformed),
        }
        self.close()?;
        Ok(Value::Array(values))
    }

    fn members(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut members = Map::new();
        loop {
            match self.next()? {
                (_, Piece::Open(tag)) if tag == "member" => {
                    self.open("name")?;
                    let name = self.close()?;
                    let value = match self.next()? {
                        (_, Piece::Open(tag)) if tag == "value" => self.value(depth)?,
                        (_, Piece::Empty(tag)) if tag == "value" => Value::String(String::new()),
                        _ => return Err(Malformed),
                    };
                    members.insert(name, value);
                    self.close()?;
                }
                (_, Piece::Close) => return Ok(Value::Object(members)),
                _ => return Err(Malformed),
            }
        }
    }
}

fn empty(tag: &str) -> Result<Value, Malformed> {
    match tag {
        "nil" => Ok(Value::Null),
        "array" => Ok(Value::Array(Vec::new())),
        "struct" => Ok(Value::Object(Map::new())),
        _ => typed(tag, String::new()),
    }
}

fn typed(tag: &str, text: String) -> Result<Value, Malformed> {
    let trimmed = text.trim();
    Ok(match tag {
        "int" | "i4" | "i8" => Value::from(trimmed.parse::<i64>().map_err(|_| Malformed)?),
        "boolean" => match trimmed {
            "1" => Value::Bool(true),
            "0" => Value::Bool(false),
            _ => return Err(Malformed),
        },
        "double" => {
            let number = trimmed.parse().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or(Malformed)?)
        }
        "nil" => Value::Null,
        // Odoo writes both as texts anyway.
        "string" | "dateTime.iso8601" | "base64" => Value::String(text),
        _ => return Err(Malformed),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// What the request says, read back as an answer.
    fn round(value: &Value) -> Value {
        let mut xml = String::from("<?xml version=\"1.0\"?><methodResponse><params><param>");
        write(&mut xml, value).expect("it can be written");
        xml.push_str("</param></params></methodResponse>");
        match response(xml.as_bytes()) {
            Ok(Response::Value(value)) => value,
            _ => panic!("{xml}"),
        }
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let value = json!({
            "null": null, "yes": true, "no": false, "int": -7, "large": 9_007_199_254_740_993_i64,
            "double": 0.1, "text": " a < b & \"c\" \r\n\t ü 🎈 ]]> ", "empty": "", "list": [[], {}, ""], "": 1,
        });
        assert_eq!(round(&value), value);
    }

    #[test]
    fn a_fault_has_a_code_and_a_text() {
        let xml = b"<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n\
            <value><string>warning -- UserError\n\nNo &amp; no.</string></value>\n</member>\n<member>\n<name>faultString</name>\n\
            <value><string></string></value>\n</member>\n</struct></value>\n</fault>\n\n</methodResponse>\n";
        let Ok(Response::Fault { code, text }) = response(xml) else {
            panic!("no fault")
        };
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("warning -- UserError\n\nNo & no.", "")
        );
    }

    #[test]
    fn what_is_not_xml_rpc_is_refused() {
        let deep = format!(
            "<methodResponse><params><param>{}",
            "<value><array><data>".repeat(1_000)
        );
        for text in [
            "",
            "<html>Sign in</html>",
            "<methodResponse>",
            "<!DOCTYPE x [<!ENTITY a \"aa\">]><methodResponse><params><param><value>&a;</value></param></params></methodResponse>",
            "<methodResponse><params><param><value>&unknown;</value></param></params></methodResponse>",
            "<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
            &deep,
        ] {
            assert!(response(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_control_character_is_refused_rather_than_changed() {
        assert!(matches!(
            request("m", &[json!("a\u{0}b")]),
            Err(Error::Invalid(_))
        ));
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x{fffe}\\x{ffff}]*") {
            prop_assert_eq!(round(&json!([text])), json!([text]));
        }
    }
}
