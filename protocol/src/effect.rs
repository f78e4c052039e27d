//! Effect classes: what recovery may do with a call whose result was never recorded.

use serde::{Deserialize, Serialize};

/// How a call touches the world, computed per call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// Reads only. Run again.
    Pure,
    /// The same call twice leaves the same world. Run again.
    Idempotent,
    /// Carries a key under which the other side does it once. Run again with the same key.
    Keyed,
    /// The world can be asked whether it happened. Ask, then decide.
    Probed,
    /// All effects lie in the task's own clone. Reset the clone to the snapshot, run again.
    Contained,
    /// Cannot be asked, cannot be repeated. Wait for a person.
    Once,
}

/// What a probe of the world says about a call that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeAnswer {
    /// The effect is there.
    Happened,
    /// The world is as it was before.
    Not,
    /// Part of it is there.
    Partly,
    /// Nobody can tell.
    Unknown,
}

/// What a new holder does with a call that has an intent and no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Run it again as it stands.
    RunAgain,
    /// Ask the world first, then call [`after_probe`].
    Probe,
    /// Put the clone back to the snapshot taken before the call, then run again.
    ResetAndRun,
    /// Park the task with the exact question for a person.
    AskPerson,
}

impl EffectClass {
    /// The recovery rule of this class.
    pub fn recovery(self) -> Recovery {
        match self {
            EffectClass::Pure | EffectClass::Idempotent | EffectClass::Keyed => Recovery::RunAgain,
            EffectClass::Probed => Recovery::Probe,
            EffectClass::Contained => Recovery::ResetAndRun,
            EffectClass::Once => Recovery::AskPerson,
        }
    }
}

/// What to do once the world was asked: `Ok(true)` = take it as done, `Ok(false)` = run it,
/// `Err` = a person decides.
pub fn after_probe(answer: ProbeAnswer) -> Result<bool, Recovery> {
    match answer {
        ProbeAnswer::Happened => Ok(true),
        ProbeAnswer::Not => Ok(false),
        ProbeAnswer::Partly | ProbeAnswer::Unknown => Err(Recovery::AskPerson),
    }
}
