//! Carries `/` commands out. Most go to the command line's own code, and what it prints is said here.

use super::place;
use super::slash::{self, Deed};
use super::turn::Chat;
use crate::args::Args;
use crate::commands;
use crate::failure::Failure;
use clap::Parser;
use protocol::control::Verb;
use protocol::ids::RequestId;
use protocol::question::{Choice, Said};

/// Lines of one answer that are shown at most.
const LINES: usize = 300;

impl Chat {
    pub(super) async fn slash(&mut self, line: &str) -> Result<(), Failure> {
        let deed = match slash::deed(line, self.standing.newest) {
            Ok(deed) => deed,
            Err(why) => {
                self.sup(&why);
                return Ok(());
            }
        };
        match deed {
            Deed::Cli(words) => self.cli(&words).await,
            Deed::CliAndFollow(words, task) => {
                self.cli(&words).await?;
                self.follow_again(task).await;
                Ok(())
            }
            Deed::Help(which) => {
                self.voice.say(&super::help::text(which, self.voice.paint));
                Ok(())
            }
            Deed::Follow(task) => {
                self.follow_again(task).await;
                Ok(())
            }
            Deed::Retry(task) => {
                let request_id = RequestId::new();
                self.accepted(Verb::TaskRetry { task, request_id }).await
            }
            Deed::Answer(task, words) => {
                let choice = Choice::ALL
                    .into_iter()
                    .find(|c| c.as_str() == words.to_lowercase());
                let text = choice.is_none().then_some(words);
                self.answer(task, Said { choice, text }).await
            }
            Deed::Workspace(None) => {
                match &self.workspace {
                    Some(folder) => self.sup(&format!("requests are about {}", folder.display())),
                    None => self.sup("no folder is set: /workspace ~/shop"),
                }
                Ok(())
            }
            Deed::Workspace(Some(typed)) => {
                let user_home = self.context.env.get("HOME");
                let folder = place::resolve(&typed, &self.from, user_home)?;
                self.sup(&format!("requests are about {}", folder.display()));
                place::write(&self.context.home, &folder);
                self.completions
                    .learn(|names| names.folder.clone_from(&folder));
                self.from.clone_from(&folder);
                self.workspace = Some(folder);
                Ok(())
            }
            Deed::Attach(what) => self.attach(what).await,
            Deed::Leave => {
                self.exit = protocol::exit::REFUSED;
                self.sup("leave is typed at a terminal, by a person: ai-infra approvals, or the chat in window 0");
                Ok(())
            }
            Deed::Quit => {
                self.left = true;
                Ok(())
            }
        }
    }

    /// The same command as on the command line, by the same code; what it prints is said here.
    pub(super) async fn cli(&mut self, words: &[String]) -> Result<(), Failure> {
        let line = ["ai-infra"]
            .into_iter()
            .chain(words.iter().map(String::as_str));
        let command = match Args::try_parse_from(line) {
            Ok(args) => args.command,
            Err(error) => {
                let told = error.to_string();
                let told = told.strip_prefix("error: ").unwrap_or(&told);
                self.sup(told.lines().next().unwrap_or_default());
                return Ok(());
            }
        };
        let done = Box::pin(commands::obey(self.context.clone(), command)).await;
        done.map(|code| self.exit = code)
    }
}

/// The first lines of a long text; the whole of it is for a pager.
pub(super) fn shortened(text: &str) -> String {
    let many = text.lines().count();
    if many <= LINES {
        return text.to_owned();
    }
    let shown: Vec<&str> = text.lines().take(LINES).collect();
    format!(
        "{}\n… {} more lines; all of them: the same command in a shell, with | less\n",
        shown.join("\n"),
        many - LINES
    )
}
