//! A sandbox that was opened for one act does that one, once: whoever holds it cannot have another of its kind done.

use super::super::wire::{Ask, Hello};
use crate::act::Act;
use protocol::walls::Wall;

/// What it was opened for.
pub(super) struct Only {
    /// The act's digest; `None` where it is for more than one.
    digest: Option<String>,
    done: bool,
}

impl Only {
    pub(super) fn of(hello: &Hello) -> Self {
        let stands = hello.limits.faults.stands(Wall::OneAct);
        Self {
            digest: hello.only.clone().filter(|_| stands),
            done: false,
        }
    }

    /// Takes a question, where it is the one.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn takes(&mut self, ask: &Ask) -> Result<(), String> {
        let Some(digest) = &self.digest else {
            return Ok(());
        };
        let Ask::Run { operation, .. } = ask else {
            return Err("this sandbox does one act and answers nothing else".to_owned());
        };
        if Act::of(operation.clone()).digest() != *digest {
            let tool = operation.tool();
            return Err(format!(
                "this sandbox was opened for one act, and this {tool} is another"
            ));
        }
        match std::mem::replace(&mut self.done, true) {
            true => Err("what this sandbox was opened for was done in it already".to_owned()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::Operation;

    fn run(statement: &str) -> Ask {
        Ask::Run {
            operation: query(statement),
            timeout_ms: 1,
        }
    }

    fn query(statement: &str) -> Operation {
        Operation::SqlQuery {
            source: "shop".to_owned(),
            statement: statement.to_owned(),
            params: Vec::new(),
            limit: 1,
        }
    }

    #[test]
    fn one_act_is_done_once_and_no_other() {
        let mut one = Only {
            digest: Some(Act::of(query("SELECT 1")).digest()),
            done: false,
        };
        for (ask, words) in [
            (run("SELECT 2"), Some("is another")),
            (Ask::Snapshot, Some("nothing else")),
            (run("SELECT 1"), None),
            (run("SELECT 1"), Some("already")),
            (run("SELECT 2"), Some("is another")),
        ] {
            let said = one.takes(&ask).err().unwrap_or_default();
            assert!(said.contains(words.unwrap_or_default()), "{said}");
            assert_eq!(said.is_empty(), words.is_none(), "{said}");
        }
        let mut any = Only {
            digest: None,
            done: false,
        };
        assert!(any.takes(&Ask::Snapshot).is_ok());
    }
}
