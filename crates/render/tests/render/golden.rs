//! A document of each format and kind, as a file to look at: `tests/golden/<kind>/`.
//!
//! `UPDATE_EXPECT=1` writes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use insightpulse_domain::Kind;
use insightpulse_render::{Format, Secrets, combined, single};

use crate::samples::{RECORD, endpoint, raw, stored, subject};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn every_kind_has_a_document_of_each_of_its_formats() {
    for kind in Kind::ALL {
        let endpoint = endpoint(&raw(kind));
        for format in Format::of_kind(kind) {
            for (way, secrets) in [("", stored(kind)), (".placeholder", Secrets::NONE_STORED)] {
                let text = match single(format, RECORD, &endpoint, &secrets) {
                    Ok(document) => document.content,
                    Err(unwritable) => format!("error: {unwritable}\n"),
                };
                let name = format!("{}{way}", format.as_str());
                expect_file![folder().join(kind.as_str()).join(name)].assert_eq(&text);
            }
        }
    }
}

#[test]
fn a_document_of_several_has_all_that_have_a_use_for_it() {
    let mut subjects: Vec<_> = Kind::ALL.map(|kind| subject(&raw(kind), stored(kind))).into();
    let mut unfinished = raw(Kind::Postgresql);
    unfinished.base_url = None;
    // A second one of a name, and one that is not finished.
    subjects.push(subject(&raw(Kind::Mysql), Secrets::NONE_STORED));
    subjects.push(subject(&unfinished, Secrets::NONE_STORED));
    for format in Format::of_several() {
        let document = combined(format, &subjects).expect("a format of several");
        expect_file![folder().join("several").join(format.as_str())].assert_eq(&document.content);
        assert!(
            document
                .left_out
                .iter()
                .any(|(_, reason)| reason.contains("server is missing")),
            "{:?}",
            document.left_out
        );
    }
}

#[test]
fn no_file_is_left_of_a_format_that_is_gone() {
    let ids: BTreeSet<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
    for folder in fs::read_dir(folder()).expect("the golden files") {
        for file in fs::read_dir(folder.expect("a folder").path()).expect("its files") {
            let name = file.expect("a file").file_name().into_string().expect("a name");
            assert!(ids.contains(name.trim_end_matches(".placeholder")), "{name}");
        }
    }
}
