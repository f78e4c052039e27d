//! `audit`: the record of every act on this host, read from its files, so it works while the team is
//! down. What others remember of it is asked of the supervisor; where that does not answer it is said.

use crate::args::AuditCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};
use jiff::tz::TimeZone;
use protocol::audit::AnchorLine;
use protocol::control::{Answer, Verb};
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use supervisor::client;
use warden::audit::line::Line;
use warden::audit::reader::{AuditPlace, Checked, ReadError, check, tail};
use warden::audit::verify::{Anchor, Head};

/// Does one of them.
pub async fn run(context: &Context, command: AuditCommand) -> Result<u8, Failure> {
    context.home.inspect()?;
    let place = AuditPlace::of(&context.home);
    match command {
        AuditCommand::Tail { lines, json } => {
            let texts = tail(&place, lines).map_err(failed)?;
            if json {
                texts
                    .iter()
                    .for_each(|text| terminal::exact(&format!("{text}\n")));
                return Ok(protocol::exit::DONE);
            }
            let read = |text: &String| Line::read(text, None).ok();
            let known: Vec<Line> = texts.iter().filter_map(read).collect();
            terminal::print(&render::audit::lines(&known, &TimeZone::system()));
            Ok(protocol::exit::DONE)
        }
        AuditCommand::Verify { json } => verify(context, &place, json).await,
        AuditCommand::Export { out } => export(context, &place, out.as_deref()).await,
    }
}

fn failed(error: ReadError) -> Failure {
    let exit = match error {
        ReadError::Broken(_) => protocol::exit::FAILED,
        _ => protocol::exit::USAGE,
    };
    Failure::new(exit, error)
}

/// What is remembered of this host's record elsewhere; `None` where nobody could be asked.
async fn anchors(context: &Context) -> Result<Option<Vec<AnchorLine>>, Failure> {
    let host = context.settings()?.host;
    // A team that is down is not waited for: the record can be read without it.
    if !context.home.supervisor_sock().exists() {
        return Ok(None);
    }
    match client::ask(&context.home, Verb::AuditAnchors).await {
        Ok(Answer::AuditAnchors { anchors }) => Ok(Some(
            anchors.into_iter().filter(|one| one.host == host).collect(),
        )),
        _ => Ok(None),
    }
}

fn as_anchor(line: &AnchorLine) -> Anchor {
    Anchor {
        by: line.by.clone(),
        head: Head {
            seq: line.seq,
            hash: line.hash.clone(),
        },
    }
}

async fn verify(context: &Context, place: &AuditPlace, json: bool) -> Result<u8, Failure> {
    let known = anchors(context).await?;
    let asked = known.iter().flatten().map(as_anchor).collect();
    let checked = check(place, asked, &mut |_, _| ());
    let broken = match &checked {
        Err(ReadError::Broken(fault)) => Some(fault.clone()),
        _ => None,
    };
    let checked = match (checked, &broken) {
        (Ok(checked), _) => Some(checked),
        (Err(_), Some(_)) => None,
        (Err(error), None) => return Err(failed(error)),
    };
    if json {
        let whole = checked.as_ref().map(|checked| &checked.whole);
        super::json(&json!({
            "version": DOCUMENT_VERSION,
            "intact": broken.is_none(),
            "lines": whole.map(|whole| whole.head.seq),
            "head": whole.map(|whole| &whole.head.hash),
            "open": whole.map(|whole| whole.open),
            "sealed": checked.as_ref().map(|checked| checked.sealed),
            "anchors": known,
            "broken": broken.as_ref().map(|fault| json!({"line": fault.line, "why": fault.why})),
        }))?;
    } else {
        let text = match (&checked, &broken) {
            (Some(checked), _) => render::audit::whole(
                checked,
                known.as_deref(),
                shared_uid(&context.home.root, place),
            ),
            (None, Some(fault)) => render::audit::broken(fault),
            (None, None) => String::new(),
        };
        terminal::print(&text);
    }
    Ok(match broken {
        None => protocol::exit::DONE,
        Some(_) => protocol::exit::FAILED,
    })
}

/// Whether the agents are the user who may read the sealing key. Where root installed this they are not.
fn shared_uid(home: &Path, place: &AuditPlace) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = |path: &Path| std::fs::metadata(path).map(|about| about.uid()).ok();
    let key = owner(&place.key);
    key == owner(home) && key != Some(0)
}

async fn export(context: &Context, place: &AuditPlace, out: Option<&Path>) -> Result<u8, Failure> {
    let known = anchors(context).await?;
    let asked: Vec<Anchor> = known.iter().flatten().map(as_anchor).collect();
    // Looked at whole before anything is written.
    let seen: Checked = check(place, asked, &mut |_, _| ()).map_err(failed)?;
    let cannot =
        |what: &str, error: std::io::Error| Failure::usage(format!("cannot write {what}: {error}"));
    let (what, mut sink): (String, Box<dyn Write>) = match out {
        None => (
            "standard output".to_owned(),
            Box::new(std::io::stdout().lock()),
        ),
        Some(path) => {
            let what = render::text::safe(&path.to_string_lossy());
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| cannot(&what, error))?;
            (what, Box::new(BufWriter::new(file)))
        }
    };
    let mut wrong = None;
    // Lines that came meanwhile are left out: what was looked at is what is exported.
    check(place, Vec::new(), &mut |text, line| {
        if line.seq <= seen.whole.head.seq && wrong.is_none() {
            wrong = writeln!(sink, "{text}").err();
        }
    })
    .map_err(failed)?;
    let flushed = wrong.map_or_else(|| sink.flush(), Err);
    flushed.map_err(|error| cannot(&what, error))?;
    if out.is_some() {
        let count = render::text::count(seen.whole.head.seq, "line", "lines");
        terminal::line(&format!("✓ {count} in {what}"));
    }
    Ok(protocol::exit::DONE)
}
