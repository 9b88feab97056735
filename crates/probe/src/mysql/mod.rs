//! MySQL's and MariaDB's protocol, as far as a probe speaks it: login and simple queries.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>
//! <https://mariadb.com/kb/en/clientserver-protocol/>

mod packet;
mod session;

pub use packet::parse_everything;
pub use session::connect;
