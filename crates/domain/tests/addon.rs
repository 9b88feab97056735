//! The addon's tables and this crate's say the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use expect_test::expect_file;
use insightpulse_domain::{
    Evidence, Facts, Failure, FailureKind, Family, Kind, Outcome, Part, Phase, Phases, Reason, SAID, SignIn,
    Status, TlsMode,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

#[test]
fn the_kinds_are_the_addons_connection_types() {
    let expected: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| (kind.as_str().to_owned(), kind.label().to_owned()))
        .collect();
    assert_eq!(selection("connection_type"), expected);
}

#[test]
fn the_addon_knows_which_kinds_are_databases() {
    let expected = |is_one: fn(&Family) -> bool| -> Vec<String> {
        let kinds = Kind::ALL.iter().filter(|kind| is_one(kind.family()));
        kinds.map(|kind| kind.as_str().to_owned()).collect()
    };
    let addons = |name| strings(python_constant(&model(), name, '(', ')'));
    assert_eq!(
        addons("POSTGRESQL_KINDS"),
        expected(|family| matches!(family, Family::Postgresql { .. }))
    );
    assert_eq!(
        addons("DATABASE_KINDS"),
        expected(|family| !matches!(family, Family::Http { .. }))
    );
}

/// `UPDATE_EXPECT=1` writes the addon's file.
#[test]
fn the_addon_has_every_sentence_to_translate() {
    let entry = |name: &str, text: &str| {
        // A percent sign is a place's beginning in Python.
        let text = text.replace('%', "%%").replace('{', "%(").replace('}', ")s");
        assert!(!text.contains(['"', '\\', '\n']), "{text}");
        let line = format!("    \"{name}\": _lt(\"{text}\"),\n");
        // As the formatter of the addon breaks it.
        match line.trim_end().chars().count() <= 120 {
            true => line,
            false => format!("    \"{name}\": _lt(\n        \"{text}\"\n    ),\n"),
        }
    };
    let reasons: String = Reason::ALL
        .iter()
        .map(|(name, _, text)| entry(name, text))
        .collect();
    let advice: String = FailureKind::ALL
        .iter()
        .map(|kind| entry(kind.as_str(), kind.advice()))
        .collect();
    let parts: String = Part::ALL
        .iter()
        .map(|part| entry(&part.label().to_lowercase(), part.label()))
        .collect();
    let said = entry("", SAID.trim());
    let said = said.trim_start_matches("    \"\": ").trim_end_matches(",\n");
    let file = format!(
        "\"\"\"What happened, and what to do: written by a test of `crates/domain`, whose texts these are.\"\"\"\n\n\
         from odoo.tools.translate import LazyTranslate\n\n\
         _lt = LazyTranslate(__name__)\n\n\
         REASONS = {{\n{reasons}}}\n\
         ADVICE = {{\n{advice}}}\n\
         PARTS = {{\n{parts}}}\n\
         SAID = {said}\n"
    );
    expect_file!["../../../odoo_addon/insightpulse_connection_manager/tools/failure_texts.py"]
        .assert_eq(&file);
}

#[test]
fn the_ways_to_sign_in_are_the_addons() {
    let options = addon_file("models/connection_endpoint_options.py");
    let ways: Vec<SignIn> = selection_in(&options, "sign_in")
        .iter()
        .map(|(value, _)| read(value))
        .collect();
    assert_eq!(
        ways,
        [SignIn::None, SignIn::Bearer, SignIn::Basic, SignIn::Header]
    );
}

#[test]
fn the_addon_fills_in_the_kinds_own_ports() {
    let ports: BTreeMap<String, String> = dict("DEFAULT_PORTS");
    for kind in Kind::ALL {
        let (port, has_to_be_there) = match kind.family() {
            Family::Postgresql { port, .. } | Family::Mysql { port, .. } | Family::Mongodb { port, .. } => {
                (port, true)
            }
            // An address may say by its scheme which port it means.
            Family::Http { port, .. } => (port, false),
        };
        match ports.get(kind.as_str()) {
            Some(addons) => assert_eq!(addons, &port.to_string(), "{kind:?}"),
            None => assert!(!has_to_be_there, "{kind:?} has no port in the addon"),
        }
    }
    let known = |name: &String| Kind::ALL.iter().any(|kind| kind.as_str() == name);
    assert!(ports.keys().all(known), "{ports:?}");
}

#[test]
fn the_addon_fills_in_the_kinds_own_tls_modes() {
    let modes: BTreeMap<String, String> = dict("DEFAULT_TLS_MODES");
    for kind in Kind::ALL {
        if let Family::Postgresql { tls_mode, .. }
        | Family::Mysql { tls_mode, .. }
        | Family::Mongodb { tls_mode, .. } = kind.family()
        {
            let addons = modes
                .get(kind.as_str())
                .map_or("prefer", |mode| mode.trim_matches('"'));
            assert_eq!(addons, tls_mode.as_str(), "{kind:?}");
        }
    }
}

#[test]
fn the_tls_modes_are_the_addons() {
    let modes: Vec<TlsMode> = selection("tls_mode")
        .iter()
        .map(|(value, _)| read(value))
        .collect();
    assert_eq!(
        modes,
        [
            TlsMode::Disable,
            TlsMode::Prefer,
            TlsMode::Require,
            TlsMode::VerifyCa,
            TlsMode::VerifyFull
        ]
    );
}

#[test]
fn the_addon_takes_every_status_and_no_other() {
    let mut statuses = strings(python_constant(&probe_outcome(), "STATUSES", '(', ')'));
    let read_back: Vec<Status> = statuses.iter().map(|value| read(value)).collect();
    assert_eq!(read_back, [Status::Success, Status::Degraded, Status::Failed]);
    // What no probe has said yet.
    statuses.insert(0, "draft".into());
    let selected: Vec<_> = selection("status").into_iter().map(|(value, _)| value).collect();
    assert_eq!(selected, statuses);
}

#[test]
fn the_addon_takes_every_kind_of_failure() {
    let pattern = r#"FAILURE_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")"#;
    assert!(
        probe_outcome().contains(pattern),
        "the addon has another pattern now: change this test with it"
    );
    for &kind in FailureKind::ALL {
        let name = kind.as_str();
        let mut bytes = name.bytes();
        assert!(
            bytes.next().is_some_and(|byte| byte.is_ascii_lowercase()),
            "{name}"
        );
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(bytes.all(allowed) && name.len() <= 64, "{name}");
        assert_eq!(read::<FailureKind>(name), kind);
    }
}

#[test]
fn the_addon_reads_every_key_of_an_outcome() {
    let reader = probe_outcome();
    let mut phases = Phases::default();
    for phase in [
        Phase::Resolve,
        Phase::Connect,
        Phase::Tls,
        Phase::Login,
        Phase::Query,
    ] {
        phases.add(phase, std::time::Duration::from_millis(1));
    }
    let outcome = Outcome::new(
        (7, Uuid::nil(), 1),
        Uuid::nil(),
        Err::<Evidence, _>(Failure::from(Reason::KeyRefused { place: "x:1".into() })),
        phases,
        &Kind::Api.thresholds(),
        jiff::Timestamp::UNIX_EPOCH,
    );
    let written = toml::Table::try_from(&outcome).expect("a table");
    // What a failure has not, TOML leaves out.
    let absent = [
        "latency_ms",
        "server_version",
        "active_connections",
        "max_connections",
    ];
    for key in written.keys().map(String::as_str).chain(absent) {
        assert!(
            reader.contains(&format!("\"{key}\"")),
            "the addon does not read {key}"
        );
    }
    assert_eq!(written.len() + absent.len(), 16, "{written:?}");
    for kind in ["failure_kind", "failure_message", "failure_advice"] {
        assert!(written.contains_key(kind), "{kind}");
    }
}

#[test]
fn the_addon_reads_every_fact_and_every_part() {
    let text = || Some("x".to_owned());
    let facts = Facts {
        reserved_connections: Some(1),
        in_recovery: Some(true),
        replica_lag_s: Some(1.5),
        database_bytes: Some(1),
        certificate_expires_at: Some(jiff::Timestamp::UNIX_EPOCH),
        tls_version: text(),
        server_name: text(),
        protocol: text(),
        http_status: Some(200),
        body_bytes: Some(1),
        tools: Some(1),
        databases: Some(1),
        odoo_version: text(),
        parts: Part::ALL.to_vec(),
    };
    let reader = probe_outcome();
    let written = toml::Table::try_from(&facts).expect("a table");
    for key in written.keys() {
        assert!(
            reader.contains(&format!("\"{key}\"")),
            "the addon does not read {key}"
        );
    }
    let parts: Vec<Part> = strings(python_constant(&reader, "PARTS", '(', ')'))
        .iter()
        .map(|part| read(part))
        .collect();
    assert_eq!(parts, Part::ALL);
}

/// Reads a name as the wire has it.
fn read<T: DeserializeOwned>(name: &str) -> T {
    toml::Value::String(name.to_owned())
        .try_into()
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The values and labels of one of the model's selection fields.
fn selection(field: &str) -> Vec<(String, String)> {
    selection_in(&model(), field)
}

fn selection_in(source: &str, field: &str) -> Vec<(String, String)> {
    let begin = format!("\n    {field} = fields.Selection(");
    let (_, rest) = source
        .split_once(&begin)
        .unwrap_or_else(|| panic!("the addon's model has no selection {field}"));
    let list = between(rest, '[', ']');
    let texts = strings(list);
    assert!(
        !texts.is_empty() && texts.len().is_multiple_of(2),
        "{field}: {list}"
    );
    texts
        .chunks(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

fn dict(name: &str) -> BTreeMap<String, String> {
    let source = model();
    let entries = python_constant(&source, name, '{', '}');
    entries
        .split(',')
        .map(|entry| {
            let (key, value) = entry.split_once(':').unwrap_or_else(|| panic!("{name}: {entry}"));
            (key.trim().trim_matches('"').to_owned(), value.trim().to_owned())
        })
        .collect()
}

fn python_constant<'a>(source: &'a str, name: &str, open: char, close: char) -> &'a str {
    let (_, rest) = source
        .split_once(&format!("\n{name} = "))
        .unwrap_or_else(|| panic!("the addon has no {name}"));
    between(rest, open, close)
}

fn between(text: &str, open: char, close: char) -> &str {
    let (_, rest) = text.split_once(open).expect("an opening bracket");
    rest.split_once(close).expect("a closing bracket").0
}

/// What stands in double quotes.
fn strings(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn model() -> String {
    addon_file("models/connection_endpoint.py")
}

fn probe_outcome() -> String {
    addon_file("tools/probe_outcome.py")
}

fn addon_file(path: &str) -> String {
    let addon =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../odoo_addon/insightpulse_connection_manager");
    let path = addon.join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
