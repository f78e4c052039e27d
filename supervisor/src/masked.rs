//! What the supervisor keeps or sends on is masked first: by the secrets of the settings and of the home, and by what
//! looks like one.

use crate::desk::Desk;
use config::env::Env;
use guard::redact::Redactor;
use protocol::memory::NewMemory;

/// Masks what this team knows as secret.
pub(crate) fn redactor(desk: &Desk) -> Redactor {
    let env = Env::from_process();
    let kept = config::secret::every(&desk.home, &env);
    let all = desk.settings.secrets().chain(&kept);
    let redactor = Redactor::new(all.map(|secret| secret.reveal().to_owned()));
    redactor.under(env.faults().unwrap_or_default())
}

/// A memory as it is kept.
pub(crate) fn memory(new: NewMemory, redactor: &Redactor) -> NewMemory {
    NewMemory {
        title: redactor.text(&new.title),
        body: redactor.text(&new.body),
        evidence: new
            .evidence
            .iter()
            .map(|line| redactor.text(line))
            .collect(),
        ..new
    }
}
