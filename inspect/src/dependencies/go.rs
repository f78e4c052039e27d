//! go.mod: its `require` lines without those marked indirect.

use super::Dependency;

/// The direct dependencies of a go.mod.
pub fn read(text: &str) -> Option<Vec<Dependency>> {
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
        if let Some((name, version)) = required.trim().split_once(' ')
            && !comment.contains("indirect")
        {
            found.push(Dependency::new(name, version));
        }
    }
    Some(found)
}
