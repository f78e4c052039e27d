//! Which ledger is a home's: the one its settings name, so long as it is the one the home has. A variable that
//! comes or goes with somebody's shell must not begin a second history beside the first.

use super::error::LedgerError;
use super::place::Place;
use super::server::Server;
use config::home::Home;
use config::home_id::home_id;
use config::private_file;
use config::settings::Settings;

/// Largest note read, in bytes.
const NOTE_BYTES: u64 = 8 * 1024;
/// Version of the note.
const V: u64 = 1;

/// The ledger that the settings name, whatever the home has.
///
/// # Errors
/// When the home's id cannot be read.
pub fn named(settings: &Settings, home: &Home) -> Result<Place, LedgerError> {
    Ok(match settings.ledger.address() {
        None => Place::File(home.ledger()),
        Some(address) => Place::Server(Box::new(Server {
            address,
            password: settings.ledger.password.clone(),
            team: settings.team.name.clone(),
            home: home_id(home).map_err(|e| LedgerError::Elsewhere(e.to_string()))?,
        })),
    })
}

/// The ledger that the settings name, where the home has no other.
///
/// # Errors
/// When the home's ledger is somewhere else: a sentence that says where.
pub fn of(settings: &Settings, home: &Home) -> Result<Place, LedgerError> {
    let place = named(settings, home)?;
    let by = settings.origin("ledger.url").unwrap_or_default();
    match &place {
        Place::File(_) => match noted(home)? {
            Some(at) => Err(LedgerError::Elsewhere(format!(
                "the ledger of this home is in {at}, and nothing says so any more: set `ledger.url` (or DATABASE_URL) again, or bring it back: ai-infra ledger move --to file"
            ))),
            None => Ok(place),
        },
        Place::Server(server) if home.ledger().exists() => Err(LedgerError::Elsewhere(format!(
            "the ledger of this home is the file {}, and `ledger.url` ({by}) names {}: move it there with `ai-infra ledger move`, or take that setting away",
            home.ledger().display(),
            server.address
        ))),
        Place::Server(_) => Ok(place),
    }
}

/// Where the home's ledger is, as its note says; `None` where it is a file.
///
/// # Errors
/// When the note cannot be read.
pub fn noted(home: &Home) -> Result<Option<String>, LedgerError> {
    let odd = |why: String| LedgerError::Elsewhere(why);
    let path = home.ledger_note();
    let Some(bytes) = private_file::read(&path, NOTE_BYTES).map_err(|e| odd(e.to_string()))? else {
        return Ok(None);
    };
    let note: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let read = note.as_ref().and_then(|note| {
        let v = note.get("v")?.as_u64()?;
        Some((v, note.get("at")?.as_str()?.to_owned()))
    });
    match read {
        Some((V, at)) => Ok(Some(at)),
        Some((v, _)) => Err(odd(format!(
            "{} has version {v}, this binary knows {V}: start the newer ai-infra that wrote it",
            path.display()
        ))),
        None => Err(odd(format!(
            "{} cannot be read: take it away where the ledger is the file {}",
            path.display(),
            home.ledger().display()
        ))),
    }
}

/// Notes where the home's ledger is, once it was opened there.
///
/// # Errors
/// When the note cannot be written.
pub fn note(home: &Home, place: &Place) -> Result<(), LedgerError> {
    let path = home.ledger_note();
    let failed = |why: String| LedgerError::Elsewhere(format!("{}: {why}", path.display()));
    match place {
        Place::File(_) => match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failed(error.to_string()))
            }
            _ => Ok(()),
        },
        Place::Server(server) => {
            let at = server.to_string();
            if noted(home)?.as_ref() == Some(&at) {
                return Ok(());
            }
            let text = serde_json::json!({"v": V, "at": at}).to_string();
            private_file::write(&path, text.as_bytes()).map_err(|e| failed(e.to_string()))
        }
    }
}
