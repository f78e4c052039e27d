//! What a program asks of a registry that the proxy shows a token: one `GET /NAME/path`, read strictly. Whatever two
//! programs could read in two ways is refused, and of the headers only those that decide about the answer go on.

use super::request::lines;
use crate::sandbox::spec::PROXY_PORT;
use percent_encoding::percent_decode_str;

/// Largest body of a question, in bytes: what a git client says it has.
pub const BODY_BYTES: usize = 8 * 1024 * 1024;
/// Longest path that is told, in characters.
const PATH_TOLD: usize = 200;

/// Headers that go on. Nothing that names a host, a person, a place, a range or a way back is among them.
const GO_ON: [&str; 7] = [
    "accept",
    "content-encoding",
    "content-type",
    "git-protocol",
    "if-modified-since",
    "if-none-match",
    "user-agent",
];
/// Headers of which there is one at most.
const SINGLE: [&str; 3] = ["content-length", "content-type", "host"];

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The whole answer.
    Get,
    /// Its head alone.
    Head,
    /// A question with a body: of git, which asks so for objects.
    Post,
}

impl Method {
    /// As HTTP writes it.
    pub fn word(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
        }
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How.
    pub method: Method,
    /// The registry's name.
    pub name: String,
    /// The path below it, without a slash at its beginning, as it was written.
    pub path: String,
    /// What stands behind the question mark, where one stands.
    pub query: Option<String>,
    /// Headers that go on, names in small letters.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub length: usize,
}

impl Asked {
    /// As the record has it. What does not fit, and what may hold a secret, is told by its length.
    pub fn told(&self) -> String {
        let mut told = format!("{} {}/", self.method.word(), self.name);
        told.extend(self.path.chars().take(PATH_TOLD));
        let rest = self.path.chars().count().saturating_sub(PATH_TOLD);
        if rest > 0 {
            told += &format!("… ({rest} more)");
        }
        if let Some(query) = &self.query {
            told += &format!(" ({} bytes of query)", query.len());
        }
        told
    }
}

/// Reads the head of a question, up to and with its empty line.
pub fn read(head: &[u8]) -> Result<Asked, &'static str> {
    let (line, rest) = lines(head)?;
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = words.as_slice() else {
        return Err("is neither `CONNECT host:port HTTP/1.1` nor `GET /NAME/path HTTP/1.1`");
    };
    let method = match *method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => {
            return Err(
                "is none of CONNECT, GET, HEAD and POST: programs fetch, they change nothing",
            );
        }
    };
    let target = target
        .strip_prefix('/')
        .ok_or("names a whole address: a registry is asked by /NAME/path")?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let (name, path) = path.split_once('/').unwrap_or((path, ""));
    leads_down(path)?;
    let odd = |b: u8| !(0x21..0x7f).contains(&b) || b"#<>\"\\^`{|}".contains(&b);
    if query.is_some_and(|query| query.bytes().any(odd)) {
        return Err("has characters in it that an address has not");
    }
    let mut asked = Asked {
        method,
        name: name.to_owned(),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        headers: Vec::new(),
        length: 0,
    };
    headers(rest, &mut asked)?;
    Ok(asked)
}

/// Whether a path leads down and nowhere else, however often it is decoded on its way.
pub(crate) fn leads_down(path: &str) -> Result<(), &'static str> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&b);
    if !path.bytes().all(good) {
        return Err("has characters in its path that an address has not");
    }
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| "has a path that is no text")?;
    // What is coded twice is read in two ways.
    if decoded.contains(['%', '\\']) || decoded.chars().any(char::is_control) {
        return Err("has a path that can be read in two ways");
    }
    let parts: Vec<&str> = decoded.split('/').collect();
    let last = parts.len() - 1;
    let up = |(at, part): (usize, &&str)| match *part {
        "." | ".." => true,
        // Some servers give `..;` a meaning.
        part => {
            part.starts_with("..;") || part.starts_with(".;") || (part.is_empty() && at != last)
        }
    };
    match parts.iter().enumerate().any(up) {
        true => Err("has a path that leads up, or an empty part in it"),
        false => Ok(()),
    }
}

fn headers(rest: &str, asked: &mut Asked) -> Result<(), &'static str> {
    let mut seen: Vec<String> = Vec::new();
    for line in rest.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or("has a header that is none")?;
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err("has a header without a plain name");
        }
        let name = name.to_ascii_lowercase();
        let value = value.trim_matches([' ', '\t']);
        if SINGLE.contains(&name.as_str()) && seen.contains(&name) {
            return Err("says a header twice that is said once");
        }
        match name.as_str() {
            // A wish for another protocol is not heard: curl has one on every question.
            "transfer-encoding" => return Err("has a body without a length"),
            "host" if !here(value) => return Err("is for another host than this proxy"),
            "content-length" => asked.length = length(value)?,
            name if GO_ON.contains(&name) && value.is_ascii() => {
                asked.headers.push((name.to_owned(), value.to_owned()));
            }
            _ => {}
        }
        seen.push(name);
    }
    if !seen.iter().any(|name| name == "host") {
        return Err("names no host");
    }
    match asked.method {
        Method::Post if !seen.iter().any(|name| name == "content-length") => {
            Err("has a body without a length")
        }
        Method::Get | Method::Head if asked.length > 0 => Err("has a body, and asks for none"),
        _ => Ok(()),
    }
}

fn here(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "80"));
    ["127.0.0.1", "localhost"].contains(&name) && port.parse() == Ok(PROXY_PORT)
}

fn length(value: &str) -> Result<usize, &'static str> {
    let plain = (1..=9).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    match value.parse() {
        Ok(length) if plain && length <= BODY_BYTES => Ok(length),
        _ => Err("has a body of no known length, or of more than 8 MB"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const HOST: &str = "Host: 127.0.0.1:3128\r\n";

    fn ask(target: &str) -> Result<Asked, &'static str> {
        read(format!("GET {target} HTTP/1.1\r\n{HOST}\r\n").as_bytes())
    }

    #[test]
    fn what_clients_send_is_read() {
        for (target, name, path, query) in [
            ("/corp/simple/six/", "corp", "simple/six/", None),
            ("/corp/@shop%2fcart", "corp", "@shop%2fcart", None),
            (
                "/corp/cart/-/cart-1.0.0.tgz",
                "corp",
                "cart/-/cart-1.0.0.tgz",
                None,
            ),
            ("/corp/config.json", "corp", "config.json", None),
            ("/corp", "corp", "", None),
            ("/corp/", "corp", "", None),
            (
                "/git/shop.git/info/refs?service=git-upload-pack",
                "git",
                "shop.git/info/refs",
                Some("service=git-upload-pack"),
            ),
        ] {
            let asked = ask(target).unwrap();
            let told = (
                asked.name.as_str(),
                asked.path.as_str(),
                asked.query.as_deref(),
            );
            assert_eq!(told, (name, path, query), "{target}");
        }
        let head = format!(
            "POST /g/x/git-upload-pack HTTP/1.1\r\n{HOST}Content-Length: 12\r\nGit-Protocol: version=2\r\n\
             Authorization: Bearer mine\r\nX-Original-URL: /private\r\nCookie: a\r\nContent-Type: a/b\r\n\r\n"
        );
        let asked = read(head.as_bytes()).unwrap();
        assert_eq!((asked.method, asked.length), (Method::Post, 12));
        let names: Vec<&str> = asked
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["git-protocol", "content-type"]);
    }

    #[test]
    fn the_record_has_how_much_was_asked() {
        let long = format!("/corp/{}", "a".repeat(250));
        let cut = format!("GET corp/{}… (50 more)", "a".repeat(200));
        for (target, expected) in [
            ("/corp/simple/six/", "GET corp/simple/six/"),
            ("/corp/x?y=hunter2", "GET corp/x (9 bytes of query)"),
            (&long, &cut),
        ] {
            assert_eq!(ask(target).unwrap().told(), expected);
        }
    }

    #[test]
    fn hostile_questions_are_refused() {
        for target in [
            "/corp/../private",
            "/corp/a/../../private",
            "/corp/%2e%2e/private",
            "/corp/%2E%2e%2fprivate",
            "/corp/..%2fprivate",
            "/corp/%252e%252e/private",
            "/corp/..;/private",
            "/corp/..\\private",
            "/corp/..%5cprivate",
            "/corp/./a",
            "/corp//a",
            "/corp/a%00b",
            "/corp/a%0d%0aX:b",
            "/corp/%ff",
            "/corp/a#b",
            "/corp/a\tb",
            "/corp/ä",
            "http://127.0.0.1:3128/corp/a",
            "https://private.example/corp/a",
            "corp/a",
            "*",
            "",
        ] {
            assert!(ask(target).is_err(), "{target:?} was read");
        }
        for head in [
            format!("DELETE /corp/a HTTP/1.1\r\n{HOST}\r\n"),
            format!("PUT /corp/a HTTP/1.1\r\n{HOST}Content-Length: 0\r\n\r\n"),
            format!("get /corp/a HTTP/1.1\r\n{HOST}\r\n"),
            format!("GET /corp/a HTTP/1.0\r\n{HOST}\r\n"),
            format!("GET  /corp/a HTTP/1.1\r\n{HOST}\r\n"),
            "GET /corp/a HTTP/1.1\r\n\r\n".to_owned(),
            "GET /corp/a HTTP/1.1\r\nHost: private.example\r\n\r\n".to_owned(),
            "GET /corp/a HTTP/1.1\r\nHost: 127.0.0.1:3128@private.example\r\n\r\n".to_owned(),
            format!("GET /corp/a HTTP/1.1\r\n{HOST}{HOST}\r\n"),
            format!("GET /corp/a HTTP/1.1\r\n{HOST} Folded: x\r\n\r\n"),
            format!("GET /corp/a HTTP/1.1\r\n{HOST}X y: x\r\n\r\n"),
            format!("GET /corp/a HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\n"),
            format!("GET /corp/a HTTP/1.1\r\n{HOST}X: a\nY: b\r\n\r\n"),
            format!("POST /g/git-upload-pack HTTP/1.1\r\n{HOST}\r\n"),
            format!("POST /g/git-upload-pack HTTP/1.1\r\n{HOST}Content-Length: +5\r\n\r\n"),
            format!(
                "POST /g/git-upload-pack HTTP/1.1\r\n{HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n"
            ),
            format!("POST /g/git-upload-pack HTTP/1.1\r\n{HOST}Content-Length: 5, 5\r\n\r\n"),
            format!("POST /g/git-upload-pack HTTP/1.1\r\n{HOST}Content-Length: 99999999\r\n\r\n"),
            format!(
                "POST /g/git-upload-pack HTTP/1.1\r\n{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
        ] {
            assert!(read(head.as_bytes()).is_err(), "{head:?} was read");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_leads_down(target in "/[a-c./%2efF5\\\\;-]{0,40}") {
            if let Ok(asked) = ask(&target) {
                let mut path = asked.path;
                for _ in 0..3 {
                    prop_assert!(!path.split(['/', '\\']).any(|part| part == ".." || part == "."));
                    path = percent_decode_str(&path).decode_utf8_lossy().into_owned();
                }
            }
        }

        #[test]
        fn bytes_never_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _said = read(&bytes);
        }
    }
}
