//! `endpoints.toml`, as `insightpulse probe --file` reads it.

use crate::{Fields, Unreadable, properties};

pub(crate) fn is_one(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "[[endpoint]]")
}

pub(crate) fn read(text: &str) -> Result<Vec<Fields>, Unreadable> {
    let tree: serde_json::Value =
        toml::from_str(text).map_err(|_| Unreadable::Broken("an endpoints.toml"))?;
    Ok(properties::read(&tree).unwrap_or_default())
}
