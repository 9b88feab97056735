//! libpq's connection strings of keywords and values.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>

use std::iter::Peekable;
use std::str::Chars;

use crate::Fields;

/// `None` where the text is none, or says nothing of a server.
pub(crate) fn read(text: &str) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut rest = text.chars().peekable();
    loop {
        skip_spaces(&mut rest);
        if rest.peek().is_none() {
            break;
        }
        let mut name = String::new();
        while let Some(character) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(character);
        }
        skip_spaces(&mut rest);
        rest.next_if_eq(&'=')?;
        skip_spaces(&mut rest);
        let value = value(&mut rest)?;
        if !fields.set(&name, &value) && !is_keyword(&name) {
            return None;
        }
    }
    fields.server.is_some().then_some(fields)
}

/// libpq has more than fifty, and none of the others says where the server is.
fn is_keyword(name: &str) -> bool {
    [
        "ssl",
        "tcp_",
        "keepalives_",
        "gss",
        "require_",
        "load_balance",
        "replication",
        "min_",
        "max_",
        "scram_",
        "oauth_",
    ]
    .iter()
    .any(|beginning| name.starts_with(beginning))
}

fn skip_spaces(rest: &mut Peekable<Chars<'_>>) {
    while rest
        .next_if(|character| character.is_ascii_whitespace())
        .is_some()
    {}
}

fn value(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let is_quoted = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match rest.next() {
            Some('\\') => value.push(rest.next()?),
            Some('\'') if is_quoted => return Some(value),
            Some(space) if space.is_ascii_whitespace() && !is_quoted => return Some(value),
            Some(other) => value.push(other),
            None => return (!is_quoted).then_some(value),
        }
    }
}
