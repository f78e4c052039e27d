//! The tmux session: a view of the team. Processes run in its windows without a shell, nothing is
//! ever typed into a pane, and the user's other sessions and global options are left alone.
//! `layout` says which tmux commands make, mend and read the session (pure); `session` runs them.

pub mod layout;
pub mod session;
