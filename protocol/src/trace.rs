//! One id from the request to the last tool call: a W3C trace context (`traceparent`). Whoever asks
//! may bring one, otherwise the task gets one of its own; the lines of every log carry it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The variable that carries one from process to process.
pub const VARIABLE: &str = "TRACEPARENT";

/// A place in a trace: which trace, and which step of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Trace {
    trace: [u8; 16],
    step: [u8; 8],
    flags: u8,
}

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent, such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
pub struct NoTrace;

impl Trace {
    /// The start of a trace of its own, which is to be kept (`sampled`).
    pub fn begin() -> Self {
        Self {
            trace: *Uuid::now_v7().as_bytes(),
            step: step(),
            flags: 1,
        }
    }

    /// The next step of the same trace.
    pub fn next(self) -> Self {
        Self {
            step: step(),
            ..self
        }
    }

    /// Which trace, 32 hexadecimal digits.
    pub fn id(&self) -> String {
        hex(&self.trace)
    }
}

/// The random half of a new uuid; never all zero, because the variant bits lie in it.
fn step() -> [u8; 8] {
    let mut step = [0; 8];
    step.copy_from_slice(&Uuid::now_v7().as_bytes()[8..]);
    step
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], NoTrace> {
    let small = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 2 * N || !text.bytes().all(small) {
        return Err(NoTrace);
    }
    let mut found = [0; N];
    for (at, byte) in found.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NoTrace)?;
    }
    Ok(found)
}

impl FromStr for Trace {
    type Err = NoTrace;

    /// Versions after 00 may say more behind the four fields; that is passed over.
    fn from_str(text: &str) -> Result<Self, NoTrace> {
        let mut fields = text.split('-');
        let mut field = || fields.next().ok_or(NoTrace);
        let [version] = bytes::<1>(field()?)?;
        let (trace, step) = (bytes(field()?)?, bytes(field()?)?);
        let [flags] = bytes::<1>(field()?)?;
        let more = fields.next().is_some();
        let zero = trace == [0; 16] || step == [0; 8];
        if version == 0xff || zero || (version == 0 && more) {
            return Err(NoTrace);
        }
        Ok(Self { trace, step, flags })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, step) = (hex(&self.trace), hex(&self.step));
        write!(f, "00-{trace}-{step}-{:02x}", self.flags)
    }
}

impl TryFrom<String> for Trace {
    type Error = NoTrace;
    fn try_from(text: String) -> Result<Self, NoTrace> {
        text.parse()
    }
}

impl From<Trace> for String {
    fn from(trace: Trace) -> String {
        trace.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn contexts_are_read_as_the_standard_says() {
        for (text, good) in [
            (GOOD.to_owned(), true),
            (GOOD.replace("00-0", "01-0") + "-more", true),
            (GOOD.to_owned() + "-more", false),
            (GOOD.replace("00-0", "ff-0"), false),
            (GOOD.to_uppercase(), false),
            (
                GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
                false,
            ),
            (GOOD.replace("b7ad6b7169203331", &"0".repeat(16)), false),
            (GOOD[..54].to_owned(), false),
            (GOOD.replace("0af", "+af"), false),
            (String::new(), false),
        ] {
            assert_eq!(text.parse::<Trace>().is_ok(), good, "{text}");
        }
        let trace: Trace = GOOD.parse().expect("a trace");
        assert_eq!(trace.to_string(), GOOD);
        assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn a_step_stays_in_its_trace() {
        let first = Trace::begin();
        let next = first.next();
        assert_eq!((first.id(), first == next), (next.id(), false));
        assert_ne!(first.id(), Trace::begin().id());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_again(text in "[0-9a-f-]{0,60}|\\PC{0,60}") {
            if let Ok(trace) = text.parse::<Trace>() {
                prop_assert_eq!(trace.to_string().parse::<Trace>(), Ok(trace));
            }
        }
    }
}
