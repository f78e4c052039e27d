//! `ledger`: where the history of the team is kept, and how it moves from there. The team is down while it moves.

use crate::args::LedgerCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, count, safe};
use crate::terminal;
use protocol::document::DOCUMENT_VERSION;
use protocol::postgres::Address;
use serde_json::json;
use supervisor::ledger::inspect::{self, Seen};
use supervisor::ledger::moving::{self, MoveError, Moved};
use supervisor::ledger::place::Place;
use supervisor::ledger::server::Server;
use supervisor::ledger::whereabouts;

/// The word for the file of the home.
const FILE: &str = "file";
/// The secret with the password of a database.
const SECRET: &str = "postgres-password";

/// Says where it is, moves it, or takes one over.
pub async fn run(context: &Context, command: LedgerCommand) -> Result<u8, Failure> {
    match command {
        LedgerCommand::Status(flags) => status(context, flags.json).await,
        LedgerCommand::Move { to, json } => move_it(context, to.as_deref(), json).await,
        LedgerCommand::Take => {
            let place = moving::take(&context.settings()?, &context.home).await;
            let place = place.map_err(failed)?;
            let place = safe(&place.to_string());
            terminal::line(&format!(
                "✓ the ledger in {place} belongs to this home now; start the team: ai-infra up"
            ));
            Ok(protocol::exit::DONE)
        }
    }
}

fn failed(error: MoveError) -> Failure {
    Failure::new(error.exit_code(), error)
}

async fn status(context: &Context, json: bool) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let place = whereabouts::of(&settings, &context.home);
    let place = place.map_err(|error| Failure::new(error.exit_code(), error))?;
    let seen = inspect::inspect(&place).await;
    let (good, said) = match seen {
        Seen::None => (true, "nothing is kept yet".to_owned()),
        Seen::Good(schema) => (true, format!("whole, schema {schema}")),
        Seen::Weak(schema, why) => (true, format!("schema {schema}; {why} on that server")),
        Seen::Newer(schema) => (false, format!("of a newer ai-infra, schema {schema}")),
        Seen::Damaged(why) => (false, format!("damaged: {why}")),
        Seen::Unreadable(why) => (false, why),
    };
    let kind = match place {
        Place::File(_) => "sqlite",
        Place::Server(_) => "postgres",
    };
    if json {
        super::json(&json!({
            "version": DOCUMENT_VERSION, "kind": kind, "place": place.to_string(),
            "good": good, "seen": said,
        }))?;
    } else {
        let text = format!("the ledger is in {place}\n{said}");
        terminal::line(&text.lines().map(safe).collect::<Vec<_>>().join("\n"));
    }
    Ok(match good {
        true => protocol::exit::DONE,
        false => protocol::exit::SERVICE,
    })
}

async fn move_it(context: &Context, to: Option<&str>, json: bool) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let named = whereabouts::named(&settings, &context.home);
    let named = named.map_err(|error| Failure::new(error.exit_code(), error))?;
    let target = match (to, &named) {
        (Some(FILE), _) => Place::File(context.home.ledger()),
        (Some(url), _) => at_address(context, url)?,
        (None, Place::Server(_)) => named.clone(),
        (None, Place::File(_)) => {
            return Err(
                Failure::usage("nothing says where to: `ledger.url` is not set").hint(
                    "to a database:  ai-infra ledger move --to postgres://USER@HOST/DATABASE",
                ),
            );
        }
    };
    let moved = moving::to(&settings, &context.home, &target).await;
    let moved = moved.map_err(failed)?;
    if json {
        let tables = moved.carried.iter();
        let tables = tables.map(|one| json!({"table": one.table, "rows": one.rows}));
        return super::json(&json!({
            "version": DOCUMENT_VERSION, "from": moved.from.to_string(), "to": moved.to.to_string(),
            "tables": tables.collect::<Vec<_>>(), "left": moved.left,
        }));
    }
    terminal::print(&text(&moved));
    terminal::print(&setting(context, &moved.to, &named));
    Ok(protocol::exit::DONE)
}

/// A database that is named on the command line, where a password has no place.
fn at_address(context: &Context, url: &str) -> Result<Place, Failure> {
    let settings = context.settings()?;
    let (address, plain) =
        Address::parse(url).map_err(|why| Failure::usage(format!("the address {why}")))?;
    if plain.is_some() {
        return Err(Failure::usage(
            "a password has no place in a command line, where others see it: nothing was moved",
        )
        .hint(format!("keep it first: ai-infra secret set {SECRET}")));
    }
    let kept = config::secret::find(&context.home, &context.env, SECRET)?;
    let home = config::home_id::home_id(&context.home)?;
    Ok(Place::Server(Box::new(Server {
        address,
        password: settings.ledger.password.or(kept),
        team: settings.team.name,
        home,
    })))
}

fn text(moved: &Moved) -> String {
    let rows = moved.carried.iter().filter(|one| one.rows > 0);
    let rows: Vec<Vec<String>> = rows
        .map(|one| {
            vec![
                format!("  {}", safe(&one.table)),
                count(one.rows, "row", "rows"),
            ]
        })
        .collect();
    let mut text = format!(
        "✓ the ledger moved\n  from  {}\n  to    {}\n{}every row was compared\n",
        safe(&moved.from.to_string()),
        safe(&moved.to.to_string()),
        columns(&rows)
    );
    if let Some(left) = &moved.left {
        let left = safe(&left.to_string_lossy());
        text.push_str(&format!("the old one is kept as {left}\n"));
    }
    text
}

/// What the settings must say from now on, where they do not.
fn setting(context: &Context, to: &Place, named: &Place) -> String {
    let file = context.home.config().join("ai-infra.yaml");
    let file = safe(&file.to_string_lossy());
    match to {
        _ if to == named => "start the team: ai-infra up\n".to_owned(),
        Place::File(_) => format!(
            "take `ledger.url` out of {file} (and DATABASE_URL out of the environment), then: ai-infra up\n"
        ),
        Place::Server(server) => format!(
            "say so in {file}, then start the team: ai-infra up\n\n  ledger:\n    url: {}\n",
            safe(&server.address.url())
        ),
    }
}
