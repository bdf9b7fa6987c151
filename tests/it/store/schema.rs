//! Both migrated databases have the same tables, and the program believes in the very same ones.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use enlist::{
    domain::{
        access::Decision,
        audit::ActorKind,
        backend::{Backend, ManagementMode},
        command::{CommandState, Purpose},
        compliance::Status,
        device::{EnrollmentState, Ownership, Platform},
        link::LinkEventKind,
        schedule::Every,
        user::{Role, UserState},
        webhook::DeliveryState,
    },
    store::{
        authorities::AuthorityKind,
        enrollments::Stage,
        imports::{ImportKind, ImportState, Outcome},
        mails::MailState,
    },
};

use crate::harness::database::Database;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Columns, keys and references of a database, one line each, in words that both dialects share.
pub fn dump(db: &Database) -> BTreeSet<String> {
    let queries: [&str; 4] = if db.is_postgres() { POSTGRES } else { SQLITE };
    let mut lines = BTreeSet::new();
    for query in queries {
        let found: Vec<Line> = if db.is_postgres() {
            sql_query(query).load(&mut PgConnection::establish(db.url_text()).unwrap()).unwrap()
        } else {
            sql_query(query).load(&mut SqliteConnection::establish(&db.path().display().to_string()).unwrap()).unwrap()
        };
        lines.extend(found.into_iter().map(|line| line.line).filter(|line| !line.contains("__diesel") && !line.contains("sqlite_")));
    }
    lines
}

/// Columns; unique keys; other indexes; references.
const POSTGRES: [&str; 4] = [
    "SELECT 'column ' || table_name || '.' || column_name || ' ' ||
        CASE data_type WHEN 'text' THEN 'Text' WHEN 'bytea' THEN 'Binary' WHEN 'bigint' THEN 'BigInt'
            WHEN 'integer' THEN 'Integer' WHEN 'boolean' THEN 'Bool' ELSE data_type END ||
        CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END AS line
     FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT 'unique ' || i.indrelid::regclass || ' ' ||
        (SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) AS line
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND i.indisunique",
    "SELECT 'index ' || ic.relname || ' ' || i.indrelid::regclass || ' ' ||
        (SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) ||
        CASE WHEN i.indpred IS NULL THEN '' ELSE ' partial' END AS line
     FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND NOT i.indisunique",
    "SELECT 'reference ' || conrelid::regclass || '.' || a.attname || ' ' || confrelid::regclass || ' ' ||
        CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'nothing' END AS line
     FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] WHERE contype = 'f'",
];

const SQLITE: [&str; 4] = [
    "SELECT 'column ' || t.name || '.' || c.name || ' ' ||
        CASE c.type WHEN 'TEXT' THEN 'Text' WHEN 'BLOB' THEN 'Binary' WHEN 'BIGINT' THEN 'BigInt'
            WHEN 'INTEGER' THEN 'Integer' WHEN 'BOOLEAN' THEN 'Bool' ELSE c.type END ||
        CASE c.\"notnull\" WHEN 0 THEN ' null' ELSE '' END AS line
     FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    "SELECT 'unique ' || t.name || ' ' || (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY name)) AS line
     FROM sqlite_schema t, pragma_index_list(t.name) i WHERE t.type = 'table' AND i.\"unique\" = 1
     UNION SELECT 'unique ' || t.name || ' ' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
     WHERE t.type = 'table' AND c.pk = 1 AND c.type = 'INTEGER'",
    "SELECT 'index ' || i.name || ' ' || t.name || ' ' ||
        (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY name)) ||
        CASE i.partial WHEN 1 THEN ' partial' ELSE '' END AS line
     FROM sqlite_schema t, pragma_index_list(t.name) i WHERE t.type = 'table' AND i.\"unique\" = 0",
    "SELECT 'reference ' || t.name || '.' || f.\"from\" || ' ' || f.\"table\" || ' ' ||
        CASE f.on_delete WHEN 'CASCADE' THEN 'CASCADE' WHEN 'SET NULL' THEN 'SET NULL' ELSE 'nothing' END AS line
     FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'",
];

/// The columns that the program believes in, in the same words.
fn believed() -> BTreeSet<String> {
    let mut table = String::new();
    let mut lines = BTreeSet::new();
    for line in include_str!("../../../src/store/schema.rs").lines().map(str::trim) {
        if let Some((name, kind)) = line.strip_suffix(',').and_then(|line| line.split_once(" -> ")) {
            let line = match kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>')) {
                Some(kind) => format!("column {table}.{name} {kind} null"),
                None => format!("column {table}.{name} {kind}"),
            };
            lines.insert(line);
        } else if line.ends_with(") {") {
            line.split(' ').next().unwrap().clone_into(&mut table);
        }
    }
    lines
}

/// Fails with what only one of the two has.
fn same(left: &BTreeSet<String>, right: &BTreeSet<String>) {
    let only_left: Vec<_> = left.difference(right).collect();
    let only_right: Vec<_> = right.difference(left).collect();
    assert!(only_left.is_empty() && only_right.is_empty(), "only left: {only_left:#?}\nonly right: {only_right:#?}");
}

#[test]
fn both_databases_have_the_same_tables_keys_and_references() {
    let (sqlite, postgres) = (dump(&Database::sqlite()), dump(&Database::postgres()));
    for word in ["column ", "unique ", "index ", "reference "] {
        assert!(sqlite.iter().any(|line| line.starts_with(word)), "nothing was found for {word}");
    }
    same(&sqlite, &postgres);
}

#[test]
fn the_program_believes_in_the_tables_that_are_there() {
    let columns: BTreeSet<String> = dump(&Database::sqlite()).into_iter().filter(|line| line.starts_with("column ")).collect();
    same(&believed(), &columns);
}

#[test]
fn every_reference_says_what_happens_when_its_target_goes() {
    let silent: Vec<_> = dump(&Database::sqlite()).into_iter().filter(|line| line.ends_with(" nothing")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// The words that a column accepts, from the steps of one dialect; the last step that names a column counts.
fn accepted(dialect: &str) -> BTreeMap<String, Vec<String>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
    let mut steps: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("up.sql")).collect();
    steps.sort();
    let mut found = BTreeMap::new();
    for step in steps {
        let mut table = String::new();
        for line in std::fs::read_to_string(step).unwrap().lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("CREATE TABLE ").or_else(|| line.strip_prefix("ALTER TABLE ")) {
                rest.split([' ', '(']).next().unwrap().clone_into(&mut table);
            }
            if let Some((_, check)) = line.split_once("CHECK (")
                && let Some((column, words)) = check.split_once(" IN (")
            {
                let words = words.split(')').next().unwrap().split(',').map(|word| word.trim().trim_matches('\'').to_owned()).collect();
                found.insert(format!("{table}.{column}"), words);
            }
        }
    }
    found
}

#[test]
fn every_column_of_words_accepts_exactly_the_words_of_the_program() {
    macro_rules! words { ($($kind:ty),+) => { [$(<$kind>::ALL.iter().map(|word| word.as_str().to_owned()).collect::<BTreeSet<_>>()),+] } }
    let known: Vec<BTreeSet<String>> = words!(
        AuthorityKind,
        ActorKind,
        Role,
        UserState,
        Platform,
        Ownership,
        EnrollmentState,
        Status,
        Decision,
        Stage,
        Purpose,
        CommandState,
        MailState,
        DeliveryState,
        ImportKind,
        ImportState,
        Backend,
        ManagementMode,
        Every,
        LinkEventKind,
        Outcome
    )
    .into();
    let (sqlite, postgres) = (accepted("sqlite"), accepted("postgres"));
    assert_eq!(sqlite, postgres);
    assert!(sqlite.len() > 10);
    for (column, words) in sqlite {
        let words: BTreeSet<String> = words.into_iter().collect();
        assert!(known.contains(&words), "{column} accepts {words:?}, which are the words of no type");
    }
}
