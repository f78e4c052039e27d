//! The call of a script: its keys, its arguments, and how it is sent.

use super::over::Wire;
use redis::{FromRedisValue, Script};

/// Keys and arguments of a script call.
#[derive(Default)]
pub(crate) struct Call {
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

impl Call {
    /// A call that touches `keys`.
    pub(crate) fn on<const N: usize>(keys: [String; N]) -> Self {
        Self {
            keys: keys.into(),
            arguments: Vec::new(),
        }
    }
    /// The keys and arguments of another call behind its own.
    pub(crate) fn and(mut self, mut other: Self) -> Self {
        self.keys.append(&mut other.keys);
        self.arguments.append(&mut other.arguments);
        self
    }
    /// One more key.
    pub(crate) fn key(mut self, key: String) -> Self {
        self.keys.push(key);
        self
    }
    /// One more argument.
    pub(crate) fn arg(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string().into_bytes());
        self
    }
    /// The command for a script that Redis has already.
    pub(super) fn command(&self, script: &Script) -> redis::Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(self.keys.len());
        for key in &self.keys {
            command.arg(key);
        }
        for argument in &self.arguments {
            command.arg(argument.as_slice());
        }
        command
    }
    /// One more argument, as bytes.
    pub(crate) fn bytes(mut self, argument: Vec<u8>) -> Self {
        self.arguments.push(argument);
        self
    }
}

/// Runs a script; one that Redis does not have is sent there first.
pub(super) async fn invoke<T: FromRedisValue>(
    script: &Script,
    call: &Call,
    connection: &mut Wire,
) -> redis::RedisResult<T> {
    let mut invocation = script.prepare_invoke();
    for key in &call.keys {
        invocation.key(key);
    }
    for argument in &call.arguments {
        invocation.arg(argument.as_slice());
    }
    invocation.invoke_async(connection).await
}
