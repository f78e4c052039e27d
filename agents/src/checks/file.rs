//! What reading a file says about a check of that file. Pure. A file that could not be looked at is
//! neither there nor gone: nobody knows.

use super::{tail, verdict};
use guard::executor::Outcome;
use protocol::criterion::{Check, Verdict};

/// What a failed Read means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing is there.
    Empty,
    /// Something that is no file.
    Other,
    /// A file whose text cannot be shown.
    Opaque,
    /// It could not be looked at.
    Unknown,
}

/// Reads the sentences of the Read tool, which has no other way to say it.
fn place(said: &str) -> Place {
    const SENTENCES: [(&str, Place); 6] = [
        (" does not exist", Place::Empty),
        ("Not a directory", Place::Empty),
        (" is a folder", Place::Other),
        (" is not a regular file", Place::Other),
        (" is binary", Place::Opaque),
        (": use Grep", Place::Opaque),
    ];
    SENTENCES
        .iter()
        .find(|(words, _)| said.contains(words))
        .map_or(Place::Unknown, |(_, place)| *place)
}

/// The verdict of a file check, and what was seen.
pub(super) fn judge(check: &Check, outcome: &Outcome) -> (Verdict, String) {
    let Check::File {
        exists,
        contains,
        lacks,
        sha256,
        ..
    } = check
    else {
        return (Verdict::Unknown, "this is no check of a file".to_owned());
    };
    if outcome.is_error {
        let said = tail(&outcome.text);
        return match (place(&said), exists) {
            (Place::Empty, exists) => (verdict(!exists), "the file does not exist".to_owned()),
            (Place::Unknown, _) => (Verdict::Unknown, said),
            (_, false) => (Verdict::Failed, said),
            (Place::Opaque, true)
                if [contains, lacks, sha256]
                    .iter()
                    .all(|asked| asked.is_none()) =>
            {
                (Verdict::Passed, said)
            }
            (Place::Opaque, true) => (Verdict::Unknown, said),
            (_, true) => (Verdict::Failed, said),
        };
    }
    if !exists {
        return (Verdict::Failed, "the file exists".to_owned());
    }
    let text = outcome.data["text"].as_str().unwrap_or_default();
    let digest = outcome.data["sha256"].as_str().unwrap_or_default();
    let bytes = outcome.data["bytes"].as_u64().unwrap_or_default();
    let observed = format!("{bytes} bytes, sha256 {digest}");
    let whole = outcome.data["truncated"] != true;
    let has = |words: &String| text.contains(words.as_str());
    if sha256.as_ref().is_some_and(|want| want != digest) || lacks.as_ref().is_some_and(has) {
        return (Verdict::Failed, observed);
    }
    let missing = contains.as_ref().is_some_and(|words| !has(words));
    match (missing || lacks.is_some(), whole) {
        (true, false) => (
            Verdict::Unknown,
            format!("{observed}; it is too large to be looked at whole"),
        ),
        _ => (verdict(!missing), observed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::time::Duration;

    struct Asked {
        exists: bool,
        contains: Option<&'static str>,
        lacks: Option<&'static str>,
    }

    fn check(asked: &Asked, data: Value, error: Option<&str>, expected: Verdict) {
        let check = Check::File {
            path: "a".to_owned(),
            exists: asked.exists,
            contains: asked.contains.map(str::to_owned),
            lacks: asked.lacks.map(str::to_owned),
            sha256: None,
        };
        let outcome = Outcome {
            is_error: error.is_some(),
            text: error.unwrap_or_default().to_owned(),
            data,
            took: Duration::ZERO,
        };
        assert_eq!(judge(&check, &outcome).0, expected, "{outcome:?}");
    }

    const THERE: Asked = Asked {
        exists: true,
        contains: None,
        lacks: None,
    };
    const GONE: Asked = Asked {
        exists: false,
        ..THERE
    };

    #[test]
    fn what_is_read_is_judged() {
        let read = || json!({"text": "hello", "bytes": 5, "sha256": "x", "truncated": false});
        let has = |words| Asked {
            contains: Some(words),
            ..THERE
        };
        let lacks = |words| Asked {
            lacks: Some(words),
            ..THERE
        };
        check(&THERE, read(), None, Verdict::Passed);
        check(&GONE, read(), None, Verdict::Failed);
        check(&has("hell"), read(), None, Verdict::Passed);
        check(&has("heaven"), read(), None, Verdict::Failed);
        check(&lacks("heaven"), read(), None, Verdict::Passed);
        check(&lacks("hell"), read(), None, Verdict::Failed);
        let cut = || json!({"text": "hello", "bytes": 5, "sha256": "x", "truncated": true});
        check(&has("hell"), cut(), None, Verdict::Passed);
        check(&has("heaven"), cut(), None, Verdict::Unknown);
        check(&lacks("heaven"), cut(), None, Verdict::Unknown);
        check(&lacks("hell"), cut(), None, Verdict::Failed);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_gone() {
        let has = Asked {
            contains: Some("x"),
            ..THERE
        };
        for (said, there, gone, holds) in [
            (
                "a does not exist",
                Verdict::Failed,
                Verdict::Passed,
                Verdict::Failed,
            ),
            (
                "a/b: Not a directory (os error 20)",
                Verdict::Failed,
                Verdict::Passed,
                Verdict::Failed,
            ),
            (
                "a is a folder: use Glob to list it",
                Verdict::Failed,
                Verdict::Failed,
                Verdict::Failed,
            ),
            (
                "a is binary: use Profile",
                Verdict::Passed,
                Verdict::Failed,
                Verdict::Unknown,
            ),
            (
                "a may not be used: permission denied",
                Verdict::Unknown,
                Verdict::Unknown,
                Verdict::Unknown,
            ),
        ] {
            check(&THERE, Value::Null, Some(said), there);
            check(&GONE, Value::Null, Some(said), gone);
            check(&has, Value::Null, Some(said), holds);
        }
    }
}
