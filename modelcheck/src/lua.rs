//! Runs the bus' own script texts against the store, in the Lua that Redis has (5.1), with the
//! conversions Redis makes between its answers and Lua's values.

use crate::store::{Answer, Bytes, Store};
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Table, Value as Word};
use redis::Value;
use std::cell::RefCell;
use std::collections::HashMap;

/// Scripts ready to run. Not to be sent to another thread.
struct Engine {
    lua: Lua,
    ready: HashMap<String, Function>,
}

thread_local! {
    static ENGINE: RefCell<Option<Engine>> = const { RefCell::new(None) };
    static LOADED: RefCell<HashMap<String, String>> = RefCell::default();
    static STORE: RefCell<Store> = RefCell::new(Store::at(0));
}

fn broken(error: impl std::fmt::Display) -> String {
    format!("ERR the model's Lua: {error}")
}

/// Keeps a script's text, as `SCRIPT LOAD` does; answers its digest.
pub fn load(text: &str) -> String {
    let digest = redis::Script::new(text).get_hash().to_owned();
    LOADED.with(|all| all.borrow_mut().insert(digest.clone(), text.to_owned()));
    digest
}

/// The text of a script that was loaded by this thread.
pub fn text(digest: &str) -> Option<String> {
    LOADED.with(|all| all.borrow().get(digest).cloned())
}

/// Runs the script with this digest.
///
/// # Errors
/// What the script raised, or that there is none with this digest.
pub fn run(store: &mut Store, digest: &str, keys: &[Bytes], arguments: &[Bytes]) -> Answer {
    let function = compiled(digest)?;
    STORE.with(|held| std::mem::swap(&mut *held.borrow_mut(), store));
    let answer = call(&function, keys, arguments);
    STORE.with(|held| std::mem::swap(&mut *held.borrow_mut(), store));
    answer
}

fn compiled(digest: &str) -> Result<(Lua, Function), String> {
    ENGINE.with(|slot| {
        let mut slot = slot.borrow_mut();
        if slot.is_none() {
            *slot = Some(Engine {
                lua: interpreter().map_err(broken)?,
                ready: HashMap::new(),
            });
        }
        let engine = slot.as_mut().ok_or("ERR no Lua")?;
        if let Some(function) = engine.ready.get(digest) {
            return Ok((engine.lua.clone(), function.clone()));
        }
        let text = text(digest).ok_or("NOSCRIPT No matching script.")?;
        // The first line is for Redis and not Lua.
        let text = match text.split_once('\n') {
            Some((first, rest)) if first.starts_with("#!") => rest,
            _ => text.as_str(),
        };
        let function = engine.lua.load(text).set_name("script");
        let function = function.into_function().map_err(broken)?;
        engine.ready.insert(digest.to_owned(), function.clone());
        Ok((engine.lua.clone(), function))
    })
}

fn call((lua, function): &(Lua, Function), keys: &[Bytes], arguments: &[Bytes]) -> Answer {
    let list = |words: &[Bytes]| -> mlua::Result<Table> {
        lua.create_sequence_from(
            words
                .iter()
                .map(|w| lua.create_string(w))
                .collect::<mlua::Result<Vec<_>>>()?,
        )
    };
    let run = || -> mlua::Result<Word> {
        let globals = lua.globals();
        globals.raw_set("KEYS", list(keys)?)?;
        globals.raw_set("ARGV", list(arguments)?)?;
        function.call::<Word>(())
    };
    match run() {
        Ok(word) => answer_of(&word).map_err(broken)?,
        Err(error) => Err(broken(error)),
    }
}

fn interpreter() -> mlua::Result<Lua> {
    let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH;
    let lua = Lua::new_with(libraries, LuaOptions::default())?;
    let redis = lua.create_table()?;
    redis.set(
        "call",
        lua.create_function(|lua, words| ask(lua, words, true))?,
    )?;
    redis.set(
        "pcall",
        lua.create_function(|lua, words| ask(lua, words, false))?,
    )?;
    redis.set(
        "error_reply",
        lua.create_function(|lua, text: mlua::LuaString| {
            let table = lua.create_table()?;
            table.set("err", text)?;
            Ok(table)
        })?,
    )?;
    redis.set(
        "status_reply",
        lua.create_function(|lua, text: mlua::LuaString| {
            let table = lua.create_table()?;
            table.set("ok", text)?;
            Ok(table)
        })?,
    )?;
    let cjson = lua.create_table()?;
    cjson.set("decode", lua.create_function(decode)?)?;
    let globals = lua.globals();
    globals.set("redis", redis)?;
    globals.set("cjson", cjson)?;
    globals.set("KEYS", lua.create_table()?)?;
    globals.set("ARGV", lua.create_table()?)?;
    // As Redis does: a name that nobody declared is a mistake.
    lua.load(
        "setmetatable(_G, {
           __index = function(_, name) error('nonexistent global variable ' .. tostring(name), 2) end,
           __newindex = function(_, name) error('global variable ' .. tostring(name), 2) end })",
    )
    .exec()?;
    Ok(lua)
}

fn ask(lua: &Lua, words: MultiValue, raise: bool) -> mlua::Result<Word> {
    let mut command = Vec::with_capacity(words.len());
    for word in &words {
        command.push(match word {
            Word::String(text) => text.as_bytes().to_vec(),
            Word::Integer(n) => n.to_string().into_bytes(),
            Word::Number(n) if n.fract() == 0.0 && n.abs() < 1e17 => format!("{n:.0}").into_bytes(),
            other => {
                let kind = other.type_name();
                return Err(mlua::Error::runtime(format!(
                    "Lua redis lib command arguments must be strings or integers, not {kind}"
                )));
            }
        });
    }
    let answer = STORE.with(|store| store.borrow_mut().command(&command));
    match answer {
        Ok(value) => word_of(lua, &value),
        Err(text) if raise => Err(mlua::Error::runtime(text)),
        Err(text) => {
            let table = lua.create_table()?;
            table.set("err", text)?;
            Ok(Word::Table(table))
        }
    }
}

/// A command's answer as a script sees it.
fn word_of(lua: &Lua, value: &Value) -> mlua::Result<Word> {
    Ok(match value {
        Value::Nil => Word::Boolean(false),
        Value::Int(n) => Word::Number(*n as f64),
        Value::BulkString(bytes) => Word::String(lua.create_string(bytes)?),
        Value::Okay => status(lua, "OK")?,
        Value::SimpleString(text) => status(lua, text)?,
        Value::Array(values) => {
            let table = lua.create_table_with_capacity(values.len(), 0)?;
            for (at, value) in values.iter().enumerate() {
                table.raw_set(at + 1, word_of(lua, value)?)?;
            }
            Word::Table(table)
        }
        other => return Err(mlua::Error::runtime(format!("no such answer: {other:?}"))),
    })
}

fn status(lua: &Lua, text: &str) -> mlua::Result<Word> {
    let table = lua.create_table()?;
    table.set("ok", text)?;
    Ok(Word::Table(table))
}

/// What a script returns as its caller sees it: a list ends at its first nil, numbers are cut.
fn answer_of(word: &Word) -> mlua::Result<Answer> {
    Ok(Ok(match word {
        Word::Nil | Word::Boolean(false) => Value::Nil,
        Word::Boolean(true) => Value::Int(1),
        Word::Integer(n) => Value::Int(*n),
        Word::Number(n) => Value::Int(*n as i64),
        Word::String(text) => Value::BulkString(text.as_bytes().to_vec()),
        Word::Table(table) => {
            if let Ok(text) = table.raw_get::<mlua::LuaString>("err") {
                return Ok(Err(text.to_string_lossy().clone()));
            }
            if let Ok(text) = table.raw_get::<mlua::LuaString>("ok") {
                return Ok(Ok(Value::SimpleString(text.to_string_lossy().clone())));
            }
            let mut values = Vec::new();
            for at in 1.. {
                let word = table.raw_get::<Word>(at)?;
                if word.is_nil() {
                    break;
                }
                match answer_of(&word)? {
                    Ok(value) => values.push(value),
                    Err(text) => return Ok(Err(text)),
                }
            }
            Value::Array(values)
        }
        other => {
            return Err(mlua::Error::runtime(format!(
                "a script returned a {}",
                other.type_name()
            )));
        }
    }))
}

fn decode(lua: &Lua, text: mlua::LuaString) -> mlua::Result<Word> {
    let value: serde_json::Value =
        serde_json::from_slice(&text.as_bytes()).map_err(mlua::Error::external)?;
    json(lua, &value)
}

fn json(lua: &Lua, value: &serde_json::Value) -> mlua::Result<Word> {
    use serde_json::Value as Json;
    Ok(match value {
        Json::Null => Word::NULL,
        Json::Bool(b) => Word::Boolean(*b),
        Json::Number(n) => Word::Number(n.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Word::String(lua.create_string(text)?),
        Json::Array(values) => {
            let table = lua.create_table()?;
            for (at, value) in values.iter().enumerate() {
                table.raw_set(at + 1, json(lua, value)?)?;
            }
            Word::Table(table)
        }
        Json::Object(map) => {
            let table = lua.create_table()?;
            for (name, value) in map {
                table.raw_set(name.as_str(), json(lua, value)?)?;
            }
            Word::Table(table)
        }
    })
}
