//! `workspace trust`: a person reads what a folder says to agents and lets models be told it, for exactly this
//! content. Kept by the warden, under the same proof as leave: a PIN, or a signature of exactly this word.

use crate::args::Proof;
use crate::commands::approvals::{failed, pin_where_wanted, warden};
use crate::commands::signed::signature;
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
    let path = named(folder)?;
    let digest = found.digest.clone();
    asked(context, Ask::Trusted { path, digest }).await
}

/// The folder, as the warden knows it.
fn named(folder: &Path) -> Result<String, Failure> {
    let name = folder.to_str().map(str::to_owned);
    name.ok_or_else(|| {
        Failure::usage(format!("{} is no UTF-8", folder.display()))
            .hint("a folder that is trusted has a name that can be written")
    })
}

/// What is to be signed: to trust it where its digest is given, else to trust it no more.
async fn lines(
    context: &Context,
    folder: &Path,
    digest: Option<String>,
) -> Result<String, Failure> {
    let path = named(folder)?;
    match warden(context).ask(Ask::TrustToSign { path, digest }).await {
        Ok(Reply::ToSign { text }) => Ok(text),
        Ok(_) => Err(failed(WardenError::Strange)),
        Err(error) => Err(failed(error)),
    }
}

/// A signature where one is given or asked for.
async fn signed(
    context: &Context,
    folder: &Path,
    proof: &Proof,
    digest: Option<String>,
) -> Result<Option<String>, Failure> {
    let text = match proof.sign {
        Some(_) => lines(context, folder, digest).await?,
        None => String::new(),
    };
    signature(proof, &text)
}

/// Prints what is to be signed.
pub async fn to_sign(context: &Context, folder: &Path, revoke: bool) -> Result<u8, Failure> {
    let digest = match revoke {
        true => None,
        false => Some(look(folder)?.digest),
    };
    terminal::print(&lines(context, folder, digest).await?);
    Ok(exit::DONE)
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
        Some(trust) => {
            let key = trust.key.as_ref();
            let key = key.map_or_else(String::new, |key| format!(", signed with {}", safe(key)));
            let at = trust.at.strftime("%Y-%m-%d %H:%M UTC");
            format!("trusted by {} since {at}{key}", safe(&trust.by))
        }
        None => "not trusted: nothing of it is obeyed".to_owned(),
    });
    Ok(exit::DONE)
}

/// Trusts it as it is now.
pub async fn give(context: &Context, folder: &Path, proof: &Proof) -> Result<u8, Failure> {
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
    let signature = signed(context, folder, proof, Some(found.digest.clone())).await?;
    let pin = match signature {
        Some(_) => None,
        None => pin_where_wanted(&mut warden(context)).await?,
    };
    let ask = Ask::Trust {
        path: named(folder)?,
        digest: found.digest,
        pin,
        signature,
    };
    asked(context, ask).await.map_err(|failure| {
        match proof.signature.is_some() && failure.exit == exit::REFUSED {
            true => failure.hint(
                "a signature is for what the folder said when it was made: ai-infra workspace trust DIR --to-sign says what to sign now",
            ),
            false => failure,
        }
    })?;
    let names: Vec<&str> = found.instructions.iter().map(|i| i.path.as_str()).collect();
    terminal::line(&format!(
        "✓ {} is told to models that work there, as the folder's own words; nothing else in it is obeyed yet. A change of any of these files ends it",
        names.join(", ")
    ));
    Ok(exit::DONE)
}

/// Trusts it no more.
pub async fn revoke(context: &Context, folder: &Path, proof: &Proof) -> Result<u8, Failure> {
    let signature = signed(context, folder, proof, None).await?;
    let path = named(folder)?;
    asked(context, Ask::Distrust { path, signature }).await?;
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
