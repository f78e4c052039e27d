//! Looks at files and at what programs printed, and says what is there. Everything here is read-only and starts no
//! process: the executor runs the commands, this room chooses them and reads their output.
//!
//! Open `tests` for test suites (find, choose the command, read what it printed), `walk` for how a tree is read
//! (ignore rules, no links followed, bounds), `limits` for the bounds and the errors, `overview`, `secrets`, `marks`,
//! `dependencies`, `quick_checks`, `profile` and `host_facts` for the analysers of those names, `host` for
//! those that look at a server (logs, ports, certificates, …), and `git` for reading
//! what git prints and the plain files of `.git`. `repos` looks through repositories and their history, `obeyed` for what a workspace says to agents, `links` through
//! documents, `inventory` through what is installed, `lint` reads what a project's own checkers print.

pub mod backup;
pub mod compare;
pub mod data;
pub mod dependencies;
pub mod duplicates;
pub mod git;
pub mod host;
pub mod host_facts;
pub mod inventory;
pub mod language;
pub mod limits;
pub mod links;
pub mod lint;
pub mod marks;
pub mod obeyed;
pub mod overview;
pub mod postgres;
pub mod profile;
pub mod quality;
pub mod quick_checks;
pub mod repos;
pub mod schema;
pub mod secret_rules;
pub mod secrets;
pub mod tests;
pub mod toml_text;
mod tool_input;
pub mod walk;
pub mod web;
