//! Documents: one endpoint's, or one for many.

use std::fmt::Write;

use insightpulse_domain::{Endpoint, Kind, env_prefixes};
use serde::Serialize;
use uuid::Uuid;

use crate::encode::comment;
use crate::format::Format;
use crate::secrets::Secrets;
use crate::templates;
use crate::unwritable::Unwritable;
use crate::view::{Names, Slugs, View};

/// An endpoint as far as it could be read, with what its record has anyway.
#[derive(Debug, Clone)]
pub struct Subject {
    pub record: Uuid,
    pub name: String,
    /// Or, for who reads the document, why there is nothing to write.
    pub endpoint: Result<(Endpoint, Secrets), String>,
}

/// A text with what a browser needs to save it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    pub filename: String,
    pub mimetype: &'static str,
    pub content: String,
    /// Names, and why they are not in the content.
    pub left_out: Vec<(String, String)>,
    /// For a download that is an archive of several files; empty where the content is the file.
    pub files: Vec<File>,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    pub path: String,
    pub content: String,
}

/// A value that a form asks for, beside the texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    pub id: &'static str,
    pub label: &'static str,
    pub value: String,
    pub is_secret: bool,
}

/// What an endpoint consists of, for who types it somewhere by hand.
fn parameters(record: Uuid, endpoint: &Endpoint, secrets: &Secrets) -> Result<Vec<Parameter>, Unwritable> {
    let names = Names {
        slugs: &Slugs::new(&[]),
        prefix: "",
        place: 0,
        is_one: true,
    };
    Ok(View::new(endpoint, record, secrets, names)?.parameters())
}

/// One endpoint's document.
pub fn single(
    format: Format,
    record: Uuid,
    endpoint: &Endpoint,
    secrets: &Secrets,
) -> Result<Document, Unwritable> {
    let name = [endpoint.name.as_str()];
    let slugs = Slugs::new(&name);
    let prefixes = env_prefixes(name);
    let names = Names {
        slugs: &slugs,
        prefix: &prefixes[0],
        place: 0,
        is_one: true,
    };
    let view = View::new(endpoint, record, secrets, names)?;
    let row = format.row();
    let frame = row.several.as_ref();
    let mut content = frame.map_or_else(String::new, |frame| frame.head.clone());
    templates::piece(format, &view, &mut content)?;
    if let Some(frame) = frame {
        content.push_str(&frame.tail);
    }
    if !row.value && !content.ends_with('\n') {
        content.push('\n');
    }
    Ok(Document {
        filename: format!("{}.{}", slugs.get(0), row.extension),
        mimetype: &row.mimetype,
        files: files(format, slugs.get(0), &content),
        content,
        left_out: vec![],
    })
}

/// Superset imports an archive, with a word on what it is an archive of.
fn files(format: Format, slug: &str, content: &str) -> Vec<File> {
    if format != Format::SupersetDatabase {
        return vec![];
    }
    let file = |path: String, content: &str| File {
        path,
        content: content.to_owned(),
    };
    vec![
        file(
            format!("{slug}/metadata.yaml"),
            "version: 1.0.0\ntype: Database\n",
        ),
        file(format!("{slug}/databases/{slug}.yaml"), content),
    ]
}

/// About the length of an endpoint's piece in bytes.
const PIECE: usize = 256;

/// One document for all.
///
/// An endpoint that cannot be written is left out, so that one unfinished
/// record does not cost the others their file; where the format has comments,
/// one says why.
pub fn combined(format: Format, subjects: &[Subject]) -> Result<Document, Unwritable> {
    let row = format.row();
    let frame = row.several.as_ref().ok_or(Unwritable::NotForSeveral(format))?;
    let names: Vec<_> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    let (slugs, prefixes) = (Slugs::new(&names), env_prefixes(names.iter().copied()));
    let mut content = String::with_capacity(PIECE * (subjects.len() + 1));
    content.push_str(&frame.title);
    content.push_str(&frame.head);
    let mut left_out = vec![];
    let kinds: Vec<_> = subjects.iter().filter_map(Subject::kind).collect();
    if !kinds.is_empty() && !kinds.iter().any(|kind| format.fits(*kind)) {
        return Err(Unwritable::NotForAny { format, kinds });
    }
    let mut is_first = true;
    for (place, (subject, prefix)) in subjects.iter().zip(&prefixes).enumerate() {
        let names = Names {
            slugs: &slugs,
            prefix,
            place,
            is_one: false,
        };
        let before = content.len();
        if !is_first {
            content.push_str(&frame.between);
        }
        if let Err(reason) = piece(format, subject, names, &mut content) {
            match &row.comment {
                Some(sign) => {
                    let (name, why) = (comment(&subject.name), comment(&reason));
                    write!(content, "{sign} {name}: left out. {why}").expect("a String takes everything");
                }
                None => content.truncate(before),
            }
            left_out.push((subject.name.clone(), reason));
        }
        is_first &= content.len() == before;
        // A frame that has a tail ends its pieces itself.
        if frame.tail.is_empty() && !content.ends_with('\n') {
            content.push('\n');
        }
    }
    content.push_str(&frame.tail);
    Ok(Document {
        filename: format!("connections.{}", row.extension),
        mimetype: &row.mimetype,
        content,
        left_out,
        files: vec![],
    })
}

impl Subject {
    /// Its own document; or, for who reads it, why there is none.
    pub fn document(&self, format: Format) -> Result<Document, String> {
        let (endpoint, secrets) = self.endpoint.as_ref().map_err(Clone::clone)?;
        single(format, self.record, endpoint, secrets).map_err(|unwritable| unwritable.to_string())
    }

    /// None, of what could not be read.
    pub fn parameters(&self) -> Vec<Parameter> {
        match &self.endpoint {
            Ok((endpoint, secrets)) => parameters(self.record, endpoint, secrets).unwrap_or_default(),
            Err(_) => vec![],
        }
    }

    /// Of what could be read.
    pub fn kind(&self) -> Option<Kind> {
        self.endpoint.as_ref().ok().map(|(endpoint, _)| endpoint.kind())
    }
}

fn piece(format: Format, subject: &Subject, names: Names<'_>, content: &mut String) -> Result<(), String> {
    let (endpoint, secrets) = subject.endpoint.as_ref().map_err(Clone::clone)?;
    if !format.fits(endpoint.kind()) {
        return Err("This format is of no use for it.".into());
    }
    View::new(endpoint, subject.record, secrets, names)
        .and_then(|view| templates::piece(format, &view, content))
        .map_err(|unwritable| unwritable.to_string())
}
