//! How much memory Redis may still take. The producer stops well before it is used up, so that
//! the work under way always has room to come to its end.

use crate::connect::{Again, Bus};
use crate::error::BusError;

/// New work is sent while less than this share of `maxmemory` is used, in percent.
const FOR_NEW_WORK: u64 = 85;

/// The memory of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In use, in bytes.
    pub used: u64,
    /// `maxmemory` in bytes; 0 = no limit.
    pub limit: u64,
}

impl Room {
    /// Whether new work should wait.
    pub fn is_tight(&self) -> bool {
        self.limit > 0 && self.used / FOR_NEW_WORK >= self.limit / 100
    }
}

impl Bus {
    /// Asks how much memory is left.
    pub async fn room(&self) -> Result<Room, BusError> {
        let info: String = self
            .query(redis::cmd("INFO").arg("memory"), Again::Yes)
            .await?;
        Ok(read(&info))
    }
}

fn read(info: &str) -> Room {
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    };
    Room {
        used: field("used_memory:"),
        limit: field("maxmemory:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_work_stops_before_the_memory_is_used_up() {
        for (used, limit, tight) in [
            (0, 0, false),
            (5_000_000_000, 0, false),
            (84_000_000, 100_000_000, false),
            (85_000_000, 100_000_000, true),
            (200_000_000, 100_000_000, true),
        ] {
            assert_eq!(Room { used, limit }.is_tight(), tight, "{used} of {limit}");
        }
    }

    #[test]
    fn what_redis_says_is_read() {
        let info = "# Memory\r\nused_memory:1234\r\nused_memory_human:1K\r\nmaxmemory:99\r\n";
        let (used, limit) = (1234, 99);
        assert_eq!(read(info), Room { used, limit });
    }
}
