//! The Lua scripts, compiled in. Each is the prelude and one file of `scripts/`; what it takes and
//! answers is written at its top. Each says what it does when the memory of Redis is used up, and
//! so is refused whole or carried out whole.

use redis::Script;
use std::sync::LazyLock;

/// What a script does at `maxmemory`.
macro_rules! first_line {
    // Begins something new: refused.
    (needs_room) => {
        "#!lua\n"
    };
    // Keeps, ends or frees what was begun: always taken.
    (always) => {
        "#!lua flags=allow-oom\n"
    };
    // Writes nothing.
    (reads) => {
        "#!lua flags=no-writes\n"
    };
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal, $when_full:ident;)*) => {
        /// Every script and its text.
        #[cfg(debug_assertions)]
        pub(crate) fn all() -> Vec<(&'static Script, String)> {
            vec![$((
                &*$name,
                concat!(
                    first_line!($when_full),
                    include_str!("scripts/prelude.lua"),
                    include_str!(concat!("scripts/", $file, ".lua"))
                ).to_owned(),
            )),*]
        }
        $($(#[$doc])*
        pub static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(
                first_line!($when_full),
                include_str!("scripts/prelude.lua"),
                include_str!(concat!("scripts/", $file, ".lua"))
            ))
        });)*
    };
}

scripts! {
    /// A connection was made.
    ARRIVE = "arrive", always;
    /// Compare Redis with what the ledger knows of it.
    COMPARE = "compare", always;
    /// Take Redis as it is.
    FOUND = "found", always;
    /// Every task that could be worked on.
    OPEN_TASKS = "open_tasks", reads;
    /// Take a task out, whatever its state.
    EXPEL = "expel", always;
    /// Which commands are allowed.
    EXAMINE = "examine", always;
    /// A sign that somebody is there.
    BEAT = "beat", always;
    /// Queue a task once.
    SUBMIT = "submit", needs_room;
    /// Become a holder.
    CLAIM = "claim", needs_room;
    /// Freeze the team, pause roles, or let go of them.
    BRAKES = "brakes", always;
    /// Pause one task.
    PAUSE = "pause", always;
    /// Stay the holder.
    RENEW = "renew", always;
    /// Let go of a task.
    GIVE_BACK = "give_back", always;
    /// Free what a dead process held.
    RELEASE = "release", always;
    /// A fenced write to a stream that begins something, or that may be left out.
    APPEND = "append", needs_room;
    /// A fenced write to a stream that says what has happened.
    APPEND_ALWAYS = "append", always;
    /// End a task.
    FINISH = "finish", always;
    /// Let a task wait.
    PARK = "park", always;
    /// Put a task that waited back into its queue.
    RESUME = "resume", needs_room;
    /// Give a task that waited to another role, and put it into its queue.
    HAND_OFF = "hand_off", needs_room;
    /// Say what a task is that an older supervisor sent.
    SAY_AGAIN = "say_again", always;
    /// Give a claimed task up for dead.
    BURY = "bury", always;
    /// Take an unreadable entry out of a stream.
    REFUSE = "refuse", always;
    /// Make a consumer group, unless it is there.
    MAKE_GROUP = "make_group", always;
    /// Let go of entries that were dealt with.
    DONE = "done", always;
    /// Answer a question.
    ANSWER = "answer", always;
    /// Say something to a task.
    TELL = "tell", needs_room;
    /// Stop a task.
    CANCEL = "cancel", always;
    /// Let a folded task expire.
    FORGET = "forget", always;
    /// What a month or a task has cost so far, as the ledger knows it.
    SPENT = "spent", always;
    /// Take money before a call.
    RESERVE = "reserve", needs_room;
    /// Put the real price in place of the reservation.
    SETTLE = "settle", always;
    /// A sign of life.
    ANNOUNCE = "announce", always;
    /// Who is alive.
    PRESENT = "present", reads;
    /// What waits.
    WAITING = "waiting", reads;
    /// The newest dead letters.
    DEAD_LIST = "dead_list", reads;
}
