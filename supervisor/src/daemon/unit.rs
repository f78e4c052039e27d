//! Where an installation gave this home to systemd, `up` asks systemd for the daemon: what a login
//! session starts may end with it, what a unit starts does not.

use config::env::Env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The unit's name, as `scripts/install.sh` installs it.
pub const NAME: &str = "ai-infrastructure.service";
/// Where units of the whole machine lie; the first one counts.
const SYSTEM: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];
/// There while systemd runs the machine; see sd_booted(3).
const BOOTED: &str = "/run/systemd/system";

/// Whether systemd starts this home's daemon, which then does not see the environment of a shell.
pub fn keeps(home: &Path, env: &Env) -> bool {
    Unit::of(home, env).is_some()
}

/// The unit that keeps a home's daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Of the whole machine.
    System,
    /// Of the person.
    Person,
}

impl Unit {
    /// The one that serves this home, if systemd runs and one does.
    pub(super) fn of(home: &Path, env: &Env) -> Option<Self> {
        if !Path::new(BOOTED).is_dir() {
            return None;
        }
        let serving = |folder: &Path| {
            std::fs::read_to_string(folder.join(NAME)).is_ok_and(|text| serves(&text, home))
        };
        if nix::unistd::geteuid().is_root() {
            let system = SYSTEM.iter().any(|folder| serving(Path::new(folder)));
            return system.then_some(Unit::System);
        }
        persons(env)
            .is_some_and(|folder| serving(&folder))
            .then_some(Unit::Person)
    }

    fn systemctl(self) -> Command {
        let mut command = Command::new("systemctl");
        if self == Unit::Person {
            command.arg("--user");
        }
        command.stdin(Stdio::null());
        command
    }

    /// The command that starts it.
    pub(super) fn start(self) -> Command {
        let mut command = self.systemctl();
        command.args(["start", NAME]);
        command
    }

    /// Whether systemd keeps it neither running nor about to.
    pub(super) fn is_over(self) -> io::Result<bool> {
        let said = self.systemctl().args(["is-active", NAME]).output()?.stdout;
        let state = String::from_utf8_lossy(&said);
        Ok(matches!(state.trim(), "inactive" | "failed" | "unknown"))
    }

    /// What to read when it is.
    pub(super) fn told_in(self) -> String {
        let of = match self {
            Unit::System => "",
            Unit::Person => "--user ",
        };
        format!("{NAME} ended at once; see: journalctl {of}-n 30 -u {NAME}")
    }
}

/// Where a person's own units lie.
fn persons(env: &Env) -> Option<PathBuf> {
    let of = |name: &str| env.get(name).map(PathBuf::from);
    let config = of("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    Some(
        config
            .or_else(|| Some(of("HOME")?.join(".config")))?
            .join("systemd/user"),
    )
}

/// Whether the unit's daemon has exactly this home.
fn serves(unit: &str, home: &Path) -> bool {
    let starts = unit
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ExecStart="));
    starts.into_iter().any(|command| {
        let mut words = command.split_whitespace();
        words.any(|word| word == "--home")
            && words.next().is_some_and(|path| Path::new(path) == home)
            && words.next() == Some("daemon")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_serves_exactly_the_home_it_names() {
        let check = |unit: &str, expected: bool| {
            assert_eq!(
                serves(unit, Path::new("/var/lib/ai-infra")),
                expected,
                "{unit:?}"
            );
        };
        let unit =
            |start: &str| format!("[Unit]\nDescription=x\n\n[Service]\nType=exec\n{start}\n");
        check(
            &unit("ExecStart=/usr/local/bin/ai-infra --home /var/lib/ai-infra daemon"),
            true,
        );
        check(
            &unit("  ExecStart=/b/ai-infra --home /var/lib/ai-infra/ daemon"),
            true,
        );
        check(
            &unit("ExecStart=/b/ai-infra --home /var/lib/ai-infra2 daemon"),
            false,
        );
        check(
            &unit("ExecStart=/b/ai-infra --home /var/lib/ai-infra status"),
            false,
        );
        check(&unit("ExecStart=/b/ai-infra daemon"), false);
        check(&unit("ExecStart=/b/ai-infra --home"), false);
        check(
            &unit("ExecStop=/b/ai-infra --home /var/lib/ai-infra daemon"),
            false,
        );
        check("", false);
    }

    #[test]
    fn a_persons_units_lie_where_xdg_says() {
        let check = |env: &[(&str, &str)], expected: Option<&str>| {
            let env = Env::from_pairs(env.iter().copied());
            assert_eq!(persons(&env), expected.map(PathBuf::from), "{env:?}");
        };
        check(&[("HOME", "/h")], Some("/h/.config/systemd/user"));
        check(
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
            Some("/x/systemd/user"),
        );
        check(
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")],
            Some("/h/.config/systemd/user"),
        );
        check(&[], None);
    }

    /// What the installer ships must be what this file understands.
    #[test]
    fn the_shipped_units_serve_the_home_they_are_made_for() {
        for shipped in [
            include_str!("../../../packaging/ai-infrastructure.service"),
            include_str!("../../../packaging/ai-infrastructure.user.service"),
        ] {
            let made = shipped
                .replace("@BINARY@", "/b/ai-infra")
                .replace("@HOME@", "/h/ome");
            assert!(serves(&made, Path::new("/h/ome")), "{made}");
        }
    }
}
