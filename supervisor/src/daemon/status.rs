//! What the daemon answers when it is asked how the team is: each process, and everything that is in the way.

use super::run::Daemon;
use super::{disk, joined, process, roster};
use crate::tmux::session::Session;
use protocol::document::TeamStatus;

impl Daemon {
    /// How the team is now.
    pub(super) fn status(&self) -> TeamStatus {
        let team = roster::status(&self.members, self.was_ready);
        let own = process::daemon_line(std::process::id());
        let far = self.far.as_ref();
        let least = self.settings.team.min_free_mb;
        let problems = disk::problem(&self.home, least)
            .into_iter()
            .chain(self.handed.problems())
            .chain(far.and_then(joined::Far::problem))
            .chain(team.problems);
        TeamStatus {
            joined: far.map(joined::Far::sentence),
            problems: problems.collect(),
            processes: std::iter::once(own).chain(team.processes).collect(),
            home: self.home.root.to_string_lossy().into_owned(),
            team_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            attach: self.session.as_ref().map(Session::attach_command),
            ..team
        }
    }
}
