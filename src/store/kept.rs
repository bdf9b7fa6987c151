//! Statements that stay prepared. The query builder prepares every `UPDATE`, every list of values and every fragment of SQL anew
//! each time it is run, because it cannot know whether there are few texts of it; for those that devices cause again and again
//! that cost more than running them.

use diesel::{
    QueryResult, RunQueryDsl,
    backend::Backend,
    expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate},
    internal::derives::multiconnection::AstPassHelper,
    query_builder::{AstPass, QueryBuilder, QueryFragment, QueryId},
    sql_types::Bool,
};

/// A statement that stays prepared. Only for statements with few texts: each text is kept as long as its connection.
#[derive(Debug)]
pub(super) struct Kept<Q>(pub Q);

impl<Q> QueryId for Kept<Q> {
    // It is recognized by its text.
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q, C> RunQueryDsl<C> for Kept<Q> {}

impl<Q, DB> QueryFragment<DB> for Kept<Q>
where
    Q: QueryFragment<DB>,
    DB: Backend,
    DB::QueryBuilder: Default,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if pass.bind_collector().is_some() || pass.debug_binds().is_some() {
            return self.0.walk_ast(pass);
        }
        // Handing on the finished text keeps from the outer walk what the inner one says about keeping it.
        let mut text = DB::QueryBuilder::default();
        self.0.to_sql(&mut text, pass.backend())?;
        pass.push_sql(&text.finish());
        Ok(())
    }
}

/// Runs an `UPDATE` that stays prepared; gives how many rows it changed.
macro_rules! run_kept {
    ($tx:expr, $statement:expr) => {
        $crate::store::conn::on_backend!(&mut **$tx, |c| diesel::RunQueryDsl::execute($crate::store::kept::Kept($statement), c))
    };
}
pub(crate) use run_kept;

/// The setting that is there while wipes and retirements are held.
pub const HOLD: &str = "destructive_hold";

/// The words of a condition on commands. With values in the place of words neither database would use the partial index
/// `commands_next`, whose very words the first of them are.
macro_rules! condition {
    ($(#[$meta:meta])* $name:ident = $($words:literal),+) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, QueryId)]
        pub(super) struct $name;

        impl Expression for $name {
            type SqlType = Bool;
        }

        impl<S> SelectableExpression<S> for $name {}
        impl<S> AppearsOnTable<S> for $name {}

        impl ValidGrouping<()> for $name {
            type IsAggregate = is_aggregate::No;
        }

        impl<DB: Backend> QueryFragment<DB> for $name {
            fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
                pass.push_sql(concat!($($words),+));
                Ok(())
            }
        }
    };
}

condition! {
    /// A command is not finished, nor does it wait for somebody's approval.
    IsUnfinished = "commands.state IN ('queued', 'sent', 'not_now')"
}
condition! {
    /// A command may be handed to its device: the same, and it is none of those that are held. Held is what ends an enrollment, and
    /// what takes something away from a device under another purpose, or may do so. This is the one place that looks at the hold, and
    /// everything that hands a command out asks for it in the transaction that does.
    IsDeliverable = "commands.state IN ('queued', 'sent', 'not_now') ",
        "AND ((commands.purpose NOT IN ('selective_wipe', 'selective_wipe_end', 'full_wipe', 'retire') ",
        "AND commands.kind NOT IN ('erase_device', 'remove_profile', 'remove_mail_profile', 'remove_work_data', 'raw')) ",
        "OR NOT EXISTS (SELECT 1 FROM settings WHERE settings.key = 'destructive_hold'))"
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use diesel::{
        Connection, ExpressionMethods, QueryDsl, SqliteConnection,
        connection::{InstrumentationEvent, SimpleConnection},
    };

    use super::*;
    use crate::{domain::command::Purpose, store::commands::ENDINGS};

    #[test]
    fn what_is_held_is_what_ends_an_enrollment() {
        let text = diesel::debug_query::<diesel::sqlite::Sqlite, _>(&IsDeliverable).to_string();
        let purposes = text.split("purpose NOT IN (").nth(1).unwrap().split(')').next().unwrap();
        assert_eq!(purposes.split(", ").map(|word| word.trim_matches('\'')).collect::<Vec<_>>(), ENDINGS.map(Purpose::as_str));
        assert!(text.contains(&format!("settings.key = '{HOLD}'")), "{text}");
    }

    diesel::table! {
        things (id) { id -> Integer, name -> Text, }
    }

    /// A connection, and the texts that it keeps.
    fn open() -> (SqliteConnection, Arc<Mutex<Vec<String>>>) {
        let mut conn = SqliteConnection::establish(":memory:").unwrap();
        conn.batch_execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO things VALUES (1, 'a'), (2, 'b')")
            .unwrap();
        let kept: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&kept);
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { sql, .. } = event {
                sink.lock().unwrap().push(sql.to_owned());
            }
        });
        (conn, kept)
    }

    #[test]
    fn a_kept_update_is_prepared_once_and_changes_what_it_should() {
        let (mut conn, kept) = open();
        for (id, name) in [(1, "x"), (2, "y"), (1, "z")] {
            let changed = Kept(diesel::update(things::table.filter(things::id.eq(id))).set(things::name.eq(name))).execute(&mut conn);
            assert_eq!(changed, Ok(1));
        }
        assert_eq!(kept.lock().unwrap().len(), 1, "{kept:?}");
        let names = things::table.order(things::id).select(things::name).load::<String>(&mut conn).unwrap();
        assert_eq!(names, ["z", "y"]);
    }

    #[test]
    fn another_text_is_another_statement() {
        let (mut conn, kept) = open();
        Kept(diesel::update(things::table.filter(things::id.eq(1))).set(things::name.eq("x"))).execute(&mut conn).unwrap();
        Kept(diesel::update(things::table.filter(things::id.gt(0))).set(things::name.eq("y"))).execute(&mut conn).unwrap();
        assert_eq!(kept.lock().unwrap().len(), 2, "{kept:?}");
        let names = things::table.order(things::id).select(things::name).load::<String>(&mut conn).unwrap();
        assert_eq!(names, ["y", "y"]);
    }
}
