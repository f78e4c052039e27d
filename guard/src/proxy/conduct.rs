//! What a proxy may tell of its connections, and in which order. It is a process that hostile programs talk to: one that
//! says more than it can have done is no longer the proxy that was started, and is ended. Pure.

use super::Connection;
use super::fetch::REDIRECTS;
use super::serve::MOST;
use super::told::Stage;
use std::collections::{BTreeMap, BTreeSet};

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Conduct {
    open: BTreeMap<u64, (usize, Connection)>,
    over: BTreeSet<u64>,
}

impl Conduct {
    /// Takes what is told.
    ///
    /// # Errors
    /// A sentence: no proxy of ours says this.
    pub(super) fn hears(
        &mut self,
        number: u64,
        stage: Stage,
        connection: &Connection,
    ) -> Result<(), &'static str> {
        if !(1..=MOST).contains(&number) {
            return Err("it tells of a connection that no task has");
        }
        if self.over.contains(&number) {
            return Err("it tells of a connection that is over");
        }
        match stage {
            Stage::Begins => {
                let (times, kept) = self.open.entry(number).or_default();
                *times += 1;
                *kept = connection.clone();
                // The place that was asked for, and one for each redirect.
                match *times <= REDIRECTS + 1 {
                    true => return Ok(()),
                    false => return Err("it begins a connection more often than one can be"),
                }
            }
            Stage::Ended if !self.open.contains_key(&number) => {
                return Err("it ends a connection that never began");
            }
            // One whose first line came too late was not made.
            Stage::Ended | Stage::Refused => {}
        }
        self.open.remove(&number);
        self.over.insert(number);
        Ok(())
    }

    /// Those that began and did not end, once it is gone.
    pub(super) fn left(self) -> impl Iterator<Item = (u64, Connection)> {
        let open = self.open.into_iter();
        open.map(|(number, (_, connection))| (number, connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(told: &[(u64, Stage)], expected: Result<&[u64], &str>) {
        let mut conduct = Conduct::default();
        let heard = told
            .iter()
            .try_for_each(|(number, stage)| conduct.hears(*number, *stage, &Connection::default()));
        match expected {
            Ok(left) => {
                assert_eq!(heard, Ok(()), "{told:?}");
                let open: Vec<u64> = conduct.left().map(|(number, _)| number).collect();
                assert_eq!(open, left, "{told:?}");
            }
            Err(part) => assert!(
                heard.is_err_and(|why| why.contains(part)),
                "{told:?}: {heard:?}"
            ),
        }
    }

    #[test]
    fn a_connection_begins_goes_on_and_ends_once() {
        use Stage::{Begins, Ended, Refused};
        check(&[(1, Begins), (2, Refused), (1, Ended)], Ok(&[]));
        check(&[(1, Begins), (1, Begins), (3, Begins)], Ok(&[1, 3]));
        check(&[(1, Begins), (1, Refused)], Ok(&[]));
        check(&[(1, Ended)], Err("never began"));
        check(&[(1, Begins), (1, Ended), (1, Ended)], Err("over"));
        check(&[(1, Refused), (1, Begins)], Err("over"));
        check(&[(0, Begins)], Err("no task has"));
        check(&[(MOST, Begins)], Ok(&[MOST]));
        check(&[(MOST + 1, Begins)], Err("no task has"));
        check(&[(1, Begins); REDIRECTS + 1], Ok(&[1]));
        check(&[(1, Begins); REDIRECTS + 2], Err("more often"));
    }
}
