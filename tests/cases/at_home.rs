//! Somebody who has just logged in stands in their home folder, which is no workspace: what needs no folder is done all
//! the same, in the chat as on the command line, and they are told.

use crate::AI_INFRA;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use tests::team::Team;

/// The home folder of whoever runs the tests.
fn own_home() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??;
    user.dir.is_dir().then_some(user.dir)
}

#[test]
fn the_host_is_asked_about_from_the_home_folder() {
    let Some(home) = own_home() else {
        eprintln!("skipped: whoever runs the tests has no home folder");
        return;
    };
    let team = Team::new(AI_INFRA);
    team.up();
    let ran = team
        .command(&["run", "how are disk and memory of this host?"])
        .current_dir(&home)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        ran.status.success() && said.contains("note: the task has no folder"),
        "{said}"
    );
    let mut chat = team
        .command(&["chat"])
        .current_dir(&home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = chat.stdin.take().expect("its input");
    input
        .write_all(b"how are disk and memory of this host?\nwhat is unfinished here?\n")
        .expect("it is read");
    drop(input);
    let talked = chat.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&talked.stdout).into_owned();
    for part in [
        "note: requests have no folder: ",
        " cannot be a workspace: it is a ",
        "criteria proven",
        // What does need one says so.
        "/workspace",
    ] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    team.down();
}
