//! A place that answers no attempt to connect.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Listens with a full queue and never accepts: the kernel drops every further
/// attempt, as a firewall does.
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

/// On one machine a connection is accepted within microseconds or not at all.
const SURELY_DROPPED: Duration = Duration::from_millis(300);

impl BlackHole {
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .expect("a free port");
        let listener = socket.listen(0).expect("listens");
        let address = listener.local_addr().expect("an address");
        let mut queue = Vec::new();
        while let Ok(connected) = tokio::time::timeout(SURELY_DROPPED, TcpStream::connect(address)).await {
            queue.push(connected.expect("the queue takes it"));
            assert!(queue.len() < 1000, "the kernel queues without an end");
        }
        Self {
            address,
            _listener: listener,
            _queue: queue,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many attempts wait for an answer now, by the kernel's own table.
    pub fn attempts(&self) -> usize {
        const SYN_SENT: &str = "02";
        let remote = format!("0100007F:{:04X}", self.port());
        let table = fs::read_to_string("/proc/net/tcp").expect("Linux has this table");
        table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.len() > 3 && words[2] == remote && words[3] == SYN_SENT)
            .count()
    }
}
