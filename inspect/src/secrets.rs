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

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Made-up secrets, put together at run time so that this file holds none.
    fn planted() -> Vec<(&'static str, String)> {
        let r36 = "k3Tq9ZsW2xLbV7mRd5YhPf8NcJ4uG6aE1oIw";
        vec![
            (
                "aws-access-key",
                format!("key = AK{}", "IAQ3EGR7JSDF2KWMNP"),
            ),
            (
                "aws-secret-key",
                format!(
                    "aws_secret_access_key = {}{}",
                    "wJ8rXUtnF3MI/K7MDENG", "+bPxRfiCYz9qL2vT5hNs"
                ),
            ),
            ("github-token", format!("t: gh{}_{r36}", "p")),
            ("github-token", format!("github{}_{r36}{r36}", "_pat")),
            ("slack-token", format!("xo{}-2489-7351-QmZk81LsTyPw", "xb")),
            ("stripe-key", format!("sk{}_{}", "_live", &r36[..24])),
            ("google-api-key", format!("AI{}{}", "za", &r36[..35])),
            ("anthropic-key", format!("sk-{}-api03-{r36}", "ant")),
            ("openai-key", format!("OPENAI=sk-{}-{r36}", "proj")),
            (
                "npm-token",
                format!("//registry/:_authToken=np{}_{r36}", "m"),
            ),
            ("pypi-token", format!("py{}-AgE{r36}{r36}", "pi")),
            (
                "jwt",
                format!("ey{}.eyJzdWIiOiI5OTMxIn0.{r36}", "JhbGciOiJIUzI1NiJ9"),
            ),
            (
                "private-key",
                format!(
                    "-----BEGIN RSA {}-----\nMIIEpAIBAAKCAQEA7bq3xW9zT2\n",
                    "PRIVATE KEY"
                ),
            ),
            (
                "password-assignment",
                format!("password = \"{}\"", "tR8#vq2Lm!z"),
            ),
            (
                "password-assignment",
                format!("  \"client_secret\": \"{}\",", "9fK2mQx7LpZ4vB8n"),
            ),
            (
                "password-assignment",
                format!("DB_PASSWORD={}", "Zu7hooy4eiPh"),
            ),
            (
                "url-password",
                format!("postgres://app:{}@db.internal/shop", "q8Zr41vNxw"),
            ),
        ]
    }

    const DECOYS: &[&str] = &[
        "AWS_KEY=AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "token: ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "token: ghp_0000000000000000000000000000000000ab",
        "key: sk-ant-your-key-goes-here-please",
        "sk_live_your_key_0000000000000000",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "OPENAI_API_KEY=sk-...",
        "password = \"changeme\"",
        "password = \"password123\"",
        "password: ${DB_PASSWORD}",
        "password = \"<your-key>\"",
        "password = os.environ[\"DB_PASSWORD\"]",
        "token = get_token(user, 12345)",
        "const tokenType = \"access_token_v2\"",
        "secret_name: \"projects/shop/secrets/db-password\"",
        "api_key = settings.API_KEY",
        "password_field = \"input-password-2\"",
        "-----BEGIN PRIVATE KEY-----",
        "postgres://user:password@localhost/db",
        "https://user:${TOKEN}@host/x",
        "checksum = \"0b2c5d8e9f1a3b4c5d6e7f80912a3b4c5d6e7f80\"",
        "\"integrity\": \"sha512-k3Tq9ZsW2xLbV7mRd5YhPf8NcJ4uG6aE1oIw==\"",
        "task-sk-learning-with-many-long-words-here",
        "password = \"aaaaaaaaaaaa1\"",
    ];

    #[test]
    fn finds_what_was_planted_and_no_decoys() {
        for (rule, line) in planted() {
            let found: Vec<_> = secret_rules::find(&line)
                .into_iter()
                .map(|f| f.rule)
                .collect();
            assert_eq!(found, [rule], "{line}");
        }
        for line in DECOYS {
            assert_eq!(secret_rules::find(line), [], "{line}");
        }
    }

    #[test]
    fn scan_tells_places_and_shows_four_characters() {
        let dir = tempfile::tempdir().unwrap();
        let planted = planted();
        let text: String = planted
            .iter()
            .map(|(_, line)| format!("# next\n{line}\n"))
            .collect();
        std::fs::write(dir.path().join("all.txt"), &text).unwrap();
        std::fs::write(dir.path().join("decoys.txt"), DECOYS.join("\n")).unwrap();
        std::fs::write(dir.path().join("bin"), b"\0AKIA").unwrap();
        let secrets = scan(dir.path(), &Limits::default()).unwrap();
        assert_eq!(secrets.total as usize, planted.len());
        assert_eq!((secrets.files_scanned, secrets.skipped), (2, 1));
        let first = &secrets.findings[0];
        assert_eq!(
            (first.path.as_str(), first.line, first.preview.as_str()),
            ("all.txt", 2, "AKIA********")
        );
        let few = scan(
            dir.path(),
            &Limits {
                findings: 1,
                ..Limits::default()
            },
        )
        .unwrap();
        assert_eq!((few.findings.len(), few.total), (1, secrets.total));
    }
}
