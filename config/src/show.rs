//! Settings as lines for `config show`: every key, its value with secrets masked, its layer.

use crate::settings::Settings;
use serde_json::Value;

/// Key, value and origin of everything, in the order of the tree.
pub fn show(settings: &Settings) -> Vec<(String, String, String)> {
    // Serialization masks secrets.
    let tree = serde_json::to_value(settings).unwrap_or_default();
    let mut lines = Vec::new();
    for (section, value) in tree.as_object().into_iter().flatten() {
        match section.as_str() {
            "agents" => agents(value, &mut lines),
            "prices" => prices(value, &mut lines),
            "tmux" => windows(settings, &mut lines),
            _ => keys(section, value, &mut lines),
        }
    }
    lines
        .into_iter()
        .map(|(key, value)| {
            let origin = settings
                .origin(&key)
                .unwrap_or_else(|| "default".to_owned());
            (key, value, origin)
        })
        .collect()
}

fn keys(under: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        lines.push((format!("{under}.{name}"), plain(value)));
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

fn agents(list: &Value, lines: &mut Vec<(String, String)>) {
    for agent in list.as_array().into_iter().flatten() {
        let name = agent.get("name").map(plain).unwrap_or_default();
        for (key, value) in agent.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("name", _) => {}
                // Nothing is granted outside, as shipped.
                ("endpoints" | "sources", Value::Object(none)) if none.is_empty() => {}
                ("prompt", Value::String(text)) => {
                    let size = format!("{} characters", text.chars().count());
                    lines.push((format!("agents.{name}.prompt"), size));
                }
                _ => lines.push((format!("agents.{name}.{key}"), plain(value))),
            }
        }
    }
}

fn prices(table: &Value, lines: &mut Vec<(String, String)>) {
    let rows = table.get("models").and_then(Value::as_array);
    for row in rows.into_iter().flatten() {
        let prefix = row.get("prefix").map(plain).unwrap_or_default();
        for (key, value) in row.as_object().into_iter().flatten() {
            if key != "prefix" {
                lines.push((format!("prices.models.{prefix}.{key}"), plain(value)));
            }
        }
    }
}

fn windows(settings: &Settings, lines: &mut Vec<(String, String)>) {
    let windows: Vec<String> = settings
        .tmux
        .windows
        .iter()
        .map(|window| format!("{} {}", window.index, window.name))
        .collect();
    lines.push(("tmux.session".to_owned(), settings.tmux.session.clone()));
    lines.push(("tmux.windows".to_owned(), windows.join(", ")));
}
