//! certbot, called with fields: a certificate for names, proven by files in a folder that the sites show. No plugin, hook
//! or setting of a user's own has a word in it; what the host's own `cli.ini` of certbot says holds as in every call of it.

use crate::program::{Program, Ran, run};
use crate::{Refused, needs_root};
use protocol::duty::names::{HostName, SiteName};
use protocol::duty::terms::{CertificateTerms, SiteTerms};
use protocol::text::one_line;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest time an authority is given.
const ASK: Duration = Duration::from_secs(540);
/// Most bytes of certbot's log that are looked at, from its end.
const LOG: usize = 512 * 1024;

/// Where certbot keeps what it got: the folder above `live`.
///
/// # Errors
/// A sentence: the sites' certificates lie elsewhere.
pub fn folder(sites: &SiteTerms) -> Result<PathBuf, Refused> {
    let live = Path::new(sites.certificates.as_str());
    match (live.file_name(), live.parent()) {
        (Some(name), Some(above)) if name == "live" && above != Path::new("/") => Ok(above.to_owned()),
        _ => Err(format!(
            "certbot keeps certificates in a folder `live`, and `permissions.operations.sites.certificates` is {}",
            sites.certificates
        )
        .into()),
    }
}

/// Whether this process can do it here at all.
///
/// # Errors
/// A sentence.
pub fn able(sites: &SiteTerms, terms: &CertificateTerms) -> Result<(), Refused> {
    Program::Certbot.path()?;
    let folder = folder(sites)?;
    if let Some(file) = &terms.trusted
        && !Path::new(file.as_str()).is_file()
    {
        let setting = "permissions.operations.certificates.trusted";
        return Err(format!("{file} of `{setting}` is not there").into());
    }
    for path in [folder.as_path(), Path::new(terms.work.as_str())] {
        // The nearest folder that is there is the one something would be made in.
        let there = path.ancestors().find(|path| path.exists());
        let there = there.unwrap_or(Path::new("/"));
        if nix::unistd::access(there, nix::unistd::AccessFlags::W_OK).is_err() {
            needs_root(&format!("writing to {}", path.display()))?;
            return Err(format!("{} cannot be written to", path.display()).into());
        }
    }
    Ok(())
}

/// Makes the folder that sites show.
///
/// # Errors
/// A sentence.
pub fn ready(terms: &CertificateTerms) -> Result<PathBuf, Refused> {
    let root = PathBuf::from(terms.challenges());
    let known = root.join(".well-known");
    let shown = known.join("acme-challenge");
    let work = PathBuf::from(terms.work.as_str());
    let new_work = !work.exists();
    // Whoever serves it is another user, so each is opened whatever this process may create.
    let open = |path: &&PathBuf| {
        let opened = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, opened)
    };
    let made = fs::create_dir_all(&shown).and_then(|()| {
        let all = [&root, &known, &shown];
        all.iter().try_for_each(open)?;
        if new_work { open(&&work) } else { Ok(()) }
    });
    made.map_err(|error| format!("{} cannot be made: {error}", shown.display()))?;
    Ok(shown)
}

/// Asks for a certificate. With `anew` also where the one that is there is good.
///
/// # Errors
/// A sentence that says who refused what, and from when it can be asked again where that is said.
pub async fn ask(
    sites: &SiteTerms,
    terms: &CertificateTerms,
    name: &SiteName,
    names: &[HostName],
    anew: bool,
) -> Result<(), Refused> {
    let text = |path: PathBuf| path.display().to_string();
    let work = Path::new(terms.work.as_str());
    let logs = work.join("ai-infra-log");
    let (kept, log) = (text(folder(sites)?), text(logs.clone()));
    let challenges = terms.challenges();
    let mut args = vec![
        "certonly",
        "--non-interactive",
        "--agree-tos",
        "--no-eff-email",
        "--no-directory-hooks",
        "--authenticator",
        "webroot",
        "--preferred-challenges",
        "http",
        "--key-type",
        "ecdsa",
        "--max-log-backups",
        "0",
        "--webroot-path",
        &challenges,
        "--config-dir",
        &kept,
        "--work-dir",
        terms.work.as_str(),
        "--logs-dir",
        &log,
        "--server",
        terms.directory.as_str(),
        "--email",
        terms.mail.as_str(),
        "--cert-name",
        name.as_str(),
        "--renew-with-new-domains",
        if anew {
            "--force-renewal"
        } else {
            "--keep-until-expiring"
        },
    ];
    for name in names {
        args.extend(["-d", name.as_str()]);
    }
    // A user's own settings of certbot are not this host's.
    let mut env = vec![("XDG_CONFIG_HOME", "/nonexistent")];
    if let Some(file) = &terms.trusted {
        env.push(("REQUESTS_CA_BUNDLE", file.as_str()));
    }
    // The log is of this call alone: certbot would go on at its end for ever.
    let _may_be_none = fs::remove_file(logs.join("letsencrypt.log"));
    let ran = run(Program::Certbot, &args, &env, ASK).await?;
    if ran.good {
        return Ok(());
    }
    let log = fs::read(logs.join("letsencrypt.log")).unwrap_or_default();
    let tail = log.get(log.len().saturating_sub(LOG)..).unwrap_or_default();
    Err(why(terms, &ran, &String::from_utf8_lossy(tail)).into())
}

/// What certbot says of a failure, as a sentence.
fn why(terms: &CertificateTerms, ran: &Ran, log: &str) -> String {
    let directory = terms.directory.as_str();
    let refused = problems(&ran.out);
    if !refused.is_empty() {
        return format!("{directory} gave no certificate: {}", refused.join("; "));
    }
    let unexpected = ran
        .complained
        .lines()
        .skip_while(|line| !line.starts_with("An unexpected error occurred"))
        .nth(1);
    // Where certbot stumbles over what an authority says, its log has it all the same.
    let error = log
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("acme.messages.Error: "));
    let said = one_line(error.or(unexpected).unwrap_or(&ran.why()), 400);
    if let Some(after) = wait_of(log) {
        return format!(
            "{directory} takes no more requests for now: ask again {after} (it says: {said})"
        );
    }
    let away = [
        "Connection refused",
        "NameResolutionError",
        "Name or service not known",
        "timed out",
        "Network is unreachable",
        "Temporary failure in name resolution",
    ];
    match away.iter().any(|sign| said.contains(sign)) {
        true => format!("{directory} does not answer: {said}"),
        false => format!("{directory} gave no certificate: {said}"),
    }
}

/// `Domain: …`, `Type: …`, `Detail: …` as certbot tells what an authority found wrong.
fn problems(text: &str) -> Vec<String> {
    let (mut all, mut name, mut kind) = (Vec::new(), String::new(), String::new());
    for line in text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("Domain: ") {
            name = one_line(said, 120);
        } else if let Some(said) = line.strip_prefix("Type:") {
            kind = one_line(said.trim(), 60);
        } else if let Some(said) = line.strip_prefix("Detail: ")
            && all.len() < 20
        {
            all.push(format!("{name} ({kind}): {}", one_line(said, 300)));
        }
    }
    all
}

/// When the last answer said that there were too many requests: from when it may be asked again.
fn wait_of(log: &str) -> Option<String> {
    let answer = log.rfind("\nHTTP ").and_then(|at| log.get(at + 6..))?;
    if !answer.starts_with("429") {
        return None;
    }
    let head = answer.lines().take_while(|line| !line.trim().is_empty());
    let after = head
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case("retry-after"))
        .map(|(_, value)| one_line(value.trim(), 60));
    Some(match after {
        Some(after) if after.bytes().all(|b| b.is_ascii_digit()) => format!("in {after} s"),
        Some(after) => format!("after {after}"),
        None => "later".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn terms() -> CertificateTerms {
        CertificateTerms {
            mail: "ada@shop.example".parse().unwrap(),
            directory: "https://ca.example/dir".parse().unwrap(),
            trusted: None,
            work: "/var/lib/letsencrypt".parse().unwrap(),
        }
    }

    #[track_caller]
    fn check(out: &str, complained: &str, log: &str, expected: &str) {
        let ran = Ran {
            good: false,
            out: out.to_owned(),
            complained: complained.to_owned(),
        };
        assert_eq!(why(&terms(), &ran, log), expected);
    }

    const UNEXPECTED: &str = "Saving debug log to /x\nAn unexpected error occurred:\n";

    #[test]
    fn a_refusal_is_told_in_a_sentence() {
        check(
            "Certbot failed to authenticate some domains:\n  Domain: a.example\n  Type:   unauthorized\n  Detail: 404 of \u{1b}[1mit\n\n  Domain: b.example\n  Type:   dns\n  Detail: none\nHint: x",
            "Some challenges have failed.",
            "",
            "https://ca.example/dir gave no certificate: a.example (unauthorized): 404 of \\u{1b}[1mit; b.example (dns): none",
        );
        check(
            "",
            &format!(
                "{UNEXPECTED}ValueError: Requesting ca.example/dir: Connection refused\nAsk for help"
            ),
            "",
            "https://ca.example/dir does not answer: ValueError: Requesting ca.example/dir: Connection refused",
        );
        check(
            "",
            &format!(
                "{UNEXPECTED}There were too many requests of a given type :: too many certificates\n"
            ),
            "x\nHTTP 200\nA: b\n\n{}\nReceived response:\nHTTP 429\nServer: x\nretry-after: 3600\n\n{}",
            "https://ca.example/dir takes no more requests for now: ask again in 3600 s (it says: There were too many requests of a given type :: too many certificates)",
        );
        check(
            "",
            &format!("{UNEXPECTED}a thing\n"),
            "HTTP 429\nRetry-After: 1\n\nx\nHTTP 400\n\n",
            "https://ca.example/dir gave no certificate: a thing",
        );
        check(
            "",
            &format!("{UNEXPECTED}AttributeError: can't set attribute"),
            "x\nacme.messages.Error: urn:ietf:params:acme:error:rejectedIdentifier :: not this one\nTraceback",
            "https://ca.example/dir gave no certificate: urn:ietf:params:acme:error:rejectedIdentifier :: not this one",
        );
        check("", "", "", "https://ca.example/dir gave no certificate: ");
    }

    #[test]
    fn certbot_keeps_them_in_live() {
        let mut sites: SiteTerms = serde_json::from_value(serde_json::json!({
            "names": [], "roots": [], "upstreams": [], "config": "/a", "folder": "/b", "certificates": "/etc/letsencrypt/live",
            "address": null, "http": 80, "https": 443,
        }))
        .unwrap();
        assert_eq!(folder(&sites).unwrap(), Path::new("/etc/letsencrypt"));
        sites.certificates = "/srv/certs".parse().unwrap();
        assert!(
            folder(&sites)
                .unwrap_err()
                .to_string()
                .contains("folder `live`")
        );
    }
}
