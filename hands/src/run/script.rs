//! What a file says of the program that reads it: the line with `#!`, as the kernel takes it. Pure.

/// How much of a file the kernel looks at.
const LOOKED_AT: usize = 256;

/// The interpreter a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Its path as it is written.
    pub path: String,
    /// Where it is `env`: the program that is looked for by name.
    pub by_name: Option<String>,
}

/// The interpreter of a file that begins with these bytes; `None` where it is no script.
///
/// # Errors
/// A sentence: it is one, and which program reads it cannot be told.
pub fn interpreter(bytes: &[u8]) -> Result<Option<Interpreter>, String> {
    let Some(rest) = bytes.strip_prefix(b"#!") else {
        return Ok(None);
    };
    let rest = rest.get(..rest.len().min(LOOKED_AT)).unwrap_or_default();
    let Some(end) = rest.iter().position(|b| *b == b'\n') else {
        return Err("its first line is too long to tell which program reads it".to_owned());
    };
    let line = rest.get(..end).unwrap_or_default();
    let odd = || "its first line is no plain text".to_owned();
    let line = core::str::from_utf8(line).map_err(|_| odd())?;
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err(odd());
    }
    let line = line.trim_matches([' ', '\t']);
    let (path, words) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    if !path.starts_with('/') {
        return Err("its first line names no absolute path".to_owned());
    }
    let by_name = match path.rsplit('/').next() {
        Some("env") => Some(named(words)?),
        _ => None,
    };
    Ok(Some(Interpreter {
        path: path.to_owned(),
        by_name,
    }))
}

/// The program that `env` looks for. The kernel hands it everything as one word, `-S` splits it.
fn named(words: &str) -> Result<String, String> {
    let words = words.trim();
    let words = words.strip_prefix("-S").map_or(words, str::trim_start);
    let first = words.split_whitespace().next().unwrap_or_default();
    match first.is_empty() || first.starts_with('-') || first.contains(['=', '"', '\'', '\\', '$'])
    {
        true => Err("its first line has `env` do more than look for one program".to_owned()),
        false => Ok(first.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Option<(&str, Option<&str>)>, &str>) {
        let found = interpreter(text.as_bytes());
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let found = found.map(|one| (one.path, one.by_name));
                let expected =
                    expected.map(|(path, name)| (path.to_owned(), name.map(str::to_owned)));
                assert_eq!(found, expected, "{text}");
            }
            (Err(said), Err(words)) => assert!(said.contains(words), "{said}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_first_line_is_read_as_the_kernel_reads_it() {
        check("\u{7f}ELF", Ok(None));
        check("", Ok(None));
        check("echo\n", Ok(None));
        check("#!/bin/sh\necho\n", Ok(Some(("/bin/sh", None))));
        check("#! /bin/bash -e\n", Ok(Some(("/bin/bash", None))));
        check(
            "#!/usr/bin/env python3\n",
            Ok(Some(("/usr/bin/env", Some("python3")))),
        );
        check(
            "#!/usr/bin/env -S python3 -u\n",
            Ok(Some(("/usr/bin/env", Some("python3")))),
        );
        check("#!/usr/bin/env -i python3\n", Err("more than look"));
        check("#!/usr/bin/env A=b python3\n", Err("more than look"));
        check("#!/usr/bin/env\n", Err("more than look"));
        check("#!bin/sh\n", Err("no absolute path"));
        check("#!\n", Err("no absolute path"));
        check("#!/bin/sh", Err("too long"));
        check(&format!("#!/{}\n", "x".repeat(300)), Err("too long"));
        check("#!/bin/sh\r\n", Err("no plain text"));
    }
}
