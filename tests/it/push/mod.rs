//! Pushes through Apple's service: what wakes a phone, what happens when Apple does not play along, and the certificate.

use enlist::{jobs, service::queue::PUSH};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::harness::{
    actors::{Admin, IPhone, id},
    apns::{self, Apns, TOPIC},
    app::{Setup, TestApp},
    database::Database,
};

mod certificate;
mod delivery;
mod line;
mod outages;
mod process;

/// A server, and the push service that it knows.
struct Stage {
    apns: Apns,
    app: TestApp,
    admin: Admin,
}

impl Stage {
    /// With a push certificate.
    async fn new(db: Database) -> Self {
        let stage = Self::without_certificate(db).await;
        stage.import(&apns::pem(&apns::certificate(TOPIC))).await;
        stage
    }

    /// Without one.
    async fn without_certificate(db: Database) -> Self {
        let apns = Apns::start().await;
        let app = TestApp::start_with(db, Setup { apns: Some((apns.url(), apns.ca())), ..Setup::default() }).await;
        let admin = app.admin();
        Self { apns, app, admin }
    }

    async fn import(&self, pem: &str) -> Value {
        self.admin.put("/push-certificate", &json!({ "certificate": pem })).await.expect(200)
    }

    /// Imports it although its topic is another one.
    async fn force(&self, pem: &str) -> Value {
        self.admin.put("/push-certificate", &json!({ "certificate": pem, "force": true })).await.expect(200)
    }

    async fn state(&self) -> Value {
        self.admin.get("/push-certificate").await.expect(200)
    }

    /// An enrolled phone for which nothing waits, and the identifier of its device.
    async fn phone(&self, number: usize) -> (IPhone, String) {
        let user = self.admin.create_user(&format!("owner{number}@example.com")).await;
        let mut phone = IPhone::enroll(&self.app, &user, "company", number).await;
        phone.obey_all().await;
        self.app.work().await;
        let device = id(&phone.seen_by(&self.admin).await);
        (phone, device)
    }

    /// How many pushes for this phone came.
    fn pushes(&self, phone: &IPhone) -> usize {
        self.apns.count(phone.device().push_token())
    }

    /// How many pushes wait.
    fn waiting(&self) -> usize {
        self.app.jobs(PUSH).len()
    }

    /// Lets the time pass for which pushes were put off. Jobs go by the database's clock, which no test sets.
    fn let_wait_be_over(&self) {
        self.app.database.tamper("UPDATE jobs SET run_at = 0 WHERE kind = 'push'");
    }

    /// Seconds for which the only waiting push was put off, as it is now.
    fn put_off_seconds(&self) -> i64 {
        let jobs = self.app.jobs(PUSH);
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        let left = jobs[0].run_at.millis() - enlist::domain::time::Clock::now(&enlist::domain::time::SystemClock).millis();
        // Rounded up: a moment has passed since.
        (left + 999).div_euclid(1000)
    }

    /// The runner of a real server.
    fn run(&self) -> Runner {
        let (stop, stopped) = watch::channel(false);
        Runner { stop, task: tokio::spawn(jobs::push::run(self.app.app.clone(), stopped)) }
    }
}

/// A runner at work.
struct Runner {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Runner {
    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}
