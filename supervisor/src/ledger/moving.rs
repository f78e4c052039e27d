//! A home's ledger moves: from its file to a server, from there to another or back. Each step leaves exactly one
//! that is the home's, and the same command again goes on from there.

use super::carry::{Carried, CarryError, carry};
use super::error::LedgerError;
use super::place::Place;
use super::server::Server;
use super::whereabouts;
use crate::control::listen;
use crate::daemon::lock;
use config::home::Home;
use config::settings::Settings;
use std::path::{Path, PathBuf};

/// What an old file is called once its ledger lies elsewhere.
const LEFT: &str = "ledger.db.moved";
/// What a file is called until it is complete.
const COMING: &str = "ledger.db.coming";

/// What moving came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where it was.
    pub from: Place,
    /// Where it is.
    pub to: Place,
    /// What was carried.
    pub carried: Vec<Carried>,
    /// The old file, under its new name.
    pub left: Option<PathBuf>,
}

/// Why it did not move.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// It was not carried.
    #[error(transparent)]
    Carry(#[from] CarryError),
    /// Its place is not clear.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The team works with it.
    #[error("the team is up: stop it first: ai-infra down")]
    Up,
    /// There is nothing to move.
    #[error("this home has no ledger yet: set `ledger.url` to {0}, and the team begins there")]
    Nothing(String),
    /// It is there.
    #[error("the ledger is in {0} already")]
    There(String),
    /// The lock or a file.
    #[error("{what}: {why}")]
    Files {
        /// Which.
        what: String,
        /// Why.
        why: String,
    },
}

impl MoveError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            MoveError::Carry(error) => error.exit_code(),
            MoveError::Ledger(error) => error.exit_code(),
            MoveError::Up | MoveError::Nothing(_) | MoveError::There(_) => protocol::exit::USAGE,
            MoveError::Files { .. } => protocol::exit::FAILED,
        }
    }
}

fn files(what: &Path, why: &dyn std::fmt::Display) -> MoveError {
    MoveError::Files {
        what: what.display().to_string(),
        why: why.to_string(),
    }
}

/// Moves the ledger of a home whose team is down; nothing starts meanwhile.
///
/// # Errors
/// When the team is up or the ledger cannot be carried: it is then where it was.
pub async fn to(settings: &Settings, home: &Home, to: &Place) -> Result<Moved, MoveError> {
    home.ensure().map_err(|why| files(&home.root, &why))?;
    let daemon = lock::take(home).map_err(|why| files(&home.run(), &why))?;
    let supervisor = listen::lock(home);
    let (Some(_daemon), Ok(_supervisor)) = (daemon, supervisor) else {
        return Err(MoveError::Up);
    };
    let file = home.ledger();
    let noted = whereabouts::noted(home)?;
    let there = |at: &Place| MoveError::There(at.to_string());
    match (to, whereabouts::named(settings, home)?) {
        // A file and a note: it was cut off on the way, and both are the same.
        (Place::File(_), from @ Place::Server(_)) if noted.is_some() => back(home, from).await,
        (Place::File(_), Place::File(_)) if noted.is_some() => {
            // Says where it is, and that the settings must.
            Err(whereabouts::of(settings, home)
                .err()
                .map_or(there(to), MoveError::Ledger))
        }
        (Place::File(_), _) => Err(there(to)),
        (Place::Server(_), _) if file.exists() => forth(home, Place::File(file), to).await,
        (Place::Server(new), Place::Server(old)) if noted.is_some() => {
            match same_database(new, &old) {
                true => Err(there(to)),
                false => forth(home, Place::Server(old), to).await,
            }
        }
        (Place::Server(_), Place::File(_)) if noted.is_some() => {
            Err(whereabouts::of(settings, home)
                .err()
                .map_or(there(to), MoveError::Ledger))
        }
        (Place::Server(_), _) => Err(MoveError::Nothing(to.to_string())),
    }
}

fn same_database(one: &Server, other: &Server) -> bool {
    one.address.host == other.address.host
        && one.address.port == other.address.port
        && one.address.database == other.address.database
        && one.team == other.team
}

/// To a server. The note comes before the file goes: between the two nothing starts, and saying it again goes on.
async fn forth(home: &Home, from: Place, to: &Place) -> Result<Moved, MoveError> {
    let carried = carry(&from, to).await?;
    whereabouts::note(home, to)?;
    let left = match &from {
        Place::File(file) => {
            let left = home.root.join(LEFT);
            std::fs::rename(file, &left).map_err(|why| files(file, &why))?;
            beside(file).map_err(|why| files(file, &why))?;
            Some(left)
        }
        Place::Server(_) => None,
    };
    Ok(Moved {
        from,
        to: to.clone(),
        carried,
        left,
    })
}

/// To the file of the home, which gets its name when it is complete.
async fn back(home: &Home, from: Place) -> Result<Moved, MoveError> {
    let (file, coming) = (home.ledger(), home.root.join(COMING));
    for old in [&coming, &home.root.join(format!("{COMING}-wal"))] {
        gone(old).map_err(|why| files(old, &why))?;
    }
    let place = Place::File(coming.clone());
    let carried = carry(&from, &place).await?;
    beside(&coming).map_err(|why| files(&coming, &why))?;
    if file.exists() {
        std::fs::rename(&file, home.root.join(LEFT)).map_err(|why| files(&file, &why))?;
    }
    std::fs::rename(&coming, &file).map_err(|why| files(&file, &why))?;
    let to = Place::File(file);
    whereabouts::note(home, &to)?;
    Ok(Moved {
        from,
        to,
        carried,
        left: None,
    })
}

/// What SQLite may have left beside a closed file; it holds nothing any more.
fn beside(file: &Path) -> std::io::Result<()> {
    for end in ["-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        gone(Path::new(&name))?;
    }
    Ok(())
}

fn gone(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes the ledger that the settings name for this home, whose home before is gone for good.
///
/// # Errors
/// When it lies in a file, which is always its home's, or the team is up.
pub async fn take(settings: &Settings, home: &Home) -> Result<Place, MoveError> {
    home.ensure().map_err(|why| files(&home.root, &why))?;
    let daemon = lock::take(home).map_err(|why| files(&home.run(), &why))?;
    let supervisor = listen::lock(home);
    let (Some(_daemon), Ok(_supervisor)) = (daemon, supervisor) else {
        return Err(MoveError::Up);
    };
    let place = whereabouts::of(settings, home)?;
    let Place::Server(server) = &place else {
        return Err(MoveError::There(place.to_string()));
    };
    server.take(&place).await?;
    whereabouts::note(home, &place)?;
    Ok(place)
}
