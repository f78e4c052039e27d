//! The Lua scripts, compiled in. Each is the prelude and one file of `scripts/`; what it takes and
//! answers is written at its top.

use redis::Script;
use std::sync::LazyLock;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        /// Every script and its text.
        #[cfg(debug_assertions)]
        pub(crate) fn all() -> Vec<(&'static Script, String)> {
            vec![$((
                &*$name,
                concat!(
                    include_str!("scripts/prelude.lua"),
                    include_str!(concat!("scripts/", $file, ".lua"))
                ).to_owned(),
            )),*]
        }
        $($(#[$doc])*
        pub static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(
                include_str!("scripts/prelude.lua"),
                include_str!(concat!("scripts/", $file, ".lua"))
            ))
        });)*

        /// Every script: its name and its text.
        #[cfg(feature = "model")]
        pub fn sources() -> Vec<(&'static str, &'static str)> {
            vec![$((
                $file,
                concat!(
                    include_str!("scripts/prelude.lua"),
                    include_str!(concat!("scripts/", $file, ".lua"))
                )
            )),*]
        }
    };
}

scripts! {
    /// A connection was made.
    ARRIVE = "arrive";
    /// A sign that somebody is there.
    BEAT = "beat";
    /// Queue a task once.
    SUBMIT = "submit";
    /// Become a holder.
    CLAIM = "claim";
    /// Freeze the team, pause roles, or let go of them.
    BRAKES = "brakes";
    /// Stay the holder.
    RENEW = "renew";
    /// Let go of a task.
    GIVE_BACK = "give_back";
    /// Free what a dead process held.
    RELEASE = "release";
    /// A fenced write to a stream.
    APPEND = "append";
    /// End a task.
    FINISH = "finish";
    /// Let a task wait.
    PARK = "park";
    /// Put a task that waited back into its queue.
    RESUME = "resume";
    /// Give a claimed task up for dead.
    BURY = "bury";
    /// Take an unreadable entry out of a stream.
    REFUSE = "refuse";
    /// Stop a task.
    CANCEL = "cancel";
    /// Let a folded task expire.
    FORGET = "forget";
    /// Take money before a call.
    RESERVE = "reserve";
    /// Put the real price in place of the reservation.
    SETTLE = "settle";
    /// A sign of life.
    ANNOUNCE = "announce";
    /// Who is alive.
    PRESENT = "present";
    /// What waits.
    WAITING = "waiting";
    /// The newest dead letters.
    DEAD_LIST = "dead_list";
}
