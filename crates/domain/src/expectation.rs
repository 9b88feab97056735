//! What an API should answer: a status, and a place in its JSON.

use std::fmt;
use std::ops::RangeInclusive;

use crate::failure::{Failure, Reason, server_text};

/// HTTP statuses: `200`, `200-299`, `200,204`. By default the successful ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(Vec<RangeInclusive<u16>>);

/// A singular query of JSONPath: `$.status`, `$.checks[0]['a name']`. It leads
/// to one value or to none.
///
/// <https://www.rfc-editor.org/rfc/rfc9535#name-singular-queries>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// One step into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Name(String),
    /// Negative from the end.
    Index(i64),
}

const RANGES_MAX: usize = 20;
const STEPS_MAX: usize = 50;

impl StatusSet {
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let status = |text: &str| {
            text.trim()
                .parse()
                .ok()
                .filter(|status| (100..=599).contains(status))
        };
        let range = |text: &str| match text.split_once('-') {
            Some((from, to)) => Some(status(from)?..=status(to)?).filter(|range| !range.is_empty()),
            None => status(text).map(|status| status..=status),
        };
        let ranges: Option<Vec<_>> = text.split(',').take(RANGES_MAX + 1).map(range).collect();
        match ranges {
            Some(ranges) if ranges.len() <= RANGES_MAX => Ok(Self(ranges)),
            _ => Err(Reason::StatusInvalid {
                text: server_text(text),
            }
            .into()),
        }
    }

    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for StatusSet {
    fn default() -> Self {
        Self(vec![200..=299])
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match (range.start(), range.end()) {
                (from, to) if from == to => write!(f, "{comma}{from}")?,
                (from, to) => write!(f, "{comma}{from}-{to}")?,
            }
        }
        Ok(())
    }
}

impl JsonPath {
    pub fn parse(text: &str) -> Result<Self, Failure> {
        match steps(text) {
            Some(steps) if steps.len() <= STEPS_MAX => Ok(Self { steps }),
            _ => Err(Reason::JsonPathInvalid {
                text: server_text(text),
            }
            .into()),
        }
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// As one would type it: the shorthand where a name has one.
impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Name(name) if shorthand(name).is_some_and(|(_, rest)| rest.is_empty()) => {
                write!(f, ".{name}")
            }
            Step::Name(name) => write!(f, "['{}']", name.replace('\\', r"\\").replace('\'', r"\'")),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('.') {
            Some(name) => shorthand(name)?,
            None => bracketed(rest.strip_prefix('[')?)?,
        };
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

/// `name` of `.name`; a digit cannot begin it.
fn shorthand(text: &str) -> Option<(Step, &str)> {
    let is_of_name =
        |character: char| character == '_' || character.is_ascii_alphanumeric() || !character.is_ascii();
    let end = text
        .find(|character| !is_of_name(character))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let begins = name.chars().next()?;
    (!begins.is_ascii_digit()).then(|| (Step::Name(name.to_owned()), rest))
}

/// `0]`, `-1]`, `'name']` and `"name"]`, behind the opening bracket.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    let quote = text.chars().next()?;
    if quote != '\'' && quote != '"' {
        let (index, rest) = text.split_once(']')?;
        return Some((Step::Index(index.parse().ok()?), rest));
    }
    let mut name = String::new();
    let mut characters = text[1..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next()?.1 {
                escaped @ ('\\' | '\'' | '"' | '/') => name.push(escaped),
                _ => return None,
            },
            end if end == quote => {
                let rest = text[1 + at + 1..].strip_prefix(']')?;
                return Some((Step::Name(name), rest));
            }
            other => name.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn statuses_are_numbers_and_ranges() {
        let check = |text, expected: Expect| {
            let said = StatusSet::parse(text).map_or_else(|failure| failure.message(), |set| set.to_string());
            expected.assert_eq(&said);
        };
        check("200", expect!["200"]);
        check(" 200 - 299 , 401", expect!["200-299, 401"]);
        for text in ["", "20", "200-", "299-200", "600", "2xx", "200;201"] {
            assert!(StatusSet::parse(text).is_err(), "{text}");
        }
        assert!(StatusSet::parse(&"200,".repeat(100_000)).is_err());
        let set = StatusSet::parse("200-299,401").expect("valid");
        assert!(set.contains(204) && set.contains(401) && !set.contains(400));
    }

    #[test]
    fn a_path_is_a_singular_query() {
        let check = |text, expected: Expect| {
            let said =
                JsonPath::parse(text).map_or_else(|failure| failure.message(), |path| path.to_string());
            expected.assert_eq(&said);
        };
        check("$", expect!["$"]);
        check("$.status", expect!["$.status"]);
        check(
            "$.checks[-1]['a \\' name'][\"b\"]",
            expect![[r#"$.checks[-1]['a \' name'].b"#]],
        );
        check("$.größe", expect!["$.größe"]);
        for text in [
            "", "status", "$.", "$..a", "$.*", "$[*]", "$[?@.a]", "$['a'", "$['a]", "$[0", "$.0a", "$[1:2]",
        ] {
            assert!(JsonPath::parse(text).is_err(), "{text}");
        }
    }
}
