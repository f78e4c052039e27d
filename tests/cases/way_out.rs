//! The proxy of a task is a process of its own: what its walls leave it, what it holds, and that it is gone with its agent
//! and with its launcher, also where it is stopped.

use crate::AI_INFRA;
use crate::agent_walls::status;
use nix::sys::signal::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const TOKEN: &str = "tkn-3b7e90c1d5f24a68";
const SOON: Duration = Duration::from_secs(20);

const WAIT: &str = r#"
playbook: 1
name: wait-online
agent: code
level: 1
intents: ["wait online"]
steps:
  - {id: wait, tool: Bash, args: {command: "echo begun > /workspace/begun; sleep 100"}}
criteria:
  - {id: c1, text: "it waited", check: {file: {path: begun, contains: begun}}}
report: "waited"
tests: [{ask: "wait online"}]
"#;

/// A team whose one task waits, with a way out.
fn waiting() -> (Team, Child) {
    working("wait online")
}

/// A team whose one task is this, with a way out.
fn working(request: &str) -> (Team, Child) {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    fs::create_dir_all(&playbooks).expect("a folder");
    fs::write(playbooks.join("wait-online.yaml"), WAIT).expect("a playbook");
    fs::write(playbooks.join("ask-twice.yaml"), ASKS).expect("a playbook");
    let rules = "programs: {agents: [code], hosts: [nowhere.invalid]}\n\
        registries:\n  py: {url: \"https://nowhere.invalid/simple\", kind: pip, token: {secret: corp}, agents: [code]}\n";
    fs::write(team.home().join("config/permissions.yaml"), rules).expect("rules");
    team.piped(&["secret", "set", "corp"], TOKEN).expect(0);
    team.up().expect(0);
    let work = team.scratch("work");
    fs::write(work.join("README.md"), "here\n").expect("a file");
    fs::write(work.join("ask.sh"), ASK).expect("a file");
    let folder = work.display().to_string();
    let child = team.start(&["run", request, "--workspace", &folder, "--json"]);
    (team, child)
}

/// The proxy of the task that this agent holds, once its programs run.
fn proxy_of(team: &Team, agent: u32) -> u32 {
    let begun = team.home().join("tasks/t1/work/begun");
    let mut found = Vec::new();
    wait_until(SOON, || {
        found = proxies(agent);
        found.len() == 1 && begun.exists()
    });
    assert_eq!(found.len(), 1, "proxies of {agent}");
    found[0]
}

/// Processes that say of themselves that they are a proxy for this holder.
fn proxies(agent: u32) -> Vec<u32> {
    let words = format!("\0proxy\0{agent}\0");
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pids = pids.filter(|pid| processes::alive(*pid));
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).ends_with(&words)
    })
    .collect()
}

/// Whether any of the words stand in the memory of a process.
fn remembers(pid: u32, words: &[&str]) -> Option<Vec<bool>> {
    use std::os::unix::fs::FileExt;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut found = vec![false; words.len()];
    let writable = maps.lines().filter(|line| line.contains(" rw"));
    for line in writable {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (from, to) = (number(from)?, number(to)?);
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        let Ok(read) = memory.read_at(&mut bytes, from) else {
            continue;
        };
        for (word, found) in words.iter().zip(&mut found) {
            let word = word.as_bytes();
            *found |= bytes[..read].windows(word.len()).any(|part| part == word);
        }
    }
    Some(found)
}

fn open_files(pid: u32) -> Vec<PathBuf> {
    let all = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    all.flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .collect()
}

fn environment(pid: u32) -> Vec<u8> {
    fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).unwrap_or_default()
}

#[test]
fn the_proxy_of_a_task_is_a_process_that_holds_its_terms_alone() {
    let (team, mut child) = waiting();
    let agent = team.pid("code");
    let proxy = proxy_of(&team, agent);
    let launcher: u32 = status(proxy, "PPid").parse().expect("a parent");
    assert_eq!(status(launcher, "PPid"), agent.to_string());
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(proxy, set), "0000000000000000", "{set}");
    }
    assert_eq!(status(proxy, "NoNewPrivs"), "1");
    assert_eq!(status(proxy, "Seccomp"), "2");
    assert!(environment(proxy).is_empty());
    let root = nix::unistd::geteuid().is_root();
    if root {
        let uid = status(proxy, "Uid");
        let mut four = uid.split_whitespace();
        let own = four.next().expect("a uid");
        assert!(four.all(|one| one == own) && own != "0", "{uid}");
        assert_ne!(uid, status(agent, "Uid"));
        assert_eq!(status(proxy, "Groups"), "");
        assert_eq!(status(proxy, "CapBnd"), "0000000000000000");
        // Sockets, what the runtime waits on, and nothing that lies on a disk.
        for file in open_files(proxy) {
            let name = file.display().to_string();
            let plain = ["socket:", "anon_inode:", "pipe:"];
            let plain = name == "/dev/null" || plain.iter().any(|one| name.starts_with(one));
            assert!(plain, "{name}");
        }
        let access = fs::read_to_string(team.home().join("run/bus.json")).expect("access");
        let access: serde_json::Value = serde_json::from_str(&access).expect("JSON");
        let passwords: Vec<&str> = access["users"]
            .as_object()
            .expect("users")
            .values()
            .filter_map(|user| user["password"].as_str())
            .collect();
        assert!(!passwords.is_empty());
        let words: Vec<&str> = passwords.into_iter().chain([TOKEN]).collect();
        match (remembers(proxy, &words), remembers(agent, &words)) {
            (Some(own), Some(agents)) => {
                let (token, others) = own.split_last().expect("answers");
                assert!(*token, "it has its token, and the search sees it");
                assert!(!others.contains(&true), "it knows a password of the bus");
                // Control: in whoever does know one, it is found.
                let (_, others) = agents.split_last().expect("answers");
                assert!(others.contains(&true), "the search sees no password");
            }
            _ => eprintln!("skipped: this machine's root looks into no process"),
        }
    }
    team.ai(&["task", "cancel", "t1"]).expect(0);
    let ended = wait_until(SOON, || !processes::alive(proxy));
    assert!(ended, "it outlived its task");
    assert!(processes::alive(agent));
    let _told = child.wait();
    team.down();
}

#[test]
fn the_proxy_of_a_task_is_gone_with_its_agent_and_with_its_launcher() {
    let (team, mut child) = waiting();
    let agent = team.pid("code");
    let proxy = proxy_of(&team, agent);
    processes::send(agent, Signal::SIGKILL);
    let gone = wait_until(Duration::from_secs(5), || !processes::alive(proxy));
    assert!(gone, "it outlived its agent");
    // The next holder has one of its own.
    let mut found = None;
    let back = wait_until(SOON, || {
        let next = team.noted_pid("agent-code").filter(|pid| *pid != agent);
        found = next.and_then(|next| proxies(next).first().copied());
        found.is_some()
    });
    assert!(back, "the agent did not come back to its task");
    let proxy = found.expect("a proxy");
    let launcher: u32 = status(proxy, "PPid").parse().expect("a parent");
    processes::send(proxy, Signal::SIGSTOP);
    processes::send(launcher, Signal::SIGKILL);
    let gone = wait_until(Duration::from_secs(5), || !processes::alive(proxy));
    assert!(gone, "it outlived its launcher");
    team.ai(&["task", "cancel", "t1"]).expect(0);
    let _told = child.wait();
    team.down();
}

/// Waits until nobody answers at the way out, and then asks once more.
const ASKS: &str = r#"
playbook: 1
name: ask-twice
agent: code
level: 1
intents: ["ask twice"]
steps:
  - {id: first, tool: Bash, args: {command: "sh /workspace/ask.sh > first; echo begun > begun; while sh ask.sh | grep -q HTTP; do sleep 0.1; done"}}
  - {id: second, tool: Bash, args: {command: "sh /workspace/ask.sh > second"}}
criteria:
  - {id: c1, text: "it answered", check: {file: {path: first, contains: HTTP/1.1 403}}}
  - {id: c2, text: "it answers again", check: {file: {path: second, contains: HTTP/1.1 403}}}
report: "asked"
tests: [{ask: "ask twice"}]
"#;

/// What an answer begins with where the way out is there, and nothing where it is not.
const ASK: &str = "python3 - <<'END'
import socket
try:
    way = socket.create_connection(('127.0.0.1', 3128), 5)
    way.sendall(b'CONNECT elsewhere.invalid:443 HTTP/1.1\\r\\nhost: elsewhere.invalid:443\\r\\n\\r\\n')
    print(way.recv(100).decode())
except OSError:
    pass
END
";

#[test]
fn a_proxy_that_died_is_followed_by_another() {
    let (team, mut child) = working("ask twice");
    let agent = team.pid("code");
    let proxy = proxy_of(&team, agent);
    processes::send(proxy, Signal::SIGKILL);
    let done = child.wait().expect("it ends");
    let page = team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert_eq!(done.code(), Some(0), "{page}");
    assert!(proxies(agent).is_empty(), "one outlived its task");
    team.down();
}
