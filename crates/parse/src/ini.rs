//! `pg_service.conf` and `odoo.conf`: sections of lines `name=value`, in which nothing is quoted.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgservice.html>

use insightpulse_domain::Kind;

use crate::Fields;

pub(crate) fn is_one(text: &str) -> bool {
    text.lines().any(|line| section(line).is_some())
        && text.lines().map(str::trim).all(|line| {
            line.is_empty() || line.starts_with(['#', ';']) || section(line).is_some() || line.contains('=')
        })
}

fn section(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    (!name.contains(['[', ']', '='])).then_some(name)
}

/// Every section that says where a server is.
pub(crate) fn read(text: &str) -> Vec<Fields> {
    let mut found: Vec<(String, Fields)> = vec![];
    for line in text.split('\n') {
        let line = line.trim_end_matches('\r');
        if let Some(name) = section(line) {
            found.push((name.to_owned(), Fields::default()));
        } else if let (Some((name, value)), Some((section, fields))) =
            (line.split_once('='), found.last_mut())
            && !line.trim_start().starts_with(['#', ';'])
        {
            set(section == "options", fields, name.trim(), value);
        }
    }
    found
        .into_iter()
        .map(|(section, mut fields)| {
            if fields.kind != Some(Kind::Odoo) {
                fields.name = Some(section);
            }
            fields
        })
        .collect()
}

/// libpq keeps what is before a value and cuts spaces behind it; Python's parser cuts both.
fn set(is_odoo: bool, fields: &mut Fields, name: &str, value: &str) {
    match name.strip_prefix("db_") {
        Some(name) if is_odoo => {
            let value = value.trim();
            // What Odoo takes for none.
            if !["False", "false", "None", ""].contains(&value) {
                fields.kind = Some(Kind::Odoo);
                fields.set(if name == "name" { "dbname" } else { name }, value);
            }
        }
        _ if is_odoo => {}
        _ => {
            fields.set(
                name,
                value.trim_end_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b'),
            );
        }
    }
}
