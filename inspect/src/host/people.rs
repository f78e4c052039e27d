//! Names of users, from `/etc/passwd`.

use std::collections::HashMap;

use super::tree::Tree;

/// Users by number.
#[derive(Debug, Default)]
pub struct People(HashMap<u32, String>);

impl People {
    /// Reads them.
    pub fn read(tree: &Tree) -> People {
        let text = tree.text("/etc/passwd").unwrap_or_default();
        let one = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            (!name.is_empty()).then(|| (uid, name.to_owned()))
        };
        let mut people = HashMap::new();
        for (uid, name) in text.lines().filter_map(one) {
            people.entry(uid).or_insert(name);
        }
        People(people)
    }

    /// A user's name, else the number.
    pub fn name(&self, uid: u32) -> String {
        self.0.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}
