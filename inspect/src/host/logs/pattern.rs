//! What messages have in common: the same message with other numbers, names and addresses is the same trouble. Secrets
//! are masked before anything else looks at a message.

use std::sync::LazyLock;

use regex::Regex;

use crate::{secret_rules, secrets};

/// Longest message that is kept, in characters.
const LONGEST: usize = 400;

static PARTS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let parts = [
        (r", client: .*$", ""),
        (
            r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "<id>",
        ),
        (r"[\w.+-]+@[\w-]+\.[\w.-]+", "<mail>"),
        (r#""[^"]*""#, "\"…\""),
        (r"'[^']*'", "'…'"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<ip>"),
        (
            r"(?i)\b(?:[0-9a-f]{1,4}:)+(?::[0-9a-f]{1,4})+\b|\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b",
            "<ip>",
        ),
        (r"(?i)\b0x[0-9a-f]+\b", "<hex>"),
        (r"(?i)\b[0-9a-f]*\d[0-9a-f]*[a-f][0-9a-f]*\b", "<hex>"),
        (r"\d+(?:[.,]\d+)*", "<n>"),
        (r"(?:<n>[ ,;]*){3,}", "<n>… "),
    ];
    parts
        .into_iter()
        .filter_map(|(shape, word)| Some((Regex::new(shape).ok()?, word)))
        .collect()
});

static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)((?:password|passwd|pwd|passphrase|secret|token|api[_-]?key|authorization|cookie)["']?\s*[=:]\s*["']?(?:bearer |basic )?)([^\s"',;&]{3,})"#,
    )
    .ok()
});
static LOGIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(\w+://[^\s:/@]*:)([^\s@/]+)(@)").ok());

/// A message without its secrets, on one line, cut.
pub fn masked(message: &str) -> String {
    let mut text: String = message.chars().take(4 * LONGEST).collect();
    let mut found: Vec<(usize, usize)> = secret_rules::find(&text)
        .iter()
        .map(|f| (f.start, f.start + f.text.len()))
        .collect();
    found.sort_unstable();
    for (start, end) in found.into_iter().rev() {
        if let Some(secret) = text.get(start..end) {
            let mask = secrets::mask(secret);
            text.replace_range(start..end, &mask);
        }
    }
    if let Some(named) = NAMED.as_ref() {
        text = named.replace_all(&text, "${1}********").into_owned();
    }
    if let Some(login) = LOGIN.as_ref() {
        text = login.replace_all(&text, "${1}********${3}").into_owned();
    }
    let spoken = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = spoken.take(LONGEST).collect();
    if short.chars().count() < text.chars().count() {
        short.push('…');
    }
    short
}

/// What a masked message has in common with others of its kind.
pub fn pattern(masked: &str) -> String {
    let mut text = masked.to_owned();
    for (shape, word) in PARTS.iter() {
        text = shape.replace_all(&text, *word).into_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_trouble_has_one_pattern() {
        assert!(PARTS.len() == 11 && NAMED.is_some() && LOGIN.is_some());
        for (one, two) in [
            (
                "payment 1001 failed: gateway 10.0.0.1 timed out after 300 ms",
                "payment 7 failed: gateway 10.9.8.7:443 timed out after 1,200.5 ms",
            ),
            (
                "open() \"/srv/a.html\" failed (2: No such file), client: 1.2.3.4, server: a",
                "open() \"/srv/b/c\" failed (2: No such file), client: fe80::1, server: b",
            ),
            (
                "request 3f2b8c1e-1111-2222-3333-444455556666 died",
                "request 00000000-aaaa-bbbb-cccc-ddddeeeeffff died",
            ),
            ("no route to 2001:db8:0:1::7", "no route to fe80::1"),
            (
                "mail to ann@example.org bounced",
                "mail to bob@shop.test bounced",
            ),
            ("at 0xdeadbeef and 7f3a", "at 0x1 and 9c"),
        ] {
            assert_eq!(pattern(one), pattern(two));
        }
        assert_ne!(pattern("disk sda failed"), pattern("disk full"));
    }

    #[test]
    fn secrets_never_come_out() {
        for message in [
            "login with password=hunter2hunter failed",
            "cannot reach postgres://shop:hunter2hunter@db/shop",
            "header Authorization: Bearer hunter2hunter refused",
            "{\"token\": \"hunter2hunter\"}",
        ] {
            let masked = masked(message);
            assert!(
                !masked.contains("hunter2") && masked.contains("****"),
                "{masked}"
            );
        }
        let key = format!("used AK{} twice", "IAQ3EGR7JSDF2KWMNP");
        assert!(!masked(&key).contains("EGR7JSDF"), "{}", masked(&key));
        assert_eq!(masked("a\u{1b}[31m\nb"), "a [31m b");
    }

    proptest! {
        #[test]
        fn any_message_is_taken(message in ".{0,600}") {
            let masked = masked(&message);
            prop_assert!(masked.chars().count() <= LONGEST + 1 && !masked.chars().any(char::is_control));
            pattern(&masked);
        }
    }
}
