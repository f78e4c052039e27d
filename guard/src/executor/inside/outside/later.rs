//! Ports on which a conversation begins without TLS: the few words that ask for it, and no more. Nothing about anybody is
//! said, nothing is read beyond the answer, and a server that drips its words out or never ends is left.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Most bytes of a line, and most lines of an answer.
const LINE: usize = 2000;
const LINES: usize = 100;

/// What is spoken before TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Smtp,
    Imap,
    Pop3,
    Postgres,
}

impl Spoken {
    /// By the scheme in front of the host, else by the port.
    pub(super) fn of(asked: &str, port: u16) -> Option<Spoken> {
        let scheme = asked.split_once("://").map(|(scheme, _)| scheme);
        Some(match (scheme, port) {
            (Some("smtp"), _) | (None, 25 | 587 | 2525) => Spoken::Smtp,
            (Some("imap"), _) | (None, 143) => Spoken::Imap,
            (Some("pop3"), _) | (None, 110) => Spoken::Pop3,
            (Some("postgres"), _) | (None, 5432) => Spoken::Postgres,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Spoken::Smtp => "SMTP",
            Spoken::Imap => "IMAP",
            Spoken::Pop3 => "POP3",
            Spoken::Postgres => "PostgreSQL",
        }
    }

    /// Asks for TLS; when this returns, its handshake comes next on the stream.
    pub(super) fn ask(self, stream: &mut (impl Read + Write)) -> Result<(), String> {
        let broken = |e: io::Error| match e.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                format!("it does not answer in {} in time", self.name())
            }
            _ => format!("it breaks off before TLS begins: {e}"),
        };
        let agreed = match self {
            Spoken::Smtp => smtp(stream),
            Spoken::Imap => imap(stream),
            Spoken::Pop3 => pop3(stream),
            Spoken::Postgres => postgres(stream),
        };
        match agreed.map_err(broken)? {
            Answer::Begins => Ok(()),
            Answer::NoTls => Err(format!(
                "it speaks {} and offers no TLS there, so there is no certificate to see",
                self.name()
            )),
            Answer::Other(said) => Err(format!(
                "it does not speak {} as expected: it says \"{said}\"",
                self.name()
            )),
        }
    }
}

enum Answer {
    Begins,
    NoTls,
    Other(String),
}

fn other(line: &str) -> Answer {
    let plain = line.chars().filter(|c| !c.is_control()).take(80);
    Answer::Other(plain.collect())
}

/// One line, byte by byte: what follows belongs to TLS.
fn line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE {
        stream.read_exact(&mut byte)?;
        match byte[0] {
            b'\n' => break,
            b'\r' => {}
            other => line.push(other),
        }
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// The lines of an answer of SMTP; the last has a space behind its number.
fn answer(stream: &mut impl Read) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    while lines.len() < LINES {
        let one = line(stream)?;
        let more = one.as_bytes().get(3) == Some(&b'-');
        lines.push(one);
        if !more {
            break;
        }
    }
    Ok(lines)
}

fn smtp(stream: &mut (impl Read + Write)) -> io::Result<Answer> {
    let hello = answer(stream)?;
    let last = |lines: &[String]| lines.last().cloned().unwrap_or_default();
    if !last(&hello).starts_with("220") {
        return Ok(other(&last(&hello)));
    }
    stream.write_all(b"EHLO [127.0.0.1]\r\n")?;
    let offers = answer(stream)?;
    if !last(&offers).starts_with("250") {
        return Ok(other(&last(&offers)));
    }
    let offered = |line: &String| {
        let word = line.get(4..).and_then(|rest| rest.split(' ').next());
        word.is_some_and(|word| word.eq_ignore_ascii_case("STARTTLS"))
    };
    if !offers.iter().any(offered) {
        return Ok(Answer::NoTls);
    }
    stream.write_all(b"STARTTLS\r\n")?;
    let said = last(&answer(stream)?);
    Ok(match said.starts_with("220") {
        true => Answer::Begins,
        false => other(&said),
    })
}

fn imap(stream: &mut (impl Read + Write)) -> io::Result<Answer> {
    let hello = line(stream)?;
    if !hello.starts_with("* OK") {
        return Ok(other(&hello));
    }
    stream.write_all(b"a STARTTLS\r\n")?;
    for _ in 0..LINES {
        let said = line(stream)?;
        match said.strip_prefix("a ") {
            Some(word) if word.starts_with("OK") => return Ok(Answer::Begins),
            Some(_) => return Ok(Answer::NoTls),
            None => {}
        }
    }
    Ok(Answer::NoTls)
}

fn pop3(stream: &mut (impl Read + Write)) -> io::Result<Answer> {
    let hello = line(stream)?;
    if !hello.starts_with("+OK") {
        return Ok(other(&hello));
    }
    stream.write_all(b"STLS\r\n")?;
    Ok(match line(stream)?.starts_with("+OK") {
        true => Answer::Begins,
        false => Answer::NoTls,
    })
}

/// The request for TLS of PostgreSQL's protocol is eight bytes, its answer one.
fn postgres(stream: &mut (impl Read + Write)) -> io::Result<Answer> {
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
    let mut said = [0];
    stream.read_exact(&mut said)?;
    Ok(match said[0] {
        b'S' => Answer::Begins,
        b'N' => Answer::NoTls,
        byte => other(&char::from(byte).to_string()),
    })
}

/// A stream that ends at a moment, however slowly the other side speaks.
pub(super) struct Bounded {
    stream: TcpStream,
    until: Instant,
}

impl Bounded {
    pub(super) fn new(stream: TcpStream, most: Duration) -> Self {
        let until = Instant::now() + most;
        Self { stream, until }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::Error::new(
                ErrorKind::TimedOut,
                "it does not answer in time",
            )),
            false => Ok(Some(left)),
        }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// A server that has said all it will.
    struct Script {
        says: io::Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.says.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            self.heard.write(buffer)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn check(spoken: Spoken, says: &str, expected: Result<&str, &str>) {
        let mut script = Script {
            says: io::Cursor::new(says.as_bytes().to_vec()),
            heard: Vec::new(),
        };
        let asked = spoken.ask(&mut script);
        match expected {
            Ok(rest) => {
                assert_eq!(asked, Ok(()), "{says}");
                let mut left = String::new();
                script.says.read_to_string(&mut left).unwrap();
                assert_eq!(left, rest, "what follows is left to TLS");
            }
            Err(words) => {
                let why = asked.unwrap_err();
                assert!(why.contains(words), "{why}");
            }
        }
    }

    #[test]
    fn each_is_asked_in_its_own_words() {
        use Spoken::{Imap, Pop3, Postgres, Smtp};
        check(
            Smtp,
            "220-mail\r\n220 ready\r\n250-mail\r\n250-size 10\r\n250 starttls\r\n220 go\r\n<tls>",
            Ok("<tls>"),
        );
        check(
            Smtp,
            "220 ready\r\n250-mail\r\n250 XSTARTTLS\r\n",
            Err("it speaks SMTP and offers no TLS"),
        );
        check(
            Smtp,
            "554 go away\u{7}\r\n",
            Err("as expected: it says \"554 go away\""),
        );
        check(
            Smtp,
            "220 ready\r\n250 STARTTLS\r\n454 later\r\n",
            Err("454 later"),
        );
        check(Smtp, "220 rea", Err("breaks off before TLS begins"));
        check(
            Imap,
            "* OK [CAPABILITY STARTTLS] hi\r\n* CAPABILITY X\r\na OK begin\r\n<tls>",
            Ok("<tls>"),
        );
        check(Imap, "* OK hi\r\na BAD what\r\n", Err("offers no TLS"));
        check(Imap, "220 ready\r\n", Err("does not speak IMAP"));
        check(Pop3, "+OK hi\r\n+OK begin\r\n<tls>", Ok("<tls>"));
        check(Pop3, "+OK hi\r\n-ERR what\r\n", Err("offers no TLS"));
        check(Postgres, "S<tls>", Ok("<tls>"));
        check(Postgres, "N", Err("offers no TLS"));
        check(Postgres, "HTTP/1.1 400", Err("it says \"H\""));
    }

    #[test]
    fn the_port_or_the_scheme_says_what_is_spoken() {
        for (asked, port, expected) in [
            ("mail.example:25", 25, Some(Spoken::Smtp)),
            ("mail.example:993", 993, None),
            ("mail.example:587", 587, Some(Spoken::Smtp)),
            ("imap://mail.example:1143", 1143, Some(Spoken::Imap)),
            ("postgres://db", 5432, Some(Spoken::Postgres)),
            ("pop3://db", 110, Some(Spoken::Pop3)),
        ] {
            assert_eq!(Spoken::of(asked, port), expected, "{asked}");
        }
    }

    proptest! {
        #[test]
        fn any_server_is_survived(says in "(220|250|[-a+* ]|OK|STARTTLS|\r\n|.){0,40}") {
            for spoken in [Spoken::Smtp, Spoken::Imap, Spoken::Pop3, Spoken::Postgres] {
                let mut script = Script { says: io::Cursor::new(says.clone().into_bytes()), heard: Vec::new() };
                if let Err(why) = spoken.ask(&mut script) {
                    prop_assert!(!why.contains('\n'));
                }
            }
        }
    }
}
