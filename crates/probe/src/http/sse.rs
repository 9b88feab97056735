//! Server-sent events, as a server sends them piece by piece.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

/// Takes pieces of a stream, and hands out the events that are whole.
#[derive(Debug, Default)]
pub struct Events {
    pending: Vec<u8>,
    /// So much of it is known to end no line: it is not looked at again for
    /// each piece, of which there may be a million.
    searched: usize,
    event: Event,
    has_begun: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `message` where the stream names none.
    pub name: String,
    pub data: String,
}

impl Events {
    /// The events that end in this piece. What they are kept in is as long as
    /// the stream so far, which its reader bounds.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Event> {
        self.pending.extend_from_slice(piece);
        let mut events = Vec::new();
        let mut begin = 0;
        let mut from = self.searched;
        while let Some((end, next)) = line_end(&self.pending, from) {
            let mut line = &self.pending[begin..end];
            if !std::mem::replace(&mut self.has_begun, true) {
                line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            }
            let line = String::from_utf8_lossy(line);
            self.event.take(&line, &mut events);
            (begin, from) = (next, next);
        }
        self.pending.drain(..begin);
        // A carriage return at the very end is looked at again.
        self.searched = self.pending.len() - usize::from(self.pending.ends_with(b"\r"));
        events
    }
}

impl Event {
    fn take(&mut self, line: &str, events: &mut Vec<Event>) {
        if line.is_empty() {
            let mut event = std::mem::take(self);
            // An event without data is none.
            if event.data.pop().is_some() {
                if event.name.is_empty() {
                    event.name = "message".into();
                }
                events.push(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            _ => {}
        }
    }
}

/// Where the first line that ends after `from` ends, and where the next begins.
/// A line ends with a line feed, a carriage return, or both. A carriage return at
/// the very end may be half of one.
fn line_end(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let end = from
        + bytes[from..]
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))?;
    match (bytes[end], bytes.get(end + 1)) {
        (b'\n', _) => Some((end, end + 1)),
        (_, Some(b'\n')) => Some((end, end + 2)),
        (_, Some(_)) => Some((end, end + 1)),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut events = Events::default();
        let read = pieces.iter().flat_map(|piece| events.push(piece));
        read.map(|event| (event.name, event.data)).collect()
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.into(), data.into())
    }

    #[test]
    fn events_are_the_same_in_whatever_pieces_they_come() {
        let stream = b"\xef\xbb\xbf: hello\r\nevent: endpoint\r\ndata: /a\r\n\r\ndata:one\ndata: two\nid: 7\n\nevent: x\n\ndata\n\n";
        let expected = [
            event("endpoint", "/a"),
            event("message", "one\ntwo"),
            event("message", ""),
        ];
        for size in 1..stream.len() {
            let pieces: Vec<_> = stream.chunks(size).collect();
            assert_eq!(read(&pieces), expected, "{size}");
        }
    }

    #[test]
    fn what_is_not_ended_is_no_event_yet() {
        assert_eq!(read(&[b"data: one\n"]), []);
        assert_eq!(read(&[b"data: one\r\r", b"\n"]), [event("message", "one")]);
        assert_eq!(read(&[b"data: \xff\n\n"]), [event("message", "\u{fffd}")]);
    }
}
