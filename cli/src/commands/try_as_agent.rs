//! `try-as-agent`: becomes an agent as `agent` does, walls and launcher and all, or walls itself in as the proxy of a task
//! does, and then tries what neither may do. Each try says how it went; in a build without debug assertions the command
//! does not exist.

use super::agent::walled;
use crate::context::Context;
use crate::failure::Failure;
use agents::launcher::hatch::Hatch;
use agents::launcher::user;
use agents::launcher::wish::Wish;
use guard::proxy::{Allowed, Terms};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::ids::Role;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Error};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixStream};

/// Where a proxy that tries things may lead.
const HOST: &str = "nowhere.invalid";

/// Tries everything, and says for each what came of it: `done`, or the system's word.
pub async fn run(
    context: Context,
    role: Role,
    proxy: bool,
    tries: &[String],
) -> Result<u8, Failure> {
    let context = context.for_member().await?;
    let settings = context.settings()?;
    let hatch = match proxy {
        false => Some(walled(&context, &settings, &role)?),
        true => {
            let terms = Terms {
                allowed: Allowed::of([HOST]).map_err(Failure::usage)?,
                doors: Default::default(),
                user: user::of_proxy(&settings, &role),
                faults: context.env.faults().map_err(Failure::usage)?,
            };
            let walled = terms.wall_in();
            walled.map_err(|error| Failure::new(protocol::exit::FAILED, error))?;
            None
        }
    };
    let told: Vec<Value> = tries
        .iter()
        .map(|what| match attempt(what, hatch.as_ref()) {
            Ok(()) => json!({"try": what, "done": true, "said": ""}),
            Err(error) => json!({"try": what, "done": false, "said": error.to_string()}),
        })
        .collect();
    super::json(&json!({"version": 1, "uid": nix::unistd::geteuid().as_raw(), "tries": told}))
}

fn attempt(what: &str, hatch: Option<&Hatch>) -> io::Result<()> {
    let (how, on) = what
        .split_once(':')
        .ok_or_else(|| Error::other("say what: and on what"))?;
    let pid = || on.parse().map(Pid::from_raw).map_err(Error::other);
    match how {
        "read" => {
            fs::File::open(on).and_then(|mut file| io::copy(&mut file, &mut io::sink()).map(drop))
        }
        "list" => fs::read_dir(on).map(drop),
        "write" => OpenOptions::new().append(true).open(on).map(drop),
        "make" => fs::write(on, b"made by an agent"),
        "folder" => fs::create_dir(on),
        "link" => symlink("/etc/passwd", on),
        "remove" => fs::remove_file(on),
        "empty" => Ok(nix::unistd::truncate(on, 0)?),
        "open-up" => fs::set_permissions(on, Permissions::from_mode(0o777)),
        "connect" => UnixStream::connect(on).map(drop),
        // From one of a pair: making one needs no `socket`.
        "message" => UnixDatagram::pair()?.0.send_to(b"a message", on).map(drop),
        "dial" => TcpStream::connect(on).map(drop),
        "listen" => TcpListener::bind(("127.0.0.1", on.parse().map_err(Error::other)?)).map(drop),
        // Only an exec can say whether one may be done; a fork alone always may.
        "execute" => execute(on),
        "signal" => Ok(kill(pid()?, Signal::SIGCONT)?),
        "trace" => trace(pid()?),
        "root" => Ok(nix::unistd::setuid(nix::unistd::Uid::from_raw(0))?),
        "mount" => Ok(nix::mount::mount(
            Some("none"),
            on,
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            None::<&str>,
        )?),
        "wish" => {
            let wish: Wish = serde_json::from_str(on)?;
            let hatch = hatch.ok_or_else(|| Error::other("a proxy has no launcher to ask"))?;
            hatch.apart(&wish).and_then(|(message, _)| {
                message
                    .said::<guard::launcher::channel::Answer<Value>>()?
                    .done()
                    .map(drop)
            })
        }
        other => Err(Error::other(format!("nobody knows how to {other}"))),
    }
}

/// Runs a program in a child and says whether the kernel let it.
fn execute(program: &str) -> io::Result<()> {
    let mut command = std::process::Command::new(program);
    command.stdout(std::process::Stdio::null());
    command.status().map(drop)
}

fn trace(pid: Pid) -> io::Result<()> {
    let memory = OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/proc/{pid}/mem"));
    memory.map(drop)
}
