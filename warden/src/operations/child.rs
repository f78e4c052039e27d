//! The one process the warden starts: this very program as its hands, for one order, with an empty environment and
//! no descriptor but its three pipes. It is told everything over its standard input.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::Pid;
use protocol::duty::order::{End, ORDER_BYTES, Order, Outcome, Signed};
use serde::Serialize;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// The program that runs now, also where its file was replaced since.
const MYSELF: &str = "/proc/self/exe";
/// What it is called with.
pub const HANDS: &str = "hands";
/// Longer than any of its own limits.
const MARGIN: Duration = Duration::from_secs(60);

/// Has an order carried out. An end nobody heard of is [`End::Unknown`]: it is to be settled. Once the team is
/// frozen it is told to stop: it begins no further step, puts back what it changed, and says what stands.
pub async fn carried_out(order: &Order, frozen: watch::Receiver<bool>) -> Outcome {
    let (_stays, never) = watch::channel(false);
    carried_out_until(order, frozen, never).await
}

/// The same, of a program that is to end where `over` becomes true: its task is over.
pub async fn carried_out_until(
    order: &Order,
    frozen: watch::Receiver<bool>,
    over: watch::Receiver<bool>,
) -> Outcome {
    let patience = order.duty.patience() + MARGIN;
    match tokio::time::timeout(patience, asked(order, frozen, over)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => unheard(&error.to_string()),
        Err(_) => unheard(&format!("it took longer than {} s", patience.as_secs())),
    }
}

fn unheard(why: &str) -> Outcome {
    let text = format!("nobody knows how it ended: {why}");
    Outcome::of(End::Unknown, text, Value::Null)
}

/// Whose signature it is, and with which key.
///
/// # Errors
/// A sentence: it is nobody's who counts.
pub async fn signed_by(signed: &Signed) -> Result<(String, String), String> {
    // No word stops a look at a signature.
    let (_stays, never) = watch::channel(false);
    let outcome = match tokio::time::timeout(MARGIN, asked(signed, never.clone(), never)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => return Err(format!("the signature was not looked at: {error}")),
        Err(_) => return Err("the signature was not looked at in time".to_owned()),
    };
    let word = |key: &str| outcome.data[key].as_str().unwrap_or_default().to_owned();
    match outcome.end == End::Done && !word("principal").is_empty() {
        true => Ok((word("principal"), word("key"))),
        false => Err(outcome.text),
    }
}

async fn asked(
    order: &impl Serialize,
    mut frozen: watch::Receiver<bool>,
    mut over: watch::Receiver<bool>,
) -> std::io::Result<Outcome> {
    let mut hands = Command::new(MYSELF);
    hands
        .arg(HANDS)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = not_deaf(&mut hands)?;
    let text = serde_json::to_vec(order)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&text).await?;
    }
    let mut answer = Vec::new();
    if let Some(out) = child.stdout.take() {
        let mut out = out.take(ORDER_BYTES as u64);
        let mut read = std::pin::pin!(out.read_to_end(&mut answer));
        let all = tokio::select! {
            all = &mut read => Ok(all),
            Ok(_) = frozen.wait_for(|frozen| *frozen) => Err(Signal::SIGTERM),
            Ok(_) = over.wait_for(|over| *over) => Err(Signal::SIGUSR1),
        };
        match all {
            Ok(all) => all?,
            Err(word) => {
                if let Some(id) = child.id() {
                    let _may_have_ended = kill(Pid::from_raw(id.cast_signed()), word);
                }
                read.await?
            }
        };
    }
    child.wait().await?;
    let read = serde_json::from_slice(&answer);
    read.map_err(|_| std::io::Error::other("the process that did it ended without a word"))
}

/// Starts the hands with the words to stop held back, as they inherit it from this thread: one that comes before they listen
/// waits for them, and does not kill them.
fn not_deaf(hands: &mut Command) -> std::io::Result<Child> {
    let mut words = SigSet::empty();
    words.add(Signal::SIGTERM);
    words.add(Signal::SIGUSR1);
    let before = words.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let child = hands.spawn();
    before.thread_set_mask()?;
    child
}
