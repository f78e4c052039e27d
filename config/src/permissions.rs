//! What agents may do at most. Rules of the machine (`/etc/ai-infra`) can only be tightened by
//! the home; no variable and no flag touches them.

use crate::error::{Problem, did_you_mean, quoted};
use crate::layers::{Entry, Layers, Origin};
use protocol::acts::{Acts, AtMost, is_personal};
use protocol::approval::Rule;
use protocol::duty::KINDS;
use protocol::ids::Role;
use protocol::level::Level;
use serde_json::Value;

/// What can be counted of one act, and of which kinds.
const COUNTED: [(&str, &[&str]); 2] = [
    ("count", &["sql.change", "packages.install"]),
    ("percent", &["sql.change"]),
];

/// The most an agent may do, and where that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Highest level.
    pub level: Level,
    /// Where the level is said.
    pub level_origin: Origin,
    /// Whether facts of the host may be read.
    pub host_read: bool,
    /// Where that is said.
    pub host_read_origin: Origin,
}

/// Whether a key is a rule.
pub fn governs(path: &[String]) -> bool {
    path.first().is_some_and(|part| part == "permissions")
}

/// A rule laid on another one: over a shipped rule the newer holds, over the machine's the
/// stricter.
pub fn merged(below: &Entry, above: Entry) -> Entry {
    let machine = matches!(below.origin, Origin::System(..));
    if machine && !is_stricter(&above.value, &below.value) {
        below.clone()
    } else if machine && above.value.is_array() {
        // A home that names fewer agents does not make the grant its own: what the machine names stays the machine's.
        Entry {
            value: above.value,
            origin: below.origin.clone(),
        }
    } else {
        above
    }
}

fn is_stricter(value: &Value, than: &Value) -> bool {
    match (value, than) {
        (Value::Bool(value), Value::Bool(than)) => !value & than,
        // Fewer agents; an endpoint that is said to know no key.
        (Value::Array(value), Value::Array(than)) => value.iter().all(|one| than.contains(one)),
        // Rules of acts.
        (Value::String(value), Value::String(than)) if Rule::parse(than).is_some() => {
            Rule::parse(value) >= Rule::parse(than)
        }
        (Value::String(value), _) => value == "none",
        (value, than) => value.as_u64() < than.as_u64(),
    }
}

/// The rule for an agent: its own, else the default. Where the machine has a default, only an own
/// rule of the machine goes above it.
pub fn of(layers: &Layers, role: &Role) -> Permission {
    let level = rule(layers, role, "level");
    let host_read = rule(layers, role, "host_read");
    let number = level.value.as_u64().and_then(|n| u8::try_from(n).ok());
    Permission {
        level: number
            .and_then(|n| Level::try_from(n).ok())
            .unwrap_or(Level::Restricted),
        level_origin: level.origin,
        host_read: host_read.value == Value::Bool(true),
        host_read_origin: host_read.origin,
    }
}

/// What the rules say of kinds of acts, and how much of each is done without asking.
pub fn acts(layers: &Layers) -> Acts {
    let kinds = layers.names_below(&["permissions", "acts"]);
    let rule = |kind: String| {
        let entry = layers.get(&["permissions", "acts", &kind])?;
        // A word nobody knows was told by the check of the settings; here it denies.
        let rule = entry.value.as_str().and_then(Rule::parse);
        Some((kind, rule.unwrap_or(Rule::Deny)))
    };
    let rules: Acts = kinds.into_iter().filter_map(rule).collect();
    let kinds = layers.names_below(&["permissions", "at_most"]);
    let most = |kind: String| {
        let value = |key: &str| layers.get(&["permissions", "at_most", &kind, key]);
        let number = |key: &str| value(key).and_then(|entry| entry.value.as_u64());
        let most = AtMost {
            count: number("count"),
            percent: number("percent").and_then(|percent| u8::try_from(percent).ok()),
            per_hour: number("per_hour"),
            above: match value("above").map(|entry| entry.value == "ask") {
                None | Some(true) => Rule::Ask,
                Some(false) => Rule::Deny,
            },
        };
        (kind, most)
    };
    rules.with_at_most(kinds.into_iter().map(most).collect())
}

/// Bounds that mean nothing: of a kind nobody knows, or of what cannot be counted of a kind.
pub fn check(layers: &Layers, problems: &mut Vec<Problem>) {
    for kind in KINDS.into_iter().filter(|kind| is_personal(kind)) {
        let entry = layers.get(&["permissions", "acts", kind]);
        if let Some(entry) = entry.filter(|entry| entry.value == "allow") {
            let said = format!(
                "`permissions.acts.{kind}` cannot be `allow`: each one wants a person's yes of its own; say ask or deny"
            );
            problems.push(Problem::new(entry.origin.to_string(), said));
        }
    }
    let known = || ["http.change", "sql.change"].into_iter().chain(KINDS);
    for kind in layers.names_below(&["permissions", "at_most"]) {
        let place = layers.place_below(&["permissions", "at_most", &kind]);
        let mut wrong = |said: String| problems.push(Problem::new(place.clone(), said));
        if !known().any(|one| one == kind) {
            let hint = did_you_mean(&kind, known());
            let kind = quoted(&kind);
            wrong(format!(
                "`permissions.at_most.{kind}` is no kind of act{hint}"
            ));
            continue;
        }
        for (key, of) in COUNTED {
            let said = layers
                .get(&["permissions", "at_most", &kind, key])
                .is_some();
            if said && !of.contains(&kind.as_str()) {
                let of = of.join(" and ");
                wrong(format!(
                    "`permissions.at_most.{kind}.{key}` bounds nothing: it is counted of {of} alone; `per_hour` bounds every kind"
                ));
            }
        }
    }
}

fn rule(layers: &Layers, role: &Role, name: &str) -> Entry {
    let own = layers.get(&["permissions", "agents", role.as_str(), name]);
    let default = layers.get(&["permissions", "defaults", name]);
    match (own, default) {
        (Some(own), Some(default)) if !matches!(own.origin, Origin::System(..)) => {
            merged(default, own.clone())
        }
        (Some(own), _) => own.clone(),
        (None, Some(default)) => default.clone(),
        (None, None) => Entry {
            value: Value::Null,
            origin: Origin::Shipped,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Mark;
    use serde_json::json;

    fn entry(value: &Value, origin: Origin) -> Entry {
        Entry {
            value: value.clone(),
            origin,
        }
    }

    #[test]
    fn the_machine_can_only_be_tightened() {
        let system = || Origin::System("/etc/x".into(), Mark::new(1, 1));
        let user = || Origin::User("/h/x".into(), Mark::new(1, 1));
        for (below, from, above, expected) in [
            (json!(1), Origin::Shipped, json!(2), json!(2)),
            (json!(1), system(), json!(2), json!(1)),
            (json!(2), system(), json!(1), json!(1)),
            (json!(false), system(), json!(true), json!(false)),
            (json!(true), system(), json!(false), json!(false)),
            (json!(false), Origin::Shipped, json!(true), json!(true)),
            (json!(["a", "b"]), system(), json!(["b"]), json!(["b"])),
            (json!(["a"]), system(), json!(["a", "b"]), json!(["a"])),
            (
                json!("https://h"),
                system(),
                json!("https://evil"),
                json!("https://h"),
            ),
            (
                json!("Idempotency-Key"),
                system(),
                json!("none"),
                json!("none"),
            ),
            (json!("none"), system(), json!("X-Key"), json!("none")),
            (json!("ask"), system(), json!("allow"), json!("ask")),
            (json!("ask"), system(), json!("deny"), json!("deny")),
            (json!("allow"), Origin::Shipped, json!("ask"), json!("ask")),
        ] {
            let got = merged(&entry(&below, from.clone()), entry(&above, user()));
            assert_eq!(got.value, expected, "{below} {from} {above}");
        }
    }
}
