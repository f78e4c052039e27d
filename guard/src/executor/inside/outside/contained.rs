//! What a statement for an SQLite file may be: one, on that file alone, inside the transaction that somebody else began and
//! ends. SQLite asks about each thing that a statement is compiled to; what the statement names is found by no reader of
//! its text.

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Error};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The table with the keys of changes that were made.
pub(super) const CALLS: &str = "ai_infra_calls";

/// Pragmas that only tell, some with the name of a table as their value.
const TELL_OF: [&str; 10] = [
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];
/// Pragmas that tell where no value is given, and set something where one is.
const TELL: [&str; 15] = [
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "journal_mode",
    "page_count",
    "page_size",
    "pragma_list",
    "schema_version",
    "user_version",
];

/// What a statement was found to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Tables that it puts new rows in, by itself or through triggers and references.
    pub inserts: BTreeSet<String>,
    /// Tables whose rows it changes likewise.
    pub updates: BTreeSet<String>,
    /// Tables that it takes rows from likewise.
    pub deletes: BTreeSet<String>,
    /// It changes what tables, indexes, views or triggers there are.
    pub shape: bool,
    /// Why it is not taken.
    pub denied: Option<String>,
}

/// Who is asked while a statement is compiled and run.
pub(super) struct Contained<'c> {
    connection: &'c Connection,
    found: Arc<Mutex<Found>>,
}

/// Makes a connection one that reaches its own file alone and keeps its own structure.
pub(super) fn alone(connection: &Connection) -> Result<(), Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    Ok(())
}

impl<'c> Contained<'c> {
    /// From now on statements of this connection are the caller's.
    pub fn begin(connection: &'c Connection) -> Result<Self, Error> {
        let found = Arc::new(Mutex::new(Found::default()));
        let told = found.clone();
        connection.authorizer(Some(move |asked: AuthContext<'_>| {
            let mut found = told.lock().unwrap_or_else(PoisonError::into_inner);
            match judge(&asked.action, &mut found) {
                Ok(()) => Authorization::Allow,
                Err(why) => {
                    found.denied.get_or_insert(why);
                    Authorization::Deny
                }
            }
        }))?;
        Ok(Self { connection, found })
    }

    /// What was found so far.
    pub fn found(&self) -> Found {
        let found = self.found.lock();
        found.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Contained<'_> {
    fn drop(&mut self) {
        let nobody = None::<fn(AuthContext<'_>) -> Authorization>;
        // Whoever goes on with a connection that is asked about is refused, and says so.
        let _left_in_place = self.connection.authorizer(nobody);
    }
}

/// Whether a statement may do this, and what that is to whoever counts. Pure.
///
/// # Errors
/// Why not.
fn judge(action: &AuthAction<'_>, found: &mut Found) -> Result<(), String> {
    use AuthAction as A;
    let ours = |table: &str| table.eq_ignore_ascii_case(CALLS);
    match action {
        A::Select | A::Read { .. } | A::Recursive => {}
        A::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            return Err("it loads an extension".to_owned());
        }
        A::Function { .. } => {}
        A::Insert { table_name } | A::Delete { table_name } | A::Update { table_name, .. } => {
            if ours(table_name) {
                return Err(format!(
                    "{CALLS} says which changes were made, and is kept by ai-infra"
                ));
            }
            let tables = match action {
                A::Insert { .. } => &mut found.inserts,
                A::Delete { .. } => &mut found.deletes,
                _ => &mut found.updates,
            };
            if !table_name.to_ascii_lowercase().starts_with("sqlite_") {
                tables.insert((*table_name).to_owned());
            }
        }
        A::CreateTrigger { table_name, .. }
        | A::CreateIndex { table_name, .. }
        | A::DropTable { table_name }
        | A::AlterTable { table_name, .. }
            if ours(table_name) =>
        {
            return Err(format!("{CALLS} is kept by ai-infra"));
        }
        A::CreateIndex { .. }
        | A::CreateTable { .. }
        | A::CreateTrigger { .. }
        | A::CreateView { .. }
        | A::CreateVtable { .. }
        | A::DropIndex { .. }
        | A::DropTable { .. }
        | A::DropTrigger { .. }
        | A::DropView { .. }
        | A::DropVtable { .. }
        | A::AlterTable { .. }
        | A::Reindex { .. }
        | A::Analyze { .. } => found.shape = true,
        A::Pragma {
            pragma_name,
            pragma_value,
        } => {
            let name = pragma_name.to_ascii_lowercase();
            let tells = TELL_OF.contains(&name.as_str())
                || (pragma_value.is_none() && TELL.contains(&name.as_str()));
            if !tells {
                return Err(format!(
                    "it uses the pragma {name}, which does more than tell"
                ));
            }
        }
        A::Transaction { .. } | A::Savepoint { .. } => {
            return Err("it begins or ends a transaction".to_owned());
        }
        A::Attach { .. } | A::Detach { .. } => return Err("it attaches another file".to_owned()),
        A::CreateTempIndex { .. }
        | A::CreateTempTable { .. }
        | A::CreateTempTrigger { .. }
        | A::CreateTempView { .. }
        | A::DropTempIndex { .. }
        | A::DropTempTable { .. }
        | A::DropTempTrigger { .. }
        | A::DropTempView { .. } => {
            return Err("it makes something temporary, which ends with the call".to_owned());
        }
        _ => return Err("it does something that is not known here".to_owned()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(sql: &str, expected: Option<&str>, tables: &[&str], shape: bool) {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE log (text TEXT);
                 CREATE TABLE b (of INTEGER REFERENCES a (id) ON DELETE CASCADE); CREATE TABLE {CALLS} (key TEXT);
                 CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO log VALUES ('x'); END; PRAGMA foreign_keys = ON"
            ))
            .unwrap();
        alone(&connection).unwrap();
        let contained = Contained::begin(&connection).unwrap();
        let prepared = connection.prepare(sql).map(drop);
        let found = contained.found();
        assert_eq!(prepared.is_err(), expected.is_some(), "{sql}: {prepared:?}");
        let denied = found.denied.clone().unwrap_or_default();
        assert!(
            denied.contains(expected.unwrap_or_default()),
            "{sql}: {denied}"
        );
        if expected.is_none() {
            let named = found.inserts.union(&found.updates);
            let named: BTreeSet<&String> = named.chain(&found.deletes).collect();
            assert!(named.iter().copied().eq(tables), "{sql}: {found:?}");
            assert_eq!(found.shape, shape, "{sql}");
        }
    }

    #[test]
    fn a_statement_stays_within_its_file_and_its_transaction() {
        check("DELETE FROM a WHERE id = 1", None, &["a", "b"], false);
        check(
            "INSERT OR REPLACE INTO a VALUES (1)",
            None,
            &["a", "b", "log"],
            false,
        );
        check("SELECT * FROM a, pragma_table_info('a')", None, &[], false);
        check("PRAGMA table_info(a)", None, &[], false);
        check("PRAGMA schema_version", None, &[], false);
        check("CREATE INDEX i ON a (id)", None, &[], true);
        check("DROP TABLE log", None, &["log"], true);
        check("SELECT * FROM ai_infra_calls", None, &[], false);
        for (sql, words) in [
            ("COMMIT", "transaction"),
            ("ROLLBACK", "transaction"),
            ("SAVEPOINT s", "transaction"),
            ("ATTACH '/srv/other.db' AS o", "another file"),
            ("PRAGMA schema_version = 7", "pragma schema_version"),
            ("PRAGMA journal_mode = OFF", "pragma journal_mode"),
            ("PRAGMA writable_schema = ON", "pragma writable_schema"),
            ("PRAGMA foreign_keys = OFF", "pragma foreign_keys"),
            ("CREATE TEMP TABLE a (x)", "temporary"),
            ("CREATE TEMP VIEW v AS SELECT 1", "temporary"),
            ("DELETE FROM ai_infra_calls", "which changes were made"),
            (
                "UPDATE AI_INFRA_CALLS SET key = 'x'",
                "which changes were made",
            ),
            ("DROP TABLE ai_infra_calls", "kept by ai-infra"),
            (
                "CREATE TRIGGER u AFTER INSERT ON ai_infra_calls BEGIN DELETE FROM a; END",
                "kept by ai-infra",
            ),
            (
                "CREATE TRIGGER u AFTER INSERT ON a BEGIN DELETE FROM ai_infra_calls; END",
                "",
            ),
        ] {
            match words {
                // What a trigger does is asked about when it fires.
                "" => check(sql, None, &[], true),
                words => check(sql, Some(words), &[], false),
            }
        }
    }
}
