//! What a person sees in the agent's window: a banner, and a line when a task is taken and left.

use config::settings::AgentSettings;
use jiff::Zoned;
use protocol::task::Task;

/// The window.
pub struct Screen;

impl Screen {
    /// Who works here.
    pub fn banner(agent: &AgentSettings) {
        println!(
            "{} (level {}): {}",
            agent.name,
            agent.level,
            agent.description.trim()
        );
        println!("waiting for work: ai-infra run \"…\"");
    }

    /// A task was taken.
    pub fn took(task: &Task, attempt: u64) {
        let again = if attempt > 1 {
            format!(" (attempt {attempt}: goes on where the last one stopped)")
        } else {
            String::new()
        };
        println!(
            "{} {} ▸ {}{again}",
            clock(),
            task.short_id,
            plain(&task.request)
        );
    }

    /// The team was frozen, or goes on.
    pub fn frozen(frozen: bool) {
        let what = match frozen {
            true => "FROZEN: stopped in place until `ai-infra thaw`",
            false => "goes on",
        };
        println!("{} {what}", clock());
    }

    /// The host is under pressure, or no longer.
    pub fn held_back(why: Option<&str>) {
        let what = match why {
            Some(why) => format!("held back: {why}; only urgent tasks are begun"),
            None => "there is room again".to_owned(),
        };
        println!("{} {what}", clock());
    }

    /// A task was left, in this state or for this reason.
    pub fn left(task: &Task, state: &str) {
        println!("{} {} ▸ {}", clock(), task.short_id, plain(state));
    }
}

fn clock() -> String {
    Zoned::now().strftime("%H:%M:%S").to_string()
}

/// One line without control characters, so that a request cannot write to the terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
