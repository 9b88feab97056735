//! One call of a public method, in what all dialects can say.

use std::fmt;

use serde_json::{Map, Value, json};

/// Arguments have names, since JSON-2 knows no others.
#[derive(Clone)]
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

    /// All arguments by their names.
    pub(crate) fn named(&self) -> Map<String, Value> {
        let mut named = self.arguments.clone();
        // Of one record over JSON-RPC, Odoo answers otherwise than over JSON-2; of a list, alike.
        if self.method == "create"
            && let Some(values @ Value::Object(_)) = named.get_mut("vals_list")
        {
            *values = Value::Array(vec![values.take()]);
        }
        named
    }

    /// As `execute_kw` takes it: positional arguments, and those with names.
    pub(crate) fn split(&self) -> (Value, Value) {
        let mut named = self.named();
        let positional = match &self.ids {
            Some(ids) => json!([ids]),
            // Odoo looks at the first positional argument of this method to see what to answer.
            None if self.method == "create" => json!([named.remove("vals_list")]),
            None => json!([]),
        };
        (positional, Value::Object(named))
    }
}

/// Without the arguments, which may be secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}(…)", self.model, self.method)
    }
}
