//! `backup versions`: states of the configuration that were, and the way back to one.

use super::beside;
use super::configuration::{in_step, judged, said, wanted};
use crate::args::VersionsCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, count, one_line, safe};
use crate::terminal;
use backup::sync::{alone, versions};
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;

/// Lists, shows or goes back.
pub async fn run(context: &Context, command: VersionsCommand) -> Result<u8, Failure> {
    let (job, place) = wanted(&context.settings()?)?;
    let home = context.home.clone();
    match command {
        VersionsCommand::List { limit, json } => {
            let all = beside(move || versions::list(&home, &place, usize::from(limit))).await?;
            if json {
                let version = DOCUMENT_VERSION;
                return super::super::json(&json!({"version": version, "versions": all}));
            }
            let rows: Vec<Vec<String>> = all
                .iter()
                .map(|one| {
                    let message = one_line(&one.message, 70);
                    vec![
                        one.name.clone(),
                        safe(&one.at),
                        one_line(&one.by, 24),
                        message,
                    ]
                })
                .collect();
            terminal::print(&columns(&rows));
            terminal::line("\nwhat one changed: ai-infra backup versions show NAME");
            Ok(protocol::exit::DONE)
        }
        VersionsCommand::Show { version } => {
            let text = beside(move || versions::show(&home, &place, &version)).await?;
            for line in text.lines() {
                terminal::line(&safe(line));
            }
            Ok(protocol::exit::DONE)
        }
        VersionsCommand::Rollback { version, json } => {
            let (own, to, at) = (context.clone(), place.clone(), version.clone());
            let _alone = alone(&home)?;
            let changed = beside(move || {
                judged(&own, |judge| versions::rollback(&own.home, &to, judge, &at))
            })
            .await?;
            let report = in_step(context, place).await?;
            if json {
                return super::super::json(&json!({
                    "version": DOCUMENT_VERSION, "to": version, "changed": changed, "sent": report.sent,
                }));
            }
            terminal::line(&match changed.len() {
                0 => format!("the configuration is what it was in {}", safe(&version)),
                many => format!(
                    "✓ {} again as in {}",
                    count(many as u64, "file is", "files are"),
                    safe(&version)
                ),
            });
            terminal::print(&said(&job, &report));
            Ok(super::configuration::exit(&report))
        }
    }
}
