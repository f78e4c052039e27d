//! What `/help` says.

use super::slash::{self, Slash};
use crate::render::paint::Paint;

/// How to talk, and the keys.
const TALK: &str = "\
Say what should be true, in your own words: run the tests of this project
  @qa …             a request for the agent qa
  @t12 …            a word to whoever works on t12; where one task runs for
                    you, also without @: also log the rejected ones
  8                 rates the last result, 1 to 10; where a question is open,
                    answers it
Keys: Tab completes · Up and Ctrl-R find earlier lines
  Alt-Enter, or \\ at the end: another line
  Ctrl-C clears the line · Ctrl-D leaves, the team goes on
";

/// The help of one command, or of all.
pub fn text(which: Option<&Slash>, paint: Paint) -> String {
    match which {
        Some(slash) => format!("{}\n", row(slash, paint)),
        None => {
            let rows: Vec<String> = slash::ALL.iter().map(|slash| row(slash, paint)).collect();
            format!("{TALK}{}\n", rows.join("\n"))
        }
    }
}

fn row(slash: &Slash, paint: Paint) -> String {
    let usage = format!("/{} {}", slash.name, slash.usage);
    let fill = " ".repeat(24usize.saturating_sub(usage.trim_end().chars().count()));
    format!("  {}{fill} {}", paint.code(usage.trim_end()), slash.about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_a_terminal_and_names_everything() {
        let all = text(None, Paint(false));
        assert!(all.lines().all(|line| line.chars().count() < 80), "{all}");
        for slash in slash::ALL {
            assert!(all.contains(&format!("/{}", slash.name)), "{}", slash.name);
        }
    }
}
