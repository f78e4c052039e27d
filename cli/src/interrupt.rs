//! Ctrl-C in whatever takes long: it ends with exit code 130 and a sentence that says what goes on without
//! this terminal and how to look at it. A command that has an answer of its own to Ctrl-C holds an [`Own`]
//! for as long. Heard on a thread of its own, as some commands work without a pause.

use crate::args::{
    BackupCommand, Command, LedgerCommand, PlaybookCommand, SecretCommand, TaskCommand,
};
use crate::terminal;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// How long a command may take to put down what it holds, such as a scratch folder.
const GRACE: Duration = Duration::from_millis(300);

/// How many commands have an answer of their own.
static OWN: AtomicUsize = AtomicUsize::new(0);
/// What is said, and whether it was.
static SENTENCE: Mutex<Sentence> = Mutex::new(Sentence {
    instead: None,
    said: false,
});

struct Sentence {
    /// In place of the command's own, since it came further.
    instead: Option<&'static str>,
    said: bool,
}

/// While it is held, Ctrl-C is its holder's.
#[derive(Debug)]
pub struct Own(());

impl Own {
    /// Takes it.
    pub fn take() -> Self {
        OWN.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        OWN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits for a Ctrl-C, as a holder of an [`Own`] does.
pub async fn interrupted() {
    match signal(SignalKind::interrupt()) {
        Ok(mut interrupts) => drop(interrupts.recv().await),
        Err(_) => std::future::pending().await,
    }
}

/// A Ctrl-C that is waited for, and what is said when it came.
pub struct Watch {
    came: Arc<Notify>,
    words: &'static str,
}

impl Watch {
    /// Listens, where the command is one that a person waits for; from then on Ctrl-C does not end the
    /// process by itself.
    pub fn over(command: &Command) -> Option<Self> {
        let words = words(command)?;
        let came = Arc::new(Notify::new());
        let (ready, listens) = mpsc::channel();
        let heard = came.clone();
        std::thread::spawn(move || listen(&heard, words, &ready));
        // Where nothing can be listened to, Ctrl-C keeps its usual effect.
        listens.recv().ok().map(|()| Self { came, words })
    }

    /// Waits for it.
    pub async fn came(&self) {
        self.came.notified().await;
    }

    /// Says the sentence.
    pub fn say(&self) {
        say(self.words);
    }
}

fn listen(came: &Notify, words: &'static str, ready: &mpsc::Sender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    runtime.block_on(async {
        let Ok(mut interrupts) = signal(SignalKind::interrupt()) else {
            return;
        };
        if ready.send(()).is_err() {
            return;
        }
        while interrupts.recv().await.is_some() {
            if OWN.load(Ordering::SeqCst) > 0 {
                continue;
            }
            came.notify_one();
            tokio::time::sleep(GRACE).await;
            // It works without a pause, or is long about putting things down.
            say(words);
            std::process::exit(i32::from(protocol::exit::CANCELLED));
        }
    });
}

fn say(words: &'static str) {
    terminal::shown_again();
    // The chat's own mouth may not come to say it any more.
    terminal::redirect(None);
    let mut sentence = SENTENCE.lock().unwrap_or_else(PoisonError::into_inner);
    if !sentence.said {
        sentence.said = true;
        let words = sentence.instead.unwrap_or(words);
        terminal::complain(&format!("\ninterrupted: {words}\n"));
    }
}

/// Right before a step after which the command's own sentence is true no more: from here on a Ctrl-C says this. Where the
/// sentence was said already the step must not be taken, and this never returns; the process is at its end.
pub fn says_from_now_on(words: &'static str) {
    let mut sentence = SENTENCE.lock().unwrap_or_else(PoisonError::into_inner);
    if sentence.said {
        drop(sentence);
        loop {
            std::thread::park();
        }
    }
    sentence.instead = Some(words);
}

/// What is true after a Ctrl-C; `None` for processes of the team and for what drives the terminal itself.
fn words(command: &Command) -> Option<&'static str> {
    const LOOKED: &str = "nothing was changed";
    const TASKS: &str = "tasks go on without this terminal; see ai-infra task list";
    const AGAIN: &str = "nothing is half-done; the same command again goes on with it";
    Some(match command {
        #[cfg(debug_assertions)]
        Command::TryAsAgent { .. } => return None,
        Command::Daemon(_)
        | Command::Supervisor
        | Command::Warden
        | Command::Agent { .. }
        | Command::Executor { .. }
        | Command::Proxy { .. }
        | Command::Window { .. }
        | Command::Attach => return None,
        Command::Chat(_) if std::io::stdin().is_terminal() => return None,
        Command::Up(_) => {
            "the team goes on starting; ai-infra status says how it is, ai-infra down stops it"
        }
        Command::Down => "the team goes on stopping; see ai-infra status",
        Command::Restart => {
            "the team goes on stopping, and may not be started again; see ai-infra status, then ai-infra up"
        }
        Command::Run(_) | Command::Chat(_) => TASKS,
        Command::Task(TaskCommand::Apply { .. }) => {
            "the patch is in place whole or goes in whole with the same command again"
        }
        Command::Task(_) => TASKS,
        Command::Backup(BackupCommand::Run { .. }) => {
            "no snapshot was made; what was sent is not sent again: ai-infra backup run"
        }
        Command::Backup(BackupCommand::Restore { .. }) => {
            "what was put back is not whole; the same command goes on with it"
        }
        Command::Secret(SecretCommand::Set { .. }) => "nothing was kept",
        Command::Ledger(LedgerCommand::Move { .. }) => {
            "the ledger is where it was, or moved whole; ai-infra ledger status says where"
        }
        Command::Memory(_) => "what the team was asked to do goes on; see ai-infra memory stats",
        Command::Bench(_) => "what was measured is thrown away",
        Command::Backup(_) | Command::Bus(_) => AGAIN,
        Command::Playbook(PlaybookCommand::Check { .. })
        | Command::Doctor(_)
        | Command::Logs(_)
        | Command::Monitor
        | Command::Status(_)
        | Command::Costs(_)
        | Command::Audit(_) => LOOKED,
        _ => "ask again to see what was done",
    })
}
