//! `secret`: keys and passwords. A value is read from standard input, so that it is in no history
//! and no process list, and it is never printed.

use super::key;
use crate::args::{JsonArgs, SecretCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::safe;
use crate::terminal;
use config::secret::Place;
use std::io::{self, IsTerminal, Read};

/// Largest secret, in bytes.
const MOST: u64 = 64 * 1024;

/// Keeps a secret, lists their names, or tries them.
pub async fn run(context: &Context, command: SecretCommand) -> Result<u8, Failure> {
    match command {
        SecretCommand::Set {
            name,
            value: Some(_),
            ..
        } => {
            return Err(Failure::usage(
                "a secret's value has no place in a command line: it stays in the shell's history (think of changing this one); nothing was kept",
            )
            .hint(format!("type it when asked: ai-infra secret set {}", safe(&name)))
            .hint(format!("or from a file:     ai-infra secret set {} < file", safe(&name))));
        }
        SecretCommand::Set {
            name,
            value: None,
            unchecked,
        } => {
            config::secret::check_name(&name)?;
            context.home.ensure()?;
            let value = read().map_err(|e| Failure::usage(format!("no value was read: {e}")))?;
            let value = value.trim_end_matches(['\n', '\r']);
            if value.is_empty() {
                return Err(
                    Failure::usage("the value is empty: nothing was changed").hint(format!(
                        "give it on standard input: ai-infra secret set {name} < file"
                    )),
                );
            }
            let tried = match unchecked {
                false => key::before_keeping(context, &name, value).await?,
                true => None,
            };
            config::secret::set(&context.home, &name, value)?;
            if let Some(said) = tried {
                terminal::line(&safe(&said));
            }
            terminal::line(&format!(
                "✓ {name} is kept in {}; a running team takes it after: ai-infra restart",
                context.home.secrets().display()
            ));
        }
        SecretCommand::Check => return key::check(context).await,
        SecretCommand::List(JsonArgs { json }) => {
            let places = config::secret::places(&context.home, &context.env)?;
            if json {
                let version = protocol::document::DOCUMENT_VERSION;
                let names: Vec<&String> = places.iter().map(|(name, _)| name).collect();
                let sources: Vec<_> = places
                    .iter()
                    .map(|(name, place)| {
                        let (source, since) = match place {
                            Place::Variable(_) => ("environment", None),
                            Place::Aws(since) => ("aws", Some(since)),
                            Place::File => ("home", None),
                        };
                        serde_json::json!({"name": name, "source": source, "since": since})
                    })
                    .collect();
                return super::json(&serde_json::json!({
                    "version": version, "secrets": names, "sources": sources,
                }));
            }
            if places.is_empty() {
                terminal::complain("no secret is kept here; keep one: ai-infra secret set NAME\n");
            }
            for (name, place) in places {
                let place = match place {
                    Place::Variable(variable) => format!("environment {variable}"),
                    Place::Aws(since) => format!("AWS Secrets Manager, this value since {since}"),
                    Place::File => "this home".to_owned(),
                };
                terminal::line(&safe(&format!("{name:<24} {place}")));
            }
        }
    }
    Ok(protocol::exit::DONE)
}

fn read() -> io::Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        let mut value = String::new();
        stdin.lock().take(MOST).read_to_string(&mut value)?;
        return Ok(value);
    }
    terminal::hidden_line("value (not shown): ")
}
