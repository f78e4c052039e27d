//! Cargo.toml: every dependency table, those of targets and of the workspace too.

use serde_json::Value;

use super::Dependency;

const TABLES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

/// The direct dependencies of a Cargo.toml; none when it does not parse.
pub fn read(text: &str) -> Option<Vec<Dependency>> {
    let manifest = crate::toml_text::parse(text).ok()?;
    let mut found = Vec::new();
    let mut take = |from: &Value| {
        for table in TABLES
            .iter()
            .filter_map(|t| from.get(t).and_then(Value::as_object))
        {
            found.extend(table.iter().map(|(name, wanted)| one(name, wanted)));
        }
    };
    take(&manifest);
    manifest.get("workspace").into_iter().for_each(&mut take);
    let targets = manifest.get("target").and_then(Value::as_object);
    targets
        .into_iter()
        .flat_map(|t| t.values())
        .for_each(&mut take);
    Some(found)
}

fn one(name: &str, wanted: &Value) -> Dependency {
    let field = |key: &str| wanted.get(key).and_then(Value::as_str);
    let requirement = match wanted {
        Value::String(version) => version.clone(),
        _ if wanted.get("workspace") == Some(&Value::Bool(true)) => "workspace".into(),
        _ => match (field("version"), field("git"), field("path")) {
            (Some(version), _, _) => version.into(),
            (None, Some(git), _) => format!("git {git}"),
            (None, None, Some(path)) => format!("path {path}"),
            _ => String::new(),
        },
    };
    Dependency::new(field("package").unwrap_or(name), &requirement)
}
