//! yarn.lock of both generations, and pnpm-lock.yaml. Neither tells licences: those are read in
//! `node_modules`.

use serde_json::Value;

use super::npm::installed;
use super::{Found, Place};

/// Packages of a yarn.lock.
pub(super) fn yarn(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let found = parse_yarn(text).into_iter();
    Some(
        found
            .map(|(name, version)| one(name, version, place))
            .collect(),
    )
}

fn one(name: String, version: String, place: &Place<'_>) -> Found {
    Found {
        direct: place.is_direct(&name),
        licence: installed(place.folder, &format!("node_modules/{name}"), &version),
        name,
        version,
    }
}

/// Blocks of `"name@range", "name@range":` and indented facts, among them the version.
fn parse_yarn(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut name: Option<String> = None;
    for line in text.lines() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            let first = line
                .trim_end_matches(':')
                .split(", ")
                .next()
                .unwrap_or_default();
            name = name_of(first.trim_matches('"'));
            continue;
        }
        let fact = line.trim();
        let version = fact
            .strip_prefix("version")
            .filter(|rest| rest.starts_with([' ', ':']));
        if let Some(version) = version
            && let Some(name) = name.take()
        {
            let version = version.trim_start_matches(':').trim().trim_matches('"');
            found.push((name, version.to_owned()));
        }
    }
    found
}

/// `@scope/name@npm:^1` as its name; the project's own packages are none.
fn name_of(spec: &str) -> Option<String> {
    let at = spec.get(1..)?.find('@')? + 1;
    let (name, range) = (spec.get(..at)?, spec.get(at + 1..)?);
    (!range.starts_with("workspace:")).then(|| name.to_owned())
}

/// Packages of a pnpm-lock.yaml; none when it does not parse.
pub(super) fn pnpm(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let lock: Value = serde_saphyr::from_str(text).ok()?;
    let keys = lock.get("packages").and_then(Value::as_object);
    let found = keys.into_iter().flatten().filter_map(|(key, _)| {
        let (name, version) = pnpm_key(key)?;
        Some(one(name, version, place))
    });
    Some(found.collect())
}

/// `/name@1.0.0(peer@2)`, `name@1.0.0` or `/name/1.0.0`.
fn pnpm_key(key: &str) -> Option<(String, String)> {
    let key = key.trim_start_matches('/').split('(').next()?;
    let at = key.get(1..)?.rfind('@').map(|at| at + 1);
    let at = at.or_else(|| key.rfind('/'))?;
    let version = key.get(at + 1..)?.split('_').next()?;
    let starts = version.starts_with(|c: char| c.is_ascii_digit());
    starts.then(|| Some((key.get(..at)?.to_owned(), version.to_owned())))?
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn yarn_blocks_are_read() {
        let classic = "# yarn lockfile v1\n\n\"@babel/core@^7.0.0\", \"@babel/core@^7.1.0\":\n  version \"7.2.0\"\n  dependencies:\n    version \"^1\"\n\nleft-pad@^1.0.0:\n  version \"1.3.0\"\n";
        let berry = "__metadata:\n  version: 6\n\n\"a@npm:^1, a@npm:^1.1\":\n  version: 1.2.0\n\n\"own@workspace:.\":\n  version: 0.0.0-use.local\n";
        let two = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(
            parse_yarn(classic),
            [two("@babel/core", "7.2.0"), two("left-pad", "1.3.0")]
        );
        assert_eq!(parse_yarn(berry), [two("a", "1.2.0")]);
    }

    #[test]
    fn pnpm_keys_are_read() {
        for (key, expected) in [
            ("/a@1.0.0(b@2.0.0)", Some(("a", "1.0.0"))),
            ("@s/a@1.0.0", Some(("@s/a", "1.0.0"))),
            ("/a@1.0.0_b", Some(("a", "1.0.0"))),
            ("/@s/a/1.0.0", Some(("@s/a", "1.0.0"))),
            ("", None),
        ] {
            let expected = expected.map(|(n, v)| (n.to_owned(), v.to_owned()));
            assert_eq!(pnpm_key(key), expected, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_lock_is_survived(text in "(?s)(@|\"|:|, |version |\n| |/|[a-c]|é|.){0,120}") {
            for (name, _) in parse_yarn(&text) {
                prop_assert!(!name.is_empty());
            }
            text.lines().for_each(|l| drop(pnpm_key(l)));
        }
    }
}
