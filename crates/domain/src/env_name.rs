//! Names of environment variables and files, made from the names of records.

use std::collections::HashMap;

/// The prefix of a record's environment variables, for each of `names`: as
/// the seed has it (`Supabase Production` → `SUPABASE_PRODUCTION`), a valid
/// identifier for any name, and unique among `names`.
///
/// Of two that would be the same, the later gets a number: `…_2`.
pub fn env_prefixes<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    unique(names.into_iter().map(identifier), '_')
}

/// A [`slug`] for each of `names`, unique among them: `books`, `books-2`.
pub fn slugs<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    unique(names.into_iter().map(slug), '-')
}

fn unique(bases: impl Iterator<Item = String>, joint: char) -> Vec<String> {
    // What is taken, with the number at which the search for a free one goes on: names of one spelling may be many.
    let mut taken: HashMap<String, u32> = HashMap::new();
    bases
        .map(|base| {
            let Some(&next) = taken.get(&base) else {
                taken.insert(base.clone(), 2);
                return base;
            };
            let (number, candidate) = (next..)
                .map(|number| (number, format!("{base}{joint}{number}")))
                .find(|(_, candidate)| !taken.contains_key(candidate))
                .expect("there are more numbers than names");
            taken.insert(base, number + 1);
            taken.insert(candidate.clone(), 2);
            candidate
        })
        .collect()
}

/// A record's name as part of a file's name: `supabase-production`.
pub fn slug(name: &str) -> String {
    let words: Vec<_> = name
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return "connection".to_owned();
    }
    words
        .join("-")
        .to_ascii_lowercase()
        .chars()
        .take(SLUG_MAX)
        .collect()
}

/// File systems take 255 bytes; an extension comes behind.
const SLUG_MAX: usize = 100;

/// Each character that an identifier cannot have becomes `_`, as in the seed.
fn identifier(name: &str) -> String {
    if !name.contains(|character: char| character.is_ascii_alphanumeric()) {
        return "CONNECTION".to_owned();
    }
    let mut mapped = String::with_capacity(name.len() + 1);
    // An identifier does not begin with a digit.
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        mapped.push('_');
    }
    for character in name.chars() {
        mapped.push(match character.is_ascii_alphanumeric() {
            true => character.to_ascii_uppercase(),
            false => '_',
        });
    }
    mapped
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_follow_the_seed() {
        let names = [
            "Supabase Production",
            "MCP Server - Notion",
            "Odoo 19 Database",
            "2nd",
            "日本",
            "supabase-production",
        ];
        assert_eq!(
            env_prefixes(names),
            [
                "SUPABASE_PRODUCTION",
                "MCP_SERVER___NOTION",
                "ODOO_19_DATABASE",
                "_2ND",
                "CONNECTION",
                "SUPABASE_PRODUCTION_2"
            ]
        );
        assert_eq!(slug("MCP Server - Notion"), "mcp-server-notion");
        assert_eq!(
            slugs(["Books", "books", "日本"]),
            ["books", "books-2", "connection"]
        );
    }

    proptest! {
        #[test]
        fn prefixes_are_identifiers_and_unique(names in proptest::collection::vec(".{0,12}", 0..20)) {
            let prefixes = env_prefixes(names.iter().map(String::as_str));
            for prefix in &prefixes {
                prop_assert!(prefix.starts_with(|c: char| c.is_ascii_uppercase() || c == '_'));
                prop_assert!(prefix.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
            }
            let unique: HashSet<_> = prefixes.iter().collect();
            prop_assert_eq!(unique.len(), prefixes.len());
        }
    }
}
