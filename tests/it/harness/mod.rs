//! What tests stand on: databases that come and go, a PostgreSQL server of one's own, a clock that is set by hand.

pub mod actors;
pub mod android;
pub mod apns;
pub mod app;
pub mod certificates;
pub mod clerk;
pub mod clock;
pub mod database;
pub mod folder;
pub mod mailserver;
pub mod postgres;
pub mod process;
pub mod receiver;

/// Makes a SQLite and a PostgreSQL test of each function `async fn name(db: Database)` that is listed.
macro_rules! every_backend {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::harness::database::Database::sqlite()).await; }
        )+ }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::harness::database::Database::postgres()).await; }
        )+ }
    };
}
pub(crate) use every_backend;
