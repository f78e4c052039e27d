//! Secrets that lie in plain text: looks at every text file line by line with the rules of `secret_rules`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};
use crate::{secret_rules, walk};

/// A secret that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFinding {
    /// File, relative to the root.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// The rule that fired, such as `aws-access-key`.
    pub rule: String,
    /// Its first four characters; the rest is masked.
    pub preview: String,
}

/// All secrets of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// The first ones, up to the limit, in order of file and line.
    pub findings: Vec<SecretFinding>,
    /// How many there are in all.
    pub total: u64,
    /// Files whose text was read.
    pub files_scanned: u64,
    /// Files that were not read: binary, too large, unreadable, or past the limit.
    pub skipped: u64,
}

/// Looks for secrets in every text file.
pub fn scan(root: &Path, limits: &Limits) -> Result<Secrets, InspectError> {
    let mut secrets = Secrets::default();
    let walk = walk::files(root, limits)?;
    secrets.skipped += u64::from(walk.cut_off);
    for seen in walk.files {
        let Some(text) = walk::text(&seen, limits) else {
            secrets.skipped += 1;
            continue;
        };
        secrets.files_scanned += 1;
        for found in secret_rules::find(&text) {
            secrets.total += 1;
            if secrets.findings.len() < limits.findings {
                secrets.findings.push(SecretFinding {
                    path: seen.name.clone(),
                    line: found.line,
                    rule: found.rule.to_string(),
                    preview: mask(found.text),
                });
            }
        }
    }
    Ok(secrets)
}

/// The first four characters and as many stars as a short secret has, so that its length is not told.
pub fn mask(secret: &str) -> String {
    let mut shown: String = secret.chars().take(4).collect();
    shown.push_str("********");
    shown
}
