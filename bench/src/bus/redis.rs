//! A redis-server of the measurement's own, with the durability of a team's, and redis-benchmark
//! on it as the yardstick.

use super::{BenchError, fail};
use bus::connect::BusAddress;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running server; ended when dropped.
pub(super) struct Redis {
    child: Child,
    folder: TempDir,
}

impl Redis {
    pub(super) fn start() -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(fail)?;
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--auto-aof-rewrite-min-size", "256mb"])
            .arg("--unixsocket")
            .arg(folder.path().join("redis.sock"))
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| fail(format!("redis-server does not start: {e}")))?;
        let redis = Self { child, folder };
        let started = Instant::now();
        // The socket is there a moment before it takes connections.
        while UnixStream::connect(redis.socket()).is_err() {
            if started.elapsed() > Duration::from_secs(5) {
                return Err(fail("redis-server did not come up within 5 s"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(redis)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(super) fn address(&self) -> BusAddress {
        BusAddress {
            url: format!("redis+unix://{}", self.socket().display()),
            username: None,
            password: None,
            ca: None,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// redis-benchmark's XADD of 600 bytes, pipeline 64, one client: requests a second.
    pub(super) fn reference(&self) -> Result<f64, BenchError> {
        let text = self.benchmark(
            &["-c", "1", "-P", "64", "-n", "30000"],
            &["XADD", "ref", "*"],
        )?;
        self.benchmark(&["-c", "1", "-n", "1"], &["XTRIM", "ref", "MAXLEN", "0"])?;
        rate(&text)
    }

    fn benchmark(&self, how: &[&str], command: &[&str]) -> Result<String, BenchError> {
        let mut run = Command::new("redis-benchmark");
        run.arg("-s")
            .arg(self.socket())
            .arg("-q")
            .args(how)
            .args(command);
        if command[0] == "XADD" {
            run.arg("f").arg("x".repeat(600));
        }
        let output = run
            .output()
            .map_err(|e| fail(format!("redis-benchmark does not start: {e}")))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rate(text: &str) -> Result<f64, BenchError> {
    text.split("requests per second")
        .next()
        .and_then(|head| head.split_whitespace().next_back())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| fail(format!("redis-benchmark said: {text}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_rate_is_the_number_before_its_unit() {
        let said = "XADD ref * f xxx: rps=0.0\rXADD ref * f xxx: 102557.38 requests per second, p50=0.5 msec\n";
        assert_eq!(rate(said).unwrap(), 102_557.38);
        assert!(rate("Could not connect").is_err());
    }
}
