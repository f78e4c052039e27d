//! Attached files and playbooks: a playbook that asks for a file takes the one that was handed in,
//! and a file that the words name is the attached one where there is one of that name. Pure.

use crate::route::{self, Missing, RouteError, Routed};
use config::settings::Settings;
use pai::playbook::library::Library;
use pai::playbook::params::{ParamSpec, ParamType};
use protocol::attachment::{Attachment, INSIDE};
use protocol::control::Submit;
use protocol::task::Way;
use serde_json::{Map, Value};

/// Decides who does a request, and how, with the files that came with it.
///
/// # Errors
/// As [`route::decide`].
pub(crate) fn decide(
    submit: &Submit,
    settings: &Settings,
    library: &Library,
) -> Result<Routed, RouteError> {
    let mut routed = match route::decide(submit, settings, library) {
        Err(RouteError::Missing(missing)) => match filled(&submit.attachments, library, &missing) {
            Some((params, file)) => {
                let playbook = Some((missing.name.clone(), params));
                let submit = Submit {
                    playbook,
                    ..submit.clone()
                };
                let routed = route::decide(&submit, settings, library)?;
                let because = format!(
                    "`{}` asks for a file, and {file} was attached",
                    missing.name
                );
                Routed { because, ..routed }
            }
            None => return Err(RouteError::Missing(missing)),
        },
        decided => decided?,
    };
    if let Way::Playbook { name, params, .. } = &mut routed.way
        && let Some(playbook) = library.find(name)
    {
        for (name, value) in params.iter_mut() {
            let spec = playbook.params.get(name);
            if let Some(seen) = spec.and_then(|spec| attached(spec, value, &submit.attachments)) {
                *value = Value::String(seen);
            }
        }
    }
    Ok(routed)
}

/// Whether a way looks at the files that were handed in: a model may, a playbook only at one that
/// is its parameter.
pub(crate) fn looks_at(way: &Way) -> bool {
    let inside = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(INSIDE));
    match way {
        Way::Playbook { params, .. } => params.values().any(inside),
        _ => true,
    }
}

/// The parameters of a playbook that wants one file, where exactly one attached file fits.
fn filled(
    files: &[Attachment],
    library: &Library,
    missing: &Missing,
) -> Option<(Map<String, Value>, String)> {
    let [wanted] = missing.missing.as_slice() else {
        return None;
    };
    let spec = library.find(&missing.name)?.params.get(&wanted.name)?;
    if !takes_files(spec) {
        return None;
    }
    let fits = |file: &&Attachment| spec.check(&Value::String(file.inside())).is_ok();
    let mut fitting = files.iter().filter(fits);
    let (Some(file), None) = (fitting.next(), fitting.next()) else {
        return None;
    };
    let mut params = missing.known.clone();
    params.insert(wanted.name.clone(), Value::String(file.inside()));
    Some((params, file.name.clone()))
}

/// The place of an attached file that a value names: alone, or before the name of a table in it.
fn attached(spec: &ParamSpec, value: &Value, files: &[Attachment]) -> Option<String> {
    let said = value.as_str().filter(|_| takes_files(spec))?;
    files.iter().find_map(|file| {
        let rest = said.strip_prefix(&file.name)?;
        let table = spec.kind == ParamType::Table && rest.starts_with(':');
        (rest.is_empty() || table).then(|| format!("{}{rest}", file.inside()))
    })
}

fn takes_files(spec: &ParamSpec) -> bool {
    matches!(
        spec.kind,
        ParamType::File | ParamType::Path | ParamType::Table
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use config::env::Env;
    use config::home::Home;
    use serde_json::json;

    fn file(name: &str) -> Attachment {
        Attachment {
            name: name.to_owned(),
            sha256: "ab".repeat(32),
            bytes: 1,
            kind: "CSV".to_owned(),
        }
    }

    /// What the shipped playbooks make of words and files: the playbook and its parameters.
    #[track_caller]
    fn check(words: &str, files: &[&str], expected: Value) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let settings = config::load::load(&home, &Env::default(), &[]).unwrap();
        let library = crate::route::shelf::Shelf::open(&home).library();
        let submit = Submit {
            attachments: files.iter().map(|name| file(name)).collect(),
            ..Submit::words(words)
        };
        let got = match decide(&submit, &settings, &library) {
            Ok(routed) => {
                let looks = looks_at(&routed.way);
                match routed.way {
                    Way::Playbook { name, params, .. } => {
                        let given = params.into_iter().filter(|(_, v)| !v.is_null());
                        json!([name, Value::Object(given.collect()), looks])
                    }
                    way => json!(way),
                }
            }
            Err(RouteError::Missing(missing)) => json!(["asks", missing.missing[0].name]),
            Err(error) => json!(error.to_string()),
        };
        assert_eq!(got, expected, "{words} {files:?}");
    }

    #[test]
    fn a_playbook_that_asks_for_a_file_takes_the_attached_one() {
        let seen = json!(["profile-data", {"file": "/attachments/orders.csv"}, true]);
        check("profile my data", &["orders.csv"], seen.clone());
        check(
            "profile my data",
            &["notes.txt", "orders.csv"],
            seen.clone(),
        );
        check("profile orders.csv", &["orders.csv"], seen);
        check("profile my data", &[], json!(["asks", "file"]));
        check("profile my data", &["notes.txt"], json!(["asks", "file"]));
        check(
            "profile my data",
            &["a.csv", "b.csv"],
            json!(["asks", "file"]),
        );
        check(
            "profile other.csv",
            &["orders.csv"],
            json!(["profile-data", {"file": "other.csv"}, false]),
        );
    }
}
