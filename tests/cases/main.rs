//! Stories told against real servers, through the command line, one a file; and the walls.

// A story stops at the first thing that is not as it must be.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod again;
mod agent_window;
mod applies;
mod approvals;
mod asked_back;
mod audit;
mod backup_ledgers;
mod backup_runs;
mod backups;
mod bad_input;
mod chat;
mod chat_answers;
mod chat_changes;
mod chat_files;
mod chat_leave;
mod colleagues;
mod completions;
mod configuration;
mod connections;
mod control_files;
mod costs;
mod databases;
mod doctor;
mod effects;
mod exit_codes;
mod files_checked;
mod first_run;
mod flow;
mod freeze;
mod full_server;
mod github;
mod handing;
mod homes;
mod hosts;
mod interrupts;
mod json_documents;
mod kills;
mod leave_drills;
mod ledger;
mod link;
mod memory;
mod model;
mod model_away;
mod monitor;
mod notices;
mod peers;
mod pinned;
mod places;
mod plans;
mod pressure;
mod redteam_record;
mod retention;
mod run_tests;
mod schedules;
mod standby;
mod stores;
mod tidy;
mod tmux_windows;
mod torture;
mod traces;
mod upgrade;
mod vault;
mod words;
mod workspace_trust;
mod workspaces;

/// The binary under test, built by cargo for this very run.
const AI_INFRA: &str = env!("CARGO_BIN_EXE_ai-infra");
