//! What reads a server's bytes, for who fuzzes it. Nothing else should use this.

use crate::certificate::Certificate;
use crate::http::Events;
use crate::mysql;
use crate::scram::{Scram, ServerFirst};

/// A type of message, and its body.
pub fn postgresql_message(bytes: &[u8]) {
    if let Some((tag, body)) = bytes.split_first() {
        crate::postgres::parse(*tag, body);
    }
}

pub fn scram_first(bytes: &[u8]) -> Option<ServerFirst> {
    Scram::new("", "nonce".into(), None).read_first(bytes)
}

/// The names and the data of a stream's events, read in pieces of a size.
pub fn server_sent_events(stream: &[u8], size: usize) -> Vec<(String, String)> {
    let mut events = Events::default();
    let read = stream.chunks(size.max(1)).flat_map(|piece| events.push(piece));
    read.map(|event| (event.name, event.data)).collect()
}

pub fn mysql_packet(bytes: &[u8]) {
    mysql::parse_everything(bytes);
}

pub fn mongodb_message(bytes: &[u8]) {
    crate::mongodb::parse_everything(bytes);
}

pub fn certificate(bytes: &[u8]) {
    Certificate::read(bytes);
}

pub fn mcp_answer(bytes: &[u8]) {
    crate::kinds::mcp::parse_everything(bytes);
}
