//! What reads a server's bytes, for who fuzzes it. Nothing else should use this.

use crate::certificate::Certificate;
use crate::http::Events;
use crate::mysql;
use crate::postgres::{Scram, ServerFirst};

/// A type of message, and its body.
pub fn postgresql_message(bytes: &[u8]) {
    if let Some((tag, body)) = bytes.split_first() {
        crate::postgres::parse(*tag, body);
    }
}

pub fn scram_first(bytes: &[u8]) -> Option<ServerFirst> {
    Scram::new("", "nonce".into(), None).read_first(bytes)
}

/// In pieces of the size that the first byte says.
pub fn server_sent_events(bytes: &[u8]) {
    let mut events = Events::default();
    if let Some((size, stream)) = bytes.split_first() {
        for piece in stream.chunks(usize::from(*size).max(1)) {
            events.push(piece);
        }
    }
}

pub fn mysql_packet(bytes: &[u8]) {
    mysql::parse_everything(bytes);
}

pub fn certificate(bytes: &[u8]) {
    Certificate::read(bytes);
}

pub fn mcp_answer(bytes: &[u8]) {
    crate::kinds::mcp::parse_everything(bytes);
}
