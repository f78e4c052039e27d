//! Settings: where a team's home is, what the person wants, and which layer said so.
//!
//! Start at `load`: it puts the layers (shipped files, `/etc/ai-infra`, the home's `config`, the
//! environment, flags) on top of each other and gives one typed tree, `settings`. `schema` is the
//! table of every key with its kind and range; `document` reads YAML with line numbers; `layers`
//! merges; `well_known` knows `REDIS_URL` and its kind, `redis_url` takes addresses apart. `agents`, `permissions`, `layout` and
//! `prices` build what is more than single values. `show`, `check` and `resolved` are what
//! `config show`, `config check` and `up` use; `trial` looks at a file before it is put in place.
//!
//! `home` names every path below the home, `env` is the only reader of the process environment,
//! `secret` keeps values that are never printed, `bus_access` is how processes find Redis,
//! `invitation` is how another host joins, `host_name` what the team calls this one.
//! `in_force` puts files that come from elsewhere into the home all together, `widened` says what that would permit.
//! `private_file` writes what only the owner may read, `own` is what a process knows of itself. `shipped` holds the files compiled in and
//! `playbooks` adds the person's own.

pub mod agents;
pub mod backup;
pub mod bus_access;
pub mod check;
mod database_secret;
pub mod disk;
pub mod document;
pub mod env;
pub mod error;
pub mod grants;
pub mod home;
pub mod home_id;
pub mod host_name;
pub mod in_force;
pub mod invitation;
pub mod layers;
pub mod layout;
pub mod load;
pub mod notices;
pub mod operations;
pub mod outside;
pub mod own;
pub mod permissions;
pub mod playbooks;
pub mod prices;
pub mod private_file;
pub mod redis_url;
mod registries;
mod remotes;
pub mod resolved;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod shipped;
pub mod show;
mod texts;
pub mod trial;
pub mod vault;
pub mod well_known;
pub mod widened;
