//! Reads TOML into the same value type as JSON, so that manifests of all kinds are read alike.

use serde_json::Value;

/// The document as a JSON value; the error names line and column.
pub fn parse(text: &str) -> Result<Value, String> {
    let document = toml_edit::Document::parse(text).map_err(|e| e.to_string())?;
    Ok(table(document.as_table()))
}

fn table(table: &dyn toml_edit::TableLike) -> Value {
    Value::Object(
        table
            .iter()
            .map(|(k, v)| (k.to_string(), item(v)))
            .collect(),
    )
}

fn item(from: &toml_edit::Item) -> Value {
    match from {
        toml_edit::Item::None => Value::Null,
        toml_edit::Item::Value(v) => value(v),
        toml_edit::Item::Table(t) => table(t),
        toml_edit::Item::ArrayOfTables(all) => Value::Array(all.iter().map(|t| table(t)).collect()),
    }
}

fn value(from: &toml_edit::Value) -> Value {
    match from {
        toml_edit::Value::String(s) => Value::from(s.value().as_str()),
        toml_edit::Value::Integer(i) => Value::from(*i.value()),
        toml_edit::Value::Float(f) => Value::from(*f.value()),
        toml_edit::Value::Boolean(b) => Value::from(*b.value()),
        toml_edit::Value::Datetime(d) => Value::from(d.value().to_string()),
        toml_edit::Value::Array(all) => Value::Array(all.iter().map(value).collect()),
        toml_edit::Value::InlineTable(t) => table(t),
    }
}
