//! Every row of every table as JSON, in one snapshot, and back: what a backup is made of. The form is the same for both databases:
//! bytes are `\x` and hexadecimal digits, as PostgreSQL writes them. Which tables and columns there are is asked of the database
//! itself, so that no table can be forgotten here.
//!
//! `sql_query` throughout: the query builder knows tables by type, and these are known by name only. Names come from the
//! database's own catalog, never from a file.

use diesel::{
    RunQueryDsl, sql_query,
    sql_types::{BigInt, Text},
};

use super::{Access, Conn, DatabaseUrl, Error, Tx, conn::on_backend};

/// Tables that hold what lives for minutes. It is not kept: nobody goes on with half a visit after a restore, and a right that was
/// used since must not come back.
const PASSING: [&str; 7] = ["visits", "codes", "challenges", "activation_files", "sessions", "gate_changes", "gate_tickets"];
/// Tables that triggers write. What is in them follows from the others, and comes back with them.
const DERIVED: [&str; 3] = ["device_tallies", "device_finder", "user_finder"];
/// Rows that are read at once.
const PAGE: i64 = 200;

/// What a column's values look like in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `\x` and hexadecimal digits.
    Bytes,
    /// `true` or `false`.
    Boolean,
    /// As it is.
    Plain,
}

/// One column.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    form: Form,
}

/// One table, as the database describes it.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    columns: Vec<Column>,
}

impl Table {
    /// The names of its columns.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
}

#[derive(diesel::QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    column_type: String,
}

#[derive(diesel::QueryableByName)]
struct Reference {
    #[diesel(sql_type = Text)]
    child: String,
    #[diesel(sql_type = Text)]
    parent: String,
}

#[derive(diesel::QueryableByName)]
struct Placed {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = Text)]
    content: String,
}

/// Runs queries that all see the database as it was at one instant. Nobody who writes has to wait.
///
/// # Errors
/// Those of the closure, and those of the database.
pub fn snapshot<T, E: From<Error>>(url: &DatabaseUrl, f: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
    let mut conn = Conn::open(url, Access::Read)?;
    conn.run(match conn {
        Conn::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL bytea_output = 'hex'",
        Conn::Sqlite(_) => "BEGIN",
    })?;
    let result = f(&mut conn);
    conn.run("ROLLBACK")?;
    result
}

/// The tables, each after those that it refers to.
///
/// # Errors
/// Those of the database.
pub fn tables(conn: &mut Conn) -> Result<Vec<Table>, Error> {
    let sql = match conn {
        Conn::Sqlite(_) => {
            "SELECT t.name AS table_name, c.name AS column_name, c.type AS column_type \
             FROM sqlite_schema AS t, pragma_table_info(t.name) AS c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND t.name <> '__diesel_schema_migrations' \
             ORDER BY t.name, c.cid"
        }
        Conn::Postgres(_) => {
            "SELECT CAST(c.table_name AS TEXT) AS table_name, CAST(c.column_name AS TEXT) AS column_name, \
             CAST(c.data_type AS TEXT) AS column_type FROM information_schema.columns AS c \
             JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
             WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> '__diesel_schema_migrations' \
             ORDER BY c.table_name, c.ordinal_position"
        }
    };
    let rows: Vec<ColumnRow> = on_backend!(&mut *conn, |c| sql_query(sql).load(c))?;
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let form = match row.column_type.to_ascii_lowercase().as_str() {
            "blob" | "bytea" => Form::Bytes,
            "boolean" => Form::Boolean,
            _ => Form::Plain,
        };
        let column = Column { name: row.column_name, form };
        match tables.last_mut().filter(|table| table.name == row.table_name) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { name: row.table_name, columns: vec![column] }),
        }
    }
    parents_first(tables, &references(conn)?)
}

fn references(conn: &mut Conn) -> Result<Vec<Reference>, Error> {
    let sql = match conn {
        Conn::Sqlite(_) => {
            "SELECT t.name AS child, k.\"table\" AS parent FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS k \
             WHERE t.type = 'table'"
        }
        Conn::Postgres(_) => {
            "SELECT CAST(child.relname AS TEXT) AS child, CAST(parent.relname AS TEXT) AS parent FROM pg_constraint AS k \
             JOIN pg_class AS child ON child.oid = k.conrelid JOIN pg_class AS parent ON parent.oid = k.confrelid \
             WHERE k.contype = 'f' AND child.relnamespace = current_schema()::regnamespace"
        }
    };
    Ok(on_backend!(conn, |c| sql_query(sql).load(c))?)
}

fn parents_first(mut waiting: Vec<Table>, references: &[Reference]) -> Result<Vec<Table>, Error> {
    let mut placed: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let (ready, rest): (Vec<Table>, Vec<Table>) = waiting.iter().cloned().partition(|table| {
            let is_waiting = |name: &str| name != table.name && waiting.iter().any(|other| other.name == name);
            !references.iter().any(|reference| reference.child == table.name && is_waiting(&reference.parent))
        });
        if ready.is_empty() {
            return Err(Error::Corrupt("tables refer to each other in a circle".into()));
        }
        placed.extend(ready);
        waiting = rest;
    }
    Ok(placed)
}

/// Whether a table's rows belong into a backup.
#[must_use]
pub fn is_kept(table: &Table) -> bool {
    !PASSING.contains(&table.name.as_str()) && !is_derived(table)
}

/// Whether triggers write the table from what others hold.
#[must_use]
pub fn is_derived(table: &Table) -> bool {
    DERIVED.contains(&table.name.as_str())
}

/// Gives the rows of a table to the closure, some at a time, as a JSON list with how many there are.
///
/// # Errors
/// Those of the closure, and those of the database.
pub fn export<E: From<Error>>(conn: &mut Conn, table: &Table, mut page: impl FnMut(&str, usize) -> Result<(), E>) -> Result<(), E> {
    if let Conn::Postgres(_) = conn {
        let columns = quoted_columns(&table.columns);
        let name = quoted(&table.name);
        conn.run(&format!(
            "DECLARE exported NO SCROLL CURSOR FOR SELECT CAST(0 AS BIGINT) AS place, CAST(row_to_json(t) AS TEXT) AS content \
             FROM (SELECT {columns} FROM {name}) AS t"
        ))?;
    }
    let mut after = i64::MIN;
    loop {
        let rows = next_page(conn, table, after)?;
        let Some(last) = rows.last() else { break };
        after = last.place;
        let contents: Vec<&str> = rows.iter().map(|row| row.content.as_str()).collect();
        page(&format!("[{}]", contents.join(",")), rows.len())?;
    }
    if let Conn::Postgres(_) = conn {
        conn.run("CLOSE exported")?;
    }
    Ok(())
}

fn next_page(conn: &mut Conn, table: &Table, after: i64) -> Result<Vec<Placed>, Error> {
    Ok(match conn {
        Conn::Postgres(c) => sql_query(format!("FETCH FORWARD {PAGE} FROM exported")).load(c)?,
        Conn::Sqlite(c) => {
            let fields: Vec<String> =
                table.columns.iter().map(|column| format!("{}, {}", literal(&column.name), written(column))).collect();
            let (name, fields) = (quoted(&table.name), fields.join(", "));
            sql_query(format!(
                "SELECT rowid AS place, json_object({fields}) AS content FROM {name} WHERE rowid > ? ORDER BY rowid LIMIT {PAGE}"
            ))
            .bind::<BigInt, _>(after)
            .load(c)?
        }
    })
}

/// How SQLite writes a value of the column as JSON.
fn written(column: &Column) -> String {
    let name = quoted(&column.name);
    match column.form {
        Form::Plain => name,
        Form::Bytes => format!("CASE WHEN {name} IS NULL THEN NULL ELSE '\\x' || lower(hex({name})) END"),
        Form::Boolean => format!("json(CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)"),
    }
}

/// How SQLite reads a value of the column from the JSON of its row.
fn read(column: &Column) -> String {
    let value = format!("json_extract(value, {})", literal(&format!("$.\"{}\"", column.name)));
    match column.form {
        Form::Plain | Form::Boolean => value,
        Form::Bytes => format!("unhex(substr({value}, 3))"),
    }
}

/// Adds rows to a table: a JSON list of rows that have these columns. Gives how many there were.
///
/// # Errors
/// The table has no such column, or does not take a row.
pub fn import(tx: &mut Tx<'_>, table: &Table, columns: &[String], rows: &str) -> Result<usize, Error> {
    let find = |name: &String| {
        let found = table.columns.iter().find(|column| column.name == *name).cloned();
        found.ok_or_else(|| Error::Corrupt(format!("the table {} has no column {name}", table.name)))
    };
    let columns = columns.iter().map(find).collect::<Result<Vec<Column>, Error>>()?;
    let (name, names) = (quoted(&table.name), quoted_columns(&columns));
    Ok(match &mut **tx {
        Conn::Postgres(c) => sql_query(format!(
            "INSERT INTO {name} ({names}) SELECT {names} FROM json_populate_recordset(CAST(NULL AS {name}), CAST($1 AS JSON))"
        ))
        .bind::<Text, _>(rows)
        .execute(c)?,
        Conn::Sqlite(c) => {
            let values: Vec<String> = columns.iter().map(read).collect();
            sql_query(format!("INSERT INTO {name} ({names}) SELECT {} FROM json_each(?)", values.join(", ")))
                .bind::<Text, _>(rows)
                .execute(c)?
        }
    })
}

/// Removes every row of every table; triggers see to those that they write.
///
/// # Errors
/// Those of the database.
pub fn clear(tx: &mut Tx<'_>, tables: &[Table]) -> Result<(), Error> {
    tables.iter().rev().filter(|table| !is_derived(table)).try_for_each(|table| tx.run(&format!("DELETE FROM {}", quoted(&table.name))))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quoted_columns(columns: &[Column]) -> String {
    columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}
