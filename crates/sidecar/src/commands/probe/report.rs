//! What came of the tests: a table for people, JSON for programs.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use insightpulse_domain::{Facts, Kind, Outcome, Phases, Status, server_text};
use jiff::Timestamp;
use serde::Serialize;

use super::Subject;

pub struct Reporter {
    is_json: bool,
    is_repeated: bool,
    has_colors: bool,
}

/// One endpoint, as programs read it.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    kind: Kind,
    address: String,
    status: Status,
    latency_ms: Option<f64>,
    phases: &'a Phases,
    server_version: &'a Option<String>,
    active_connections: Option<i64>,
    max_connections: Option<i64>,
    failure_kind: Option<&'a str>,
    failure_message: &'a Option<String>,
    failure_advice: &'a Option<String>,
    facts: &'a Facts,
    checked_at: Timestamp,
}

/// Where standard output is no terminal, wide enough for any of our lines to be read in a log.
const WIDTH: u16 = 160;

/// Clears the screen, and goes to its beginning: ECMA-48.
const CLEAR: &str = "\x1b[2J\x1b[H";

impl Reporter {
    pub fn new(is_json: bool, is_repeated: bool, has_colors: bool) -> Self {
        Self {
            is_json,
            is_repeated,
            has_colors,
        }
    }

    pub fn show(&self, subjects: &[Subject], outcomes: &[Outcome]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let pairs = subjects.iter().zip(outcomes);
        if self.is_json {
            let rows: Vec<_> = pairs.map(|(subject, outcome)| row(subject, outcome)).collect();
            // A line for each round, where there are several.
            match self.is_repeated {
                true => serde_json::to_writer(&mut out, &rows)?,
                false => serde_json::to_writer_pretty(&mut out, &rows)?,
            }
            return writeln!(out);
        }
        if self.is_repeated && io::stdout().is_terminal() {
            out.write_all(CLEAR.as_bytes())?;
        }
        writeln!(out, "{}", self.table(pairs))?;
        let count = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
        let (healthy, degraded, failed) = (
            count(Status::Success),
            count(Status::Degraded),
            count(Status::Failed),
        );
        writeln!(out, "{healthy} healthy, {degraded} degraded, {failed} failed")?;
        out.flush()
    }

    fn table<'a>(&self, pairs: impl Iterator<Item = (&'a Subject, &'a Outcome)>) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header([
                "Endpoint",
                "Kind",
                "Status",
                "Latency",
                "Version",
                "What happened, and what to do",
            ]);
        if !io::stdout().is_terminal() {
            table.set_width(WIDTH);
        }
        match self.has_colors {
            true => table.enforce_styling(),
            false => table.force_no_tty(),
        };
        for (subject, outcome) in pairs {
            let (text, color) = match outcome.status {
                Status::Success => ("healthy", Color::Green),
                Status::Degraded => ("degraded", Color::Yellow),
                Status::Failed => ("failed", Color::Red),
            };
            let latency = outcome.latency_ms.map(|latency| format!("{latency:.1} ms"));
            table.add_row([
                Cell::new(server_text(&subject.raw.name)),
                Cell::new(subject.endpoint.kind().as_str()),
                Cell::new(text).fg(color),
                Cell::new(latency.unwrap_or_default()).set_alignment(CellAlignment::Right),
                Cell::new(outcome.server_version.as_deref().unwrap_or_default()),
                Cell::new(told(outcome)),
            ]);
        }
        table
    }
}

/// What is wrong and what to do, or what was learned.
fn told(outcome: &Outcome) -> String {
    let sentences: Vec<_> = [&outcome.failure_message, &outcome.failure_advice]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if !sentences.is_empty() {
        return sentences.join(" ");
    }
    let facts = &outcome.facts;
    let connections = outcome.active_connections.zip(outcome.max_connections);
    let learned = [
        connections.map(|(used, most)| format!("{used} of {most} connections")),
        facts
            .in_recovery
            .filter(|is_replica| *is_replica)
            .map(|_| "replica".to_owned()),
        facts.server_name.clone(),
        facts.protocol.clone(),
        facts.tools.map(|tools| format!("{tools} tools")),
        facts.databases.map(|databases| format!("{databases} databases")),
        facts
            .odoo_version
            .as_ref()
            .map(|version| format!("Odoo {version}")),
        facts.http_status.map(|status| format!("HTTP {status}")),
        facts.tls_version.clone(),
    ];
    learned.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn row<'a>(subject: &'a Subject, outcome: &'a Outcome) -> Row<'a> {
    Row {
        name: &subject.raw.name,
        kind: subject.endpoint.kind(),
        address: subject.endpoint.authority(),
        status: outcome.status,
        latency_ms: outcome.latency_ms,
        phases: &outcome.phases,
        server_version: &outcome.server_version,
        active_connections: outcome.active_connections,
        max_connections: outcome.max_connections,
        failure_kind: outcome.failure_kind.map(|kind| kind.as_str()),
        failure_message: &outcome.failure_message,
        failure_advice: &outcome.failure_advice,
        facts: &outcome.facts,
        checked_at: outcome.checked_at,
    }
}
