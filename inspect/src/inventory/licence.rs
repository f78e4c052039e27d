//! Licences: what an SPDX expression asks for, and which licence a text is.

use serde::{Deserialize, Serialize};

/// What a licence asks for, as far as its name tells; no advice of a lawyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// A notice at most.
    Notice,
    /// Changes to the package itself stay under it.
    Files,
    /// Works that include it stay under it.
    Works,
    /// Not known.
    Unknown,
}

const NOTICE: [&str; 36] = [
    "mit",
    "mit-0",
    "apache-2.0",
    "apache 2.0",
    "apache license 2.0",
    "apache software license",
    "apache",
    "bsd",
    "bsd license",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsd-1-clause",
    "0bsd",
    "isc",
    "isc license (iscl)",
    "zlib",
    "unlicense",
    "the unlicense (unlicense)",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-3.0",
    "bsl-1.0",
    "wtfpl",
    "unicode-3.0",
    "unicode-dfs-2016",
    "python-2.0",
    "psf-2.0",
    "python software foundation license",
    "mit license",
    "blueoak-1.0.0",
    "openssl",
    "postgresql",
    "ncsa",
    "cdla-permissive-2.0",
    "libpng-2.0",
    "hpnd",
];
const FILES: [&str; 6] = ["mpl", "lgpl", "epl", "cddl", "mozilla public", "gnu lesser"];
const WORKS: [&str; 8] = [
    "gpl",
    "agpl",
    "sspl",
    "osl",
    "eupl",
    "gnu general",
    "gnu affero",
    "gnu gpl",
];

/// What a licence asks for. Of alternatives the mildest counts, of things that go together the
/// strictest.
pub(super) fn duty(licence: Option<&str>) -> Duty {
    let Some(text) = licence else {
        return Duty::Unknown;
    };
    if let Some(known) = single(text) {
        return known;
    }
    let spaced = text
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader {
        words: &words,
        at: 0,
        depth: 0,
    };
    let read = reader.either();
    if reader.at < words.len() {
        Duty::Unknown
    } else {
        read
    }
}

fn single(name: &str) -> Option<Duty> {
    let name = name.trim().to_ascii_lowercase();
    let starts = |list: &[&str]| list.iter().any(|known| name.starts_with(known));
    if NOTICE.contains(&name.as_str()) {
        Some(Duty::Notice)
    } else if name.contains(" or ") || name.contains(" and ") || name.contains(['(', '/']) {
        None
    } else if starts(&FILES) {
        Some(Duty::Files)
    } else if starts(&WORKS) {
        Some(Duty::Works)
    } else {
        None
    }
}

struct Reader<'a> {
    words: &'a [&'a str],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self, word: &str) -> bool {
        self.words
            .get(self.at)
            .is_some_and(|w| w.eq_ignore_ascii_case(word))
    }

    fn either(&mut self) -> Duty {
        let mut mildest = self.both();
        while self.peek("or") {
            self.at += 1;
            mildest = mildest.min(self.both());
        }
        mildest
    }

    fn both(&mut self) -> Duty {
        let mut strictest = self.one();
        while self.peek("and") {
            self.at += 1;
            strictest = strictest.max(self.one());
        }
        strictest
    }

    fn one(&mut self) -> Duty {
        if self.peek("(") && self.depth < 16 {
            self.at += 1;
            self.depth += 1;
            let inside = self.either();
            self.depth -= 1;
            if self.peek(")") {
                self.at += 1;
                return inside;
            }
            return Duty::Unknown;
        }
        let Some(name) = self.words.get(self.at) else {
            return Duty::Unknown;
        };
        self.at += 1;
        let known = single(name.trim_end_matches('+')).unwrap_or(Duty::Unknown);
        if self.peek("with") {
            // An exception only takes away from what is asked.
            self.at += 2;
        }
        known
    }
}

/// Which licence a text is, by the words that only it holds; none when it is none of these.
pub(super) fn of_text(text: &str) -> Option<&'static str> {
    let head: String = text.chars().take(6000).collect();
    let plain = head
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let has = |words: &str| plain.contains(words);
    Some(
        if has("gnu affero general public license") && !has("gnu general public license version") {
            "AGPL-3.0"
        } else if has("gnu lesser general public license") {
            "LGPL"
        } else if has("gnu general public license") && has("version 3") {
            "GPL-3.0"
        } else if has("gnu general public license") {
            "GPL-2.0"
        } else if has("mozilla public license") && has("2.0") {
            "MPL-2.0"
        } else if has("apache license") && has("version 2.0") {
            "Apache-2.0"
        } else if has("permission is hereby granted, free of charge") {
            "MIT"
        } else if has("redistribution and use in source and binary forms")
            && has("neither the name")
        {
            "BSD-3-Clause"
        } else if has("redistribution and use in source and binary forms") {
            "BSD-2-Clause"
        } else if has("permission to use, copy, modify, and/or distribute this software") {
            if has("appear in all copies") {
                "ISC"
            } else {
                "0BSD"
            }
        } else if has("free and unencumbered software") {
            "Unlicense"
        } else if has("boost software license") {
            "BSL-1.0"
        } else if has("cc0 1.0 universal") {
            "CC0-1.0"
        } else if has("this software is provided 'as-is'") {
            "Zlib"
        } else {
            return None;
        },
    )
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn duties_are_read() {
        for (licence, expected) in [
            ("MIT", Duty::Notice),
            ("MIT/Apache-2.0", Duty::Notice),
            ("MIT OR GPL-3.0-only", Duty::Notice),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Duty::Notice),
            ("Apache-2.0 WITH LLVM-exception", Duty::Notice),
            ("MPL-2.0", Duty::Files),
            ("LGPL-2.1-or-later", Duty::Files),
            ("MIT AND LGPL-3.0", Duty::Files),
            ("GPL-2.0-only WITH Classpath-exception-2.0", Duty::Works),
            ("GNU General Public License v3 (GPLv3)", Duty::Unknown),
            ("AGPL-3.0", Duty::Works),
            ("Commercial", Duty::Unknown),
            ("MIT OR", Duty::Notice),
            ("(MIT", Duty::Unknown),
            ("", Duty::Unknown),
        ] {
            assert_eq!(duty(Some(licence)), expected, "{licence}");
        }
        assert_eq!(duty(None), Duty::Unknown);
    }

    #[test]
    fn texts_are_known() {
        assert_eq!(
            of_text("The MIT License\n\nPermission is hereby granted,\n free of charge, to"),
            Some("MIT")
        );
        assert_eq!(
            of_text("Apache License\n Version 2.0, January 2004"),
            Some("Apache-2.0")
        );
        assert_eq!(of_text("All rights reserved."), None);
    }

    proptest! {
        #[test]
        fn any_licence_is_judged(text in "(MIT|GPL-3.0| OR | AND | WITH |\\(|\\)|/|.){0,60}") {
            duty(Some(&text));
            of_text(&text);
        }
    }
}
