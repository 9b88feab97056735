//! An MCP server: who it is, and how many tools it has.
//!
//! Three generations are spoken, the newest first: the stateless one of
//! 2026-07-28 (`server/discover`), the one with sessions (`initialize`), and
//! the transport of 2024-11-05 with two HTTP requests (HTTP+SSE).
//!
//! <https://modelcontextprotocol.io/specification>

use std::collections::{HashSet, VecDeque};

use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use insightpulse_domain::{Evidence, Facts, Failure, HttpTarget, Phase, Reason, server_text_without};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Answer, BODY_MAX, Client, Event, Events, bearer};
use crate::{Asking, another_protocol};

/// The newest version of the stateless generation, and of the one with sessions.
const STATELESS: &str = "2026-07-28";
const WITH_SESSIONS: &str = "2025-11-25";

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// More pages of tools than a server has that means well.
const PAGES_MAX: usize = 20;

const MCP: &str = "MCP";
const EVENT_STREAM: &str = "text/event-stream";

/// A JSON-RPC message that answers something.
#[derive(Debug, Deserialize)]
struct Message {
    id: Option<Value>,
    result: Option<Value>,
    error: Option<RpcError>,
}

#[derive(Debug, Deserialize)]
struct RpcError {
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Hello {
    protocol_version: Option<String>,
    supported_versions: Vec<String>,
    server_info: Info,
    capabilities: serde_json::Map<String, Value>,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Info,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    name: String,
    version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tools {
    tools: Vec<serde::de::IgnoredAny>,
    next_cursor: Option<String>,
}

/// How requests go to one server, once it is known.
enum Dialect {
    Stateless,
    Session {
        id: Option<HeaderValue>,
        version: String,
    },
}

struct Server<'a> {
    client: Client<'a>,
    path: &'a str,
    authorization: Option<HeaderValue>,
    asking: Asking<'a>,
    last_id: u64,
}

pub async fn probe(place: &HttpTarget, asking: Asking<'_>) -> Result<Evidence, Failure> {
    let mut server = Server {
        client: Client::new(place, asking.net, asking.watch),
        path: &place.path,
        authorization: asking.target.api_key.as_ref().map(bearer).transpose()?,
        asking,
        last_id: 0,
    };
    let (hello, tools) = match server.discover().await? {
        Some(hello) => {
            let tools = server.count_tools(&hello, &Dialect::Stateless).await?;
            (hello, tools)
        }
        None => match server.initialize().await? {
            Some((hello, session)) => {
                let tools = server.count_tools(&hello, &session).await;
                server.delete(&session).await;
                (hello, tools?)
            }
            None => server.over_two_requests(place).await?,
        },
    };
    asking.watch.stop();
    Ok(server.evidence(hello, tools))
}

impl Server<'_> {
    /// `None` where the server is of an older generation.
    async fn discover(&mut self) -> Result<Option<Hello>, Failure> {
        let (id, body) = self.request("server/discover", stateless(json!({})));
        let headers = self.headers(Some(STATELESS), Some("server/discover"), None);
        let answer = self.post(&headers, body).await?;
        match answer.status {
            200..=299 => {}
            // What every generation means by these, and what a proxy says by itself.
            300..=399 | 401 | 403 | 407 | 429 | 502..=504 => {
                answer.expect_success()?;
            }
            // Older ones: a session is missing, the version or the method is unknown, or there is no POST.
            _ => return Ok(None),
        }
        let message = read(answer, id).await?;
        match message {
            Some(Message {
                result: Some(result), ..
            }) => Ok(serde_json::from_value(result).ok()),
            // Without a session, some answer 200 with an error in it.
            Some(Message { error: Some(_), .. }) => Ok(None),
            _ => Err(self.another_protocol()),
        }
    }

    /// `None` where the server does not speak over one address.
    async fn initialize(&mut self) -> Result<Option<(Hello, Dialect)>, Failure> {
        let (id, body) = self.request("initialize", introduction());
        let headers = self.headers(None, None, None);
        let answer = self.post(&headers, body).await?;
        if matches!(answer.status, 400 | 404 | 405) {
            return Ok(None);
        }
        answer.expect_success()?;
        let mut dialect = Dialect::Session {
            id: answer.headers.get(SESSION).cloned(),
            version: WITH_SESSIONS.into(),
        };
        let hello: Hello = match read(answer, id).await.and_then(|message| self.result(message)) {
            Ok(hello) => hello,
            Err(failure) => {
                self.delete(&dialect).await;
                return Err(failure);
            }
        };
        if let (Dialect::Session { version, .. }, Some(agreed)) = (&mut dialect, &hello.protocol_version) {
            version.clone_from(agreed);
        }
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let headers = self.headers_of(&dialect, None);
        let answer = self.post(&headers, ready).await;
        if let Err(failure) = answer.and_then(|answer| answer.expect_success()) {
            self.delete(&dialect).await;
            return Err(failure);
        }
        // Its body, if it has one, says nothing.
        self.client.close();
        Ok(Some((hello, dialect)))
    }

    async fn count_tools(&mut self, hello: &Hello, dialect: &Dialect) -> Result<i64, Failure> {
        if !hello.capabilities.contains_key("tools") {
            return Ok(0);
        }
        let mut count = 0;
        let mut cursor = None;
        let mut seen = HashSet::new();
        for _ in 0..PAGES_MAX {
            let params = match &cursor {
                Some(cursor) => json!({ "cursor": cursor }),
                None => json!({}),
            };
            let params = match dialect {
                Dialect::Stateless => stateless(params),
                Dialect::Session { .. } => params,
            };
            let (id, body) = self.request("tools/list", params);
            let headers = self.headers_of(dialect, Some("tools/list"));
            let answer = self.post(&headers, body).await?;
            answer.expect_success()?;
            let message = read(answer, id).await?;
            let page: Tools = self.result(message)?;
            count += page.tools.len();
            match page.next_cursor {
                Some(next) if seen.insert(next.clone()) => cursor = Some(next),
                _ => break,
            }
        }
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// A session that is left costs the server memory for as long as it runs.
    async fn delete(&mut self, dialect: &Dialect) {
        let Dialect::Session { id: Some(_), .. } = dialect else {
            return;
        };
        let headers = self.headers_of(dialect, None);
        // What answers it is of no concern: 405 is a server that ends sessions by itself.
        let asked = self
            .client
            .ask(Method::DELETE, self.path, &headers, None, Phase::Query)
            .await;
        drop(asked);
    }

    /// The transport of 2024-11-05: one request listens, others ask.
    async fn over_two_requests(&mut self, place: &HttpTarget) -> Result<(Hello, i64), Failure> {
        let mut headers = self.headers(None, None, None);
        headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
        let mut listener = Client::new(place, self.asking.net, self.asking.watch);
        let mut stream = listener.get(self.path, &headers, Phase::Query).await?;
        stream.expect_success()?;
        if !stream.is_of_type(EVENT_STREAM) {
            return Err(self.another_protocol());
        }
        let mut events = Listening::new(&mut stream);
        let endpoint = events.next(|event| event.name == "endpoint").await?;
        let path = same_origin(place, &endpoint).ok_or_else(|| self.another_protocol())?;

        let mut ask = async |server: &mut Self, method: &str, params: Value| -> Result<Value, Failure> {
            let (id, body) = server.request(method, params);
            server.post_to(&path, body).await?;
            let data = events.next(|event| is_answer(&event.data, id)).await?;
            server.result(serde_json::from_str(&data).ok())
        };
        let hello = ask(self, "initialize", introduction()).await?;
        let hello: Hello = serde_json::from_value(hello).map_err(|_| self.another_protocol())?;
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.post_to(&path, ready).await?;
        let count = match hello.capabilities.contains_key("tools") {
            true => {
                let tools = ask(self, "tools/list", json!({})).await?;
                let tools: Tools = serde_json::from_value(tools).map_err(|_| self.another_protocol())?;
                tools.tools.len()
            }
            false => 0,
        };
        Ok((hello, i64::try_from(count).unwrap_or(i64::MAX)))
    }

    async fn post_to(&mut self, path: &str, body: Value) -> Result<(), Failure> {
        let headers = self.headers(None, None, None);
        let answer = self.client.post(path, &headers, &body, Phase::Query).await?;
        answer.expect_success()?;
        answer.size().await.map(|_| ())
    }

    async fn post(&mut self, headers: &HeaderMap, body: Value) -> Result<Answer<'_>, Failure> {
        self.client.post(self.path, headers, &body, Phase::Query).await
    }

    fn request(&mut self, method: &str, params: Value) -> (u64, Value) {
        self.last_id += 1;
        let body = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        (self.last_id, body)
    }

    fn headers(
        &self,
        version: Option<&str>,
        method: Option<&'static str>,
        session: Option<&HeaderValue>,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        let version = version.and_then(|version| HeaderValue::from_str(version).ok());
        let given = [
            (AUTHORIZATION, self.authorization.clone()),
            (PROTOCOL_VERSION, version),
            (METHOD, method.map(HeaderValue::from_static)),
            (SESSION, session.cloned()),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        headers
    }

    fn headers_of(&self, dialect: &Dialect, method: Option<&'static str>) -> HeaderMap {
        match dialect {
            Dialect::Stateless => self.headers(Some(STATELESS), method, None),
            Dialect::Session { id, version } => self.headers(Some(version), None, id.as_ref()),
        }
    }

    fn result<T: serde::de::DeserializeOwned>(&self, message: Option<Message>) -> Result<T, Failure> {
        match message {
            Some(Message {
                result: Some(result), ..
            }) => serde_json::from_value(result).map_err(|_| self.another_protocol()),
            Some(Message {
                error: Some(error), ..
            }) => {
                let failure = Failure::from(Reason::ServerError {
                    place: self.client.place.clone(),
                });
                Err(failure.said(&format!("{}: {}", error.code, error.message), self.secrets()))
            }
            _ => Err(self.another_protocol()),
        }
    }

    fn evidence(&self, hello: Hello, tools: i64) -> Evidence {
        let clean =
            |text: &str| Some(server_text_without(text, self.secrets())).filter(|text| !text.is_empty());
        let info = match hello.server_info.name.is_empty() {
            true => hello.meta.server_info,
            false => hello.server_info,
        };
        let stateless = || hello.supported_versions.iter().max().cloned();
        let protocol = hello.protocol_version.clone().or_else(stateless);
        Evidence {
            server_version: clean(&info.version),
            facts: Facts {
                server_name: clean(&info.name),
                protocol: protocol.and_then(|version| clean(&version)),
                tools: Some(tools),
                ..self.client.facts()
            },
            ..Evidence::default()
        }
    }

    fn secrets(&self) -> Option<&str> {
        self.asking
            .target
            .api_key
            .as_ref()
            .map(ExposeSecret::expose_secret)
    }

    fn another_protocol(&self) -> Failure {
        another_protocol(&self.client.place, MCP)
    }
}

/// The message that answers a request, from a body that is one, or from a
/// stream that has it among others.
async fn read(mut answer: Answer<'_>, id: u64) -> Result<Option<Message>, Failure> {
    if !answer.is_of_type(EVENT_STREAM) {
        let text = answer.text().await?;
        return Ok(serde_json::from_slice(&text.bytes).ok());
    }
    answer.require_plain()?;
    let data = Listening::new(&mut answer)
        .next(|event| is_answer(&event.data, id))
        .await?;
    Ok(serde_json::from_str(&data).ok())
}

fn is_answer(data: &str, id: u64) -> bool {
    serde_json::from_str(data).is_ok_and(|message: Message| message.id == Some(id.into()))
}

/// The events of a stream that is open.
struct Listening<'s, 'a> {
    stream: &'s mut Answer<'a>,
    events: Events,
    waiting: VecDeque<Event>,
    read: usize,
}

impl<'s, 'a> Listening<'s, 'a> {
    fn new(stream: &'s mut Answer<'a>) -> Self {
        Self {
            stream,
            events: Events::default(),
            waiting: VecDeque::new(),
            read: 0,
        }
    }

    /// The data of the next event that is wanted; others are passed over.
    async fn next(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Result<String, Failure> {
        loop {
            while let Some(event) = self.waiting.pop_front() {
                if is_wanted(&event) {
                    return Ok(event.data);
                }
            }
            let piece = self.stream.piece().await?.ok_or_else(|| self.stream.cut())?;
            self.read += piece.len();
            if self.read > BODY_MAX {
                return Err(self.stream.too_large());
            }
            self.waiting.extend(self.events.push(&piece));
        }
    }
}

/// The path that a server says to post to; one of another origin would get the key.
fn same_origin(place: &HttpTarget, endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.trim().parse().ok()?;
    if let Some(authority) = uri.authority() {
        let port = authority.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        let is_same = uri.scheme_str() == Some(place.scheme.as_str())
            && authority.host() == place.host.to_string()
            && port == place.port.get();
        if !is_same {
            return None;
        }
    }
    let path = uri.path_and_query()?.as_str();
    (path.starts_with('/') && !path.starts_with("//")).then(|| path.to_owned())
}

fn client_info() -> Value {
    json!({"name": "InsightPulse", "version": env!("CARGO_PKG_VERSION")})
}

fn introduction() -> Value {
    json!({"protocolVersion": WITH_SESSIONS, "capabilities": {}, "clientInfo": client_info()})
}

/// What the stateless generation wants in each request.
fn stateless(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo": client_info(),
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

/// For who fuzzes: everything that is read of an answer.
pub fn parse_everything(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    is_answer(&text, 1);
    if let Ok(Message {
        result: Some(result), ..
    }) = serde_json::from_slice(bytes)
    {
        let _: Option<Hello> = serde_json::from_value(result.clone()).ok();
        let _: Option<Tools> = serde_json::from_value(result).ok();
    }
}

#[cfg(test)]
mod tests {
    use insightpulse_domain::{Address, Endpoint, Kind, RawEndpoint};

    use super::*;

    #[test]
    fn a_key_is_posted_to_its_own_origin_only() {
        let raw = RawEndpoint {
            base_url: Some("https://mcp.example/sse".into()),
            ..RawEndpoint::new(Kind::Mcp)
        };
        let endpoint = Endpoint::parse(&raw).expect("valid");
        let Address::Http(place) = endpoint.service.address() else {
            panic!("an address")
        };
        let check = |endpoint, path: Option<&str>| {
            assert_eq!(same_origin(place, endpoint).as_deref(), path, "{endpoint}")
        };
        check("/message?session=1", Some("/message?session=1"));
        check("https://mcp.example/message", Some("/message"));
        check("https://mcp.example:443/message", Some("/message"));
        for other in [
            "https://evil.example/m",
            "http://mcp.example/m",
            "https://mcp.example:8443/m",
            "//evil.example/m",
            "m",
        ] {
            check(other, None);
        }
    }
}
