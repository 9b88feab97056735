//! What a template can say of an endpoint.

mod clients;
mod database;
mod http;
mod parameters;
mod properties;
mod supabase;
mod tls;
mod variables;

use std::cell::OnceCell;
use std::ops::Deref;

use insightpulse_domain::{Address, Endpoint, HttpTarget, Kind, Service, slugs, supabase_project};
use uuid::Uuid;

pub(crate) use database::Database;
pub(crate) use http::Http;

use crate::secrets::Secrets;
use crate::text::Text;
use crate::unwritable::Unwritable;

/// What templates of every kind have.
#[derive(Clone)]
pub(crate) struct Base<'a> {
    pub endpoint: &'a Endpoint,
    /// The record's own uuid.
    pub record: Uuid,
    pub name: Text<'a>,
    slugs: &'a Slugs<'a>,
    place: usize,
    /// Of names of variables; unique in a document.
    pub prefix: &'a str,
    /// No secret is in it; placeholders stand in their places.
    pub is_hidden: bool,
    /// The document is of this endpoint alone.
    pub is_one: bool,
    pub password: Option<Text<'a>>,
    pub api_key: Option<Text<'a>>,
}

/// An endpoint by the family of its address.
pub(crate) enum View<'a> {
    Database(Database<'a>),
    Http(Http<'a>),
}

/// What an endpoint is called in a document.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub slugs: &'a Slugs<'a>,
    pub prefix: &'a str,
    /// The number of the endpoint in the document.
    pub place: usize,
    pub is_one: bool,
}

impl<'a> View<'a> {
    pub fn new(
        endpoint: &'a Endpoint,
        record: Uuid,
        secrets: &'a Secrets,
        names: Names<'a>,
    ) -> Result<Self, Unwritable> {
        let address = endpoint.service.address();
        let needs = match address {
            Address::Database(_) => (true, false),
            Address::Http(_) if secrets.has_any_stored() => (false, false),
            // Which of the two an address takes, its user tells.
            Address::Http(http) => (http.user.is_some(), http.user.is_none()),
        };
        let pair = secrets.pair(needs)?;
        let base = Base {
            endpoint,
            record,
            name: Text::new("name", endpoint.name.as_str()),
            slugs: names.slugs,
            place: names.place,
            prefix: names.prefix,
            is_hidden: secrets.are_placeholders(),
            is_one: names.is_one,
            password: pair.password,
            api_key: pair.api_key,
        };
        Ok(match address {
            Address::Database(target) => View::Database(Database::new(base, target)),
            Address::Http(target) => View::Http(Http::new(base, target)),
        })
    }

    pub fn base(&self) -> &Base<'a> {
        match self {
            View::Database(database) => database,
            View::Http(http) => http,
        }
    }
}

/// For templates of every kind.
impl<'a> Deref for View<'a> {
    type Target = Base<'a>;

    fn deref(&self) -> &Base<'a> {
        self.base()
    }
}

/// The names that files, services and objects have for the endpoints of a document, each another; made when the first is
/// asked for, since most formats have none.
pub(crate) struct Slugs<'a> {
    names: &'a [&'a str],
    made: OnceCell<Vec<String>>,
}

impl<'a> Slugs<'a> {
    pub fn new(names: &'a [&'a str]) -> Self {
        Self {
            names,
            made: OnceCell::new(),
        }
    }

    pub fn get(&self, place: usize) -> &str {
        let made = self.made.get_or_init(|| slugs(self.names.iter().copied()));
        made.get(place).map_or("", String::as_str)
    }
}

impl<'a> Base<'a> {
    /// Of names of files, services and objects; unique in a document.
    pub fn slug(&self) -> &str {
        self.slugs.get(self.place)
    }

    pub fn kind(&self) -> Kind {
        self.endpoint.kind()
    }

    pub fn web(&self) -> Option<&'a HttpTarget> {
        self.endpoint.service.web()
    }

    /// PEM: the record's own authority.
    pub fn authority(&self) -> Option<Text<'a>> {
        let pem = match self.endpoint.service.address() {
            Address::Database(target) => target.authority.as_deref(),
            Address::Http(target) => target.authority.as_deref(),
        };
        pem.map(|pem| Text::new("certificate authority", pem))
    }

    /// PEM: who the record's client is.
    pub fn client_certificate(&self) -> Option<Text<'a>> {
        match self.endpoint.service.address() {
            Address::Database(target) => target.client_certificate.as_deref(),
            Address::Http(_) => None,
        }
        .map(|pem| Text::new("client certificate", pem))
    }

    /// A Compose file's reference to one of this endpoint's variables, which fails where it is not set.
    pub fn reference(&self, name: &str) -> String {
        format!("${{{}_{name}:?}}", self.prefix)
    }

    /// The service that a Compose file starts, beside the service `app`.
    pub fn service_name(&self) -> String {
        match self.slug() {
            "app" => "app-server".into(),
            slug => slug.into(),
        }
    }

    /// The name of a hosted Supabase project.
    pub fn project(&self) -> Option<String> {
        match &self.endpoint.service {
            Service::Supabase { database, .. } => supabase_project(database),
            _ => None,
        }
    }

    pub fn exporter(&self) -> &'static str {
        match self.endpoint.service.address() {
            Address::Http(_) => "By blackbox_exporter, module http_2xx",
            Address::Database(_) if self.kind() == Kind::Mysql => {
                "By mysqld_exporter; its section client.connections has the user and the password"
            }
            Address::Database(_) => {
                "By postgres_exporter; its auth module connections has the user and the password"
            }
        }
    }

    pub fn exporter_parameter(&self) -> &'static str {
        match self.endpoint.service.address() {
            Address::Http(_) => "module: [http_2xx]",
            Address::Database(_) if self.kind() == Kind::Mysql => "auth_module: [client.connections]",
            Address::Database(_) => "auth_module: [connections]",
        }
    }

    pub fn exporter_address(&self) -> &'static str {
        match self.endpoint.service.address() {
            Address::Http(_) => "127.0.0.1:9115",
            Address::Database(_) if self.kind() == Kind::Mysql => "127.0.0.1:9104",
            Address::Database(_) => "127.0.0.1:9187",
        }
    }
}
