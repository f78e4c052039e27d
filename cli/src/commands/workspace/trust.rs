//! `workspace trust`: a person reads what a folder says to agents and lets models be told it, for exactly this
//! content. Kept by the warden, under the same proof as leave.

use crate::commands::approvals::{failed, pin_where_wanted, warden};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{count, one_line, safe, size};
use crate::{commands, terminal};
use inspect::obeyed::{self, Obeyed};
use protocol::document::DOCUMENT_VERSION;
use protocol::exit;
use serde_json::json;
use std::path::Path;
use warden::client::WardenError;
use warden::trust::Trust;
use warden::wire::{Ask, Reply};

/// Most files that are listed for people.
const LISTED: usize = 40;

fn look(folder: &Path) -> Result<Obeyed, Failure> {
    obeyed::scan(folder).map_err(|error| {
        Failure::new(exit::REFUSED, error).hint("such a folder is not trusted as it is")
    })
}

async fn asked(context: &Context, ask: Ask) -> Result<Option<Trust>, Failure> {
    match warden(context).ask(ask).await.map_err(failed)? {
        Reply::Trusted { trust } => Ok(trust),
        _ => Err(failed(WardenError::Strange)),
    }
}

async fn now(context: &Context, folder: &Path, found: &Obeyed) -> Result<Option<Trust>, Failure> {
    let path = folder.display().to_string();
    let digest = found.digest.clone();
    asked(context, Ask::Trusted { path, digest }).await
}

/// What a folder says, and whether it is trusted.
pub async fn show(context: &Context, folder: &Path, json: bool) -> Result<u8, Failure> {
    let found = look(folder)?;
    let trust = now(context, folder, &found).await?;
    if json {
        return commands::json(&json!({
            "version": DOCUMENT_VERSION, "path": folder, "digest": found.digest,
            "files": found.parts, "trusted": trust,
        }));
    }
    terminal::print(&page(folder, &found));
    terminal::line(&match trust {
        Some(trust) => format!(
            "trusted by {} since {}",
            safe(&trust.by),
            trust.at.strftime("%Y-%m-%d %H:%M UTC")
        ),
        None => "not trusted: nothing of it is obeyed".to_owned(),
    });
    Ok(exit::DONE)
}

/// Trusts it as it is now.
pub async fn give(context: &Context, folder: &Path) -> Result<u8, Failure> {
    let found = look(folder)?;
    terminal::print(&page(folder, &found));
    if found.instructions.is_empty() {
        terminal::line("it says nothing in words to agents: there is nothing to trust");
        return Ok(exit::DONE);
    }
    if now(context, folder, &found).await?.is_some() {
        terminal::line("it is trusted already, as it is");
        return Ok(exit::DONE);
    }
    let pin = pin_where_wanted(&mut warden(context)).await?;
    let (path, digest) = (folder.display().to_string(), found.digest);
    asked(context, Ask::Trust { path, digest, pin }).await?;
    let names: Vec<&str> = found.instructions.iter().map(|i| i.path.as_str()).collect();
    terminal::line(&format!(
        "✓ {} is told to models that work there, as the folder's own words; nothing else in it is obeyed yet. A change of any of these files ends it",
        names.join(", ")
    ));
    Ok(exit::DONE)
}

/// Trusts it no more.
pub async fn revoke(context: &Context, folder: &Path) -> Result<u8, Failure> {
    let path = folder.display().to_string();
    asked(context, Ask::Distrust { path }).await?;
    terminal::line(&format!(
        "✓ {} is not trusted; nothing of it is obeyed",
        safe(&folder.display().to_string())
    ));
    Ok(exit::DONE)
}

/// What a folder says to agents.
fn page(folder: &Path, found: &Obeyed) -> String {
    let path = safe(&folder.display().to_string());
    if found.parts.is_empty() {
        return format!("{path} says nothing to agents\n");
    }
    let files = count(found.parts.len() as u64, "file", "files");
    let mut text = format!("{path} says to agents, in {files}:\n");
    for part in found.parts.iter().take(LISTED) {
        let told = found.instructions.iter().any(|one| one.path == part.path);
        let use_of_it = if told {
            "told to models, once trusted"
        } else {
            "not used"
        };
        text.push_str(&format!(
            "  {:<40} {:>8}  {use_of_it}\n",
            one_line(&part.path, 60),
            size(part.bytes)
        ));
    }
    if found.parts.len() > LISTED {
        text.push_str(&format!("  … and {} more\n", found.parts.len() - LISTED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use inspect::obeyed::{Instructions, Part};

    #[test]
    fn a_page_says_what_is_used_and_drives_no_terminal() {
        let part = |path: &str| Part {
            path: path.to_owned(),
            kind: "file".to_owned(),
            bytes: 2048,
            sha256: String::new(),
        };
        let found = Obeyed {
            digest: String::new(),
            parts: vec![part(".claude/\u{1b}[2J"), part("AGENTS.md")],
            instructions: vec![Instructions {
                path: "AGENTS.md".to_owned(),
                text: "use tabs".to_owned(),
            }],
        };
        let text = page(Path::new("/srv/shop"), &found);
        assert!(
            text.starts_with("/srv/shop says to agents, in 2 files:\n"),
            "{text}"
        );
        assert!(
            text.contains("told to models") && text.contains("not used"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'));
    }
}
