//! Backups of real databases: the copy holds what the database held, a restore proves it, and whatever goes wrong leaves
//! the earlier ones as they were.

use super::outside::{carry_out, open, worker};
use super::*;
use guard::outside::{Credential, Database, Outside, Reach, Source};
use protocol::postgres::Address;
use std::os::unix::fs::PermissionsExt;
use tests::postgres::{self, PASSWORD};

/// A source with a folder for its backups.
struct Place {
    folder: TempDir,
    outside: Outside,
    owner: Owner,
}

impl Place {
    fn new(database: impl FnOnce(&Path) -> Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = database(folder.path());
        for name in ["backups", "scratch"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let owner = worker(folder.path());
        let source = Source {
            database,
            write: false,
            backups: Some(folder.path().join("backups")),
        };
        Self {
            outside: Outside {
                sources: [("shop".to_owned(), source)].into(),
                ..Outside::default()
            },
            folder,
            owner,
        }
    }

    async fn run(&self, operation: Operation) -> Outcome {
        let mut reach = self.outside.reach(&operation).unwrap();
        if let Reach::Kept { scratch, .. } = &mut reach {
            *scratch = Some(self.folder.path().join("scratch"));
        }
        let mut executor = open(reach, self.owner).await;
        let outcome = carry_out(&mut executor, operation, &self.outside).await;
        executor.stop().await;
        outcome
    }

    async fn back_up(&self, key: &str) -> Outcome {
        self.run(Operation::BackupDatabase {
            source: "shop".to_owned(),
            key: key.to_owned(),
        })
        .await
    }

    async fn try_it(&self, file: Option<&str>) -> Outcome {
        self.run(Operation::TryBackup {
            source: "shop".to_owned(),
            file: file.map(str::to_owned),
        })
        .await
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("backups")).unwrap();
        let mut names: Vec<String> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

fn sqlite(file: &Path, sql: &str) {
    let done = Command::new("python3")
        .args(["-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()"])
        .arg(file)
        .arg(sql)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

const SHOP: &str = "PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, price REAL, note TEXT); \
    CREATE INDEX by_price ON orders (price); INSERT INTO orders VALUES (1, 0.5, 'a'), (2, NULL, ''), (3, 7, 'c'); CREATE TABLE empty (x)";

#[tokio::test]
async fn an_sqlite_file_is_copied_and_the_copy_tried() {
    if !can_sandbox() {
        return;
    }
    let place = Place::new(|folder| {
        let file = folder.join("shop.db");
        sqlite(&file, SHOP);
        Database::Sqlite { file }
    });
    let file = place.folder.path().join("shop.db");
    let made = place.back_up("0123456789abcdef").await;
    assert!(!made.is_error, "{}", made.text);
    assert_eq!(
        (
            &made.data["rows"],
            &made.data["before"],
            &made.data["objects"]["indexes"]
        ),
        (&3.into(), &false.into(), &1.into())
    );
    let name = made.data["file"].as_str().unwrap().to_owned();
    assert!(
        name.starts_with("shop-20") && name.ends_with("-0123456789ab.db"),
        "{name}"
    );
    assert_eq!(place.files(), [name.clone(), format!("{name}.json")]);
    let path = place.folder.path().join("backups").join(&name);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A new holder of the same call makes no second one.
    let again = place.back_up("0123456789abcdef").await;
    assert_eq!(
        (&again.data["before"], &again.data["sha256"]),
        (&true.into(), &made.data["sha256"])
    );
    assert_eq!(place.files().len(), 2);
    // The database goes on; the backup is of its moment.
    sqlite(&file, "DELETE FROM orders WHERE id = 1");
    let tried = place.try_it(None).await;
    assert!(!tried.is_error, "{}", tried.text);
    assert_eq!(
        (&tried.data["tables"], &tried.data["differences"]),
        (&made.data["tables"], &serde_json::json!([]))
    );
    assert_eq!(tried.data["as_written"], true);
    let second = place.back_up("ffff").await;
    assert_eq!(second.data["rows"], 2);
    assert_eq!(place.try_it(None).await.data["kept"], 2);
    // A copy that somebody changed is told: another row, and half of it.
    let restored = |text: &str| sqlite(&path, text);
    restored("UPDATE orders SET price = 8 WHERE id = 3");
    let changed = place.try_it(Some(&name)).await;
    assert_eq!(
        changed.data["differences"],
        serde_json::json!(["orders has as many rows as its copy, and other values in them"])
    );
    assert_eq!(changed.data["as_written"], false);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 3]).unwrap();
    let cut = place.try_it(Some(&name)).await;
    assert!(
        cut.is_error && cut.text.contains(&format!("{name} does not restore")),
        "{}",
        cut.text
    );
    let none = place.try_it(Some("shop-1.db")).await;
    assert!(
        none.is_error && none.text.contains("there is no backup shop-1.db"),
        "{}",
        none.text
    );
}

#[tokio::test]
async fn what_goes_wrong_leaves_the_earlier_backups() {
    if !can_sandbox() {
        return;
    }
    let place = Place::new(|folder| {
        let file = folder.join("shop.db");
        sqlite(&file, SHOP);
        Database::Sqlite { file }
    });
    let file = place.folder.path().join("shop.db");
    assert!(!place.back_up("aa").await.is_error);
    let before = place.files();
    // Whoever wrote one was killed in the middle.
    let backups = place.folder.path().join("backups");
    std::fs::create_dir(backups.join(".unfinished-dead")).unwrap();
    std::fs::write(backups.join(".unfinished-dead/lock"), "").unwrap();
    std::fs::write(backups.join(".unfinished-dead/copy"), "half").unwrap();
    worker(&backups.join(".unfinished-dead"));
    worker(&backups);
    std::fs::write(&file, "this is no database, and never was one").unwrap();
    let failed = place.back_up("bb").await;
    assert!(
        failed.is_error
            && failed
                .text
                .contains("no backup of shop was made, the earlier ones are untouched"),
        "{}",
        failed.text
    );
    assert_eq!(place.files(), before);
    assert!(!place.try_it(None).await.is_error);
    // A folder that is not theirs.
    std::fs::set_permissions(&backups, std::fs::Permissions::from_mode(0o555)).unwrap();
    sqlite(&file.with_file_name("other.db"), SHOP);
    std::fs::rename(file.with_file_name("other.db"), &file).unwrap();
    worker(place.folder.path());
    let refused = place.back_up("cc").await;
    assert!(
        refused.is_error && refused.text.contains("cannot be written by the user"),
        "{}",
        refused.text
    );
    let mut without = place.outside.clone();
    without.sources.get_mut("shop").unwrap().backups = None;
    let asked = Operation::TryBackup {
        source: "shop.db".to_owned(),
        file: None,
    };
    let why = without.reach(&asked).unwrap_err();
    assert!(
        why.contains("`shop.db` has no folder for backups: write `backups: /srv/backups`"),
        "{why}"
    );
    assert!(
        place.outside.reach(&asked).is_ok(),
        "a file is known by its own name"
    );
}

/// Everything that a dump may stumble over, and what makes a row look like another.
const BOOKS: &str = r#"
    CREATE ROLE accountant; CREATE SCHEMA "Odd ""name"; CREATE EXTENSION IF NOT EXISTS plpgsql;
    CREATE TABLE books (id serial PRIMARY KEY, title text NOT NULL, price money, at timestamptz, raw bytea, tags text[], doc jsonb, ai_infra text);
    INSERT INTO books (title, price, at, raw, tags, doc) SELECT 'Book ' || n, n, timestamptz '2026-01-01' + n * interval '1 hour', decode(md5(n::text), 'hex'), ARRAY['a', n::text], jsonb_build_object('n', n) FROM generate_series(1, 3000) n;
    CREATE TABLE "Odd ""name"."a table" (x float8); INSERT INTO "Odd ""name"."a table" VALUES (0.1), ('NaN'), ('-0'), (NULL), (1e300), (0.1);
    CREATE TABLE parts (id int, kind text) PARTITION BY LIST (kind); CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a'); INSERT INTO parts VALUES (1, 'a');
    CREATE VIEW cheap AS SELECT * FROM books WHERE id < 10; CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM books;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER t BEFORE INSERT ON books FOR EACH ROW EXECUTE FUNCTION f();
    ALTER TABLE books OWNER TO accountant; CREATE INDEX by_title ON books (title); CREATE UNLOGGED TABLE quick (x int);
    ALTER TABLE books ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON books TO accountant USING (id > 5)
"#;

fn server(database: &postgres::Database, user: &str, password: &str) -> Database {
    let (address, _) = Address::parse(&database.url(user)).unwrap();
    Database::Postgres {
        address,
        password: Some(Credential::new(password)),
    }
}

#[tokio::test]
async fn a_postgres_database_is_dumped_and_restored_in_a_throwaway_cluster() {
    let Some(database) = can_sandbox().then(postgres::database).flatten() else {
        return;
    };
    database.sql(BOOKS);
    let place = Place::new(|_| server(&database, "writer", PASSWORD));
    let made = place.back_up("aaaa").await;
    assert!(!made.is_error, "{}", made.text);
    let rows: Vec<String> = made.data["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| format!("{} {}", t["name"].as_str().unwrap(), t["rows"]))
        .collect();
    assert_eq!(
        rows,
        ["Odd \"name.a table 6", "books 3000", "parts_a 1", "quick 0"]
    );
    let objects = &made.data["objects"];
    for (kind, count) in [
        ("views", 1),
        ("materialized views", 1),
        ("functions", 1),
        ("triggers", 1),
        ("sequences", 1),
        ("indexes", 2),
        ("partitioned tables", 1),
    ] {
        assert_eq!(objects[kind], count, "{kind}: {objects}");
    }
    let name = made.data["file"].as_str().unwrap().to_owned();
    database.sql("DELETE FROM books WHERE id = 1");
    let tried = place.try_it(Some(&name)).await;
    assert!(!tried.is_error, "{}", tried.text);
    assert_eq!(
        (&tried.data["tables"], &tried.data["objects"]),
        (&made.data["tables"], &made.data["objects"])
    );
    assert_eq!(tried.data["differences"], serde_json::json!([]));
    assert_eq!(
        std::fs::read_dir(place.folder.path().join("scratch"))
            .unwrap()
            .count(),
        0,
        "nothing is left of the throwaway"
    );
    // A value that differs in one row of many is seen.
    database.sql("UPDATE books SET price = '7.01' WHERE id = 7");
    let second = place.back_up("bbbb").await;
    assert!(!second.is_error, "{}", second.text);
    let table = |data: &serde_json::Value, at: usize| data["tables"][at]["digest"].clone();
    assert_ne!(table(&made.data, 1), table(&second.data, 1));
    assert_eq!(table(&made.data, 0), table(&second.data, 0));
    let whole = std::fs::read(place.folder.path().join("backups").join(&name)).unwrap();
    std::fs::write(
        place.folder.path().join("backups").join(&name),
        &whole[..whole.len() - 3000],
    )
    .unwrap();
    let cut = place.try_it(Some(&name)).await;
    assert!(
        cut.is_error && cut.text.contains("does not restore"),
        "{}",
        cut.text
    );
    let all = place.files();
    database.sql(&format!("CREATE ROLE poor LOGIN PASSWORD '{PASSWORD}'"));
    for (user, password, words) in [
        ("writer", "wrong", "the password is wrong"),
        ("poor", PASSWORD, "permission denied"),
        ("nobody", PASSWORD, "password"),
    ] {
        let mut wrong = Place::new(|_| server(&database, user, password));
        wrong.outside.sources.get_mut("shop").unwrap().backups =
            place.outside.sources["shop"].backups.clone();
        let failed = wrong.back_up("cccc").await;
        assert!(
            failed.is_error && failed.text.contains(words),
            "{user}: {}",
            failed.text
        );
        assert!(
            failed.text.contains("the earlier ones are untouched")
                && !failed.text.contains(PASSWORD),
            "{}",
            failed.text
        );
        assert_eq!(place.files(), all, "{user}");
    }
}
