//! go.mod: the modules it requires, those needed by others too, and licences in the module cache or
//! in `vendor`.

use std::path::Path;

use super::{Found, Place, licence};
use crate::dependencies::go;
use crate::walk;

/// Largest licence file read, in bytes.
const LICENCE: u64 = 1 << 20;

/// Modules of a go.mod.
pub(super) fn read(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let with_licence = |one: Found| Found {
        licence: licence_of(place, &one.name, &one.version),
        ..one
    };
    Some(parse(text).into_iter().map(with_licence).collect())
}

fn parse(text: &str) -> Vec<Found> {
    let found = go::required(text).into_iter().map(|module| Found {
        name: module.name.to_owned(),
        version: module.version.to_owned(),
        direct: !module.indirect,
        licence: None,
    });
    found.collect()
}

fn licence_of(place: &Place<'_>, name: &str, version: &str) -> Option<String> {
    if name
        .split('/')
        .any(|part| part.is_empty() || part.starts_with('.'))
        || version.contains('/')
    {
        return None;
    }
    let vendored = place.folder.join("vendor").join(name);
    let cached = place
        .caches
        .go
        .iter()
        .map(|c| c.join(format!("{}@{}", escaped(name), escaped(version))));
    std::iter::once(vendored)
        .chain(cached)
        .find_map(|folder| in_folder(&folder))
        .map(str::to_owned)
}

/// Capital letters are written `!a` on disk.
fn escaped(name: &str) -> String {
    name.chars()
        .map(|c| match c.is_ascii_uppercase() {
            true => format!("!{}", c.to_ascii_lowercase()),
            false => c.to_string(),
        })
        .collect()
}

fn in_folder(folder: &Path) -> Option<&'static str> {
    let names = [
        "LICENSE",
        "LICENSE.txt",
        "LICENSE.md",
        "LICENCE",
        "COPYING",
        "License",
        "LICENSE-MIT",
    ];
    names
        .iter()
        .find_map(|name| licence::of_text(&walk::read_text(&folder.join(name), LICENCE)?))
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requirements_are_read() {
        let text = "module x\ngo 1.22\nrequire github.com/A/b v1.0.0\nrequire (\n\tc.d/e v2.0.0 // indirect\n\tf.g/h v3.0.0 // why\n)\nreplace x => y\n";
        let told: Vec<_> = parse(text)
            .into_iter()
            .map(|f| (f.name, f.version, f.direct))
            .collect();
        let one = |n: &str, v: &str, d: bool| (n.to_owned(), v.to_owned(), d);
        assert_eq!(
            told,
            [
                one("github.com/A/b", "v1.0.0", true),
                one("c.d/e", "v2.0.0", false),
                one("f.g/h", "v3.0.0", true)
            ]
        );
        assert_eq!(escaped("github.com/A/b"), "github.com/!a/b");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)(require|\\(|\\)|//| |\n|v1|.){0,60}") {
            parse(&text);
        }
    }
}
