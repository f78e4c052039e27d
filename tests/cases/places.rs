//! Places of backups as they are in the world: a server of OpenSSH that nobody knows yet, git over https behind a password,
//! storage that checks who asks, and ways there that do not always carry. Each says what is missing, and with it, works.

use crate::AI_INFRA;
use std::fs;
use std::path::Path;
use std::process::Command;
use tests::aws::Aws;
use tests::flaky::{Fate, Flaky};
use tests::sshd::Sshd;
use tests::team::{Ran, Team};

/// What a run says, wherever it says it.
fn said(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

#[track_caller]
fn says(ran: &Ran, part: &str) {
    assert!(said(ran).contains(part), "{}", said(ran));
}

/// The home is lost and comes back from its place.
fn lost_and_back(team: &Team) {
    team.ai(&["memory", "add", "deploys go out on Tuesdays"])
        .expect(0);
    team.ai(&["backup", "run", "memory"]).expect(0);
    team.down();
    fs::remove_dir_all(team.home()).unwrap();
    team.ai(&["backup", "restore"]).expect(0);
    let found = team.ai(&["memory", "search", "deploys", "--json"]);
    let found = found.expect(0).json();
    assert_eq!(found["memories"].as_array().unwrap().len(), 1);
    team.down();
}

fn bare(folder: &Path) {
    let made = Command::new("git")
        .args(["init", "-q", "--bare"])
        .arg(folder)
        .status();
    assert!(made.unwrap().success());
}

#[test]
fn over_ssh_a_host_that_is_not_known_is_refused_and_one_that_is_keeps_everything() {
    let Some(sshd) = Sshd::start() else {
        return;
    };
    let team = Team::new(AI_INFRA).backs_up_by_hand();
    let there = team.scratch("there.git");
    bare(&there);
    let file = |path: std::path::PathBuf| path.display().to_string();
    let team = team
        .with_env("AI_INFRA__BACKUP__REMOTE", &sshd.url(&there))
        .with_env("AI_INFRA__BACKUP__SSH__KEY", &file(sshd.key()))
        .with_env(
            "AI_INFRA__BACKUP__SSH__KNOWN_HOSTS",
            &file(sshd.known_hosts()),
        );
    team.up().expect(0);
    let run = || team.ai(&["backup", "run", "memory"]);
    let unknown = run().expect(5);
    says(
        &unknown,
        "its host key is not known here: compare what `ssh-keyscan HOST` says",
    );
    sshd.is_known_by("other");
    says(&run().expect(5), "its host key is another one than before");
    sshd.is_known_by("host");
    says(
        &run().expect(5),
        "it does not take the ssh key of this user",
    );
    sshd.let_in();
    let both = team.ai(&["backup", "run", "configuration"]).expect(0);
    says(&both, "1 file sent");
    lost_and_back(&team);
}

#[test]
fn over_https_a_token_opens_the_place_and_is_nowhere_to_be_seen() {
    const TOKEN: &str = "tkn-6f1c2a9be07d4358";
    let Some(server) = tests::git_https::start(TOKEN) else {
        return;
    };
    let team = Team::new(AI_INFRA).backs_up_by_hand();
    // A git that notes how it was called.
    let programs = team.scratch("programs");
    let notes = team.scratch("notes").join("calls");
    let real = Command::new("sh")
        .args(["-c", "command -v git"])
        .output()
        .unwrap();
    let real = String::from_utf8_lossy(&real.stdout).trim().to_owned();
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> {}\nexec {real} \"$@\"\n",
        notes.display()
    );
    fs::write(programs.join("git"), text).unwrap();
    let mode = Command::new("chmod")
        .arg("755")
        .arg(programs.join("git"))
        .status();
    assert!(mode.unwrap().success());
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let team = team
        .with_env("PATH", &path)
        .with_env(
            "GIT_SSL_CAINFO",
            &server.nginx.authority().display().to_string(),
        )
        .with_env("AI_INFRA__BACKUP__REMOTE", &server.url());
    team.up().expect(0);
    let run = || team.ai(&["backup", "run", "memory"]);
    says(
        &run().expect(5),
        "it asks for a token: ai-infra secret set github-pat",
    );
    team.piped(&["secret", "set", "github-pat"], "tkn-of-another")
        .expect(0);
    says(
        &run().expect(5),
        "the token is wrong or may not write there",
    );
    team.piped(&["secret", "set", "github-pat"], TOKEN)
        .expect(0);
    let ran = run().expect(0);
    assert!(!said(&ran).contains(TOKEN));
    // The certificate of that one has ended: nothing is asked, no token sent.
    let expired = server.url().replace(
        &server.nginx.good.to_string(),
        &server.nginx.expired.to_string(),
    );
    fs::write(
        team.home().join("config/backup.yaml"),
        format!("jobs: {{memory: {{target: \"{expired}\"}}}}\n"),
    )
    .unwrap();
    says(&run().expect(5), "its certificate is not in order");
    fs::remove_file(team.home().join("config/backup.yaml")).unwrap();
    let calls = fs::read_to_string(&notes).unwrap();
    assert!(calls.contains("push"), "git was called as noted");
    let mut seen = vec![("git's arguments".to_owned(), calls.into_bytes())];
    let asked = server.nginx.asked();
    assert!(asked.contains("git-receive-pack"), "{asked}");
    seen.push(("the server's log".to_owned(), asked.into_bytes()));
    for folder in [team.home(), server.repository()] {
        for (path, bytes) in tests::many::files(&folder) {
            if !path.starts_with("secrets") {
                seen.push((path.display().to_string(), bytes));
            }
        }
    }
    assert!(seen.len() > 20);
    for (place, bytes) in seen {
        let found = bytes
            .windows(TOKEN.len())
            .any(|part| part == TOKEN.as_bytes());
        assert!(!found, "the token is in {place}");
    }
    let team = team.with_env("GITHUB_TOKEN", TOKEN);
    lost_and_back(&team);
}

#[test]
fn storage_that_checks_who_asks_says_what_the_key_lacks() {
    let Some(aws) = Aws::start("s3:*") else {
        return;
    };
    aws.owner(&["bucket", "kept"]);
    let way = Flaky::to(aws.port);
    let with = |secret: &str| {
        Team::new(AI_INFRA)
            .backs_up_by_hand()
            .with_env("AI_INFRA__BACKUP__REMOTE", "s3://kept/of/this")
            .with_env("AI_INFRA__BACKUP__S3__ENDPOINT", &way.url())
            .with_env("AWS_ACCESS_KEY_ID", &aws.team[0])
            .with_env("AWS_SECRET_ACCESS_KEY", secret)
    };
    let wrong = with("not-the-secret-key-of-that-name");
    wrong.up().expect(0);
    let ran = wrong.ai(&["backup", "run", "memory"]).expect(5);
    says(
        &ran,
        "the secret key is wrong: ai-infra secret set s3-secret-key",
    );
    assert!(!said(&ran).contains("not-the-secret-key"));
    wrong.down();
    let team = with(&aws.team[1]);
    team.up().expect(0);
    let run = || team.ai(&["backup", "run", "memory"]);
    // Cut off in what is sent and in what is answered, busy, gone: it comes through, and is whole.
    for fates in [
        [Fate::Busy, Fate::SentCut(300)],
        [Fate::AnswerCut(30), Fate::Gone],
    ] {
        way.set(&fates, None);
        run().expect(0);
        assert_eq!(way.left(), 0, "nothing was cut off");
    }
    team.ai(&["backup", "verify", "--all"]).expect(0);
    aws.owner(&["allow", "s3:ListBucket"]);
    says(&run().expect(5), "the key may not do this there");
    aws.owner(&["allow", "s3:*"]);
    lost_and_back(&team);
    aws.owner(&["withdraw", &aws.team[0]]);
    says(&run().expect(5), "it does not know the access key");
}

#[test]
fn storage_opens_to_keys_that_end_by_themselves_with_their_token_alone() {
    let Some(aws) = Aws::start("s3:*") else {
        return;
    };
    aws.owner(&["bucket", "kept"]);
    let keys = aws.session();
    let with = |token: &str| {
        Team::new(AI_INFRA)
            .backs_up_by_hand()
            .with_env("AI_INFRA__BACKUP__REMOTE", "s3://kept/of/this")
            .with_env("AI_INFRA__BACKUP__S3__ENDPOINT", &aws.url)
            .with_env("AWS_ACCESS_KEY_ID", &keys[0])
            .with_env("AWS_SECRET_ACCESS_KEY", &keys[1])
            .with_env("AWS_SESSION_TOKEN", token)
    };
    let wrong = with("a-token-of-yesterday");
    wrong.up().expect(0);
    let ran = wrong.ai(&["backup", "run", "memory"]).expect(5);
    assert!(!said(&ran).contains("a-token-of-yesterday"));
    wrong.down();
    let team = with(&keys[2]);
    team.up().expect(0);
    lost_and_back(&team);
}
