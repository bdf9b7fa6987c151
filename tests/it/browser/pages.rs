//! Every page of the console that the table of addresses has, and those of the portal that a story passes by: on a desk, on a phone,
//! and in dark colours.

use enlist::{domain::user::Role, http::console::ADDRESSES};
use serde_json::json;

use super::{driver::Browser, portal::prove_mailbox};
use crate::{
    harness::{
        actors::{IPhone, id, passcode_policy, text},
        app::TestApp,
        clerk::{Clerk, PASSWORD, hire},
        database::Database,
    },
    portal::android::ADA,
};

const BOSS: &str = "boss@example.com";

/// Something of each kind that has a page.
struct Made {
    device: String,
    command: String,
    user: String,
    import: String,
    link: String,
    group: String,
    policy: String,
    webhook: String,
}

impl Made {
    async fn on(app: &TestApp) -> Self {
        let admin = app.admin();
        let user = admin.create_user(ADA).await;
        let group = admin.create_group("Sales").await;
        admin.put(&format!("/groups/{group}/members/{user}"), &json!({})).await.expect(204);
        let mut policy = passcode_policy("Sales");
        policy["groups"] = json!([group]);
        let policy = admin.create_policy(&policy).await;
        let hook = json!({ "name": "Tickets", "url": "https://tickets.example.com/hook", "events": ["wipe.ordered"] });
        let webhook = id(&admin.post("/webhooks", &hook).await.expect(201));
        let target = format!("{}/enroll/help/safari", app.address());
        let link = id(&admin.post("/links", &json!({ "target": target, "recipient": ADA })).await.expect(201));
        let file = admin.request(reqwest::Method::POST, "/links/files?name=Overview%202026.pdf&note=The%20offer").body("content");
        admin.send(file).await.expect(201);
        let people = json!({ "users": [{ "email": "grace@example.com", "name": "Grace Hopper" }] });
        let import = id(&admin.post("/users/import", &people).await.expect(202));
        // So that there is a mail in the outbox.
        admin.invite(&user, "personal").await;
        app.work().await;
        let mut phone = IPhone::enroll(app, &user, "company", 0).await;
        phone.obey_all().await;
        app.work().await;
        let device = text(&phone.seen_by(&admin).await, "id");
        let command = admin.order(&device, "refresh").await;
        app.work().await;
        Self { device, command, user, import, link, group, policy, webhook }
    }

    /// The address of something that is there. A page of another kind must be given something here: or nobody would look at it.
    fn fill(&self, pattern: &str) -> String {
        let Some((before, _)) = pattern.split_once('{') else { return pattern.to_owned() };
        let what = match before {
            "/console/devices/" | "/devices/" => &self.device,
            "/console/groups/" => &self.group,
            "/console/mails/" => return "/console/mails/compliance/de".into(),
            "/console/links/" => &self.link,
            "/console/policies/" => &self.policy,
            "/console/users/" => &self.user,
            "/console/users/import/" => &self.import,
            "/console/webhooks/" => &self.webhook,
            _ => panic!("nothing is made for {pattern}"),
        };
        let path = pattern.replacen("{id}", what, 1).replacen("{command}", &self.command, 1);
        assert!(!path.contains('{'), "nothing is made for {pattern}");
        path
    }
}

/// The pages of the portal, for somebody who has proved that they are Ada.
fn of_the_portal() -> Vec<String> {
    let mut patterns = vec!["/devices".to_owned(), "/devices/{id}".to_owned()];
    patterns.extend(["help", "safari", "cookies", "browsers", "declined", "access"].map(|topic| format!("/enroll/help/{topic}")));
    let reasons = ["noncompliant", "unknown_compliance", "unenrolled", "device_gone", "compliance"];
    patterns.extend(reasons.map(|reason| format!("/enroll/help/access?reason={reason}")));
    patterns
}

/// A pattern as the name of a picture.
fn named(pattern: &str) -> String {
    let words = pattern.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<&str>>().join("-")
}

/// Addresses under which there is a file and no page.
fn is_file(pattern: &str) -> bool {
    std::path::Path::new(pattern).extension().is_some()
}

/// A browser in which the administrator is signed in, and which Ada has proved to be hers.
async fn trusted(app: &TestApp, width: u32) -> Browser {
    let browser = Browser::start(app.address(), width).await;
    browser.open("/console/sign-in").await;
    browser.type_into("#email", BOSS).await;
    browser.type_into("#password", PASSWORD).await;
    browser.press("main form button").await;
    browser.open("/").await;
    prove_mailbox(app, &browser).await;
    app.work().await;
    browser
}

async fn look_at_all(browser: &Browser, colours: &str, pages: &[(String, String)]) {
    for (name, path) in pages {
        browser.open(path).await;
        assert_eq!((browser.place().await.as_str(), browser.status().await), (path.as_str(), 200));
        browser.sees(&format!("{colours}-{name}"), &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_page_fits_and_can_be_read_by_everybody_also_in_the_dark() {
    let app = TestApp::start(Database::sqlite()).await;
    hire(&app, BOSS, Role::Administrator).await;
    let made = Made::on(&app).await;
    let seen = ADDRESSES.iter().filter(|address| address.see.is_some()).map(|address| address.path.to_owned());
    let (files, patterns): (Vec<String>, Vec<String>) = seen.chain(of_the_portal()).partition(|pattern| is_file(pattern));
    let pages: Vec<(String, String)> = patterns.iter().map(|pattern| (named(pattern), made.fill(pattern))).collect();

    // One after the other, because each reads a code from the same mailbox.
    let desk = trusted(&app, 1280).await;
    let phone = trusted(&app, 390).await;
    let night = trusted(&app, 1280).await;
    night.darken().await;
    tokio::join!(look_at_all(&desk, "every", &pages), look_at_all(&phone, "every", &pages), look_at_all(&night, "dark", &pages));
    desk.close().await;
    phone.close().await;
    night.close().await;

    let clerk = Clerk::stranger(&app);
    clerk.sign_in(BOSS, PASSWORD).await.expect(200);
    for file in &files {
        let shown = clerk.look(file).await.expect(200);
        assert!(shown.headers["content-type"].to_str().unwrap().starts_with("text/csv"), "{file}");
    }
    app.work().await;
}
