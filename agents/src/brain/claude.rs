//! Claude as the team's settings have it: the engine with its key and its prices.

use crate::stop::Stop;
use config::settings::Settings;
use engine::anthropic::engine::Anthropic;
use engine::engine::Engine;

/// The engine.
///
/// # Errors
/// Refuses where there is no key, fails where the settings are wrong.
pub fn engine(settings: &Settings) -> Result<Engine, Stop> {
    let Some(key) = settings.engine.api_key.as_ref() else {
        return Err(Stop::Refuse(
            "there is no model key: `ai-infra secret set anthropic-api-key`".to_owned(),
        ));
    };
    let prices = settings.prices.clone();
    Anthropic::new(&settings.engine.base_url, key.reveal(), prices)
        .map(|engine| Engine::Anthropic(Box::new(engine)))
        .map_err(|e| Stop::Fail(e.to_string()))
}
