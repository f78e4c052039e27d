//! go.mod: its `require` lines.

use super::Dependency;

/// A line of a `require`.
pub(crate) struct Required<'a> {
    /// The module's path.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// Only because another module needs it.
    pub(crate) indirect: bool,
}

/// Every module that a go.mod requires, in its order.
pub(crate) fn required(text: &str) -> Vec<Required<'_>> {
    let (mut found, mut inside) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        let required = match line.strip_prefix("require") {
            Some(rest) if rest.trim() == "(" => {
                inside = true;
                continue;
            }
            Some(rest) if rest.starts_with([' ', '\t']) => rest.trim(),
            _ if inside && line == ")" => {
                inside = false;
                continue;
            }
            _ if inside => line,
            _ => continue,
        };
        let (required, comment) = required.split_once("//").unwrap_or((required, ""));
        let mut words = required.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            found.push(Required {
                name,
                version,
                indirect: comment.contains("indirect"),
            });
        }
    }
    found
}

/// The direct dependencies of a go.mod.
pub fn read(text: &str) -> Option<Vec<Dependency>> {
    let all = required(text).into_iter();
    let direct = all.filter(|module| !module.indirect);
    Some(
        direct
            .map(|module| Dependency::new(module.name, module.version))
            .collect(),
    )
}
