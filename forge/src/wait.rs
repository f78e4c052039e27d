//! Whether a request is tried again, and when. A pure decision: the server's word counts, a wait that is
//! longer than is useful is an error that says until when, and what may already have been done is not
//! done twice.

use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderMap;
use std::time::Duration;

/// Most tries of one request.
pub const TRIES: u32 = 5;
/// Longest time that is waited for one request, in sum.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Least wait after too many requests in a short time, where the server says nothing.
const SECONDARY: u64 = 60;

/// What to do about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It counts.
    Take,
    /// Wait so long, then ask again.
    Again(Duration),
    /// It would be too long; until then nothing helps.
    Later(Timestamp),
}

/// An answer, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What it says.
    pub said: &'a str,
}

/// Decides. `tried` counts from 1; `waited` is the sum so far; `twice` says whether doing it twice is the
/// same as once.
pub fn next(answer: Answer<'_>, tried: u32, waited: Duration, twice: bool, now: Timestamp) -> Next {
    let Some(wait) = wanted(answer, tried, twice, now) else {
        return Next::Take;
    };
    let too_long = waited.saturating_add(wait) > PATIENCE;
    // Refused for their number: trying on makes it worse.
    if too_long && limited(answer) {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        return Next::Later(now.saturating_add(wait).unwrap_or(Timestamp::MAX));
    }
    match too_long || tried >= TRIES {
        true => Next::Take,
        false => Next::Again(wait),
    }
}

/// The wait before another try of something that went wrong on the way: 1, 2, 4, 8 s.
pub fn pause(tried: u32) -> Duration {
    Duration::from_secs(1 << tried.saturating_sub(1).min(4))
}

fn limited(answer: Answer<'_>) -> bool {
    let used_up = header(answer.headers, "x-ratelimit-remaining") == Some("0");
    let said = answer.said.to_ascii_lowercase();
    let secondary = said.contains("secondary rate limit") || said.contains("abuse detection");
    let asks = answer.headers.contains_key("retry-after");
    answer.status == 429 || (answer.status == 403 && (used_up || secondary || asks))
}

fn wanted(answer: Answer<'_>, tried: u32, twice: bool, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| header(answer.headers, name)?.trim().parse::<u64>().ok();
    let asked = || number("retry-after").map(Duration::from_secs);
    if limited(answer) {
        let reset = || {
            let used_up = header(answer.headers, "x-ratelimit-remaining") == Some("0");
            let at = number("x-ratelimit-reset").filter(|_| used_up)?;
            let at = i64::try_from(at).ok()?;
            // Its clock and ours may differ by a little.
            let seconds = at.saturating_sub(now.as_second()).saturating_add(1);
            Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(1)))
        };
        let grown = Duration::from_secs(SECONDARY << tried.saturating_sub(1).min(6));
        return Some(asked().or_else(reset).unwrap_or(grown));
    }
    // What says when to come back has done nothing.
    let nothing_done = answer.status == 503 && answer.headers.contains_key("retry-after");
    let passing = matches!(answer.status, 500 | 502 | 503 | 504 | 408);
    (passing && (twice || nothing_done)).then(|| asked().unwrap_or_else(|| pause(tried)))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    #[track_caller]
    fn check(
        status: u16,
        headers: &[(&'static str, &str)],
        said: &str,
        twice: bool,
        expected: Next,
    ) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_str(value).unwrap();
                (HeaderName::from_static(name), value)
            })
            .collect();
        let answer = Answer {
            status,
            headers: &headers,
            said,
        };
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(
            next(answer, 2, Duration::from_secs(1), twice, now),
            expected
        );
    }

    #[test]
    fn the_server_says_how_long_and_what_may_be_done_is_not_done_twice() {
        let seconds = |n| Next::Again(Duration::from_secs(n));
        let at = |time: &str| Next::Later(time.parse().unwrap());
        check(200, &[], "", true, Next::Take);
        check(404, &[], "", true, Next::Take);
        check(403, &[], "Resource not accessible", true, Next::Take);
        check(429, &[("retry-after", "7")], "", false, seconds(7));
        check(403, &[("retry-after", "7")], "", false, seconds(7));
        // 2026-11-21T10:00:30Z
        let reset = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1795255230"),
        ];
        check(403, &reset, "API rate limit exceeded", false, seconds(31));
        let secondary = "You have exceeded a secondary rate limit";
        check(403, &[], secondary, false, at("2026-11-21T10:02:00Z"));
        check(
            429,
            &[("retry-after", "3600")],
            "",
            true,
            at("2026-11-21T11:00:00Z"),
        );
        check(
            429,
            &[("retry-after", "99999999999999999999")],
            "",
            true,
            at("2026-11-21T10:02:00Z"),
        );
        check(502, &[], "", true, seconds(2));
        check(502, &[("retry-after", "5")], "", true, seconds(5));
        check(502, &[], "", false, Next::Take);
        check(503, &[], "", false, Next::Take);
        check(503, &[("retry-after", "5")], "", false, seconds(5));
        check(503, &[("retry-after", "500")], "", true, Next::Take);
    }

    #[test]
    fn it_ends() {
        let headers = HeaderMap::new();
        let answer = Answer {
            status: 500,
            headers: &headers,
            said: "",
        };
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(next(answer, TRIES, Duration::ZERO, true, now), Next::Take);
        assert_eq!(next(answer, 1, PATIENCE, true, now), Next::Take);
    }
}
