//! Tries the key of the model before it is kept, and whenever it is asked: the API is asked about the
//! model by name, which costs nothing. A key that is refused is not kept; one that cannot be tried is.

use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::one_line;
use crate::terminal;
use ::engine::anthropic::try_key::{Tried, try_key};
use config::env::Env;
use config::secret::Secret;
use std::path::Path;
use std::time::Duration;
use vault::{Vault, VaultError};

/// The secret that can be tried, and the variable that stands in for it.
const KEY: (&str, &str) = ("anthropic-api-key", "ANTHROPIC_API_KEY");
/// Longest wait for the API.
const PATIENCE: Duration = Duration::from_secs(8);

/// Tries a value before it is kept; what to say about it, nothing for secrets that cannot be tried.
///
/// # Errors
/// The API does not take it.
pub async fn before_keeping(
    context: &Context,
    name: &str,
    value: &str,
) -> Result<Option<String>, Failure> {
    if name != KEY.0 {
        return Ok(None);
    }
    if context.env.get(KEY.1).is_some() {
        terminal::complain(&format!(
            "note: {} is set in this shell, and a team started from it uses that one\n",
            KEY.1
        ));
    }
    match tried(context, value).await {
        Ok((Tried::Refused(said), place)) => Err(Failure::new(
            protocol::exit::FAILED,
            format!("{place} does not take this key: {}", one_line(&said, 200)),
        )
        .hint("nothing was changed; copy the whole key once more, from the start to the end")
        .hint(format!(
            "to keep it all the same: ai-infra secret set {name} --unchecked"
        ))),
        Ok((tried, place)) => Ok(Some(sentence(&tried, &place))),
        Err(why) => Ok(Some(format!("! it was not tried: {why}"))),
    }
}

/// `secret check`: what another service keeps, then the key of the model.
pub async fn check(context: &Context) -> Result<u8, Failure> {
    let (exit, kept) = elsewhere(context).await?;
    let own = config::secret::find(&context.home, &context.env, KEY.0)?;
    Ok(exit.max(check_key(context, own.or(kept)).await?))
}

/// Asks AWS Secrets Manager for every secret that settings name, with the credentials of this shell; says what came
/// of each, and answers the model's key.
async fn elsewhere(context: &Context) -> Result<(u8, Option<Secret>), Failure> {
    let system = Path::new(config::load::SYSTEM_FOLDER);
    let Some(wanted) = config::vault::wanted(system, &context.home, &context.env)? else {
        return Ok((protocol::exit::DONE, None));
    };
    let vault = Vault::open(&wanted.prefix, wanted.region.as_deref()).await;
    let (mut exit, mut kept) = (protocol::exit::DONE, None);
    for name in &wanted.names {
        let whole = one_line(&format!("{}{name}", wanted.prefix), 200);
        match vault.get(name).await {
            Ok(Some(value)) => {
                terminal::line(&format!("✓ AWS Secrets Manager keeps {whole}"));
                kept = kept.or((name == KEY.0).then_some(value));
            }
            Ok(None) => terminal::line(&format!("- AWS Secrets Manager keeps no {whole}")),
            Err(error) => {
                terminal::line(&format!("✗ {}", one_line(&error.to_string(), 600)));
                exit = exit.max(match error {
                    VaultError::Away { .. } => protocol::exit::SERVICE,
                    _ => protocol::exit::FAILED,
                });
                // The others would wait as long.
                if matches!(error, VaultError::Away { .. }) {
                    break;
                }
            }
        }
    }
    Ok((exit, kept))
}

async fn check_key(context: &Context, key: Option<Secret>) -> Result<u8, Failure> {
    let Some(key) = key else {
        terminal::line(
            "no key of a model is kept; keep one: ai-infra secret set anthropic-api-key",
        );
        return Ok(protocol::exit::DONE);
    };
    let (tried, place) = tried(context, key.reveal()).await.map_err(Failure::usage)?;
    terminal::line(&sentence(&tried, &place));
    Ok(match tried {
        Tried::Good => protocol::exit::DONE,
        Tried::Refused(_) | Tried::NoModel => protocol::exit::FAILED,
        Tried::Unknown(_) | Tried::Unreachable(_) => protocol::exit::SERVICE,
    })
}

fn sentence(tried: &Tried, place: &str) -> String {
    match tried {
        Tried::Good => format!("✓ the key works at {place}"),
        Tried::Refused(said) => format!("✗ {place} does not take the key: {}", one_line(said, 200)),
        Tried::NoModel => format!("✗ the key works, but {place} is not there: set engine.model"),
        Tried::Unknown(said) => format!("! {place} did not say: {}", one_line(said, 200)),
        Tried::Unreachable(said) => format!("! {place} does not answer: {}", one_line(said, 200)),
    }
}

/// Tries a key with the address and model of the settings as they would be with it.
async fn tried(context: &Context, key: &str) -> Result<(Tried, String), String> {
    let pairs = context.env.iter().filter(|(name, _)| *name != KEY.1);
    let env = Env::from_pairs(pairs.chain([(KEY.1, key)]));
    let settings = config::load::load(&context.home, &env, &[]);
    let engine = settings.map_err(|error| error.to_string())?.engine;
    let place = format!("{} ({})", engine.base_url, engine.model);
    let answer = try_key(&engine.base_url, key, &engine.model, PATIENCE).await;
    Ok((answer.map_err(|error| error.to_string())?, place))
}
