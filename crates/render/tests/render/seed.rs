//! The outputs that the seed document shows, as it shows them.

use expect_test::{Expect, expect};
use insightpulse_domain::{Kind, RawEndpoint, TlsMode};
use insightpulse_render::{Format, combined, single};

use crate::samples::{endpoint, raw, revealed, subject};

/// As the seed has it: nothing said of TLS, and the password `password`.
fn seeded() -> RawEndpoint {
    RawEndpoint {
        tls_mode: Some(TlsMode::Prefer),
        pooler_host: None,
        ..raw(Kind::Supabase)
    }
}

fn check(format: Format, expected: Expect) {
    let raw = seeded();
    let secrets = revealed(Some("password"), None);
    let document = single(format, raw.record, &endpoint(&raw), &secrets).expect("a document");
    expected.assert_eq(&document.content);
}

#[test]
fn its_three_formats() {
    check(
        Format::Uri,
        expect!["postgresql://postgres:password@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres"],
    );
    check(
        Format::Env,
        expect![[r#"
            SUPABASE_PRODUCTION_URL=postgresql://postgres:password@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres
            SUPABASE_PRODUCTION_USER=postgres
            SUPABASE_PRODUCTION_PASSWORD=password
        "#]],
    );
    check(
        Format::Compose,
        expect![[r#"
            services:
              app:
                environment:
                  - DATABASE_URL=postgresql://postgres:password@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres
        "#]],
    );
    check(
        Format::Sqlalchemy,
        expect!["postgresql+psycopg2://postgres:password@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres"],
    );
}

#[test]
fn its_env_file_of_all() {
    let subjects = [
        subject(&seeded(), revealed(Some("password"), None)),
        subject(&raw(Kind::Mcp), revealed(None, Some("key"))),
    ];
    let document = combined(Format::Env, &subjects).expect("a format of several");
    expect![[r#"
        # InsightPulse AI - Connection Configuration
        # Auto-generated from Connection Manager

        # Supabase Production
        SUPABASE_PRODUCTION_URL=postgresql://postgres:password@db.spdtwktxdalcfigzeqrz.supabase.co:5432/postgres
        SUPABASE_PRODUCTION_USER=postgres
        SUPABASE_PRODUCTION_PASSWORD=password

        # MCP Server - Notion
        MCP_SERVER___NOTION_URL=https://mcp.example.com/mcp
        MCP_SERVER___NOTION_API_KEY=key
    "#]]
    .assert_eq(&document.content);
}
