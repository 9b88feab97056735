//! Lines of `.pgpass`.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>

use crate::Fields;

/// `None` where a line is none.
pub(crate) fn read(text: &str) -> Option<Vec<Fields>> {
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    lines
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let [server, port, database, user, password] = fields(line).try_into().ok()?;
            port.parse::<u16>().ok().filter(|port| *port > 0)?;
            let known = |text: String| Some(text).filter(|text| text != "*");
            Some(Fields {
                server: known(server),
                port: Some(port),
                database: known(database),
                user: known(user),
                password: Some(password),
                ..Fields::default()
            })
        })
        .collect()
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_escaped = false;
    for character in line.chars() {
        match (character, is_escaped) {
            ('\\', false) => is_escaped = true,
            (':', false) => fields.push(String::new()),
            (other, _) => {
                is_escaped = false;
                fields.last_mut().expect("it begins with one").push(other);
            }
        }
    }
    fields
}
