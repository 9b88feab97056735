//! The kinds of endpoints, with their defaults from `data/kinds.toml`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::cadence::Cadence;
use crate::endpoint::{Scheme, TlsMode};
use crate::thresholds::Thresholds;

/// The system that an endpoint is, as `connection_type` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Supabase,
    Postgresql,
    Odoo,
    Superset,
    Mcp,
    Api,
    Mysql,
    Mongodb,
}

/// The protocol that a kind is spoken to in, with what an address may leave out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "family", rename_all = "lowercase")]
pub enum Family {
    Postgresql {
        port: u16,
        tls_mode: TlsMode,
    },
    Mysql {
        port: u16,
        tls_mode: TlsMode,
    },
    Mongodb {
        port: u16,
        tls_mode: TlsMode,
    },
    Http {
        /// Counts only where the address names no scheme.
        port: u16,
        scheme: Scheme,
    },
}

#[derive(Debug, Deserialize)]
struct Row {
    id: Kind,
    label: String,
    #[serde(flatten)]
    family: Family,
    thresholds: Thresholds,
    cadence: Cadence,
}

#[derive(Debug, Deserialize)]
struct Table {
    kind: Vec<Row>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../data/kinds.toml"))
        .expect("data/kinds.toml is compiled in, and a test reads it")
});

impl Kind {
    pub const ALL: [Kind; 8] = [
        Kind::Supabase,
        Kind::Postgresql,
        Kind::Odoo,
        Kind::Superset,
        Kind::Mcp,
        Kind::Api,
        Kind::Mysql,
        Kind::Mongodb,
    ];

    /// By the name that [`as_str`](Self::as_str) gives.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The value of `connection_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Supabase => "supabase",
            Kind::Postgresql => "postgresql",
            Kind::Odoo => "odoo",
            Kind::Superset => "superset",
            Kind::Mcp => "mcp",
            Kind::Api => "api",
            Kind::Mysql => "mysql",
            Kind::Mongodb => "mongodb",
        }
    }

    /// Whether its own address is a database's, and no URL.
    pub fn is_database(self) -> bool {
        !matches!(self.family(), Family::Http { .. })
    }

    /// What people read: "Apache Superset".
    pub fn label(self) -> &'static str {
        &self.row().label
    }

    pub fn family(self) -> &'static Family {
        &self.row().family
    }

    /// What a new record of this kind is held against.
    pub fn thresholds(self) -> Thresholds {
        self.row().thresholds
    }

    /// How often a new record of this kind is tested.
    pub fn cadence(self) -> Cadence {
        self.row().cadence
    }

    fn row(self) -> &'static Row {
        TABLE
            .kind
            .iter()
            .find(|row| row.id == self)
            .expect("a test compares data/kinds.toml with this enum")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_exactly_one_row_of_defaults() {
        let rows: Vec<Kind> = TABLE.kind.iter().map(|row| row.id).collect();
        assert_eq!(rows, Kind::ALL);
    }

    #[test]
    fn the_name_on_the_wire_is_the_one_that_serde_reads() {
        for kind in Kind::ALL {
            let read: Kind = toml::Value::String(kind.as_str().to_owned())
                .try_into()
                .expect("serde knows the kind");
            assert_eq!(read, kind);
        }
    }
}
