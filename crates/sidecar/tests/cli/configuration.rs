//! Each bad configuration is a file, and has its exact message of one line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use crate::program::{insightpulse, run};

#[test]
fn a_bad_configuration_says_in_a_line_which_key_is_wrong_and_what_would_be_right() {
    let mut checked = BTreeSet::new();
    let mut check = |name: &str, expected: Expect| {
        checked.insert(name.to_owned());
        let mut program = insightpulse(&testdata());
        let ended = run(program.args(["serve", "--config"]).arg(format!("{name}.toml")));
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
        expected.assert_eq(ended.complaint());
    };
    check(
        "empty-token-file",
        expect!["server.metrics_token is shorter than 32 characters: make one with `openssl rand -hex 32`"],
    );
    check(
        "egress-rule-that-is-none",
        expect![
            "the configuration from egress-rule-that-is-none.toml and the environment (INSIGHTPULSE_…) is wrong: “10.0.0.0/33” is neither a network such as 10.0.0.0/8 nor a host such as db.example.com or *.example.com for key `egress.allow`"
        ],
    );
    check(
        "number-for-egress-rules",
        expect![
            "the configuration from number-for-egress-rules.toml and the environment (INSIGHTPULSE_…) is wrong: expected a list of networks and hosts, or one text with commas between them for key `egress.deny`"
        ],
    );
    check(
        "key-given-twice",
        expect![
            "the configuration from key-given-twice.toml and the environment (INSIGHTPULSE_…) is wrong: TOML parse error at line 5, column 1: duplicate key"
        ],
    );
    check(
        "list-for-a-token",
        expect![
            "the configuration from list-for-a-token.toml and the environment (INSIGHTPULSE_…) is wrong: invalid type: sequence, expected a string for key `server.metrics_token`"
        ],
    );
    check(
        "log-filter-that-is-none",
        expect![[
            r#"log.filter “info=debug=trace” is none: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5"#
        ]],
    );
    check(
        "missing-token-file",
        expect!["read server.metrics_token_file, no-such-file: No such file or directory (os error 2)"],
    );
    check(
        "no-concurrency",
        expect!["probe.concurrency is 0; it may be 1 to 10000"],
    );
    check(
        "no-keyring",
        expect!["there is no keyring at state/keyring.toml: make one with `insightpulse keys add`"],
    );
    check(
        "not-toml",
        expect![[
            r#"the configuration from not-toml.toml and the environment (INSIGHTPULSE_…) is wrong: TOML parse error at line 1, column 19: invalid basic string, expected `"`"#
        ]],
    );
    check(
        "nothing",
        expect![
            "state_dir is missing (the directory for the keyring and what must outlive a stop); set it in the file or as INSIGHTPULSE_STATE_DIR"
        ],
    );
    check(
        "port-too-large",
        expect![
            "the configuration from port-too-large.toml and the environment (INSIGHTPULSE_…) is wrong: invalid type: 64-bit unsigned integer `70000`, expected an unsigned 16 bit integer for key `server.port`"
        ],
    );
    check(
        "secret-without-quotes",
        expect![
            "the configuration from secret-without-quotes.toml and the environment (INSIGHTPULSE_…) is wrong: TOML parse error at line 4, column 17: string values must be quoted, expected literal string"
        ],
    );
    check(
        "short-token",
        expect!["server.metrics_token is shorter than 32 characters: make one with `openssl rand -hex 32`"],
    );
    check(
        "text-for-a-port",
        expect![[
            r#"the configuration from text-for-a-port.toml and the environment (INSIGHTPULSE_…) is wrong: invalid type: string "http", expected an integer for key `server.port`"#
        ]],
    );
    check(
        "text-for-a-switch",
        expect![[
            r#"the configuration from text-for-a-switch.toml and the environment (INSIGHTPULSE_…) is wrong: invalid type: string "maybe", expected a boolean for key `egress.allow_loopback`"#
        ]],
    );
    check(
        "text-for-a-table",
        expect![[
            r#"the configuration from text-for-a-table.toml and the environment (INSIGHTPULSE_…) is wrong: invalid type: string "127.0.0.1:8787", expected the table [server] for key `server`"#
        ]],
    );
    check(
        "timeout-below-zero",
        expect![
            "the configuration from timeout-below-zero.toml and the environment (INSIGHTPULSE_…) is wrong: invalid type: 64-bit integer `-5`, expected an unsigned 64 bit or less integer for key `probe.timeout_ms`"
        ],
    );
    check(
        "timeout-too-short",
        expect!["probe.timeout_ms is 5; it may be 100 to 60000"],
    );
    check(
        "token-and-token-file",
        expect!["server.metrics_token and server.metrics_token_file are both set: leave one out"],
    );
    check(
        "unknown-key",
        expect![
            "the configuration from unknown-key.toml and the environment (INSIGHTPULSE_…) is wrong: unknown field `timeout`, expected `filter` or `format` for key `log`"
        ],
    );
    check(
        "unknown-key-at-the-top",
        expect![
            "the configuration from unknown-key-at-the-top.toml and the environment (INSIGHTPULSE_…) is wrong: unknown field `stat_dir`, expected one of `state_dir`, `server`, `keyring`, `egress`, `probe`, `store`, `odoo`, `log`"
        ],
    );
    check(
        "unknown-log-format",
        expect![
            "the configuration from unknown-log-format.toml and the environment (INSIGHTPULSE_…) is wrong: “xml” is no format of the log; it may be text or json for key `log.format`"
        ],
    );
    check(
        "store-days-too-few",
        expect!["store.sample_days is 1; it may be 2 to 3650"],
    );
    check(
        "unknown-protocol",
        expect![
            "the configuration from unknown-protocol.toml and the environment (INSIGHTPULSE_…) is wrong: “rest” is no protocol of Odoo's; it may be auto, jsonrpc, xmlrpc or json2 for key `odoo.protocol`"
        ],
    );
    check(
        "unknown-table",
        expect![
            "the configuration from unknown-table.toml and the environment (INSIGHTPULSE_…) is wrong: unknown field `nonsense`, expected one of `state_dir`, `server`, `keyring`, `egress`, `probe`, `store`, `odoo`, `log`"
        ],
    );
    check(
        "two-keyrings",
        expect!["keyring.file, keyring.mounted and keyring.text: set one of them, and leave out the others"],
    );
    check(
        "certificate-without-key",
        expect!["server.tls_certificate and server.tls_key go together: set both or neither"],
    );
    check(
        "socket-with-tls",
        expect!["server.socket has no TLS: leave out server.tls_certificate and server.tls_key"],
    );
    check(
        "no-requests",
        expect!["server.requests_per_second is 0; it may be 1 or more"],
    );
    check(
        "keyring-text-that-is-none",
        expect!["read keyring.text: the keyring is not TOML with `primary` and `[keys]`"],
    );
    let there: BTreeSet<_> = fs::read_dir(testdata())
        .expect("the test's files")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(checked, there);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let mut program = insightpulse(&testdata());
    let ended = run(program.args(["serve", "--config", "no-such-file.toml"]));
    expect!["read the configuration no-such-file.toml: No such file or directory (os error 2)"]
        .assert_eq(ended.complaint());
}

#[test]
fn a_variable_goes_before_the_file_and_a_misspelt_one_is_refused() {
    let check = |name: &str, value: &str, expected: Expect| {
        let mut program = insightpulse(&testdata());
        let ended = run(program
            .env("INSIGHTPULSE_CONFIG", "no-keyring.toml")
            .env(name, value)
            .arg("serve"));
        expected.assert_eq(ended.complaint());
    };
    check(
        "INSIGHTPULSE_PROBE__TIMEOUT_MS",
        "99",
        expect!["probe.timeout_ms is 99; it may be 100 to 60000"],
    );
    check(
        "INSIGHTPULSE_SERVER__PORT",
        "eighty",
        expect![[
            r#"the configuration from no-keyring.toml and the environment (INSIGHTPULSE_…) is wrong: invalid type: string "eighty", expected an integer for key `server.port` in the environment"#
        ]],
    );
    check(
        "INSIGHTPULSE_EGRESS__ALLOW",
        "10.0.0.0/8, a b",
        expect![
            "the configuration from no-keyring.toml and the environment (INSIGHTPULSE_…) is wrong: “a b” is neither a network such as 10.0.0.0/8 nor a host such as db.example.com or *.example.com for key `egress.allow`"
        ],
    );
    check(
        "INSIGHTPULSE_SERVER__TOKN",
        "x",
        expect![
            "the configuration from no-keyring.toml and the environment (INSIGHTPULSE_…) is wrong: unknown field `tokn`, expected one of `host`, `port`, `socket`, `tls_certificate`, `tls_key`, `metrics_token`, `metrics_token_file`, `requests_per_second` for key `server`"
        ],
    );
    check(
        "INSIGHTPULSE_STATEDIR",
        "x",
        expect![
            "the configuration from no-keyring.toml and the environment (INSIGHTPULSE_…) is wrong: unknown field `statedir`, expected one of `state_dir`, `server`, `keyring`, `egress`, `probe`, `store`, `odoo`, `log`"
        ],
    );
    check(
        "INSIGHTPULSE_SERVER__METRICS_TOKEN",
        "short",
        expect!["server.metrics_token is shorter than 32 characters: make one with `openssl rand -hex 32`"],
    );
    check(
        "INSIGHTPULSE_KEYRING__FILE",
        "elsewhere.toml",
        expect!["there is no keyring at elsewhere.toml: make one with `insightpulse keys add`"],
    );
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata")
}
