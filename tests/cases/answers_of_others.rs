//! Who may answer a ticket is known by the kernel: root answers in anybody's home without a PIN, since no agent
//! there is root; an ordinary user cannot so much as speak to the warden of another's.

use crate::agent_walls::{USER, give, open_program};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use tests::leave::Stage;
use tests::team::Team;

fn as_user(uid: u32) -> Vec<String> {
    let (user, group) = (format!("--reuid={uid}"), format!("--regid={uid}"));
    let words = ["setpriv", &user, &group, "--clear-groups"];
    words.map(str::to_owned).to_vec()
}

/// Says a line to a socket and prints what is answered.
const SAY: &str = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b'\\n')
print(s.makefile().readline())";

/// What a stranger hears who says this to the warden.
fn stranger_says(team: &Team, line: &str) -> String {
    let words = as_user(USER + 1);
    let mut words = words.iter();
    let output = Command::new(words.next().expect("a program"))
        .args(words)
        .args(["/usr/bin/python3", "-c", SAY])
        .arg(team.home().join("run/warden.sock"))
        .arg(line)
        .current_dir("/")
        .output()
        .expect("setpriv and python3 are there");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn root_answers_in_a_users_home_and_a_stranger_does_not() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can be two people");
        return;
    }
    let (_folder, program) = open_program();
    let mut stage = Stage::new(Team::new(&program), "ask", "");
    let top = stage.team.home();
    give(top.parent().expect("a folder"));
    stage.team = stage.team.inside(as_user(USER));
    stage.team.up();
    stage.begin();
    let (id, mark) = stage.asked("t1");
    let yes = json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true,
        "for_task": false, "because": "", "pin": null});
    // The user's own word may be an agent's: without a PIN it is none.
    let own = stage.team.ai(&["approvals", "approve", &id, &mark]);
    assert!(own.expect(4).stderr.contains("PIN"));
    let mode = |path: &str, mode: u32| {
        let path = top.join(path);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    };
    let said = stranger_says(&stage.team, &yes.to_string());
    assert!(said.contains("Permission denied"), "{said}");
    // Even where every folder and the socket itself let a stranger through, the warden does not.
    mode("..", 0o711);
    mode("", 0o711);
    mode("run", 0o711);
    mode("run/warden.sock", 0o666);
    let said = stranger_says(&stage.team, &yes.to_string());
    assert!(said.contains("only the owner of this home"), "{said}");
    mode("run/warden.sock", 0o600);
    mode("run", 0o700);
    mode("", 0o700);
    assert_eq!(stage.effects(), 0);
    // This is root.
    let said = stage.forged("warden.sock", &yes);
    assert!(said.contains("ticket"), "{said}");
    stage.comes_to("t1", "done");
    assert_eq!(stage.effects(), 1);
    let answered = stage.ticket(&id);
    assert_eq!(answered["said"]["uid"], 0, "{answered:#}");
    stage.intact();
    stage.team.down();
}
