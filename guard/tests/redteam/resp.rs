//! Redis spoken word by word, as whoever holds a user's password may speak it: no client stands between an attempt and
//! the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long more is waited for where something may come by itself.
const HEAR: Duration = Duration::from_millis(300);

/// What was answered: every text of it in its order, or why not.
pub type Reply = Result<Vec<Vec<u8>>, String>;

/// One connection.
pub struct Line {
    stream: BufReader<UnixStream>,
}

impl Line {
    /// Connects, as nobody yet.
    pub fn open(socket: &Path) -> std::io::Result<Line> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Line {
            stream: BufReader::new(stream),
        })
    }

    /// Connects as a user.
    pub fn login(socket: &Path, user: &str, password: &str) -> Result<Line, String> {
        let mut line = Line::open(socket).map_err(|e| e.to_string())?;
        line.say(&["AUTH", user, password])?;
        Ok(line)
    }

    /// Says a command and waits for what is answered.
    pub fn say(&mut self, words: &[&str]) -> Reply {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
        }
        let stream = self.stream.get_mut();
        stream.write_all(&bytes).map_err(|e| gone(&e))?;
        self.answer()
    }

    /// What comes by itself within a moment, if anything does.
    pub fn hear(&mut self) -> Reply {
        let wait = |line: &Line, time| line.stream.get_ref().set_read_timeout(Some(time));
        wait(self, HEAR).map_err(|e| gone(&e))?;
        let heard = self.answer();
        wait(self, PATIENCE).map_err(|e| gone(&e))?;
        heard
    }

    fn answer(&mut self) -> Reply {
        let mut head = Vec::new();
        let read = self.stream.read_until(b'\n', &mut head);
        if read.map_err(|e| gone(&e))? == 0 {
            return Err("the connection ended".to_owned());
        }
        let text = String::from_utf8_lossy(&head);
        let (kind, rest) = text.trim_end().split_at(1);
        let count = || rest.parse::<i64>().unwrap_or(-1);
        match kind {
            "-" => Err(rest.to_owned()),
            "$" if count() >= 0 => {
                let mut bytes = vec![0; count() as usize + 2];
                let read = self.stream.read_exact(&mut bytes);
                read.map_err(|e| gone(&e))?;
                bytes.truncate(bytes.len() - 2);
                Ok(vec![bytes])
            }
            "*" if count() >= 0 => {
                let mut all = Vec::new();
                for _ in 0..count() {
                    all.extend(self.answer()?);
                }
                Ok(all)
            }
            "$" | "*" => Ok(Vec::new()),
            _ => Ok(vec![rest.as_bytes().to_vec()]),
        }
    }
}

fn gone(error: &std::io::Error) -> String {
    format!("nothing was answered: {error}")
}

/// The words of a line of a case: between blanks, or between double quotes.
pub fn words(line: &str) -> Vec<String> {
    let quoted = line.split('"').enumerate();
    let parts = quoted.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    parts.collect()
}
