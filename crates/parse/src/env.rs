//! `.env` files: lines of `NAME=value`, in the spellings of `sh` and of the libraries that read them.

use std::collections::HashMap;

use crate::{Pasted, TEXT_MAX, variables};

/// A variable, and the comment right above the first of its block.
struct Line {
    name: String,
    value: String,
    heading: Option<String>,
}

/// What earlier lines say. References to references could grow without end, so there is room for so much alone.
struct Known {
    values: HashMap<String, String>,
    room: usize,
}

pub(crate) fn is_one(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.next().is_some_and(|line| assignment(line).is_some())
}

/// Every variable, and the connections that they make.
pub(crate) fn read(text: &str) -> Pasted {
    let lines = lines(text);
    let headings: Vec<_> = lines.iter().filter_map(|line| line.heading.clone()).collect();
    let variables: Vec<_> = lines.into_iter().map(|line| (line.name, line.value)).collect();
    Pasted {
        connections: variables::connections(&variables, &headings),
        variables: variables
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect(),
    }
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let is_name = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, value))
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![];
    let mut known = Known {
        values: HashMap::new(),
        room: 4 * TEXT_MAX,
    };
    let mut heading = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        if let Some(comment) = line.trim().strip_prefix('#') {
            heading = Some(comment.trim().to_owned());
        }
        let Some((name, value)) = assignment(line.trim_start()) else {
            rest = after;
            continue;
        };
        // Where in the text the value begins: it may go over several lines.
        let from = value.as_ptr() as usize - rest.as_ptr() as usize;
        let (value, length) = self::value(&rest[from..], &mut known);
        known.values.insert(name.to_owned(), value.clone());
        lines.push(Line {
            name: name.to_owned(),
            value,
            heading: heading.take(),
        });
        rest = &rest[from + length..];
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    lines
}

/// A value, and how long its spelling is. Bare up to the end of the line; in quotes, as `sh` and the readers of
/// `.env` files have them, and further quotes right behind.
fn value(text: &str, known: &mut Known) -> (String, usize) {
    let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
    let line_end = text.find('\n').unwrap_or(text.len());
    if !text[indent..].starts_with(['\'', '"']) {
        let line = &text[..line_end];
        let end = line.find(" #").unwrap_or(line.len());
        return (known.expanded(line[..end].trim()), line_end);
    }
    let mut value = String::new();
    let mut at = indent;
    while let Some(quote) = text[at..].chars().next() {
        let inner = &text[at + quote.len_utf8()..];
        match quote {
            '\'' => {
                let Some(end) = inner.find('\'') else { break };
                value.push_str(&inner[..end]);
                at += end + 2;
            }
            '"' => {
                let Some((inside, length)) = double_quoted(inner, known) else {
                    break;
                };
                value.push_str(&inside);
                at += length + 2;
            }
            '\\' => {
                let Some(escaped) = inner.chars().next() else {
                    break;
                };
                value.push(escaped);
                at += 1 + escaped.len_utf8();
            }
            _ => return (value, at),
        }
    }
    if at >= text.len() {
        return (value, text.len());
    }
    // A quote that is never closed is a character.
    (text[..line_end].trim().to_owned(), line_end)
}

fn double_quoted(text: &str, known: &mut Known) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let character = rest.chars().next()?;
        let after = &rest[character.len_utf8()..];
        rest = match character {
            '"' => return Some((value, text.len() - rest.len())),
            '\\' => {
                let escaped = after.chars().next()?;
                match escaped {
                    'n' => value.push('\n'),
                    '"' | '\\' | '`' | '\'' | '$' => value.push(escaped),
                    other => value.extend(['\\', other]),
                }
                &after[escaped.len_utf8()..]
            }
            '$' => known.dollar(after, &mut value),
            other => {
                value.push(other);
                after
            }
        };
    }
}

impl Known {
    fn expanded(&mut self, text: &str) -> String {
        let mut value = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            if let Some(before) = before.strip_suffix('\\') {
                value.push_str(before);
                value.push('$');
                rest = after;
            } else {
                value.push_str(before);
                rest = self.dollar(after, &mut value);
            }
        }
        value + rest
    }

    /// `${NAME}`, of which `text` is what stands behind the dollar, is what an earlier line says, where one does.
    /// Returns what follows.
    fn dollar<'t>(&mut self, text: &'t str, value: &mut String) -> &'t str {
        let reference = text.strip_prefix('{').and_then(|text| {
            let length = text
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
                .count();
            Some((&text[..length], text[length..].strip_prefix('}')?))
        });
        match reference.and_then(|(name, after)| Some((self.values.get(name)?, after))) {
            Some((known, after)) if known.len() <= self.room => {
                self.room -= known.len();
                value.push_str(known);
                after
            }
            _ => {
                value.push('$');
                text
            }
        }
    }
}
