//! Lines of crontabs: when they run next, and what is wrong with them. Vixie's syntax, as Debian's and Red Hat's cron
//! read it.

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions, parse_crontab_with};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A line that is a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Number in its file, from 1.
    pub number: u64,
    /// When, as written.
    pub when: String,
    /// As whom, in files of the system.
    pub user: Option<String>,
    /// What is run.
    pub command: String,
    /// What makes cron ignore it, as a sentence.
    pub wrong: Option<String>,
}

const NAMES: [&str; 19] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "sun",
    "mon", "tue", "wed", "thu", "fri", "sat",
];

/// Every job of a file; `system` ones name their user.
pub fn lines(text: &str, system: bool) -> Vec<Line> {
    let numbered = (1..).zip(text.lines());
    numbered
        .filter_map(|(number, line)| read(number, line.trim(), system))
        .collect()
}

fn read(number: u64, line: &str, system: bool) -> Option<Line> {
    if line.is_empty() || line.starts_with('#') || is_setting(line) {
        return None;
    }
    let fields = if line.starts_with('@') { 1 } else { 5 };
    let mut rest = line;
    let mut words = Vec::new();
    for _ in 0..fields + usize::from(system) {
        rest = rest.trim_start();
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        words.push(word);
        rest = after;
    }
    let user = system.then(|| words.pop().unwrap_or_default().to_owned());
    let when = words.join(" ").trim().to_owned();
    let command: String = rest
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(500)
        .collect();
    let wrong = match schedule(&when) {
        _ if command.is_empty() => Some("it names no command".to_owned()),
        Err(why) => Some(why),
        Ok(_) => None,
    };
    Some(Line {
        number,
        when,
        user,
        command,
        wrong,
    })
}

/// `NAME = value`.
fn is_setting(line: &str) -> bool {
    line.split_once('=').is_some_and(|(name, _)| {
        let name = name.trim();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// When a line runs.
#[derive(Debug)]
pub enum Schedule {
    /// At these times.
    Times(Box<Crontab>),
    /// Whenever the host starts.
    AtStart,
}

/// Reads the time fields.
///
/// # Errors
/// What is wrong with them.
pub fn schedule(when: &str) -> Result<Schedule, String> {
    let fields = match when.to_ascii_lowercase().as_str() {
        "@reboot" => return Ok(Schedule::AtStart),
        "@yearly" | "@annually" => "0 0 1 1 *".to_owned(),
        "@monthly" => "0 0 1 * *".to_owned(),
        "@weekly" => "0 0 * * 0".to_owned(),
        "@daily" | "@midnight" => "0 0 * * *".to_owned(),
        "@hourly" => "0 * * * *".to_owned(),
        other if other.starts_with('@') => return Err(format!("cron knows no {}", short(other))),
        _ => when.to_owned(),
    };
    if fields.split(' ').count() != 5 {
        return Err("it has fewer than five time fields".to_owned());
    }
    let odd = fields
        .split(|c: char| !c.is_ascii_alphabetic())
        .find(|word| !word.is_empty() && !NAMES.contains(&word.to_ascii_lowercase().as_str()));
    let strange = fields
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !" *,-/".contains(*c));
    if let Some(odd) = odd.map(str::to_owned).or(strange.map(|c| c.to_string())) {
        return Err(format!(
            "`{}` does not belong in its time fields",
            short(&odd)
        ));
    }
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    let read = parse_crontab_with(&fields, options).map(|times| Schedule::Times(Box::new(times)));
    read.map_err(|_| format!("`{}` is no time that comes", short(&fields)))
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// The next time after a moment. Cron thinks in the host's own clock.
pub fn next(times: &Crontab, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let wall = after.to_zoned(zone.clone()).datetime();
    let as_if = wall.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let next = times.find_next(as_if).ok()?;
    zone.to_timestamp(next.datetime()).ok()
}

/// The program that a command starts, where it is plain which: the first word after settings and wrappers.
pub fn program(command: &str) -> Option<String> {
    const WRAPPERS: [&str; 12] = [
        "nice", "ionice", "exec", "env", "flock", "timeout", "chronic", "sudo", "command", "nohup",
        "time", "cd",
    ];
    let shell = |c: char| "$`(){}<>*?~\\".contains(c);
    let command = match command.split_once("&&") {
        // `cd DIR && PROGRAM`, and `[ -x PROGRAM ] && PROGRAM`, which looks for it itself.
        Some((first, second)) if first.trim_start().starts_with("cd ") => second,
        _ => command,
    };
    let mut words = command.split_whitespace().skip_while(|word| {
        let name = word.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    });
    let first = words
        .next()?
        .trim_matches(['"', '\''])
        .trim_end_matches([';', '|', '&']);
    let plain = !first.is_empty()
        && !first.contains(shell)
        && !first.starts_with(['-', '[', '!', ':', '.', '%']);
    let known = [
        "test", "if", "for", "while", "set", "true", "echo", "export", "umask", "source", "eval",
    ];
    (plain && !WRAPPERS.contains(&first) && !known.contains(&first)).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn next_of(when: &str) -> Option<String> {
        let at = "2026-11-21T03:20:00Z".parse().unwrap(); // a Saturday, 04:20 in Berlin
        let Ok(Schedule::Times(times)) = schedule(when) else {
            return None;
        };
        next(&times, at, &TimeZone::get("Europe/Berlin").unwrap()).map(|t| t.to_string())
    }

    #[test]
    fn next_times_are_on_the_hosts_clock() {
        for (when, expected) in [
            ("*/5 * * * *", Some("2026-11-21T03:25:00Z")),
            ("0 6 * * *", Some("2026-11-21T05:00:00Z")),
            ("20 4 * * *", Some("2026-11-22T03:20:00Z")),
            ("0 0 1 * *", Some("2026-11-30T23:00:00Z")),
            ("30 2 * * mon-fri", Some("2026-11-23T01:30:00Z")),
            ("0 3 * * 7", Some("2026-11-22T02:00:00Z")),
            ("0 3 13 * fri", Some("2026-11-27T02:00:00Z")), // a thirteenth, or a Friday
            ("@daily", Some("2026-11-21T23:00:00Z")),
            ("@weekly", Some("2026-11-21T23:00:00Z")),
            ("@reboot", None),
            ("61 * * * *", None),
            ("* * * *", None),
            ("0 0 30 2 *", None),
            ("0 3 * * L", None),
            ("@dayly", None),
        ] {
            assert_eq!(next_of(when).as_deref(), expected, "{when}");
        }
    }

    #[test]
    fn lines_are_told_from_settings_and_comments() {
        let text = "# c\nSHELL=/bin/sh\nMAILTO = ann\n\n17 * * * * root /bin/a --b\n@reboot www /srv/x\n* * * * root\n99 * * * * root /bin/c\n";
        let found = lines(text, true);
        let brief: Vec<_> = found
            .iter()
            .map(|l| {
                format!(
                    "{} {} {:?} {} {}",
                    l.number,
                    l.when,
                    l.user,
                    l.command,
                    l.wrong.is_some()
                )
            })
            .collect();
        assert_eq!(
            brief,
            [
                "5 17 * * * * Some(\"root\") /bin/a --b false",
                "6 @reboot Some(\"www\") /srv/x false",
                "7 * * * * root Some(\"\")  true",
                "8 99 * * * * Some(\"root\") /bin/c true",
            ]
        );
    }

    #[test]
    fn programs_of_plain_commands() {
        for (command, expected) in [
            ("/usr/bin/backup --all > /dev/null", Some("/usr/bin/backup")),
            ("FOO=1 backup", Some("backup")),
            ("cd /srv && ./run.sh", None),
            ("cd /srv && /srv/run.sh", Some("/srv/run.sh")),
            (
                "test -x /usr/sbin/anacron || run-parts /etc/cron.daily",
                None,
            ),
            ("[ -x /a ] && /a", None),
            ("$HOME/bin/x", None),
            ("flock -n /l /usr/bin/x", None),
            ("", None),
        ] {
            assert_eq!(program(command).as_deref(), expected, "{command}");
        }
    }

    proptest! {
        #[test]
        fn any_crontab_is_read(text in "[0-9*/,@a-zA-Z =\n-]{0,120}") {
            for line in lines(&text, true) {
                let _ = program(&line.command);
                if let Ok(Schedule::Times(times)) = schedule(&line.when) {
                    let _ = next(&times, Timestamp::UNIX_EPOCH, &TimeZone::UTC);
                }
            }
        }
    }
}
