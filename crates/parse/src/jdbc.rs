//! JDBC's URLs of PostgreSQL, MySQL and MariaDB.
//!
//! <https://jdbc.postgresql.org/documentation/use/>,
//! <https://dev.mysql.com/doc/connector-j/en/connector-j-reference-jdbc-url-format.html>

use insightpulse_domain::Kind;
use percent_encoding::percent_decode_str;

use crate::Fields;
use crate::fields::tls_mode;

/// `None` where the text is none.
pub(crate) fn read(text: &str) -> Option<Fields> {
    let (scheme, rest) = text.trim().strip_prefix("jdbc:")?.split_once("://")?;
    let kind = match scheme {
        "postgresql" => Kind::Postgresql,
        "mysql" | "mariadb" => Kind::Mysql,
        _ => return None,
    };
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (place, database) = address.split_once('/').unwrap_or((address, ""));
    let (host, port) = match place.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.to_owned())),
        _ => (place, None),
    };
    let mut fields = Fields {
        server: Some(host.to_owned()),
        port,
        database: Some(decoded(database)?).filter(|name| !name.is_empty()),
        ..Fields::of(kind)
    };
    for parameter in parameters.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        match name {
            "sslMode" => fields.tls_mode = tls_mode(&value),
            name => {
                fields.set(name, &value);
            }
        }
    }
    Some(fields)
}

/// Java's `URLDecoder`: a plus is a space.
fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(Into::into)
}
