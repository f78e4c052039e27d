//! How names are spelt that mean things outside: hosts and pages, where `shop.example` is one and `orders.csv` is not, places
//! of the host, and services.

/// Endings that files have and hosts hardly do.
const OF_FILES: [&str; 30] = [
    "html", "htm", "php", "css", "js", "ts", "tsx", "jsx", "json", "jsonl", "yaml", "yml", "toml",
    "md", "txt", "csv", "tsv", "db", "sqlite", "sqlite3", "py", "rs", "go", "sh", "sql", "png",
    "jpg", "pdf", "log", "xml",
];

/// Whether a text is a host, with a port where it has one; also out of a whole address.
pub(super) fn is_host(text: &str) -> bool {
    let text = text.trim();
    let (sure, rest) = match text.split_once("://") {
        Some((_, rest)) => (true, rest.split(['/', '?', '#']).next().unwrap_or_default()),
        None => (false, text),
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let labels: Vec<&str> = host.split('.').collect();
    let label = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let last = labels
        .last()
        .copied()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let known =
        sure || host == "localhost" || (labels.len() > 1 && !OF_FILES.contains(&last.as_str()));
    good_port && labels.iter().all(label) && known
}

/// Whether a text is the address of a page, with or without its scheme.
pub(super) fn is_address(text: &str) -> bool {
    let rest = match text.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(_) => return false,
        None => text,
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match text.contains("://") {
        true => format!("https://{host}"),
        false => host.to_owned(),
    };
    is_host(&host) && !text.contains(char::is_whitespace)
}

/// Whether a text is a place on the host: from `/`, and nowhere else than it says.
pub(super) fn is_place(text: &str) -> bool {
    text.starts_with('/') && text.split('/').all(|part| part != ".." && part != ".")
}

/// Whether a text is the name of a service, or of something named likewise.
pub(super) fn is_unit(text: &str) -> bool {
    !text.starts_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"@._:-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_and_addresses_are_told_from_files_and_words() {
        for (text, host, address) in [
            ("shop.example", true, true),
            ("mail.example:993", true, true),
            ("localhost:8080", true, true),
            ("https://shop.example/a?b=c#d", true, true),
            ("http://server:80/", true, true),
            ("shop.example/start", false, true),
            ("10.0.0.7", true, true),
            ("https://notes.md/", true, true),
            ("index.html", false, false),
            ("src/main.rs", false, false),
            ("orders.csv", false, false),
            ("server", false, false),
            ("ftp://shop.example", true, false),
            ("https://u@shop.example", false, false),
            ("https://", false, false),
            ("-x.example", false, false),
            ("shop.example:0", false, false),
            ("a..b", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_host(text), is_address(text)), (host, address), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,60}") {
            let _ = (is_host(&text), is_address(&text));
        }
    }
}
