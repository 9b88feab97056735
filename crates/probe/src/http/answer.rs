//! An answer: its head, what it means, and as much of its body as is wanted.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION};
use hyper::{Response, Version};
use insightpulse_domain::{Failure, Reason, StatusSet, server_text};
use serde::de::DeserializeOwned;

use super::BODY_MAX;
use super::client::{Connection, broken};
use crate::bounded::Unwanted;
use crate::tls;

/// The head is there; the body comes.
pub struct Answer<'a> {
    pub status: u16,
    pub headers: HeaderMap,
    version: Version,
    body: Incoming,
    connection: &'a mut Connection,
    place: &'a str,
    is_signed_in: bool,
}

/// A body that was read to its end.
pub struct Text<'a> {
    pub bytes: Vec<u8>,
    place: &'a str,
}

impl<'a> Answer<'a> {
    pub(super) fn new(
        response: Response<Incoming>,
        connection: &'a mut Connection,
        place: &'a str,
        is_signed_in: bool,
    ) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            version: head.version,
            headers: head.headers,
            body,
            connection,
            place,
            is_signed_in,
        }
    }

    /// `HTTP/1.1`
    pub fn version(&self) -> String {
        format!("{:?}", self.version)
    }

    pub fn is_of_type(&self, kind: &str) -> bool {
        let given = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        given.is_some_and(|given| {
            let essence = given.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case(kind)
        })
    }

    pub fn expect_success(&self) -> Result<(), Failure> {
        self.expect(&StatusSet::default())
    }

    /// A status that is not expected means something of its own, where it does.
    pub fn expect(&self, expected: &StatusSet) -> Result<(), Failure> {
        if expected.contains(self.status) {
            return Ok(());
        }
        let (place, status) = (self.place.to_owned(), self.status.to_string());
        Err(match self.status {
            401 | 407 if self.is_signed_in => Reason::CredentialsRefused { place, status },
            401 | 407 => Reason::CredentialsMissing { place, status },
            403 => Reason::HttpForbidden { place },
            429 => Reason::HttpTooMany { place },
            300..=399 => self.redirect(place, status),
            500..=599 => Reason::HttpServerError { place, status },
            _ => Reason::StatusUnexpected {
                place,
                status,
                expected: expected.to_string(),
            },
        }
        .into())
    }

    fn redirect(&self, place: String, status: String) -> Reason {
        let location = self.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        match location.map(without_query).filter(|address| !address.is_empty()) {
            Some(address) => Reason::RedirectedTo {
                place,
                status,
                address,
            },
            None => Reason::Redirected { place, status },
        }
    }

    /// The next piece of the body; `None` at its end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = self.body.frame();
            let frame = async { frame.await.transpose() };
            match self.connection.wait(frame).await {
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Err(error) if tls::find::<Unwanted>(&error).is_some() => return Err(self.too_large()),
                Err(error) => return Err(broken(self.place, &error)),
            }
        }
    }

    /// Reads the body to its end and counts it.
    pub async fn size(mut self) -> Result<usize, Failure> {
        let mut size = 0;
        while let Some(piece) = self.piece().await? {
            size += piece.len();
            self.require_small(size)?;
        }
        Ok(size)
    }

    /// Reads the body to its end, as the server sent it: a compressed one is refused.
    pub async fn text(mut self) -> Result<Text<'a>, Failure> {
        self.require_plain()?;
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece().await? {
            bytes.extend_from_slice(&piece);
            self.require_small(bytes.len())?;
        }
        Ok(Text {
            bytes,
            place: self.place,
        })
    }

    pub fn require_plain(&self) -> Result<(), Failure> {
        match self.headers.get(CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" => Err(Reason::Compressed {
                place: self.place.into(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    fn require_small(&self, size: usize) -> Result<(), Failure> {
        match size <= BODY_MAX {
            true => Ok(()),
            false => Err(self.too_large()),
        }
    }

    pub fn too_large(&self) -> Failure {
        Reason::TooLarge {
            place: self.place.into(),
            limit: format!("{} KiB", BODY_MAX / 1024),
        }
        .into()
    }

    /// It ended before what was waited for.
    pub fn cut(&self) -> Failure {
        Reason::CutBeforeAnswer {
            place: self.place.into(),
        }
        .into()
    }
}

impl Text<'_> {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.bytes).map_err(|_| {
            Reason::NotJson {
                place: self.place.into(),
            }
            .into()
        })
    }
}

/// A redirect's query may have a token in it, and its authority a password.
fn without_query(address: &str) -> String {
    let plain = address.split(['?', '#']).next().unwrap_or_default();
    let plain = match (plain.split_once("//"), plain.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}//{host}"),
        _ => plain.to_owned(),
    };
    server_text(&plain)
}
