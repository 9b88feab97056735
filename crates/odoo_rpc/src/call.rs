//! One call of a public method, in what all dialects can say.

use serde_json::{Map, Value, json};

/// Arguments have names, since JSON-2 knows no others.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) model: String,
    pub(crate) method: String,
    /// `None` for a method of the model itself.
    pub(crate) ids: Option<Vec<i64>>,
    pub(crate) arguments: Map<String, Value>,
}

impl Call {
    pub fn new(model: &str, method: &str) -> Self {
        Self {
            model: model.into(),
            method: method.into(),
            ids: None,
            arguments: Map::new(),
        }
    }

    /// The records that the method is called on.
    pub fn ids(mut self, ids: impl Into<Vec<i64>>) -> Self {
        self.ids = Some(ids.into());
        self
    }

    /// An argument, by the name that the method's definition gives it.
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.arguments.insert(name.into(), value.into());
        self
    }

    /// Such as `{"lang": "de_DE"}`.
    pub fn context(self, context: impl Into<Value>) -> Self {
        self.arg("context", context)
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    /// As `execute_kw` takes it: positional arguments, and those with names.
    pub(crate) fn split(&self) -> (Value, Value) {
        let mut named = self.arguments.clone();
        let positional = match &self.ids {
            Some(ids) => json!([ids]),
            // Odoo looks at the first positional argument of this method to see what to answer.
            None if self.method == "create" => json!([named.remove("vals_list")]),
            None => json!([]),
        };
        (positional, Value::Object(named))
    }
}
