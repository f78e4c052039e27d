//! A push to a server that wants a token: what is pushed, what is found there already, and what is refused; and that
//! nothing a program wrote into the clone is obeyed where the token is.

use super::outside::{carry_out, open};
use super::*;
use guard::bring::Remote;
use guard::outside::{Credential, Outside, Reach};
use guard::sandbox::spec::WORKSPACE;
use tests::git_https::GitHttps;

const TOKEN: &str = "tkn-2b7f90c4e1d6a385";

fn remote(server: &GitHttps, token: &str) -> Remote {
    Remote {
        url: server.url(),
        token: Credential::new(token),
        user: None,
        authority: Some(server.nginx.authority()),
        branches: vec!["preview".to_owned()],
        control_files: false,
    }
}

/// A clone of a repository whose first commit is at the server as `main`.
fn stage(server: &GitHttps) -> Stage {
    Stage::new(|w| {
        git(w, &["init", "-q"]);
        write(w, "README.md", "here\n");
        git(w, &["add", "."]);
        git(w, &["commit", "-qm", "one"]);
        let there = server.repository().display().to_string();
        git(w, &["push", "-q", &there, "HEAD:refs/heads/main"]);
    })
}

/// Pushes a commit with what the grant allows.
async fn push(stage: &Stage, to: &Remote, branch: &str, commit: &str) -> Outcome {
    let mut shown = vec![(stage.clone.work.clone(), WORKSPACE.into())];
    shown.extend(stage.clone.read_only.iter().cloned());
    let reach = Reach::Remote {
        remote: to.clone(),
        shown,
    };
    let mut executor = open(reach, stage.clone.owner).await;
    let outside = Outside {
        remotes: [("origin".to_owned(), to.clone())].into(),
        ..Outside::default()
    };
    let operation = Operation::GitPush {
        remote: "origin".to_owned(),
        url: to.url.clone(),
        branch: branch.to_owned(),
        commit: commit.to_owned(),
    };
    let outcome = carry_out(&mut executor, operation, &outside).await;
    executor.stop().await;
    outcome
}

/// Has programs of the task commit a file; answers the commit.
async fn commit(stage: &Stage, file: &str) -> String {
    let mut executor = stage.executor().await;
    let said = sh(
        &mut executor,
        &format!(
            "mkdir -p $(dirname {file}) && date +%N >> {file} && git add -A && git -c user.name=a -c user.email=a@b commit -qm more \
             && echo id $(git rev-parse HEAD)"
        ),
    )
    .await;
    executor.stop().await;
    let id = said.split("id ").nth(1).expect("an id");
    id.trim().to_owned()
}

fn there(server: &GitHttps, branch: &str) -> String {
    let name = format!("refs/heads/{branch}");
    git(
        &server.repository(),
        &["for-each-ref", "--format=%(objectname)", &name],
    )
    .trim()
    .to_owned()
}

#[tokio::test]
async fn a_commit_is_pushed_once_and_never_over_other_work() {
    if !can_sandbox() {
        return;
    }
    let Some(server) = tests::git_https::start(TOKEN) else {
        return;
    };
    let stage = stage(&server);
    let to = remote(&server, TOKEN);
    let wrong = remote(&server, "tkn-of-another");
    let first = commit(&stage, "new.txt").await;
    let refused = push(&stage, &wrong, "ai-infra/t1", &first).await;
    assert!(
        refused.is_error && refused.text.contains("does not take the token"),
        "{}",
        refused.text
    );
    assert_eq!(there(&server, "ai-infra/t1"), "");
    let pushed = push(&stage, &to, "ai-infra/t1", &first).await;
    assert!(
        !pushed.is_error && pushed.data["before"] == false,
        "{}",
        pushed.text
    );
    assert_eq!(there(&server, "ai-infra/t1"), first);
    let again = push(&stage, &to, "ai-infra/t1", &first).await;
    assert!(
        !again.is_error && again.data["before"] == true,
        "{}",
        again.text
    );
    // A later commit goes on from there; somebody else's does not.
    let second = commit(&stage, "new.txt").await;
    let pushed = push(&stage, &to, "ai-infra/t1", &second).await;
    assert!(!pushed.is_error, "{}", pushed.text);
    let back = push(&stage, &to, "ai-infra/t1", &first).await;
    assert!(
        back.is_error && back.text.contains("nothing is pushed by force"),
        "{}",
        back.text
    );
    assert_eq!(there(&server, "ai-infra/t1"), second);
    let nothing = push(&stage, &to, "ai-infra/t1", &"0".repeat(40)).await;
    assert!(
        nothing.is_error && nothing.text.contains("no commit"),
        "{}",
        nothing.text
    );
    let elsewhere = Remote {
        url: to.url.replace("kept.git", "none.git"),
        ..to.clone()
    };
    let missing = push(&stage, &elsewhere, "ai-infra/t1", &second).await;
    assert!(
        missing.is_error && missing.data["unknown"].is_null(),
        "{}",
        missing.text
    );
    let strange = Remote {
        url: to.url.replace(
            &server.nginx.good.to_string(),
            &server.nginx.strange.to_string(),
        ),
        ..to.clone()
    };
    let strange = push(&stage, &strange, "ai-infra/t1", &second).await;
    assert!(
        strange.is_error && strange.text.contains("certificate"),
        "{}",
        strange.text
    );
}

#[tokio::test]
async fn what_build_services_obey_is_pushed_by_a_person_or_by_leave() {
    if !can_sandbox() {
        return;
    }
    let Some(server) = tests::git_https::start(TOKEN) else {
        return;
    };
    let stage = stage(&server);
    let to = remote(&server, TOKEN);
    let hidden = commit(&stage, ".github/workflows/x.yml").await;
    // It counts in any commit of the branch, not only in the last one.
    let last = commit(&stage, "new.txt").await;
    for commit in [&hidden, &last] {
        let refused = push(&stage, &to, "ai-infra/t2", commit).await;
        assert!(
            refused.is_error && refused.text.contains(".github/workflows/x.yml"),
            "{}",
            refused.text
        );
    }
    assert_eq!(there(&server, "ai-infra/t2"), "");
    let allowed = Remote {
        control_files: true,
        ..to
    };
    let pushed = push(&stage, &allowed, "ai-infra/t2", &last).await;
    assert!(!pushed.is_error, "{}", pushed.text);
    assert_eq!(there(&server, "ai-infra/t2"), last);
}

#[tokio::test]
async fn nothing_that_programs_wrote_is_obeyed_where_the_token_is() {
    if !can_sandbox() {
        return;
    }
    let Some(server) = tests::git_https::start(TOKEN) else {
        return;
    };
    let stage = stage(&server);
    let commit = commit(&stage, "new.txt").await;
    let mut executor = stage.executor().await;
    // Everything by which git is told to run or to reach something else.
    let said = sh(
        &mut executor,
        "cd .git && git config credential.helper '!touch /workspace/obeyed; env > /workspace/obeyed' && git config core.sshCommand 'touch /workspace/obeyed' \
         && git config url.https://127.0.0.1:1/.insteadOf https:// && git config http.proxy http://127.0.0.1:1 && git config core.fsmonitor 'touch /workspace/obeyed' \
         && git config core.hooksPath /workspace/hooks && mkdir -p hooks ../hooks && printf '#!/bin/sh\\nenv > /workspace/obeyed\\n' | tee hooks/pre-push > ../hooks/pre-push \
         && chmod +x hooks/pre-push ../hooks/pre-push && echo laid",
    )
    .await;
    assert!(said.contains("laid"), "{said}");
    executor.stop().await;
    let pushed = push(&stage, &remote(&server, TOKEN), "ai-infra/t3", &commit).await;
    assert!(!pushed.is_error, "{}", pushed.text);
    assert_eq!(there(&server, "ai-infra/t3"), commit);
    assert!(!stage.clone.work.join("obeyed").exists());
    assert!(!pushed.text.contains(TOKEN));
}

#[tokio::test]
async fn a_push_goes_on_from_whatever_the_remote_has() {
    if !can_sandbox() {
        return;
    }
    let Some(server) = tests::git_https::start(TOKEN) else {
        return;
    };
    // What build services obey is there already, and is not of the branch.
    let stage = Stage::new(|w| {
        git(w, &["init", "-q", "-b", "main"]);
        write(w, ".github/workflows/x.yml", "on: push\n");
        write(w, "src/a/b.txt", "one\n");
        git(w, &["add", "."]);
        git(w, &["commit", "-qm", "one"]);
        write(w, "README.md", "here\n");
        git(w, &["add", "."]);
        git(w, &["commit", "-qm", "two"]);
        let there = server.repository().display().to_string();
        git(w, &["push", "-q", &there, "HEAD:refs/heads/main"]);
        git(w, &["push", "-q", &there, "HEAD~1:refs/heads/old"]);
    });
    let to = remote(&server, TOKEN);
    let good = async |branch: &str, commit: &str| {
        let pushed = push(&stage, &to, branch, commit).await;
        assert!(!pushed.is_error, "{}", pushed.text);
        assert_eq!(there(&server, branch), commit);
    };
    let first = commit(&stage, "new.txt").await;
    good("ai-infra/t4", &first).await;
    let second = commit(&stage, "src/a/b.txt").await;
    // Another branch of the remote is nearer than its own.
    good("ai-infra/t5", &second).await;
    let third = commit(&stage, "src/a/c.txt").await;
    good("ai-infra/t4", &third).await;
    // Two lines of work that were brought together.
    let mut executor = stage.executor().await;
    let said = sh(
        &mut executor,
        "git config user.name a && git config user.email a@b && line=$(git rev-parse HEAD) && git checkout -q -b side HEAD~2 && date +%N > side.txt && git add -A \
         && git commit -qm side && git merge -q -m both $line 2>&1 && echo id $(git rev-parse HEAD)",
    )
    .await;
    executor.stop().await;
    let merged = said.split("id ").nth(1).expect(&said).trim().to_owned();
    good("ai-infra/t4", &merged).await;
    // The remote has gone on with what the clone has never seen.
    git(
        &stage.workspace,
        &["commit", "-q", "--allow-empty", "-m", "three"],
    );
    let kept = server.repository().display().to_string();
    git(
        &stage.workspace,
        &["push", "-q", &kept, "HEAD:refs/heads/main"],
    );
    let fourth = commit(&stage, "more.txt").await;
    good("ai-infra/t4", &fourth).await;
    let back = push(&stage, &to, "ai-infra/t4", &second).await;
    assert!(
        back.is_error && back.text.contains("nothing is pushed by force"),
        "{}",
        back.text
    );
}

#[tokio::test]
async fn a_workspace_without_its_whole_past_is_pushed_from() {
    if !can_sandbox() {
        return;
    }
    let Some(server) = tests::git_https::start(TOKEN) else {
        return;
    };
    let kept = server.repository().display().to_string();
    let past = Stage::new(|w| {
        git(w, &["init", "-q"]);
        for text in ["one\n", "two\n"] {
            write(w, ".github/workflows/x.yml", text);
            git(w, &["add", "."]);
            git(w, &["commit", "-qm", "more"]);
        }
        git(w, &["push", "-q", &kept, "HEAD:refs/heads/main"]);
    });
    let from = format!("file://{}", past.workspace.display());
    let stage = Stage::new(|w| {
        git(w, &["clone", "-q", "--depth", "1", &from, "."]);
    });
    let to = remote(&server, TOKEN);
    let first = commit(&stage, "new.txt").await;
    let pushed = push(&stage, &to, "ai-infra/t6", &first).await;
    assert!(!pushed.is_error, "{}", pushed.text);
    assert_eq!(there(&server, "ai-infra/t6"), first);
}
