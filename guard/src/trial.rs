//! Whether a change of a database may be tried before anybody gave leave for it: only what a rollback takes back whole.
//! A statement that calls functions may do more than change rows (end somebody's session, write a file, ask another
//! server), so it is tried only where every function it names is known to do nothing. Pure; says no in doubt.

/// First words of what may be tried.
const CHANGES: [&str; 6] = ["insert", "update", "delete", "replace", "merge", "with"];
/// Words before an opening parenthesis that call nothing.
const WORDS: [&str; 46] = [
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "by",
    "case",
    "conflict",
    "distinct",
    "else",
    "exists",
    "except",
    "filter",
    "from",
    "having",
    "in",
    "intersect",
    "into",
    "is",
    "join",
    "lateral",
    "like",
    "limit",
    "materialized",
    "not",
    "offset",
    "on",
    "or",
    "over",
    "partition",
    "returning",
    "row",
    "select",
    "set",
    "some",
    "then",
    "union",
    "using",
    "values",
    "when",
    "where",
    "with",
    "within",
    "ilike",
    "end",
];
/// Functions of both databases that compute and do nothing else, and types with a length.
const FUNCTIONS: [&str; 86] = [
    "abs",
    "array_append",
    "array_length",
    "array_remove",
    "avg",
    "bit",
    "btrim",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character",
    "coalesce",
    "concat",
    "count",
    "date",
    "date_part",
    "date_trunc",
    "datetime",
    "dec",
    "decimal",
    "extract",
    "floor",
    "format",
    "gen_random_uuid",
    "greatest",
    "group_concat",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "json_array",
    "json_build_array",
    "json_build_object",
    "json_extract",
    "json_object",
    "json_set",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_set",
    "julianday",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "make_date",
    "max",
    "md5",
    "min",
    "mod",
    "now",
    "nullif",
    "numeric",
    "octet_length",
    "position",
    "power",
    "printf",
    "random",
    "regexp_replace",
    "replace",
    "reverse",
    "right",
    "round",
    "row_number",
    "rtrim",
    "split_part",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "timestamp",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "total",
    "trim",
    "unixepoch",
    "upper",
    "varchar",
];

#[derive(Debug, PartialEq)]
enum Token {
    /// A name or a word, lower case where it is not quoted.
    Word(String),
    Quoted,
    Text,
    Other(char),
}

/// Why a statement is not tried; nothing where it may be.
///
/// # Errors
/// A sentence.
pub fn may_be_tried(statement: &str) -> Result<(), String> {
    let tokens = tokens(statement).ok_or("it is not read to its end")?;
    let word = |at: usize| match tokens.get(at) {
        Some(Token::Word(word)) => Some(word.as_str()),
        _ => None,
    };
    if !word(0).is_some_and(|first| CHANGES.contains(&first)) {
        return Err("only INSERT, UPDATE, DELETE, MERGE and REPLACE are tried".to_owned());
    }
    let end = tokens.iter().position(|one| *one == Token::Other(';'));
    if end.is_some_and(|end| end + 1 < tokens.len()) {
        return Err("it is more than one statement".to_owned());
    }
    for (at, token) in tokens.iter().enumerate() {
        let calls = tokens.get(at + 1) == Some(&Token::Other('('));
        let name = match token {
            Token::Word(name) => name.as_str(),
            Token::Quoted => "a quoted name",
            _ => continue,
        };
        if !calls || is_target(&tokens, at) {
            continue;
        }
        let qualified = at > 0 && tokens.get(at - 1) == Some(&Token::Other('.'));
        let known = WORDS.contains(&name) || FUNCTIONS.contains(&name);
        if qualified || !known {
            let name: String = name.chars().take(60).collect();
            return Err(format!(
                "it calls {name}, which may do what no rollback takes back"
            ));
        }
    }
    Ok(())
}

/// Whether a name before a parenthesis is that of a table or an alias with its columns: after INTO, AS, WITH.
fn is_target(tokens: &[Token], mut at: usize) -> bool {
    while at >= 2 && tokens.get(at - 1) == Some(&Token::Other('.')) {
        at -= 2;
    }
    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
    matches!(before, Some(Token::Word(word)) if ["into", "as", "with", "recursive"].contains(&word.as_str()))
}

/// The statement in pieces, without comments; `None` where something in it has no end, or is written in a way that is
/// not read here.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let all: Vec<char> = text.chars().collect();
    let get = |at: usize| all.get(at).copied();
    let ends = |from: usize, end: char| (from..all.len()).find(|at| get(*at) == Some(end));
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = get(at) {
        let next = get(at + 1);
        match c {
            c if c.is_whitespace() => at += 1,
            '-' if next == Some('-') => {
                let end = ends(at, '\n').unwrap_or(all.len());
                // It ends a comment for some, and not for others.
                if all.get(at..end)?.contains(&'\r') {
                    return None;
                }
                at = end;
            }
            '/' if next == Some('*') => at = comment(&all, at)?,
            '\'' => {
                // Backslashes mean something in some texts and nothing in others.
                let end = ends(at + 1, '\'')?;
                if all.get(at..end)?.contains(&'\\') {
                    return None;
                }
                tokens.push(Token::Text);
                at = end + 1;
            }
            '"' | '`' => {
                at = ends(at + 1, c)? + 1;
                tokens.push(Token::Quoted);
            }
            // Dollar quotes; a placeholder is a dollar and digits.
            '$' if !next.is_some_and(|c| c.is_ascii_digit()) => return None,
            c if c.is_alphabetic() || c == '_' => {
                let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let end = (at..all.len()).find(|at| !get(*at).is_some_and(is_part));
                let end = end.unwrap_or(all.len());
                let word: String = all.get(at..end)?.iter().collect();
                tokens.push(Token::Word(word.to_lowercase()));
                at = end;
            }
            c => {
                tokens.push(Token::Other(c));
                at += 1;
            }
        }
    }
    Some(tokens)
}

/// Behind a comment, which may hold others. A database that does not know that reads less of it as one.
fn comment(all: &[char], mut at: usize) -> Option<usize> {
    at += 2;
    loop {
        match (all.get(at)?, all.get(at + 1)?) {
            ('*', '/') => return Some(at + 2),
            ('/', '*') => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(statement: &str, expected: Option<&str>) {
        let said = may_be_tried(statement).err();
        assert_eq!(said.is_some(), expected.is_some(), "{statement}: {said:?}");
        let said = said.unwrap_or_default();
        assert!(
            said.contains(expected.unwrap_or_default()),
            "{statement}: {said}"
        );
    }

    #[test]
    fn what_only_changes_rows_is_tried() {
        for statement in [
            "DELETE FROM orders WHERE at < now() - interval '1 year'",
            "update shop.stock set n = coalesce(n, 0) + $1 where id in (select id from t)",
            "INSERT INTO public.orders (id, name) VALUES (1, 'it''s (fine)') ON CONFLICT (id) DO NOTHING",
            "insert into \"Orders\" (a) values ((1))",
            "WITH old (id) AS (SELECT id FROM t) DELETE FROM t USING old WHERE t.id = old.id;",
            "-- drop everything()\nDELETE FROM t /* f( */ WHERE x = any($1)",
            "UPDATE t SET x = v.x FROM (VALUES (1, 2)) AS v (id, x) WHERE t.id = v.id",
        ] {
            check(statement, None);
        }
    }

    #[test]
    fn what_could_do_more_is_not() {
        for (statement, words) in [
            ("SELECT pg_terminate_backend(7)", "only INSERT"),
            ("DROP TABLE t", "only INSERT"),
            (
                "DELETE FROM t WHERE pg_terminate_backend(pid)",
                "calls pg_terminate_backend",
            ),
            (
                "UPDATE t SET x = dblink_exec('…', 'DELETE FROM u')",
                "calls dblink_exec",
            ),
            (
                "DELETE FROM t WHERE \"pg_reload_conf\"()",
                "calls a quoted name",
            ),
            ("DELETE FROM t WHERE mine.lower(x) = 'a'", "calls lower"),
            (
                "DELETE FROM t WHERE lo_export /* x */ (1, '/tmp/x') = 1",
                "calls lo_export",
            ),
            (
                "DELETE FROM t WHERE x = E'\\' OR pg_sleep(9) = '",
                "its end",
            ),
            ("DELETE FROM t WHERE x = $$a$$ AND f(1)", "its end"),
            ("DELETE FROM t WHERE x = 'a", "its end"),
            ("DELETE FROM t /* /* */ WHERE f(1) */", "its end"),
            ("", "only INSERT"),
            ("DELETE FROM t; COMMIT; BEGIN", "more than one statement"),
            ("DELETE FROM t; ;", "more than one statement"),
            ("UPDATE t SET n = n --\r , m = setval('s', 1)", "its end"),
        ] {
            check(statement, Some(words));
        }
    }

    proptest! {
        #[test]
        fn a_function_nobody_knows_is_found_wherever_it_stands(
            before in "(|'[b-h( ]{0,5}' )[b-h0-9 =,.()]{0,20}", gap in "[ \n]{0,3}", after in "[a-z0-9 ',]{0,12}",
        ) {
            let statement = format!("delete from t where {before} pg_f{gap}({after})");
            prop_assert!(may_be_tried(&statement).is_err(), "{}", statement);
        }

        #[test]
        fn no_text_breaks_the_reader(text in any::<String>()) {
            let _either = may_be_tried(&text);
        }
    }
}
