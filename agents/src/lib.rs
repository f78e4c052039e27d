//! The agents: one runtime, five texts. Open `run` for the process and its one loop, `work_loop`
//! for how a task is driven through the seven phases, `held` for one task from claim to report, `toolbox` for the one door every tool call
//! goes through, `peer` and `peer_desk` for what agents ask each other, `witness` for what the record says of a task's acts, `pressure` for when a host has no room for more, `steps` for what a new holder takes from the journal, `noted` for what it knows without one, `hearing` for words that come while it works, `boundary` for where a test may kill it, `brain` for who decides
//! (a playbook or a model). The agents' texts lie beside `src/`, a folder each.

pub mod ask_person;
pub mod attached;
pub mod blob;
pub mod boundary;
pub mod brain;
pub mod call_line;
pub mod checks;
pub mod connections;
mod context;
pub mod disk;
pub mod doubt;
mod granted;
pub mod hearing;
mod held;
pub mod keys;
pub mod launcher;
pub mod noted;
pub mod outbox;
pub mod peer;
pub mod peer_desk;
pub mod pressure;
pub mod pulse;
pub mod question;
pub mod record;
pub mod remember;
pub mod run;
pub mod screen;
pub mod steps;
pub mod stop;
pub mod team_call;
pub mod tool_specs;
pub mod toolbox;
mod tries;
mod way_out;
pub mod witness;
pub mod work_loop;
pub mod workbench;
pub mod workspace;
