//! A server on a database of its own, with people who look at it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use actix_web::{
    cookie::Cookie,
    http::{StatusCode, header::HeaderMap},
    test::{self, TestRequest},
    web,
};
use diesel::prelude::*;

use enlist::{
    apple::apns::{self, Apns, Endpoint},
    domain::{
        audit::Actor,
        device::Ownership,
        id::{MailId, UserId},
        networks::Networks,
        time::{Clock, Timestamp},
    },
    dovecot::Doveadm,
    http::portal::limit::Limiter,
    mail::{folder::Folder, languages::Languages},
    pki::seal::SealKey,
    service::{App, Parts, authorities, users::NewUser},
    store::{self, DatabaseUrl, Store, mails::MailState, schema},
    webhook::Messenger,
};

pub const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 \
                          Mobile/15E148 Safari/604.1";
pub const ADA: &str = "ada@example.com";

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The server.
pub struct Stage {
    pub app: Arc<App>,
    pub ada: UserId,
    pub url: DatabaseUrl,
    pub folder: PathBuf,
    limiter: web::Data<Limiter>,
    clock: Arc<Hands>,
}

/// What the server answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Stage {
    pub async fn new(public_url: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("enlist-portal-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        let url = DatabaseUrl::Sqlite(folder.join("enlist.db").to_string_lossy().into_owned());
        store::migrate::forward(&url).unwrap();
        let keys = SealKey::generate().unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(1_790_000_000_000)));
        let authorities = authorities::load_or_create(&url, &keys, "Example", clock.now()).unwrap();
        let app = Arc::new(App::new(Parts {
            store: Store::open(&url, 4).unwrap(),
            keys,
            authorities,
            clock: Arc::<Hands>::clone(&clock),
            mailer: Arc::new(Folder::new(folder.join("outbox"))),
            apns: Apns::new(Endpoint::new("https://localhost:9", Vec::new()).unwrap(), apns::PATIENCE),
            is_mail_kept_as_files: true,
            languages: Languages::shipped(),
            messenger: Messenger::new(&Networks::default(), None).unwrap(),
            doveadm: Doveadm::new().unwrap(),
            public_url: public_url.to_owned(),
            device_url: None,
        }));
        let new = NewUser {
            email: ADA.into(),
            name: "Ada".into(),
            password: None,
            must_change_password: false,
            groups: Vec::new(),
            role: None,
            language: None,
        };
        let ada = app.create_user(Actor::server(), new).await.unwrap().id;
        Self { app, ada, url, folder, limiter: web::Data::new(Limiter::new(1_000)), clock }
    }

    pub fn limit(&mut self, per_minute: u32) {
        self.limiter = web::Data::new(Limiter::new(per_minute));
    }

    pub fn wait_seconds(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub async fn call(&self, request: TestRequest) -> Answer {
        let app = actix_web::App::new()
            .app_data(web::Data::from(Arc::clone(&self.app)))
            .app_data(self.limiter.clone())
            .configure(enlist::http::portal::configure)
            .default_service(web::to(enlist::http::portal::get_nothing));
        let service = test::init_service(app).await;
        let request = request.peer_addr("192.0.2.7:5000".parse().unwrap()).to_request();
        let response = test::call_service(&service, request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = test::read_body(response).await.to_vec();
        Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    /// How many visits, codes and mails there are.
    pub async fn counts(&self) -> (i64, i64, i64) {
        self.app
            .read(|conn| {
                Ok::<_, store::Error>((
                    schema::visits::table.count().get_result(conn)?,
                    schema::codes::table.count().get_result(conn)?,
                    schema::mails::table.count().get_result(conn)?,
                ))
            })
            .await
            .unwrap()
    }

    /// Sends what waits in the outbox; gives the texts.
    pub async fn mails(&self) -> Vec<String> {
        let waiting: Vec<MailId> = self
            .app
            .read(|conn| {
                let queued = schema::mails::table.filter(schema::mails::state.eq(MailState::Queued));
                Ok::<_, store::Error>(queued.order(schema::mails::id).select(schema::mails::id).load(conn)?)
            })
            .await
            .unwrap();
        let mut texts = Vec::new();
        for id in waiting {
            let before = self.files();
            self.app.send_mail(id).await.unwrap();
            let new = self.files().into_iter().find(|file| !before.contains(file)).unwrap();
            texts.push(std::fs::read_to_string(new).unwrap());
        }
        texts
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.join("outbox"));
        entries.map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    }

    /// The code of the one mail that waits.
    pub async fn code(&self) -> String {
        let mails = self.mails().await;
        assert_eq!(mails.len(), 1);
        let digits = |word: &str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
        let found = mails[0].split(|c: char| !c.is_ascii_alphanumeric()).find(|word| digits(word));
        found.expect("the mail carries a code").to_owned()
    }

    /// Invites Ada; gives the path of the link in her mail.
    pub async fn invite(&self, ownership: Ownership) -> String {
        self.app.invite(Actor::server(), self.ada, ownership).await.unwrap();
        let mail = self.mails().await.remove(0).replace("=\r\n", "");
        let start = mail.find("/enroll/").unwrap();
        mail[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || "/-_".contains(*c)).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Somebody with a browser.
pub struct Person {
    pub agent: &'static str,
    pub cookies: BTreeMap<String, String>,
}

impl Person {
    pub fn with(agent: &'static str) -> Self {
        Self { agent, cookies: BTreeMap::new() }
    }

    pub async fn get(&mut self, stage: &Stage, path: &str) -> Answer {
        self.ask(stage, TestRequest::get().uri(path)).await
    }

    pub async fn post(&mut self, stage: &Stage, path: &str, form: &[(&str, &str)]) -> Answer {
        self.ask(stage, TestRequest::post().uri(path).insert_header(("Sec-Fetch-Site", "same-origin")).set_form(form)).await
    }

    pub async fn ask(&mut self, stage: &Stage, request: TestRequest) -> Answer {
        let request = request.insert_header(("User-Agent", self.agent));
        let request = self.cookies.iter().fold(request, |request, (name, value)| request.cookie(Cookie::new(name.clone(), value.clone())));
        let answer = stage.call(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = Cookie::parse(cookie.to_str().unwrap().to_owned()).unwrap();
            self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
        }
        answer
    }

    /// Types in an address at the start page.
    pub async fn identify(&mut self, stage: &Stage, address: &str) -> Answer {
        self.get(stage, "/").await;
        self.post(stage, "/enroll/address", &[("email", address)]).await
    }

    /// Proves Ada's mailbox.
    pub async fn prove(&mut self, stage: &Stage) -> Answer {
        assert_eq!(self.identify(stage, ADA).await.header("location"), "/enroll/code");
        let code = stage.code().await;
        self.post(stage, "/enroll/code", &[("code", &code)]).await
    }

    /// Proves Ada's mailbox, agrees and downloads the profile.
    pub async fn take_profile(&mut self, stage: &Stage) -> Answer {
        assert_eq!(self.prove(stage).await.header("location"), "/enroll/consent");
        assert_eq!(self.post(stage, "/enroll/consent", &[("consent", "yes")]).await.header("location"), "/enroll/profile");
        self.post(stage, "/enroll/apple", &[]).await
    }
}
