//! When a line of cron comes round in a time zone. The line says times of a clock on the wall; the
//! zone says when that clock shows them, which on two days of a year is never, or twice:
//!
//! - a time that the clock leaves out (spring) counts at the first moment after the gap, and
//!   several of them count once; of a line for every hour it does not, since the next hour is near;
//! - a time that the clock shows twice (autumn) counts both times, or only the first one.

use super::ScheduleError;
use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions, parse_crontab_with};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};
use serde::Deserialize;

/// A change of the clock further away than this cannot move a run.
const NEAR: SignedDuration = SignedDuration::from_hours(26);

/// What is done in the hour that the clock shows twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Repeated {
    /// A time in it comes round both times.
    #[default]
    Both,
    /// Only the first time.
    First,
}

/// A line of cron in a time zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    cron: Crontab,
    line: String,
    zone: TimeZone,
    repeated: Repeated,
    every_hour: bool,
}

impl Calendar {
    /// Reads a line of five fields (minute, hour, day of the month, month, day of the week), or
    /// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    ///
    /// # Errors
    /// When the line cannot be read, or never comes round.
    pub fn new(line: &str, zone: TimeZone, repeated: Repeated) -> Result<Self, ScheduleError> {
        let wrong = |problem: String| ScheduleError::Key {
            key: "when",
            problem: format!(
                "`{}` {problem}: write minute, hour, day, month and weekday, such as `30 2 * * *`, or @daily",
                line.escape_debug()
            ),
        };
        let fields = fields(line).ok_or_else(|| wrong("is no line of cron".to_owned()))?;
        let cron =
            steady(&fields).ok_or_else(|| wrong("holds a value that cannot be".to_owned()))?;
        let calendar = Self {
            cron,
            line: line.trim().to_owned(),
            zone,
            repeated,
            every_hour: is_every_hour(&fields),
        };
        match calendar.after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(calendar),
            None => Err(wrong("never comes round".to_owned())),
        }
    }

    /// The line as it was written.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Its zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The zone's name, such as `Europe/Berlin`.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("local time")
    }

    /// What decides when it comes round, as one text: where it differs, it is another calendar.
    pub fn print(&self) -> String {
        format!("{} {} {:?}", self.line, self.zone_name(), self.repeated)
    }

    /// The first time after a moment that it comes round; `None` where it never does again.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let shift = self.shift_near(moment);
        let mut wall = self.wall_clock(moment).checked_sub(shift).ok()?;
        let mut best: Option<Timestamp> = None;
        loop {
            let next = self.next_on_the_wall(wall)?;
            for found in self.moments(next).into_iter().flatten() {
                if found > moment && best.is_none_or(|best| found < best) {
                    best = Some(found);
                }
            }
            // Times on the wall that are later by more than the clock was moved come later.
            if let Some(found) = best
                && next >= self.wall_clock(found).checked_add(shift).ok()?
            {
                return best;
            }
            wall = next;
        }
    }

    /// Every time it comes round after one moment and until another, in order.
    pub fn between(
        &self,
        after: Timestamp,
        until: Timestamp,
    ) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.after(after), |at| self.after(*at))
            .take_while(move |at| *at <= until)
    }

    fn wall_clock(&self, moment: Timestamp) -> DateTime {
        self.zone.to_datetime(moment)
    }

    /// By how much the clock is moved near a moment; zero on nearly every day.
    fn shift_near(&self, moment: Timestamp) -> SignedDuration {
        let before = self.zone.preceding(moment).next();
        let after = self.zone.following(moment).next();
        let changes = before.into_iter().chain(after);
        let near = changes.filter(|change| moment.duration_until(change.timestamp()).abs() <= NEAR);
        let moved = near.map(|change| {
            let at = change.timestamp();
            let old = at
                .checked_sub(SignedDuration::from_nanos(1))
                .map_or(change.offset(), |just_before| {
                    self.zone.to_offset(just_before)
                });
            SignedDuration::from_secs(i64::from(change.offset().seconds() - old.seconds())).abs()
        });
        moved.max().unwrap_or(SignedDuration::ZERO)
    }

    /// The next time that matches the line, on a clock that is never moved.
    fn next_on_the_wall(&self, wall: DateTime) -> Option<DateTime> {
        let steady = wall.to_zoned(TimeZone::UTC).ok()?;
        let next = self.cron.find_next(steady.timestamp()).ok()?;
        Some(next.datetime())
    }

    /// The moments at which the zone's clock shows a time, or would have.
    fn moments(&self, wall: DateTime) -> [Option<Timestamp>; 2] {
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset.to_timestamp(wall).ok(), None],
            AmbiguousOffset::Gap { .. } if self.every_hour => [None, None],
            AmbiguousOffset::Gap { before, .. } => {
                // By the old clock this is after the change; the change itself is what counts.
                let late = before.to_timestamp(wall).ok();
                let change = late.and_then(|late| {
                    let just_after = late.checked_add(Span::new().nanoseconds(1)).ok()?;
                    self.zone.preceding(just_after).next()
                });
                [change.map(|change| change.timestamp()), None]
            }
            AmbiguousOffset::Fold { before, after } => {
                let second = match self.repeated {
                    Repeated::Both => after.to_timestamp(wall).ok(),
                    Repeated::First => None,
                };
                [before.to_timestamp(wall).ok(), second]
            }
        }
    }
}

/// The five fields of a line. A zone after them is refused: it has a key of its own.
fn fields(line: &str) -> Option<String> {
    let fields = match line.trim().to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => line,
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    (fields.len() == 5).then(|| fields.join(" "))
}

/// A line on a clock that is never moved.
fn steady(fields: &str) -> Option<Crontab> {
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    parse_crontab_with(fields, options).ok()
}

/// Whether the hours of a line are all of them, however they are written.
fn is_every_hour(fields: &str) -> bool {
    let hours = fields.split(' ').nth(1).unwrap_or_default();
    let Some(cron) = steady(&format!("0 {hours} * * *")) else {
        return false;
    };
    let day = SignedDuration::from_hours(24);
    let before = Timestamp::UNIX_EPOCH - SignedDuration::from_secs(1);
    let hours = cron.iter_after(before).into_iter().flatten().flatten();
    let of_a_day = hours.take_while(|at| at.timestamp().duration_since(before) <= day);
    of_a_day.count() == 24
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
