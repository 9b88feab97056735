//! Why a document cannot say what it should.

use insightpulse_domain::Kind;

use crate::format::Format;

/// Never with the secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    #[error("The {what} has {why}. Take another format, or change it.")]
    Unfit {
        /// "password", "user name".
        what: &'static str,
        why: &'static str,
    },
    #[error("{0}")]
    Missing(&'static str),
    #[error("“{}” is of no use for {}; there are: {}.", .format.as_str(), .kind.label(), names(Format::of_kind(*.kind)))]
    NotForKind { format: Format, kind: Kind },
    #[error("“{}” is of no use for any of these connections; for all of them there are: {}.", .format.as_str(), names(.kinds.iter().fold(Format::of_several().collect(), common).into_iter()))]
    NotForAny { format: Format, kinds: Vec<Kind> },
    #[error("“{}” is written for one connection; for several there are: {}.", .0.as_str(), names(Format::of_several()))]
    NotForSeveral(Format),
}

fn common(formats: Vec<Format>, kind: &Kind) -> Vec<Format> {
    formats.into_iter().filter(|format| format.fits(*kind)).collect()
}

fn names(formats: impl Iterator<Item = Format>) -> String {
    formats.map(Format::as_str).collect::<Vec<_>>().join(", ")
}
