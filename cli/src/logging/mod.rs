//! Logs of the long-running processes: JSON lines in `logs/<process>.log` of the home, rotated by size,
//! secrets hidden before anything is written. A panic is logged too: in a window nobody may see it.

mod rotate;

use crate::failure::Failure;
use agents::launcher::serve::Log;
use config::env::Env;
use config::home::Home;
use config::settings::Settings;
use guard::launcher::channel::Line;
use guard::redact::Redactor;
use rotate::Rotated;
use serde_json::Value;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::EnvFilter;

/// Sends everything of the set level and above to the process's log file.
pub fn to_file(home: &Home, process: &str, settings: &Settings) -> Result<(), Failure> {
    begin(settings, Mutex::new(file(home, process, settings)?))
}

/// The same, and answers the file, for lines that another process hands over.
pub fn to_shared_file(home: &Home, process: &str, settings: &Settings) -> Result<Log, Failure> {
    let log: Log = Arc::new(Mutex::new(file(home, process, settings)?));
    begin(settings, Mutex::new(Shared(log.clone())))?;
    Ok(log)
}

/// Sends the same to whoever keeps this process's log: what is secret is hidden there.
pub fn through(line: Line, settings: &Settings) -> Result<(), Failure> {
    begin(settings, Mutex::new(Handed(line)))
}

fn file(home: &Home, process: &str, settings: &Settings) -> Result<Redacted<Rotated>, Failure> {
    let log = &settings.log;
    let (size, files) = (log.max_mb.saturating_mul(1 << 20), log.files);
    let out = Rotated::open(&home.logs(), process, size, files).map_err(|error| {
        let path = home.logs().join(format!("{process}.log"));
        Failure::usage(format!("cannot write {}: {error}", path.display()))
    })?;
    let env = Env::from_process();
    let faults = env.faults().map_err(Failure::usage)?;
    Ok(Redacted {
        redactor: Redactor::new(secrets(home, &env, settings)).under(faults),
        out,
    })
}

fn begin<W: Write + Send + 'static>(settings: &Settings, out: Mutex<W>) -> Result<(), Failure> {
    // Libraries are told to be quiet: their debug lines may hold what was sent.
    let filter = EnvFilter::try_new(format!(
        "{},hyper=warn,reqwest=warn,rustls=warn,sqlx=warn",
        settings.log.level
    ))
    .map_err(|error| Failure::usage(format!("log.level is wrong: {error}")))?;
    tracing_subscriber::fmt()
        .json()
        .with_current_span(false)
        .with_env_filter(filter)
        .with_writer(out)
        .try_init()
        .map_err(|error| Failure::usage(format!("the log cannot be started: {error}")))?;
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string);
        let said = panic.payload_as_str().unwrap_or_default();
        tracing::error!(place, said, "panic");
        before(panic);
    }));
    Ok(())
}

/// A log that two write.
struct Shared(Log);

impl Write for Shared {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.write_all(line).map(|()| line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log that somebody else keeps. The subscriber hands over one whole line at a time.
struct Handed(Line);

impl Write for Handed {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(&(), line, &[]).map(|()| line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whatever must not stand in a log: the secrets of the settings and of the home, the passwords of the bus.
fn secrets(home: &Home, env: &Env, settings: &Settings) -> Vec<String> {
    let users = config::bus_access::read(home).map(|access| access.users);
    let users = users.unwrap_or_default().into_values();
    let passwords = users.filter_map(|user| user.password);
    let own = settings.secrets().map(|one| one.reveal().to_owned());
    let kept = config::secret::every(home, env).into_iter();
    let kept = kept.map(|one| one.reveal().to_owned());
    own.chain(kept).chain(passwords).collect()
}

/// Hides secrets in lines. The subscriber hands over one whole line at a time.
struct Redacted<W> {
    redactor: Redactor,
    out: W,
}

impl<W: Write> Write for Redacted<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.out.write_all(clean(&self.redactor, line).as_bytes())?;
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line without secrets. Where it is JSON it stays so: its texts are cleaned one by one, as they are
/// and not as JSON writes them.
fn clean(redactor: &Redactor, line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => {
            let cleaned = redactor.value(value.clone());
            match cleaned == value {
                true => text.into_owned(),
                false => format!("{cleaned}\n"),
            }
        }
        Err(_) => redactor.text(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_file_and_lines_stay_json() {
        let redactor = Redactor::new(["pass\"word\\1".to_owned()]);
        let line = serde_json::json!({"fields": {"message": "a pass\"word\\1 b", "n": 5}});
        let cut = serde_json::json!({"m": "-----BEGIN PRIVATE KEY-----\nabc", "z": 1});
        for (line, expected) in [
            (
                format!("{line}\n"),
                "{\"fields\":{\"message\":\"a [secret] b\",\"n\":5}}\n",
            ),
            (format!("{cut}\n"), "{\"m\":\"[secret]\",\"z\":1}\n"),
            (
                "{ \"as\" : \"it is\" }\n".to_owned(),
                "{ \"as\" : \"it is\" }\n",
            ),
            ("no json pass\"word\\1\n".to_owned(), "no json [secret]\n"),
        ] {
            assert_eq!(clean(&redactor, line.as_bytes()), expected);
        }
    }
}
