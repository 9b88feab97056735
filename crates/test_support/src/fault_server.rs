//! A server that accepts, and then does what no server should.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::authority::Certificate;

/// Its connections end when it is dropped.
pub struct FaultServer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    serving: JoinHandle<()>,
}

/// Who came, and what they did.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Connections so far.
    pub accepted: usize,
    /// Connections that have not ended.
    pub open: usize,
    pub most_at_once: usize,
    /// The most bytes that the kernel took for one connection.
    pub sent: usize,
    /// What each connection received; in the clear for a server with TLS.
    pub received: Vec<Vec<u8>>,
}

enum Behaviour {
    Silent,
    Closing,
    Resetting,
    ClosingWhenAsked,
    Greeting(Vec<u8>),
    Answering(Vec<Vec<u8>>),
    AnsweringAndClosing(Vec<u8>),
    Endless { begin: Vec<u8>, again: Vec<u8> },
    Trickling { words: Vec<u8>, pause: Duration },
    OverTls(Arc<ServerConfig>, Vec<u8>),
    Scripted(Vec<Step>),
}

/// What a server does in one place of a conversation.
pub enum Step {
    /// Waits until something comes.
    Receive,
    /// Takes in so many bytes, and leaves what comes after them.
    ReceiveExactly(usize),
    Send(Vec<u8>),
    Wait(Duration),
    /// Takes part in a handshake, and goes on in the encrypted connection.
    Tls(Arc<ServerConfig>),
    /// Resets the connection, and with it ends; not within TLS.
    Reset,
    /// Closes the connection, and with it ends.
    Close,
    /// Sends the same for ever.
    Endless(Vec<u8>),
    /// Sends a byte at a time, with a pause before each, over and over.
    Trickle(Vec<u8>, Duration),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One connection, counted while it lasts.
struct Visit {
    number: usize,
    seen: Arc<Mutex<Seen>>,
}

impl FaultServer {
    /// Accepts and says nothing.
    pub async fn silent() -> Self {
        Self::start(Behaviour::Silent).await
    }

    /// Closes as soon as it has accepted.
    pub async fn closing() -> Self {
        Self::start(Behaviour::Closing).await
    }

    /// Resets the connection as soon as it has accepted.
    pub async fn resetting() -> Self {
        Self::start(Behaviour::Resetting).await
    }

    /// Closes when it has received something.
    pub async fn closing_when_asked() -> Self {
        Self::start(Behaviour::ClosingWhenAsked).await
    }

    /// Speaks first, then listens.
    pub async fn greeting(words: impl Into<Vec<u8>>) -> Self {
        Self::start(Behaviour::Greeting(words.into())).await
    }

    /// Answers each thing that it receives with the next of its words, then listens.
    pub async fn answering<W: Into<Vec<u8>>>(answers: impl IntoIterator<Item = W>) -> Self {
        Self::start(Behaviour::Answering(
            answers.into_iter().map(Into::into).collect(),
        ))
        .await
    }

    /// Answers the first thing that it receives, and closes.
    pub async fn answering_and_closing(words: impl Into<Vec<u8>>) -> Self {
        Self::start(Behaviour::AnsweringAndClosing(words.into())).await
    }

    /// Answers, and goes on with the same bytes for ever.
    pub async fn endless(begin: impl Into<Vec<u8>>, again: impl Into<Vec<u8>>) -> Self {
        Self::start(Behaviour::Endless {
            begin: begin.into(),
            again: again.into().repeat(1000),
        })
        .await
    }

    /// Answers one byte at a time and never ends, always seeming alive.
    pub async fn trickling(words: impl Into<Vec<u8>>, pause: Duration) -> Self {
        Self::start(Behaviour::Trickling {
            words: words.into(),
            pause,
        })
        .await
    }

    /// Speaks TLS, and answers there.
    pub async fn answering_over_tls(certificate: &Certificate, words: impl Into<Vec<u8>>) -> Self {
        Self::start(Behaviour::OverTls(certificate.server_config(), words.into())).await
    }

    /// Follows a script with everybody, then listens.
    pub async fn scripted(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::start(Behaviour::Scripted(steps.into_iter().collect())).await
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::<Mutex<Seen>>::default();
        let serving = tokio::spawn(serve(listener, Arc::new(behaviour), Arc::clone(&seen)));
        Self { port, seen, serving }
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, behaviour: Arc<Behaviour>, seen: Arc<Mutex<Seen>>) {
    // Dropped with this task, and the connections with it.
    let mut visits = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepted");
        let visit = Visit::begin(&seen);
        let behaviour = Arc::clone(&behaviour);
        visits.spawn(async move { visit.behave(stream, &behaviour).await });
        while visits.try_join_next().is_some() {}
    }
}

impl Visit {
    fn begin(seen: &Arc<Mutex<Seen>>) -> Self {
        let mut counted = lock(seen);
        counted.accepted += 1;
        counted.open += 1;
        counted.most_at_once = counted.most_at_once.max(counted.open);
        counted.received.push(Vec::new());
        Self {
            number: counted.received.len() - 1,
            seen: Arc::clone(seen),
        }
    }

    async fn behave(&self, mut stream: TcpStream, behaviour: &Behaviour) {
        match behaviour {
            Behaviour::Silent => self.listen(&mut stream).await,
            Behaviour::Closing => {}
            Behaviour::Resetting => stream.set_zero_linger().expect("set"),
            Behaviour::ClosingWhenAsked => {
                self.receive(&mut stream).await;
            }
            Behaviour::Greeting(words) => {
                self.send(&mut stream, words).await;
                self.listen(&mut stream).await;
            }
            Behaviour::Answering(answers) => {
                for words in answers {
                    self.receive(&mut stream).await;
                    self.send(&mut stream, words).await;
                }
                self.listen(&mut stream).await;
            }
            Behaviour::AnsweringAndClosing(words) => {
                self.receive(&mut stream).await;
                self.send(&mut stream, words).await;
            }
            Behaviour::Endless { begin, again } => {
                self.receive(&mut stream).await;
                let mut sent = self.send(&mut stream, begin).await;
                let mut total = begin.len();
                while sent {
                    sent = self.send(&mut stream, again).await;
                    total += again.len();
                    let mut seen = lock(&self.seen);
                    seen.sent = seen.sent.max(total);
                }
            }
            Behaviour::Trickling { words, pause } => {
                self.receive(&mut stream).await;
                for byte in words.iter().cycle() {
                    if !self.send(&mut stream, &[*byte]).await {
                        break;
                    }
                    tokio::time::sleep(*pause).await;
                }
            }
            Behaviour::Scripted(steps) => self.follow(stream, steps).await,
            Behaviour::OverTls(config, words) => {
                let accepting = TlsAcceptor::from(Arc::clone(config)).accept(stream);
                let Ok(mut stream) = accepting.await else {
                    return;
                };
                self.receive(&mut stream).await;
                self.send(&mut stream, words).await;
                self.listen(&mut stream).await;
            }
        }
    }

    async fn follow(&self, stream: TcpStream, steps: &[Step]) {
        let mut stream: Box<dyn Stream> = match steps {
            // Said before it happens: the connection is no plain one any more once it is boxed.
            steps if steps.iter().any(|step| matches!(step, Step::Reset)) => {
                stream.set_zero_linger().expect("set");
                Box::new(stream)
            }
            _ => Box::new(stream),
        };
        for step in steps {
            let goes_on = match step {
                Step::Receive => self.receive(&mut stream).await,
                Step::ReceiveExactly(length) => {
                    let mut bytes = vec![0; *length];
                    let read = stream.read_exact(&mut bytes).await.is_ok();
                    lock(&self.seen).received[self.number].extend_from_slice(&bytes);
                    read
                }
                Step::Send(words) => self.send(&mut stream, words).await,
                Step::Wait(pause) => {
                    tokio::time::sleep(*pause).await;
                    true
                }
                Step::Tls(config) => match TlsAcceptor::from(Arc::clone(config)).accept(stream).await {
                    Ok(secured) => {
                        stream = Box::new(secured);
                        true
                    }
                    Err(_) => return,
                },
                Step::Reset | Step::Close => false,
                Step::Endless(words) => {
                    let words = words.repeat(1000);
                    let mut total = 0;
                    while self.send(&mut stream, &words).await {
                        total += words.len();
                        let mut seen = lock(&self.seen);
                        seen.sent = seen.sent.max(total);
                    }
                    false
                }
                Step::Trickle(words, pause) => {
                    for byte in words.iter().cycle() {
                        tokio::time::sleep(*pause).await;
                        if !self.send(&mut stream, &[*byte]).await {
                            break;
                        }
                    }
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
        self.listen(&mut stream).await;
    }

    /// Takes in what comes next; `false` at the end of the connection.
    async fn receive(&self, stream: &mut (impl AsyncRead + Unpin)) -> bool {
        let mut bytes = vec![0; 64 * 1024];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                lock(&self.seen).received[self.number].extend_from_slice(&bytes[..length]);
                true
            }
        }
    }

    async fn listen(&self, stream: &mut (impl AsyncRead + Unpin)) {
        while self.receive(stream).await {}
    }

    async fn send(&self, stream: &mut (impl AsyncWrite + Unpin), words: &[u8]) -> bool {
        stream.write_all(words).await.is_ok() && stream.flush().await.is_ok()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        lock(&self.seen).open -= 1;
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
