//! `/approve` and `/deny`: a person's answer to a ticket, typed in the chat. The words come from the keyboard
//! alone (a line that was pasted, or a pipe, gives no leave), what is shown is the warden's, the PIN is
//! typed out of sight, and the warden is told over its own socket: no supervisor, bus or model hears of it.

use super::turn::Chat;
use crate::commands::approvals;
use crate::failure::Failure;
use crate::render;
use protocol::approval::{TicketId, TicketState};
use tokio::sync::oneshot;

/// What is said to leave that is typed while something else is being done.
pub const LATER: &str =
    "something else is being done just now: nothing was answered, type it again";

/// A line that begins so gives or denies leave.
pub fn is_leave(line: &str) -> bool {
    let word = line.trim_start().strip_prefix('/');
    let word = word.and_then(|rest| rest.split_whitespace().next());
    matches!(word, Some("approve" | "deny"))
}

/// What the keyboard is asked for: words to show first, and where the typed line goes.
pub type Wanted = (String, oneshot::Sender<Option<String>>);

/// A line that answers a ticket. The keyboard takes nothing else until this is dropped.
#[derive(Debug)]
pub struct Typed {
    /// The line.
    pub line: String,
    /// Some of it was pasted.
    pub pasted: bool,
    /// Asks the keyboard for a line that is not shown.
    pub keyboard: std::sync::mpsc::Sender<Wanted>,
}

impl Typed {
    async fn hidden(&self, prompt: String) -> Option<String> {
        let (told, typed) = oneshot::channel();
        self.keyboard.send((prompt, told)).ok()?;
        typed.await.ok().flatten()
    }
}

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    id: TicketId,
    /// The four characters, as typed; a no needs none.
    mark: Option<String>,
    for_task: bool,
    because: String,
}

/// Understands a line.
///
/// # Errors
/// A sentence with the next step.
fn wish(line: &str, pasted: bool) -> Result<Wish, String> {
    if pasted {
        return Err("leave is typed, not pasted: nothing was answered".to_owned());
    }
    let line = line.trim();
    if line.contains(['\n', '\r']) {
        return Err("leave is one line of its own: nothing was answered".to_owned());
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (ticket, rest) = rest
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((rest.trim(), ""));
    let usage = match name {
        "/approve" => "/approve a41 9c1e",
        _ => "/deny a41",
    };
    if ticket.is_empty() {
        return Err(format!("say which: {usage}, as /approvals shows them"));
    }
    let id = ticket.parse()?;
    let rest = rest.trim();
    if name == "/deny" {
        let because = rest.to_owned();
        return Ok(Wish {
            id,
            mark: None,
            for_task: false,
            because,
        });
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (mark, for_task) = match words.as_slice() {
        [mark] => (*mark, false),
        [mark, "--for-task"] => (*mark, true),
        [] => {
            return Err(format!(
                "say its four characters too: look at it first, /approvals {id}"
            ));
        }
        _ => {
            return Err(format!(
                "nothing but `/approve {id} FOUR [--for-task]` is understood, and a PIN is asked for on a line of its own"
            ));
        }
    };
    Ok(Wish {
        id,
        mark: Some(mark.to_lowercase()),
        for_task,
        because: String::new(),
    })
}

impl Chat {
    /// Answers a ticket.
    pub(super) async fn gives_leave(&mut self, typed: Typed) {
        if let Err(failure) = self.leave(&typed).await {
            self.failed(&failure);
        }
    }

    async fn leave(&mut self, typed: &Typed) -> Result<(), Failure> {
        let wish = wish(&typed.line, typed.pasted)
            .map_err(|why| Failure::new(protocol::exit::USAGE, why))?;
        let mut warden = approvals::warden(&self.context);
        let (ticket, mark, shown) = approvals::one(&mut warden, wish.id).await?;
        if ticket.state != TicketState::Requested {
            let refused = format!("{} is {} already", ticket.id, ticket.state);
            return Err(Failure::new(protocol::exit::REFUSED, refused));
        }
        if wish.mark.as_ref().is_some_and(|typed| *typed != mark) {
            let refused = format!(
                "these four characters do not stand for {}: look at it, /approvals {0}",
                ticket.id
            );
            return Err(Failure::new(protocol::exit::REFUSED, refused));
        }
        let pin_wanted = approvals::pin_wanted(&mut warden).await?;
        let yes = wish.mark.is_some();
        let what = match (yes, wish.for_task) {
            (true, false) => "approve it, once".to_owned(),
            (true, true) => format!(
                "approve it, and every {} for the rest of {}",
                ticket.wanted.kind, ticket.wanted.short
            ),
            (false, _) => "deny it".to_owned(),
        };
        let what = render::text::safe(&what);
        let at = (jiff::Timestamp::now(), Some(self.voice.width()));
        let page = render::approvals::facts(&ticket, &mark, &shown, at);
        let page = render::fold::fold(&page, self.voice.width());
        let prompt = match pin_wanted {
            true => format!("{page}{what}? your PIN (not shown; Ctrl-C: no answer): "),
            false => format!("{page}{what}? the four characters again (Ctrl-C: no answer): "),
        };
        let hidden = typed.hidden(prompt).await.filter(|line| !line.is_empty());
        let Some(hidden) = hidden else {
            self.sup("nothing was answered");
            return Ok(());
        };
        if !pin_wanted && hidden.to_lowercase() != mark {
            self.sup("that is something else: nothing was answered");
            return Ok(());
        }
        let answer = approvals::Answer {
            id: wish.id,
            mark,
            yes,
            for_task: wish.for_task,
            because: wish.because,
            pin: pin_wanted.then_some(hidden),
            signature: None,
        };
        let told = approvals::answer(&mut warden, answer).await?;
        self.voice.say(&told);
        if let Ok(task) = ticket.wanted.short.parse() {
            self.standing.answered(task);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let told = match wish(line, false) {
            Ok(wish) => format!(
                "{} {} {}{}",
                wish.id,
                wish.mark.unwrap_or_else(|| "no".to_owned()),
                wish.because,
                if wish.for_task { "for the task" } else { "" }
            ),
            Err(why) => why,
        };
        assert!(told.contains(expected), "{line}: {told}");
    }

    #[test]
    fn leave_is_one_typed_line() {
        check("/approve a41 9C1E", "a41 9c1e ");
        check("/approve a41 9c1e --for-task", "for the task");
        check("/deny a41 not before the weekend", "a41 no not before");
        check("/deny a41", "a41 no ");
        check("/approve", "say which");
        check("/approve a41", "/approvals a41");
        check("/approve 41 9c1e", "is no ticket");
        check("/approve a41 9c1e over the hill", "on a line of its own");
        check("/approve a41 9c1e\nyes", "one line of its own");
        check("/deny a41\nsecret", "one line of its own");
        assert!(wish("/approve a41 9c1e", true).is_err());
    }

    #[test]
    fn only_these_lines_are_leave() {
        for (line, expected) in [
            ("/approve a1 9c1e", true),
            (" /deny a1", true),
            ("/approve\na1", true),
            ("/approvals", false),
            ("/approve/x", false),
            ("approve a1", false),
            ("please /approve a1 9c1e", false),
        ] {
            assert_eq!(is_leave(line), expected, "{line}");
        }
    }
}
