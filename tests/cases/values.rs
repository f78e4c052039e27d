//! Values of several lines, planted among decoys that only look like them: a file, an SQLite database and a PostgreSQL
//! table tell the same rows, the same counts, each value on one line and no two alike.

use crate::databases::Stage;
use std::process::Command;

/// Two texts of two lines; the same words with a space, and with a backslash and an n; nothing; one word.
const CSV: &str =
    "id,note\n1,\"two\nlines\"\n2,\"two\nlines\"\n3,two lines\n4,two\\nlines\n5,\n6,one\n";
const ROWS: &str = "(1, 'two' || chr(10) || 'lines'), (2, 'two' || chr(10) || 'lines'), (3, 'two lines'), \
                    (4, 'two\\nlines'), (5, NULL), (6, 'one')";

#[test]
fn values_of_several_lines_garble_nothing() {
    let Some(stage) = Stage::new() else { return };
    let here = |name: &str| stage.workspace.join(name);
    stage.database.sql(&format!("CREATE TABLE notes (id int, note text); INSERT INTO notes VALUES {ROWS}; GRANT SELECT ON notes TO reader, writer"));
    std::fs::write(here("notes.csv"), CSV).expect("a file");
    std::fs::write(
        here("later.csv"),
        CSV.replacen("two\nlines", "two\nlives", 1),
    )
    .expect("a file");
    let sqlite = format!(
        "import sqlite3; c = sqlite3.connect({:?}); c.execute('create table notes (id integer, note text)'); c.execute({:?}); c.commit()",
        here("notes.db").display().to_string(),
        format!(
            "insert into notes values {}",
            ROWS.replace("chr(10)", "char(10)")
        ),
    );
    let made = Command::new("python3").args(["-c", &sqlite]).status();
    assert!(made.expect("python3 is installed").success());
    stage.team.up();
    let told = |request: &str| {
        let (code, document) = stage.team.run(&stage.workspace, request);
        assert_eq!(code, 0, "{request}: {document:#}");
        document["result"].as_str().expect("a result").to_owned()
    };
    let note = "\n- note: text, 1 empty (17 %), 4 distinct values, from one to two\\nlines; most often \"two\\nlines\" (2)\n";
    for request in [
        "profile notes.csv",
        "profile the database notes.db",
        "profile the table notes in the database shop",
    ] {
        let said = told(request);
        assert!(
            said.contains("holds 6 rows in 2 columns."),
            "{request}: {said}"
        );
        assert!(
            said.contains(note),
            "{request}: `{note}` is not in:\n{said}"
        );
        assert!(said.contains("- Could be a key: id"), "{request}: {said}");
    }
    let said = told("compare notes.csv with later.csv by id");
    let changed = "- note: 1 value: 1 \"two\\nlines\" → \"two\\nlives\"";
    assert!(said.contains(changed), "`{changed}` is not in:\n{said}");
    let said = told("compare notes.csv with shop:notes");
    assert!(said.contains("hold the same 6 rows"), "{said}");
    stage.team.down();
}
