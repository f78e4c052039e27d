//! The input of a tool whose name says which case of an enum it is.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads the case that `tool` names from its input.
///
/// # Errors
/// A sentence about the input.
pub(crate) fn tagged<T: DeserializeOwned>(tool: &str, input: &Value) -> Result<T, String> {
    let mut fields = match input {
        Value::Null => Map::new(),
        Value::Object(fields) => fields.clone(),
        _ => return Err("send an object".to_owned()),
    };
    let named = fields.insert("tool".to_owned(), Value::from(tool));
    if named.is_some() {
        return Err("unknown field `tool`".to_owned());
    }
    serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())
}
