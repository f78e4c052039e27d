//! Where the ledger of a restored home goes: it comes out of the backup as a file, and moves on to the
//! database that the settings name, where that has nothing newer.

use crate::context::Context;
use crate::failure::Failure;
use config::home::Home;
use jiff::Timestamp;
use std::fs;
use std::io::ErrorKind;
use supervisor::ledger::carry::CarryError;
use supervisor::ledger::moving::{self, MoveError};
use supervisor::ledger::place::Place;
use supervisor::ledger::whereabouts;
use supervisor::restored::park;

/// What the file out of the backup is called where a database has something newer.
const OUTLIVED: &str = "ledger.db.restored";

/// The note of the home that was lost says nothing about this one.
pub fn is_a_file(home: &Home) -> Result<(), Failure> {
    match fs::remove_file(home.ledger_note()) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let note = home.ledger_note();
            let said = format!("{} cannot be removed: {error}", note.display());
            Err(Failure::new(protocol::exit::FAILED, said))
        }
        _ => Ok(()),
    }
}

/// Moves it, where the settings name a database; says what came of it, and what to do where it stays. `made` is
/// when the backup was begun.
pub async fn ledger(context: &Context, made: Timestamp) -> Option<String> {
    let home = &context.home;
    if !home.ledger().exists() {
        return None;
    }
    let settings = match context.settings() {
        Ok(settings) => settings,
        Err(failure) => return Some(failure.message),
    };
    let place = match whereabouts::named(&settings, home) {
        Ok(place @ Place::Server(_)) => place,
        Ok(Place::File(_)) => return None,
        Err(error) => return Some(error.to_string()),
    };
    Some(match moving::to(&settings, home, &place).await {
        Ok(_) => format!("its ledger is in {place} now, as the settings say"),
        Err(MoveError::Carry(CarryError::Backwards { .. })) => {
            match survived(home, &place, made).await {
                Ok(()) => format!(
                    "its ledger is the one in {place}: that database was not lost and has gone on since the backup; what was open waits for your answer"
                ),
                Err(why) => {
                    format!("its ledger in {place} was not lost, and cannot be taken up: {why}")
                }
            }
        }
        Err(error) => {
            let file = home.ledger();
            let file = file.display();
            format!(
                "its ledger is the file {file} and not in {place}, which the settings name: {error}. When that is mended: ai-infra ledger move; to go on with what is in that database instead: rm {file}; to go on with the file: take `ledger.url` (DATABASE_URL) away"
            )
        }
    })
}

/// The database outlived the home: what it has is newer than the backup. What was open in it lost its place
/// with the home, so it waits for a person as what comes out of a backup does.
async fn survived(home: &Home, place: &Place, made: Timestamp) -> Result<(), String> {
    park(place, made).await.map_err(|error| error.to_string())?;
    let file = home.ledger();
    let aside = home.root.join(OUTLIVED);
    fs::rename(&file, &aside).map_err(|error| format!("{}: {error}", file.display()))?;
    whereabouts::note(home, place).map_err(|error| error.to_string())
}
