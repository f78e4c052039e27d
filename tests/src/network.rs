//! Two network namespaces with one link between them, as two hosts have: what is started inside one
//! reaches the other over that link alone, and the link can be cut. Needs root.

use crate::processes::wait_until;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The two ends of the link, one in each namespace.
pub const ENDS: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

/// Both namespaces. They are gone with this.
pub struct Networks {
    holders: [Child; 2],
}

impl Networks {
    /// Makes them, or says what is missing here.
    pub fn new() -> Result<Self, String> {
        if !nix::unistd::geteuid().is_root() {
            return Err("network namespaces with a link between them need root".to_owned());
        }
        let networks = Self {
            holders: [hold()?, hold()?],
        };
        let other = networks.holders[1].id().to_string();
        networks.run(
            0,
            &format!("ip link add link0 type veth peer name link0 netns {other}"),
        )?;
        for (at, end) in ENDS.iter().enumerate() {
            networks.run(at, &format!("ip address add {end}/24 dev link0"))?;
            networks.run(at, "ip link set lo up")?;
            networks.run(at, "ip link set link0 up")?;
        }
        Ok(networks)
    }

    /// The words before a command that is to run inside one of them.
    pub fn inside(&self, which: usize) -> Vec<String> {
        let pid = self.holders[which].id().to_string();
        ["nsenter", "--target", &pid, "--net", "--"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Cuts the link, or mends it. A cut is silent: nobody is told that a connection is gone.
    pub fn link(&self, up: bool) {
        let how = if up { "up" } else { "down" };
        let cut = self.run(0, &format!("ip link set link0 {how}"));
        cut.expect("the link can be cut and mended");
    }

    fn run(&self, which: usize, words: &str) -> Result<(), String> {
        let inside = self.inside(which);
        let output = Command::new(&inside[0])
            .args(&inside[1..])
            .args(words.split(' '))
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("nsenter (of util-linux) cannot be started: {e}"))?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(format!(
                    "`{words}` does not work here: {said} (ip is of iproute2)"
                ))
            }
        }
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for holder in &mut self.holders {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// A process that keeps a network namespace of its own alive and does nothing else.
fn hold() -> Result<Child, String> {
    let mut child = Command::new("unshare")
        .args(["--net", "--", "sleep", "600"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("unshare (of util-linux) cannot be started: {e}"))?;
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let pid = child.id().to_string();
    let apart = || namespace(&pid).is_some_and(|its| Some(its) != namespace("self"));
    if wait_until(Duration::from_secs(5), apart) {
        return Ok(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    Err("no network namespace can be made here".to_owned())
}
