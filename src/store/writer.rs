//! SQLite's one writer: a thread that takes waiting transactions together into one commit.
//!
//! With `synchronous=FULL` each commit waits for the disk. Many writers at once therefore share one: each runs within a
//! savepoint of its own, so that one that fails leaves the others alone, and each is answered only after the commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use super::{Access, Conn, DatabaseUrl, Error, Tx};

/// Most transactions in one commit.
const GROUP: usize = 256;

/// What a transaction leaves for after the commit: whether its changes stay, and how its caller is answered.
struct Outcome {
    is_kept: bool,
    answer: Box<dyn FnOnce(Result<(), String>) + Send>,
}

type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Outcome + Send>;

/// The handle of the writer thread. Dropping it lets the thread finish what waits, then ends it.
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(url: DatabaseUrl) -> Result<Self, Error> {
        let conn = Conn::open(&url, Access::Write)?;
        let (jobs, receiver) = channel::<Job>();
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || run(&url, conn, &receiver))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) async fn write<T, E>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let result = f(tx);
            Outcome {
                is_kept: result.is_ok(),
                answer: Box::new(move |committed| {
                    let answer = match (committed, result) {
                        (Err(why), Ok(_)) => Err(E::from(Error::Unavailable(why))),
                        (_, result) => result,
                    };
                    // A caller that went away does not need its answer.
                    drop(sender.send(answer));
                }),
            }
        });
        let gone = || E::from(Error::Unavailable("the writer has stopped".into()));
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        receiver.await.unwrap_or_else(|_| Err(E::from(Error::Unavailable("the transaction ended early".into()))))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was caught and logged where it happened.
            drop(thread.join());
        }
    }
}

fn run(url: &DatabaseUrl, mut conn: Conn, jobs: &Receiver<Job>) {
    let mut file = identity(url);
    while let Ok(first) = jobs.recv() {
        let (outcomes, committed) = commit_group(&mut conn, first, jobs);
        // A commit to a file that has lost its name goes nowhere.
        let committed = committed.and_then(|()| if file.is_some() && identity(url) == file { Ok(()) } else { Err(GONE.to_owned()) });
        for outcome in outcomes {
            (outcome.answer)(committed.clone());
        }
        if let Err(why) = committed {
            tracing::error!(error = why, "the database took no writes; opening it again");
            reopen(url, &mut conn);
            file = identity(url);
        }
    }
}

/// What callers are told whose changes went to a file that is no longer there.
const GONE: &str = "the database file was removed or replaced";

/// Which file the database's name stands for: its device and number.
fn identity(url: &DatabaseUrl) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let DatabaseUrl::Sqlite(path) = url else { return None };
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Takes the first job and all that wait into one commit.
fn commit_group(conn: &mut Conn, first: Job, jobs: &Receiver<Job>) -> (Vec<Outcome>, Result<(), String>) {
    let mut outcomes = Vec::new();
    if let Err(error) = conn.begin_write() {
        // No job was run; dropping them answers their callers. Each trying for itself would make the last wait for all.
        jobs.try_iter().for_each(drop);
        return (outcomes, Err(error.to_string()));
    }
    let mut next = Some(first);
    while let Some(job) = next {
        match run_one(conn, job) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => return (outcomes, Err(error)),
        }
        next = if outcomes.len() < GROUP { jobs.try_recv().ok() } else { None };
    }
    let committed = conn.run_often("COMMIT").map_err(|error| error.to_string());
    (outcomes, committed)
}

/// One job within its savepoint. A panic spoils the whole group, because nobody knows what it left undone.
fn run_one(conn: &mut Conn, job: Job) -> Result<Outcome, String> {
    conn.run_often("SAVEPOINT job").map_err(|error| error.to_string())?;
    let outcome = catch_unwind(AssertUnwindSafe(|| job(&mut Tx::new(conn)))).map_err(|_| {
        tracing::error!("a database transaction panicked; its group was rolled back");
        "a transaction of the same group failed".to_owned()
    })?;
    let end = if outcome.is_kept { conn.run_often("RELEASE job") } else { conn.run("ROLLBACK TO job; RELEASE job") };
    match end {
        Ok(()) => Ok(outcome),
        Err(error) => {
            (outcome.answer)(Err(error.to_string()));
            Err(error.to_string())
        }
    }
}

/// After a failed commit the connection is made anew: what its cache holds is not to be trusted.
fn reopen(url: &DatabaseUrl, conn: &mut Conn) {
    if let Err(error) = conn.run("ROLLBACK") {
        tracing::debug!(error = %error, "nothing to roll back");
    }
    match Conn::open(url, Access::Write) {
        Ok(fresh) => *conn = fresh,
        Err(error) => {
            tracing::error!(error = %error, "the database cannot be opened; trying again");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
