//! Who thinks: whether the key is good, the model there, the address right. The API is asked; it
//! costs nothing.

use super::{Finding, How, PATIENCE, finding};
use crate::render::text::one_line;
use ::engine::anthropic::try_key::{Tried, try_key};
use config::settings::{EngineName, Settings};

/// What is said where there is no key.
const WITHOUT: &str = "to think with Claude: ai-infra secret set anthropic-api-key";

/// The engine, where the settings say which.
pub async fn look(settings: Option<&Settings>) -> Option<Finding> {
    let engine = &settings?.engine;
    Some(match (engine.name, &engine.api_key) {
        (EngineName::Anthropic, Some(key)) => {
            let tried = try_key(&engine.base_url, key.reveal(), &engine.model, PATIENCE).await;
            let tried = tried.unwrap_or_else(|error| Tried::Unknown(error.to_string()));
            judged(&tried, &engine.model, &engine.base_url)
        }
        (EngineName::Playbook, _) => {
            finding("engine", How::Good, "playbooks only, no model", WITHOUT)
        }
        (other, _) => finding("engine", How::Odd, other.as_str(), ""),
    })
}

fn judged(tried: &Tried, model: &str, base_url: &str) -> Finding {
    let with = format!("Claude ({model})");
    match tried {
        Tried::Good => finding("engine", How::Good, format!("{with}, the key is good"), ""),
        Tried::Refused(said) => finding(
            "engine",
            How::Bad,
            format!("{base_url} does not take the key: {}", one_line(said, 120)),
            "ai-infra secret set anthropic-api-key",
        ),
        Tried::NoModel => finding(
            "engine",
            How::Bad,
            format!("{base_url} has no model {model}"),
            "set engine.model in the home's config/ai-infra.yaml; ai-infra config show",
        ),
        Tried::Unknown(said) => finding(
            "engine",
            How::Odd,
            format!(
                "{with}; the key could not be tried: {}",
                one_line(said, 120)
            ),
            "",
        ),
        Tried::Unreachable(said) => finding(
            "engine",
            How::Bad,
            format!("{base_url} does not answer: {}", one_line(said, 120)),
            &format!(
                "curl -sS -m 5 -o /dev/null {base_url}   shows why; engine.base_url says where"
            ),
        ),
    }
}
