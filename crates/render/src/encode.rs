//! The encoders: one for each place that a value is written into.
//!
//! Each takes a text and gives its spelling in that place, or says why there is none.

use std::fmt::{self, Display, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Completes the sentence "The password has …".
pub type Why = &'static str;

const LINE_BREAK: Why = "a line break in it, which a line of this file cannot have";
const OUTER_SPACE: Why = "spaces at its beginning or end, which the readers of this file cut off";
const VARIABLE: Why = "“${” in it, which the readers of this file take for a variable";

/// RFC 3986, section 2.3: what stands for itself everywhere in a URI.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One part of a URI: a user name, a database, a parameter's value.
pub fn uri(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, UNRESERVED)
}

/// A value of libpq's connection string:
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>
pub fn libpq(text: &str) -> impl Display + '_ {
    let is_bare = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    quoted(is_bare, '\'', text, |character, f| match character {
        '\'' | '\\' => write!(f, "\\{character}"),
        other => f.write_char(other),
    })
}

/// A field of a line of `.pgpass`: <https://www.postgresql.org/docs/current/libpq-pgpass.html>
pub fn pgpass(text: &str) -> Result<impl Display + '_, Why> {
    if text.contains(['\n', '\r']) {
        return Err(LINE_BREAK);
    }
    Ok(escaped(text, |character, f| match character {
        ':' | '\\' => write!(f, "\\{character}"),
        other => f.write_char(other),
    }))
}

/// libpq reads lines into a buffer of 1024 bytes, the key and the line's end included.
const SERVICE_VALUE_MAX: usize = 1000;

/// A value of `pg_service.conf`, in which nothing is quoted:
/// <https://www.postgresql.org/docs/current/libpq-pgservice.html>
pub fn pg_service(text: &str) -> Result<&str, Why> {
    if text.contains(['\n', '\r']) {
        Err(LINE_BREAK)
    } else if text.ends_with(|c: char| c.is_ascii_whitespace() || c == '\x0b') {
        Err("a space at its end, which libpq cuts off")
    } else if text.len() > SERVICE_VALUE_MAX {
        Err("more than 1000 bytes, which libpq takes for an error in this file")
    } else {
        Ok(text)
    }
}

/// A value of `odoo.conf`, as Python's `RawConfigParser` and then Odoo read it.
pub fn ini(text: &str) -> Result<&str, Why> {
    match text {
        // odoo/tools/config.py: what these mean is "not given".
        "" | "None" | "False" | "false" => Err("a value that Odoo takes for none"),
        text if text.contains(['\n', '\r']) => Err(LINE_BREAK),
        // Python's strip() takes these four for spaces, Rust does not.
        text if text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)) != text => {
            Err(OUTER_SPACE)
        }
        text => Ok(text),
    }
}

/// A word of a POSIX shell's command line.
pub fn shell(text: &str) -> impl Display + '_ {
    let is_bare = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/:@%+,".contains(&b));
    quoted(is_bare, '\'', text, |character, f| match character {
        '\'' => f.write_str(r"'\''"),
        other => f.write_char(other),
    })
}

/// The value of a line in a `.env` file, in a spelling that `sh`, python-dotenv,
/// Node's dotenv and Compose all read as this text.
///
/// Bare where nobody interprets a character; else in single quotes, in which
/// python-dotenv alone reads `\\` and `\'` as escapes and expands `${…}`; else in
/// double quotes, where each reader has escapes of its own and agrees with the
/// others only on a text without any. Node's dotenv reads `\r\n` as `\n`.
pub fn dotenv(text: &str) -> Result<impl Display + '_, Why> {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/@%+,[]?=".contains(&b);
    if !text.is_empty() && text.bytes().all(bare) {
        return Ok(enclosed("", text));
    }
    let is_escaped = text.contains("\\\\") || text.ends_with('\\');
    if !text.contains(['\'', '\r']) && !is_escaped && !text.contains("${") {
        return Ok(enclosed("'", text));
    }
    if text.contains(['"', '\\', '$', '`', '\r']) {
        return Err(
            "such quotes, backslashes, dollar signs or line ends in it that the readers of .env files differ on what it is",
        );
    }
    Ok(enclosed("\"", text))
}

/// A double-quoted text with the escapes that JSON (RFC 8259, section 7),
/// YAML 1.2 (section 5.7), TOML, JavaScript, Python and Go have in common.
///
/// What some reader ends a line at, and what changes the order of the text
/// around it, is escaped.
pub fn json(text: &str) -> impl Display + '_ {
    quoted(false, '"', text, json_character)
}

fn json_character(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match character {
        '"' | '\\' => write!(f, "\\{character}"),
        '\n' => f.write_str("\\n"),
        other if breaks_line(other) => write!(f, "\\u{:04x}", u32::from(other)),
        other => f.write_char(other),
    }
}

/// The same in a Compose file, where a `$` is doubled:
/// <https://docs.docker.com/reference/compose-file/interpolation/>
pub fn compose(text: &str) -> impl Display + '_ {
    quoted(false, '"', text, |character, f| match character {
        '$' => f.write_str("$$"),
        other => json_character(other, f),
    })
}

/// An entry of a Compose file's list `environment`: `NAME=value`.
pub fn compose_entry<'a>(name: &'a str, value: &'a str) -> impl Display + 'a {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/@%+?&=".contains(&b);
    fmt::from_fn(move |f| {
        // A plain scalar must not end in `:`, which would begin a mapping.
        if value.bytes().all(plain) && !value.ends_with(':') {
            write!(f, "{name}={value}")
        } else {
            write!(f, "{}", compose(&format!("{name}={value}")))
        }
    })
}

/// A JSON text in a file whose reader replaces `${…}`, as those of MCP configurations do.
pub fn mcp(text: &str) -> Result<impl Display + '_, Why> {
    if text.contains("${") {
        Err(VARIABLE)
    } else {
        Ok(json(text))
    }
}

/// A string of Rust: <https://doc.rust-lang.org/reference/tokens.html#string-literals>
pub fn rust(text: &str) -> impl Display + '_ {
    quoted(false, '"', text, |character, f| match character {
        '"' | '\\' => write!(f, "\\{character}"),
        '\n' => f.write_str("\\n"),
        other if breaks_line(other) => write!(f, "\\u{{{:x}}}", u32::from(other)),
        other => f.write_char(other),
    })
}

/// A string of PHP in single quotes: <https://www.php.net/manual/en/language.types.string.php>
pub fn php(text: &str) -> impl Display + '_ {
    quoted(false, '\'', text, |character, f| match character {
        '\'' | '\\' => write!(f, "\\{character}"),
        other => f.write_char(other),
    })
}

/// A value of a .NET connection string:
/// <https://learn.microsoft.com/en-us/dotnet/api/system.data.common.dbconnectionstringbuilder>
pub fn dotnet(text: &str) -> impl Display + '_ {
    let is_bare = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-:/@%+,[]".contains(&b));
    quoted(is_bare, '"', text, |character, f| match character {
        '"' => f.write_str("\"\""),
        other => f.write_char(other),
    })
}

/// A header's value, or a part of it; RFC 9110, section 5.5.
pub fn header(text: &str) -> Result<&str, Why> {
    if text.contains(|c: char| c.is_control() && c != '\t') || text.trim() != text {
        return Err("a character in it that an HTTP header cannot have, such as a line break");
    }
    Ok(text)
}

/// A comment's text: one line, in the order in which it is written.
pub fn comment(text: &str) -> impl Display + '_ {
    fmt::from_fn(move |f| {
        for (number, part) in text.split(breaks_line).enumerate() {
            f.write_str(if number == 0 { "" } else { " " })?;
            f.write_str(part)?;
        }
        Ok(())
    })
}

/// Ends a line for some reader (YAML 1.1 has U+2028 and U+2029), reorders it for the eye,
/// or is not printable in YAML (1.2, section 5.1).
fn breaks_line(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn enclosed<'a>(quote: &'static str, text: &'a str) -> impl Display + 'a {
    fmt::from_fn(move |f| {
        [quote, text, quote]
            .into_iter()
            .try_for_each(|part| f.write_str(part))
    })
}

fn escaped(text: &str, write: fn(char, &mut fmt::Formatter<'_>) -> fmt::Result) -> impl Display + '_ {
    fmt::from_fn(move |f| text.chars().try_for_each(|character| write(character, f)))
}

fn quoted(
    is_bare: bool,
    quote: char,
    text: &str,
    write: fn(char, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> impl Display + '_ {
    fmt::from_fn(move |f| {
        if is_bare {
            return f.write_str(text);
        }
        f.write_char(quote)?;
        text.chars().try_for_each(|character| write(character, f))?;
        f.write_char(quote)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_escapes() {
        let env = |text| dotenv(text).map(|text| text.to_string()).ok();
        assert_eq!(uri("a b@c:d/é%").to_string(), "a%20b%40c%3Ad%2F%C3%A9%25");
        assert_eq!(env("plain-1.2").as_deref(), Some("plain-1.2"));
        assert_eq!(env("a $b #c").as_deref(), Some("'a $b #c'"));
        assert_eq!(env("a&b").as_deref(), Some("'a&b'"));
        assert_eq!(env("it's").as_deref(), Some("\"it's\""));
        assert_eq!(env("").as_deref(), Some("''"));
        for ambiguous in ["it's $5", "a\\\\b", "a\\", "${HOME}", "a\rb"] {
            assert_eq!(env(ambiguous), None, "{ambiguous}");
        }
        assert_eq!(compose_entry("A", "x$y").to_string(), "\"A=x$$y\"");
        assert_eq!(compose_entry("A", "http://x").to_string(), "A=http://x");
        assert_eq!(compose("a\"b\\\n").to_string(), "\"a\\\"b\\\\\\n\"");
        assert_eq!(comment("a\nB=1").to_string(), "a B=1");
        assert_eq!(comment("a\u{2028}- B=1\u{2029}#").to_string(), "a - B=1 #");
        assert_eq!(json("a\u{2028}b").to_string(), "\"a\\u2028b\"");
        assert_eq!(rust("a\u{202e}\"").to_string(), r#""a\u{202e}\"""#);
        assert_eq!(php("it's \\ $x").to_string(), r"'it\'s \\ $x'");
        assert_eq!(libpq("it's \\ x").to_string(), r"'it\'s \\ x'");
        assert_eq!(libpq("").to_string(), "''");
        assert_eq!(shell("it's").to_string(), r"'it'\''s'");
        assert_eq!(dotnet("a;\"b'").to_string(), "\"a;\"\"b'\"");
        assert_eq!(
            pgpass("a:b\\c").map(|text| text.to_string()),
            Ok(r"a\:b\\c".into())
        );
        assert!(
            pgpass("a\nb").is_err()
                && pg_service("a ").is_err()
                && ini(" a").is_err()
                && ini("None").is_err()
        );
        assert!(mcp("${HOME}").is_err() && header("a\nb").is_err());
    }
}
