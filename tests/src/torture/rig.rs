//! A team under torture: its home, the playbooks whose effects are counted, and agents of the
//! harness's own beside the daemon's, so that a task has somebody else to go to.

use super::ROLES;
use super::effects::Kind;
use super::line::Line;
use super::world::World;
use crate::processes::{self, wait_until};
use crate::projects;
use crate::team::Team;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a task may take to be accepted while everything around it is killed.
const ACCEPTED: Duration = Duration::from_secs(120);

/// The uid that works on what root owns, as shipped.
const SERVICE: u32 = 60_999;

/// How the team is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// A guarantee to leave out; see `protocol::fault`.
    pub fault: Option<String>,
    /// Whether the agents stand in tmux windows.
    pub tmux: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(1),
            fault: None,
            tmux: false,
        }
    }
}

/// A task that was handed in.
#[derive(Debug, Clone)]
pub struct Handed {
    /// Its short id.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// Its number in the world outside.
    pub number: usize,
}

/// The team.
pub struct Rig {
    /// Its home and commands.
    pub team: Team,
    /// What it was set up with.
    pub setup: Setup,
    /// The host's name in keys.
    pub host: String,
    /// What lies outside its sandboxes.
    pub world: World,
    workspace: PathBuf,
    spares: Mutex<Vec<(String, Child)>>,
}

impl Rig {
    /// Starts a team of this binary.
    pub fn up(exe: &str, setup: Setup) -> Self {
        let mut team = Team::new(exe);
        if let Some(fault) = &setup.fault {
            team = team.with_env("AI_INFRA_FAULT", fault);
        }
        team.configure(&format!(
            "team:\n  lease_ms: {}\nengine:\n  name: playbook\n\
             daemon:\n  restart_first_ms: 100\n  restart_max_ms: 200\n  crash_limit: 1000\n",
            setup.lease.as_millis()
        ));
        let playbooks = team.home().join("playbooks");
        std::fs::create_dir_all(&playbooks).expect("a folder");
        for role in ROLES {
            for kind in Kind::ALL {
                let path = playbooks.join(format!("{}.yaml", kind.name(role)));
                std::fs::write(path, kind.playbook(role)).expect("a playbook");
            }
        }
        let workspace = team.scratch("work");
        std::fs::write(workspace.join("README.md"), "counting\n").expect("a file");
        projects::commit_all(&workspace);
        let world = World::new(&team.scratch("world"), &workspace, SERVICE);
        let config = team.home().join("config");
        std::fs::write(config.join("permissions.yaml"), world.permissions(&ROLES)).expect("a file");
        let tools =
            |role: &&str| format!("{role}: {{tools: [Read, Write, Edit, Bash, GitCommit]}}\n");
        let agents: String = ROLES.iter().map(tools).collect();
        std::fs::write(config.join("agents.yaml"), agents).expect("a file");
        match setup.tmux {
            true => team.ai(&["up"]),
            false => team.ai(&["up", "--no-tmux"]),
        }
        .expect(0);
        let host = nix::unistd::gethostname().expect("a host name");
        Self {
            host: host.to_string_lossy().into_owned(),
            team,
            setup,
            world,
            workspace,
            spares: Mutex::default(),
        }
    }

    /// A connection to its supervisor.
    pub fn line(&self) -> Line {
        Line::new(&self.team.home())
    }

    /// Hands a task in for a role; the same number twice is one task.
    pub fn hand_in(&self, line: &mut Line, kind: Kind, role: &str, number: usize) -> Handed {
        let name = kind.name(role);
        let submit = json!({
            "request": name,
            "playbook": [name, {"n": number}],
            "request_id": format!("torture-{number}"),
            "workspace": self.workspace,
        });
        Handed {
            id: line.submit(&submit, ACCEPTED),
            kind,
            number,
        }
    }

    /// The clone of a task.
    pub fn work(&self, task: &str) -> PathBuf {
        self.team.home().join("tasks").join(task).join("work")
    }

    /// Waits until a task is in the middle of its slow step, or was.
    pub fn in_the_middle(&self, task: &str) -> bool {
        let count = self.work(task).join("count.txt");
        wait_until(Duration::from_secs(20), || {
            std::fs::read_to_string(&count).is_ok_and(|text| text.lines().any(|line| line == "b"))
        })
    }

    /// The process that holds a task, as its page says: the last of its holders.
    pub fn holder(&self, line: &mut Line, task: &str) -> Option<u32> {
        let page = line.page(task)?;
        let last = page["attempts"].as_array()?.last()?;
        pid_of(last["holder"].as_str()?)
    }

    /// Starts one more agent of a role, which the daemon does not know.
    pub fn spare(&self, role: &str) -> u32 {
        let out = self.team.home().join(format!("logs/spare-{role}.out"));
        let out = std::fs::File::options()
            .create(true)
            .append(true)
            .open(out)
            .expect("a file");
        let child = self
            .team
            .command(&["agent", role])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .expect("an agent starts");
        let pid = child.id();
        self.spares().push((role.to_owned(), child));
        pid
    }

    /// Starts the spares again that have died.
    pub fn mend_spares(&self) {
        let mut dead = Vec::new();
        self.spares().retain_mut(|(role, child)| {
            let ended = !matches!(child.try_wait(), Ok(None));
            if ended {
                dead.push(role.clone());
            }
            !ended
        });
        for role in dead {
            self.spare(&role);
        }
    }

    /// The spares that live.
    pub fn spare_pids(&self) -> Vec<u32> {
        self.spares().iter().map(|(_, child)| child.id()).collect()
    }

    fn spares(&self) -> std::sync::MutexGuard<'_, Vec<(String, Child)>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the team and looks for what it left behind.
    pub fn down(self) {
        self.end_spares();
        self.team.down();
    }

    fn end_spares(&self) {
        for (_, mut child) in self.spares().drain(..) {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }

    /// The process of the team under this name: by its pid file, or the tmux server.
    pub fn pid(&self, process: &str) -> Option<u32> {
        match process {
            "tmux" => tmux_server(&self.team.home().join("run/tmux.sock")),
            process => self.team.noted_pid(process),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // A stopped process ends only once it goes on.
        for seen in processes::of_home(&self.team.home()) {
            processes::send(seen.pid, nix::sys::signal::Signal::SIGCONT);
        }
        self.end_spares();
    }
}

fn tmux_server(socket: &Path) -> Option<u32> {
    let asked = std::process::Command::new("tmux")
        .arg("-S")
        .arg(socket)
        .args(["display-message", "-p", "#{pid}"])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8_lossy(&asked.stdout).trim().parse().ok()
}

/// The process id in an instance name such as `code@host#17`.
fn pid_of(instance: &str) -> Option<u32> {
    instance.rsplit('#').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_known_by_its_process() {
        assert_eq!(pid_of("code@host#17"), Some(17));
        assert_eq!(pid_of("code"), None);
    }
}
