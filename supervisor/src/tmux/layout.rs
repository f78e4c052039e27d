//! Which tmux commands make, mend and read our session. Pure: words in, words out.

use std::path::Path;

/// One tmux command, word by word.
pub type Words = Vec<String>;

/// Session option that marks a session as ours; its value is the home's path.
pub const HOME_MARK: &str = "@ai_infra_home";
/// Window option that names the process a window is for.
pub const PROCESS_MARK: &str = "@ai_infra_process";

/// What a window shows once its program has ended.
const LAST_WORDS: &str =
    "ended #{t:pane_dead_time}; it is started again in a moment - if not: ai-infra status";

/// The session option that holds what was spent and what runs.
const STANDING: &str = "@ai_infra_standing";
/// Right of the windows, on a terminal with room for it: how the team stands; with more room, which
/// host this is.
const STATUS_RIGHT: &str = "#{?#{e|>=|:#{client_width},100}, #{@ai_infra_standing}#{?#{e|>=|:#{client_width},140}, · #h %H:%M,},}";

/// Commands that say how the team stands.
pub fn stand(session: &str, words_for_people: &str) -> Vec<Words> {
    let target = format!("={session}:");
    vec![words(&[
        "set-option",
        "-t",
        &target,
        STANDING,
        &literal(words_for_people),
    ])]
}

/// A window to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Where it stands in the status line.
    pub index: u32,
    /// What the status line calls it.
    pub name: String,
    /// Key of the process it is for; unique in the team.
    pub process: String,
    /// The program and its arguments, at least two words (a single word would go to a shell).
    pub argv: Vec<String>,
}

/// A pane of ours that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pane {
    /// Server-wide id, such as `%3`.
    pub id: String,
    /// Process id of its program.
    pub pid: u32,
    /// The program has ended; the pane only shows its last words.
    pub dead: bool,
    /// Key of the process it is for.
    pub process: String,
}

/// What stands under the session's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// No server, or no session of that name.
    Nothing,
    /// A session that this home did not make; the text is the home that did, if any.
    NotOurs(String),
    /// Our session, with the panes of our windows.
    Ours(Vec<Pane>),
}

fn words(text: &[&str]) -> Words {
    text.iter().map(|word| (*word).to_owned()).collect()
}

/// tmux takes `:` and `.` in a session name for separators of a target; it stores `_` instead.
pub fn session_name(wanted: &str) -> String {
    wanted.replace([':', '.'], "_")
}

/// A word that ends in `;` would end the command; tmux reads `\;` as the character itself.
fn literal(word: &str) -> String {
    match word.strip_suffix(';') {
        Some(rest) => format!("{rest}\\;"),
        None => word.to_owned(),
    }
}

fn with_program(mut command: Words, argv: &[String]) -> Words {
    command.push("--".to_owned());
    command.extend(argv.iter().map(|word| literal(word)));
    command
}

fn mark_window(target: &str, window: &Window) -> Vec<Words> {
    vec![
        words(&["set-option", "-w", "-t", target, "remain-on-exit", "on"]),
        // Quietly, because a tmux before 3.3 does not have it.
        words(&[
            "set-option",
            "-wq",
            "-t",
            target,
            "remain-on-exit-format",
            LAST_WORDS,
        ]),
        words(&["set-option", "-w", "-t", target, "automatic-rename", "off"]),
        words(&[
            "set-option",
            "-w",
            "-t",
            target,
            PROCESS_MARK,
            &window.process,
        ]),
    ]
}

/// Makes the session with its first window, in one sequence. (The others come in a second one: a
/// tmux server shows the whole command that started it in the process list.)
pub fn create(session: &str, home: &Path, first: &Window) -> Vec<Words> {
    let target = format!("={session}:");
    let mut made = vec![with_program(
        words(&[
            "new-session",
            "-d",
            "-s",
            session,
            "-n",
            &first.name,
            "-x",
            "160",
            "-y",
            "48",
        ]),
        &first.argv,
    )];
    // The mark comes at once: a session without it is never touched again.
    made.push(words(&[
        "set-option",
        "-t",
        &target,
        HOME_MARK,
        &literal(&home.to_string_lossy()),
    ]));
    for (option, value) in [
        ("destroy-unattached", "off"),
        ("renumber-windows", "off"),
        ("base-index", &first.index.to_string() as &str),
        // Eight windows fit 80 columns when nothing stands beside them.
        ("status-left", ""),
        ("status-right", STATUS_RIGHT),
        ("status-right-length", "80"),
    ] {
        made.push(words(&["set-option", "-t", &target, option, value]));
    }
    // The first window was made under the user's own base-index.
    made.push(words(&["move-window", "-r", "-t", &target]));
    made.extend(mark_window(&format!("={session}:{}", first.index), first));
    made
}

/// Adds one window at its own index.
pub fn add(session: &str, window: &Window) -> Vec<Words> {
    let target = format!("={session}:{}", window.index);
    let mut made = vec![with_program(
        words(&["new-window", "-d", "-t", &target, "-n", &window.name]),
        &window.argv,
    )];
    made.extend(mark_window(&target, window));
    made
}

/// Starts a program again in its pane. (`respawn-window` would also show that window to whoever looks at
/// another one.)
pub fn respawn(pane_id: &str, argv: &[String]) -> Vec<Words> {
    vec![with_program(
        words(&["respawn-pane", "-k", "-t", pane_id]),
        argv,
    )]
}

/// Ends our session and nothing else.
pub fn kill(session: &str) -> Vec<Words> {
    vec![words(&["kill-session", "-t", &format!("={session}")])]
}

/// Reads every pane of the session with the marks; see [`read`].
pub fn list(session: &str) -> Vec<Words> {
    let format =
        format!("#{{pane_id}}|#{{pane_pid}}|#{{pane_dead}}|#{{{PROCESS_MARK}}}|#{{{HOME_MARK}}}");
    vec![words(&[
        "list-panes",
        "-s",
        "-t",
        &format!("={session}"),
        "-F",
        &format,
    ])]
}

/// Understands what [`list`] printed. Panes without our mark (a person's own window in our
/// session) are left out.
pub fn read(printed: &str, home: &Path) -> Seen {
    let mut panes = Vec::new();
    let mut marked = None;
    for line in printed.lines() {
        let mut fields = line.splitn(5, '|');
        let (Some(id), Some(pid), Some(dead), Some(process), Some(mark)) = (
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
            fields.next(),
        ) else {
            continue;
        };
        marked.get_or_insert_with(|| mark.to_owned());
        if let (false, Ok(pid)) = (process.is_empty(), pid.parse()) {
            panes.push(Pane {
                id: id.to_owned(),
                pid,
                dead: dead == "1",
                process: process.to_owned(),
            });
        }
    }
    match marked {
        Some(mark) if mark == home.to_string_lossy() => Seen::Ours(panes),
        Some(mark) => Seen::NotOurs(mark),
        None => Seen::Nothing,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn window(index: u32, name: &str) -> Window {
        Window {
            index,
            name: name.to_owned(),
            process: name.to_owned(),
            argv: words(&["/bin/ai-infra", "agent", name]),
        }
    }

    fn joined(commands: &[Words]) -> String {
        commands
            .iter()
            .map(|command| command.join(" "))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_session_is_made_marked_and_numbered_from_its_own_start() {
        let mut made = create("s", Path::new("/h"), &window(0, "supervisor"));
        made.extend(add("s", &window(1, "code")));
        let expected = "\
new-session -d -s s -n supervisor -x 160 -y 48 -- /bin/ai-infra agent supervisor
set-option -t =s: @ai_infra_home /h
set-option -t =s: destroy-unattached off
set-option -t =s: renumber-windows off
set-option -t =s: base-index 0
set-option -t =s: status-left 
set-option -t =s: status-right #{?#{e|>=|:#{client_width},100}, #{@ai_infra_standing}#{?#{e|>=|:#{client_width},140}, · #h %H:%M,},}
set-option -t =s: status-right-length 80
move-window -r -t =s:
set-option -w -t =s:0 remain-on-exit on
set-option -wq -t =s:0 remain-on-exit-format ended #{t:pane_dead_time}; it is started again in a moment - if not: ai-infra status
set-option -w -t =s:0 automatic-rename off
set-option -w -t =s:0 @ai_infra_process supervisor
new-window -d -t =s:1 -n code -- /bin/ai-infra agent code
set-option -w -t =s:1 remain-on-exit on
set-option -wq -t =s:1 remain-on-exit-format ended #{t:pane_dead_time}; it is started again in a moment - if not: ai-infra status
set-option -w -t =s:1 automatic-rename off
set-option -w -t =s:1 @ai_infra_process code";
        assert_eq!(joined(&made), expected);
    }

    #[test]
    fn nothing_global_and_nothing_typed() {
        let mut all = create("s", Path::new("/h"), &window(0, "a"));
        all.extend(add("s", &window(1, "b")));
        all.extend(respawn("%1", &words(&["x", "y"])));
        all.extend(kill("s"));
        for command in all {
            let name = command.first().cloned().unwrap_or_default();
            assert!(!name.starts_with("send-keys") && !name.starts_with("paste"));
            let own = command.iter().take_while(|word| *word != "--");
            assert!(!own.into_iter().any(|word| word == "-g"), "{command:?}");
        }
    }

    #[test]
    fn a_trailing_semicolon_stays_a_character() {
        let made = respawn("%1", &words(&["/odd;", "x;y", "z;"]));
        assert_eq!(joined(&made), "respawn-pane -k -t %1 -- /odd\\; x;y z\\;");
    }

    #[test]
    fn panes_are_read() {
        let check = |printed: &str, expected: Seen| {
            assert_eq!(read(printed, Path::new("/h")), expected, "{printed:?}");
        };
        let pane = |id: &str, pid, dead, process: &str| Pane {
            id: id.to_owned(),
            pid,
            dead,
            process: process.to_owned(),
        };
        check("", Seen::Nothing);
        check("garbage\n", Seen::Nothing);
        check("%1|7|0||\n", Seen::NotOurs(String::new()));
        check("%1|7|0|code|/other\n", Seen::NotOurs("/other".to_owned()));
        check(
            "%1|7|0|code|/h\n%2|8|1|qa|/h\n%3|9|0||/h\n%4|x|0|infra|/h\n",
            Seen::Ours(vec![
                pane("%1", 7, false, "code"),
                pane("%2", 8, true, "qa"),
            ]),
        );
        assert_eq!(
            read("%1|7|0|code|/odd|home", Path::new("/odd|home")),
            Seen::Ours(vec![pane("%1", 7, false, "code")])
        );
    }

    #[test]
    fn session_names_hold_no_target_separators() {
        assert_eq!(session_name("ai.team:1"), "ai_team_1");
    }
}
