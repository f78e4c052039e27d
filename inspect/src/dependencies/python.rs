//! Python manifests: pyproject.toml (the standard tables and poetry's), requirements files, setup.cfg and Pipfile.

use serde_json::Value;

use super::Dependency;

/// The direct dependencies of a pyproject.toml; none when it does not parse.
pub fn read_pyproject(text: &str) -> Option<Vec<Dependency>> {
    let manifest = crate::toml_text::parse(text).ok()?;
    let mut found = Vec::new();
    let mut list = |from: Option<&Value>| {
        let all = from.and_then(Value::as_array).into_iter().flatten();
        found.extend(all.filter_map(Value::as_str).filter_map(requirement));
    };
    list(manifest.pointer("/project/dependencies"));
    for groups in ["/project/optional-dependencies", "/dependency-groups"] {
        let groups = manifest.pointer(groups).and_then(Value::as_object);
        groups
            .into_iter()
            .flat_map(|g| g.values())
            .for_each(|g| list(Some(g)));
    }
    if let Some(poetry) = manifest.pointer("/tool/poetry") {
        for table in ["dependencies", "dev-dependencies"] {
            found.extend(poetry_table(poetry.get(table)));
        }
        let groups = poetry.get("group").and_then(Value::as_object);
        found.extend(
            groups
                .into_iter()
                .flat_map(|g| g.values())
                .flat_map(|g| poetry_table(g.get("dependencies"))),
        );
    }
    Some(found)
}

fn poetry_table(table: Option<&Value>) -> Vec<Dependency> {
    let all = table
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "python");
    let version = |wanted: &Value| {
        wanted
            .as_str()
            .or(wanted.get("version").and_then(Value::as_str))
            .unwrap_or("")
            .to_string()
    };
    all.map(|(name, wanted)| Dependency::new(name, &version(wanted)))
        .collect()
}

/// The packages of a requirements file; options, links to other files and comments are passed over.
pub fn read_requirements(text: &str) -> Option<Vec<Dependency>> {
    let joined = text.replace("\\\n", " ");
    let lines = joined
        .lines()
        .map(|l| l.split(" #").next().unwrap_or(l).trim());
    let lines = lines.filter(|l| !l.is_empty() && !l.starts_with(['#', '-']));
    Some(
        lines
            .map(|l| l.split(" --").next().unwrap_or(l))
            .filter_map(requirement)
            .collect(),
    )
}

/// `install_requires` and the extras of a setup.cfg; none when it has neither.
pub fn read_setup_cfg(text: &str) -> Option<Vec<Dependency>> {
    let (mut found, mut section, mut inside) = (Vec::new(), "", false);
    for line in text.lines() {
        if line.starts_with('[') {
            (section, inside) = (line.trim(), false);
        } else if !line.starts_with([' ', '\t']) {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            inside = (section == "[options]" && key.trim() == "install_requires")
                || section == "[options.extras_require]";
            found.extend(
                Some(value.trim())
                    .filter(|v| inside && !v.is_empty())
                    .and_then(requirement),
            );
        } else if inside && !line.trim().is_empty() && !line.trim().starts_with('#') {
            found.extend(requirement(line.trim()));
        }
    }
    (!found.is_empty()).then_some(found)
}

/// The packages of a Pipfile; none when it does not parse.
pub fn read_pipfile(text: &str) -> Option<Vec<Dependency>> {
    let manifest = crate::toml_text::parse(text).ok()?;
    Some(
        ["packages", "dev-packages"]
            .iter()
            .flat_map(|t| poetry_table(manifest.get(t)))
            .collect(),
    )
}

/// `requests[socks]>=2,<3; python_version > "3.8"` as name and version.
fn requirement(text: &str) -> Option<Dependency> {
    let text = text.split(';').next().unwrap_or(text).trim();
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || "._-".contains(c)))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let rest = if rest.starts_with('[') {
        rest.split_once(']').map_or("", |(_, r)| r)
    } else {
        rest
    };
    let rest = rest.trim().trim_start_matches('(').trim_end_matches(')');
    (!name.is_empty() && !rest.starts_with([':', '/'])).then(|| Dependency::new(name, rest))
}
