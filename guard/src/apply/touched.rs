//! Which files a patch touches, read from its headers. Git decides what is really done, on a stage
//! that holds only these files.

use std::collections::BTreeSet;

/// Paths a patch names, relative and without `..`; an error for one that leaves the workspace or
/// goes into `.git`.
pub(super) fn touched(patch: &str) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    for line in patch.lines() {
        let Some(header) = line.strip_prefix("diff --git ") else {
            continue;
        };
        let path =
            path_of(header).ok_or_else(|| format!("its header `{header}` is not readable"))?;
        check(&path)?;
        found.insert(path);
    }
    if found.is_empty() {
        return Err("it names no file".to_owned());
    }
    Ok(found)
}

/// The parts of a patch about some of its files.
pub(super) fn only(patch: &str, paths: &BTreeSet<&str>) -> String {
    let mut wanted = false;
    let mut kept = String::new();
    for line in patch.split_inclusive('\n') {
        if let Some(header) = line.strip_prefix("diff --git ") {
            let path = path_of(header.trim_end_matches('\n'));
            wanted = path.is_some_and(|path| paths.contains(path.as_str()));
        }
        if wanted {
            kept.push_str(line);
        }
    }
    kept
}

/// `a/P b/P`, both quoted where one is. Our patches name no renames, so both are the same path.
fn path_of(header: &str) -> Option<String> {
    let (old, new) = if header.starts_with('"') {
        let (old, rest) = unquote(header)?;
        let (new, rest) = unquote(rest.strip_prefix(' ')?)?;
        (rest.is_empty()).then_some((old, new))?
    } else {
        let (old, new) = header.split_at_checked(header.len() / 2)?;
        (old.to_owned(), new.strip_prefix(' ')?.to_owned())
    };
    let (old, new) = (old.strip_prefix("a/")?, new.strip_prefix("b/")?);
    (old == new).then(|| old.to_owned())
}

/// Reads one C-quoted string; answers it and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let body = text.strip_prefix('"')?;
    let mut bytes = Vec::new();
    let mut at = body.bytes().enumerate();
    while let Some((i, byte)) = at.next() {
        match byte {
            b'"' => return Some((String::from_utf8(bytes).ok()?, body.get(i + 1..)?)),
            b'\\' => {
                let (_, escaped) = at.next()?;
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'a' => 7,
                    b'b' => 8,
                    b'v' => 11,
                    b'f' => 12,
                    b'"' | b'\\' => escaped,
                    b'0'..=b'3' => {
                        let (a, b) = (at.next()?.1, at.next()?.1);
                        let octal = [escaped, a, b];
                        u8::from_str_radix(std::str::from_utf8(&octal).ok()?, 8).ok()?
                    }
                    _ => return None,
                });
            }
            other => bytes.push(other),
        }
    }
    None
}

fn check(path: &str) -> Result<(), String> {
    let bad = |part: &str| {
        part.is_empty() || part == "." || part == ".." || part.eq_ignore_ascii_case(".git")
    };
    if path.contains('\0') || path.split('/').any(bad) {
        return Err(format!("it names `{path}`, which no task may change"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn is(header: &str, expected: Option<&str>) {
        assert_eq!(path_of(header).as_deref(), expected, "{header}");
    }

    #[test]
    fn headers_are_read() {
        is("a/x.rs b/x.rs", Some("x.rs"));
        is("a/a b/c d b/a b/c d", Some("a b/c d"));
        is(r#""a/\303\244\t.txt" "b/\303\244\t.txt""#, Some("ä\t.txt"));
        is("a/x b/y", None);
        is("x x", None);
        is(r#""a/x"#, None);
        is("", None);
    }

    #[test]
    fn bad_paths_are_refused() {
        for path in [
            "../x",
            ".git/config",
            "a/.GIT/hooks/x",
            "a//b",
            "/etc/passwd",
            ".",
        ] {
            let patch = format!("diff --git a/{path} b/{path}\n");
            assert!(touched(&patch).is_err(), "{path}");
        }
        assert!(touched("nothing").is_err());
        let two = "diff --git a/x b/x\n--- a/x\ndiff --git a/y b/y\n";
        assert_eq!(touched(two).map(|t| t.len()), Ok(2));
        let one = only(two, &BTreeSet::from(["x", "z"]));
        assert_eq!(one, "diff --git a/x b/x\n--- a/x\n");
    }

    proptest! {
        #[test]
        fn junk_is_answered(text in ".{0,80}") {
            let _ = path_of(&text);
            let _ = touched(&format!("diff --git {text}"));
        }
    }
}
