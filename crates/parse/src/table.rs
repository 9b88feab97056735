//! Tables of two columns, separated by commas, semicolons or tabs: `RIM,secret`.

use secrecy::SecretString;

/// Names and values, in their order, without a heading.
pub(crate) fn read(text: &str) -> Vec<(String, SecretString)> {
    let Some(separator) = [',', ';', '\t']
        .into_iter()
        .find(|separator| text.contains(*separator))
    else {
        return vec![];
    };
    let mut rows = vec![];
    let mut rest = text;
    while !rest.trim().is_empty() {
        let (name, after) = cell(rest.trim_start_matches(['\n', '\r']), separator);
        let Some(after) = after.strip_prefix(separator) else {
            rest = after;
            continue;
        };
        let (value, after) = cell(after, separator);
        // A third column is of no concern.
        rest = after.split_once('\n').map_or("", |(_, rest)| rest);
        rows.push((name.trim().to_owned(), value));
    }
    let is_heading = |(_, value): &(String, String)| {
        ["password", "passwort", "secret", "value", "pass", "pwd"]
            .contains(&value.trim().to_ascii_lowercase().as_str())
    };
    if rows.first().is_some_and(is_heading) {
        rows.remove(0);
    }
    rows.retain(|(name, _)| !name.is_empty());
    rows.into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// RFC 4180: quotes are doubled in quotes.
fn cell(text: &str, separator: char) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([separator, '\n']).unwrap_or(text.len());
        return (text[..end].trim_end_matches('\r').to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '"' {
            value.push(character);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            value.push('"');
        } else {
            return (value, quoted[at + 1..].trim_start_matches(' '));
        }
    }
    (value, "")
}
