//! A request as it is sent, its answer, and where the next page of a list is.

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use std::path::{Path, PathBuf};

/// What was asked for, and how.
pub struct Asked<'a> {
    pub method: Method,
    pub url: Url,
    /// As a sentence names it: `reading me/kept`.
    pub what: &'a str,
    pub body: Body,
    pub accept: &'static str,
    /// Where a good answer goes, where that is a file.
    pub to: Option<&'a Path>,
}

/// What is sent.
#[derive(Clone)]
pub enum Body {
    None,
    Json(Vec<u8>),
    /// A file, and its size.
    File(PathBuf, u64),
}

/// A good answer.
pub struct Got {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// The address of the next page, of a `link` header.
pub fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|one| {
        let (address, about) = one.trim().strip_prefix('<')?.split_once('>')?;
        let next = about
            .split(';')
            .any(|word| word.trim().replace('"', "") == "rel=next");
        next.then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found() {
        let link = r#"<https://h/a?page=1>; rel="prev", <https://h/a?page=3>; rel="next", <https://h/a?page=9>; rel="last""#;
        assert_eq!(next_page(link), Some("https://h/a?page=3"));
        for none in [
            "",
            r#"<https://h/a>; rel="last""#,
            "<",
            "next",
            r#"https://h; rel="next""#,
        ] {
            assert_eq!(next_page(none), None, "{none}");
        }
    }
}
