//! The process of a proxy: it is told its terms, walls itself in, and only then takes the first byte from a program.
//! Connections are served on one thread; three more listen and speak, so that a freeze is heard whatever that one is at. It
//! ends when its launcher or the holder of its task does.

use super::serve::serve as carry;
use super::told::{Frost, Held, Record, Told};
use super::words::{self, FromProxy, ToProxy};
use super::{PROXY, Terms};
use crate::launcher::channel::Line;
use nix::sys::prctl::{set_dumpable, set_name, set_pdeathsig};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use std::collections::HashMap;
use std::ffi::CString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// What waits to be told.
const WAITING: usize = 64;

/// Most memory it takes: two texts of 64 MB that are told anew, twice as much while they are, four bodies, and what
/// its connections and threads need. Beyond that it dies, and takes no memory from the host.
const MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// Most threads that look names up at the same time.
const LOOK_UPS: usize = 16;

type Answer = oneshot::Sender<Result<(), String>>;

/// Those who wait for a line of the record, by the number they asked under.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<HashMap<u64, Answer>>>);

impl Asked {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves one task, for the process `holder`, until it ends.
pub fn serve(holder: Option<u32>) -> ExitCode {
    match begun(holder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}: this is run by the launcher of an agent, not by hand");
            ExitCode::from(protocol::exit::REFUSED)
        }
    }
}

fn begun(holder: Option<u32>) -> io::Result<()> {
    nothing_open()?;
    setrlimit(Resource::RLIMIT_DATA, MEMORY_BYTES, MEMORY_BYTES)?;
    // Nobody of the same user looks into it, or has the kernel write down what it held.
    set_dumpable(false)?;
    if let Some(holder) = holder {
        set_name(&CString::new(format!("{PROXY}-{holder}"))?)?;
    }
    let line = Line::over(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?));
    let said = line.receive()?;
    let message = said.ok_or_else(|| io::Error::other("nobody says what it is for"))?;
    let terms: Terms = message.said()?;
    let files: Result<[OwnedFd; 2], _> = message.files.try_into();
    let [listener, control] =
        files.map_err(|_| io::Error::other("it came without what it listens at"))?;
    let mut control = UnixStream::from(control);
    if let Err(error) = terms.wall_in() {
        let why = words::tame(&error.to_string());
        return control.write_all(&words::encode(&FromProxy::Refused { why })?);
    }
    // Both were undone by becoming another user.
    set_dumpable(false)?;
    set_pdeathsig(Signal::SIGKILL)?;
    served(line, UnixListener::from(listener), control, terms)
}

/// Closes whatever was open in whoever started it.
fn nothing_open() -> io::Result<()> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_string_lossy().parse::<i32>();
        open.extend(number.ok().filter(|number| *number > 2));
    }
    for number in open {
        // The listing's own is closed already.
        let _closed_already = nix::unistd::close(number);
    }
    Ok(())
}

fn served(line: Line, listener: UnixListener, control: UnixStream, terms: Terms) -> io::Result<()> {
    let asked = Asked::default();
    let (closes, closing) = watch::channel(false);
    let (holds, frost) = watch::channel(Held {
        pace: None,
        frosts: 0,
    });
    let (tell, told) = mpsc::channel(WAITING);
    let mut to = control.try_clone()?;
    to.write_all(&words::encode(&FromProxy::Ready)?)?;
    thread::<()>("launcher", move || {
        line.ended();
        std::process::exit(i32::from(protocol::exit::DONE))
    })?;
    let heard = asked.clone();
    thread::<()>("hears", move || {
        listen(control, &heard, &holds, &closes);
        std::process::exit(i32::from(protocol::exit::DONE))
    })?;
    let speaks = thread("speaks", move || speak(to, told, &asked))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOK_UPS)
        .build()?;
    runtime.block_on(async move {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        carry(listener, terms, (Frost(frost), Record(tell)), closing).await;
        io::Result::Ok(())
    })?;
    // A name that is looked up still is not waited for.
    runtime.shutdown_background();
    let _told_all = speaks.join();
    Ok(())
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work)
}

/// Hears what the holder says, until the holder is gone.
fn listen(
    mut from: UnixStream,
    asked: &Asked,
    holds: &watch::Sender<Held>,
    closes: &watch::Sender<bool>,
) {
    while let Ok(Some(frame)) = words::read::<ToProxy>(&mut from) {
        match frame {
            ToProxy::Pace(pace) => holds.send_modify(|held| *held = held.then(pace)),
            ToProxy::Written { ask, refused } => {
                let answer = asked.all().remove(&ask);
                if let Some(answer) = answer {
                    let _given_up = answer.send(refused.map_or(Ok(()), Err));
                }
            }
            ToProxy::End => drop(closes.send_replace(true)),
        }
    }
}

/// Tells the holder what is to be written down, until nothing is left to tell.
fn speak(mut to: UnixStream, mut told: mpsc::Receiver<Told>, asked: &Asked) {
    let mut ask = 0;
    while let Some(one) = told.blocking_recv() {
        ask += 1;
        asked.all().insert(ask, one.written);
        let frame = FromProxy::Told {
            ask,
            number: one.number,
            stage: one.stage,
            connection: words::tamed(one.connection),
        };
        let sent = words::encode(&frame).and_then(|frame| to.write_all(&frame));
        if sent.is_err() {
            // Whoever waits hears that nobody writes.
            asked.all().remove(&ask);
        }
    }
}
