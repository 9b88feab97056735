//! .NET's connection strings, as Npgsql and MySqlConnector name their keys.
//!
//! <https://learn.microsoft.com/en-us/dotnet/api/system.data.common.dbconnectionstringbuilder.connectionstring>

use insightpulse_domain::Kind;

use crate::Fields;

/// `None` where the text is none, or says nothing of a server.
pub(crate) fn read(text: &str) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut is_mysql = false;
    let mut rest = text;
    while !rest.trim_start_matches([' ', ';', '\n', '\r', '\t']).is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name
            .trim_matches([' ', ';', '\n', '\r', '\t'])
            .to_ascii_lowercase();
        let (value, after) = value(after)?;
        is_mysql |= ["server", "user id", "uid"].contains(&name.as_str());
        if name.is_empty() || (!fields.set(&name, &value) && name.contains(['\n', '"', '\''])) {
            return None;
        }
        rest = after;
    }
    is_mysql |= fields.port.as_deref() == Some("3306");
    fields.kind = Some(if is_mysql { Kind::Mysql } else { Kind::Postgresql });
    // Its keys are written with a capital, and it has more than one.
    let is_one = text.contains(';') && text.trim_start().starts_with(|c: char| c.is_ascii_alphabetic());
    (is_one && fields.server.is_some()).then_some(fields)
}

fn value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    let Some(quote) = text.chars().next().filter(|first| ['"', '\''].contains(first)) else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return Some((value.trim().to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != quote {
            value.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            value.push(quote);
        } else {
            return Some((value, &text[at + 1..]));
        }
    }
    None
}
