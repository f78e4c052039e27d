//! What an operation is to recovery, and to the rules of a person.

use super::Operation;
use crate::bring::ForgeAsk;
use crate::outside::changes;
use protocol::effect::EffectClass;

impl Operation {
    /// What recovery may do with it.
    pub fn effect(&self) -> EffectClass {
        match self {
            Operation::Write { .. } => EffectClass::Idempotent,
            Operation::Edit { .. } => EffectClass::Probed,
            Operation::Bash { .. }
            | Operation::Tests { .. }
            | Operation::QuickChecks
            | Operation::Linters => EffectClass::Contained,
            Operation::GitCommit { .. }
            | Operation::SqlExecute { .. }
            | Operation::BackupDatabase { .. } => EffectClass::Keyed,
            // The commit is its own key, and so is the branch that is offered: the other side is asked first.
            Operation::GitPush { .. }
            | Operation::Forge {
                ask: ForgeAsk::OpenPull { .. },
                ..
            } => EffectClass::Keyed,
            Operation::Forge {
                ask: ForgeAsk::StartWorkflow { .. },
                ..
            } => EffectClass::Once,
            Operation::HttpRequest { method, key, .. } => match key {
                _ if !changes(method) => EffectClass::Pure,
                Some(_) => EffectClass::Keyed,
                None => EffectClass::Once,
            },
            // The warden remembers what it did under a key, and finds out what became of what it began.
            Operation::Duty { duty, .. } if duty.kind().is_some() => EffectClass::Keyed,
            _ => EffectClass::Pure,
        }
    }

    /// Whether what reaches outside looks at files of the workspace too.
    pub fn reads_files(&self) -> bool {
        match self {
            Operation::GitPush { .. } => true,
            Operation::DataScan { scan } => scan.files().next().is_some(),
            _ => false,
        }
    }

    /// The kind of act it is, where rules (`permissions.acts`) have a word: what changes something outside
    /// the clone and the sandbox.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Operation::HttpRequest { method, .. } if changes(method) => Some("http.change"),
            Operation::SqlExecute { .. } => Some("sql.change"),
            Operation::GitPush { .. } => Some("git.push"),
            Operation::Forge { ask, .. } => match ask {
                ForgeAsk::OpenPull { .. } => Some("pull.open"),
                ForgeAsk::StartWorkflow { .. } => Some("workflow.start"),
                ForgeAsk::ListPulls { .. } | ForgeAsk::WorkflowRuns { .. } => None,
            },
            Operation::Duty { duty, .. } => duty.kind(),
            _ => None,
        }
    }
}
