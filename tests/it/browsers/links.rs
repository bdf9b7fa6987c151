//! Protected links: who passes, what is shown and recorded, and the report (A1, A5, B3, B8, B19).

use reqwest::{Method, StatusCode, redirect::Policy};
use serde_json::{Value, json};

use super::{ADA, CHROME, enroll, surfer, visit};
use crate::harness::{actors::text, app::TestApp, clerk::Clerk, database::Database, every_backend};
use enlist::domain::user::Role;

pub const EVE: &str = "eve@example.com";

every_backend!(
    a_click_is_recorded_for_whoever_enrolled_the_browser,
    a_target_outside_is_shown_first_and_one_inside_is_not,
    no_link_leads_anywhere_that_was_not_put_into_it,
    a_link_ends_and_can_be_withdrawn,
    many_links_are_made_at_once_or_none,
    the_awareness_question_is_asked_and_the_answer_recorded,
    a_scanner_records_nothing_and_without_enrollment_nobody_is_asked,
    the_console_makes_withdraws_and_reports,
    the_same_click_within_a_minute_is_recorded_once,
);

/// Makes a link; gives its identifier and the path of its address.
async fn link(app: &TestApp, body: &Value) -> (String, String) {
    let made = app.admin().post("/links", body).await.expect(201);
    let path = text(&made, "url").replacen(app.address(), "", 1);
    assert!(path.starts_with("/l/"), "{path}");
    (text(&made, "id"), path)
}

pub async fn lines(app: &TestApp, query: &str) -> Vec<Value> {
    app.admin().get(&format!("/reports/links?{query}")).await.expect(200)["items"].as_array().unwrap().clone()
}

/// A page of this very server, which a test can reach.
fn inside(app: &TestApp) -> Value {
    json!({ "target": format!("{}/enroll/help/safari", app.address()), "recipient": ADA })
}

// B3, B8, B19: the mail was sent to Ada, and forwarded to Eve.
async fn a_click_is_recorded_for_whoever_enrolled_the_browser(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let eve = admin.create_user(EVE).await;
    let (id, path) = link(&app, &inside(&app)).await;
    let browser = surfer(&app, CHROME, EVE);
    let visited = visit(&app, &browser, &path).await;
    assert!(visited.was_asked, "a browser that is not known is asked first");
    assert!(visited.page.is_marked("link-target"), "and comes back to the link: {}", visited.page.url);
    let onward = visited.page.links.iter().find(|link| link.mark.as_deref() == Some("target")).unwrap();
    let there = browser.look(visited.page.resolve(&onward.href).unwrap()).await.unwrap();
    assert_eq!(there.url.path(), "/enroll/help/safari");
    assert!(!visit(&app, &browser, &path).await.was_asked, "from now on the browser is known");
    let found = lines(&app, &format!("link={id}")).await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["user"], &found[0]["recipient"], &found[0]["kind"], &found[0]["device"]),
        (&json!(EVE), &json!(ADA), &json!("opened"), &json!("Chrome on Windows"))
    );
    // By user and by time.
    assert_eq!(lines(&app, &format!("user={eve}&since=2000-01-01T00:00:00Z")).await.len(), 1);
    assert_eq!(lines(&app, "until=2000-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(lines(&app, &format!("user={}", uuid::Uuid::now_v7())).await.len(), 0);
    let csv = admin.get("/reports/links?format=csv").await;
    let text = csv.text();
    assert!(text.starts_with("at,kind,user,device,link_id,target,recipient\r\n") && text.contains(",opened,eve@example.com,"), "{text}");
    assert_eq!(admin.get("/reports/links?since=yesterday").await.expect(400)["field"], "since");
}

async fn a_target_outside_is_shown_first_and_one_inside_is_not(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let outside = link(&app, &json!({ "target": "https://shop.example.net/basket" })).await.1;
    let ours = link(&app, &json!({ "target": "https://intranet.example.com/start" })).await.1;
    for wrong in ["Example.com", "*.example.com", "com"] {
        let refused = admin.patch("/settings", &json!({ "browser_enrollment_domains": [wrong] })).await.expect(400);
        assert_eq!(refused["field"], "browser_enrollment_domains");
    }
    admin.patch("/settings", &json!({ "browser_enrollment_domains": ["example.com"] })).await.expect(200);
    let cookie = cookie_of(&app).await;
    let shown = get(&app, &outside, &cookie).await;
    assert_eq!(shown.0, StatusCode::OK);
    assert!(shown.2.contains("You are about to leave") && shown.2.contains("shop.example.net"), "{}", shown.2);
    assert_eq!(lines(&app, "").await.len(), 0, "looking at the page is no click");
    let (status, location, _) = get(&app, &format!("{outside}/go"), &cookie).await;
    assert_eq!((status, location.as_str()), (StatusCode::SEE_OTHER, "https://shop.example.net/basket"));
    let (status, location, _) = get(&app, &ours, &cookie).await;
    assert_eq!((status, location.as_str()), (StatusCode::SEE_OTHER, "https://intranet.example.com/start"));
    assert_eq!(lines(&app, "").await.len(), 2);
}

/// Enrolls a browser by hand; gives its cookie.
pub async fn cookie_of(app: &TestApp) -> String {
    let clerk = Clerk::stranger(app);
    format!("enlist-browser={}", super::cookie::enroll_by_hand(app, &clerk).await)
}

/// Status, location and body of an answer.
pub async fn get(app: &TestApp, path: &str, cookie: &str) -> (StatusCode, String, String) {
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let answer = client.get(format!("{}{path}", app.address())).header("cookie", cookie).send().await.unwrap();
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status(), location, answer.text().await.unwrap())
}

async fn no_link_leads_anywhere_that_was_not_put_into_it(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    for wrong in ["", "example.com", "//example.com", "javascript:alert(1)", "data:text/html,x", "https://a@example.com/"] {
        assert_eq!(admin.post("/links", &json!({ "target": wrong })).await.expect(400)["field"], "target", "{wrong}");
    }
    assert_eq!(admin.post("/links", &json!({ "target": "https://x.example/", "days": 366 })).await.expect(400)["field"], "days");
    let path = link(&app, &json!({ "target": "https://x.example/" })).await.1;
    let token = path.trim_start_matches("/l/");
    // Another last letter, another first letter, less, more, and an address in place of a token.
    let other = |at: usize| {
        let mut letters: Vec<char> = token.chars().collect();
        letters[at] = if letters[at] == 'A' { 'Q' } else { 'A' };
        letters.into_iter().collect::<String>()
    };
    for forged in
        [other(0), other(20), other(30), token[..token.len() - 2].into(), format!("{token}AA"), "https%3A%2F%2Fevil.example".into()]
    {
        for path in [format!("/l/{forged}"), format!("/l/{forged}/go")] {
            assert_eq!(get(&app, &path, "").await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

async fn a_link_ends_and_can_be_withdrawn(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let (short, path) = link(&app, &json!({ "target": "https://x.example/", "days": 1 })).await;
    let (long, other) = link(&app, &json!({ "target": "https://x.example/" })).await;
    app.clock.advance_days(1);
    let ended = get(&app, &path, "").await;
    assert!(ended.0 == StatusCode::GONE && ended.2.contains("This link has ended"), "{}", ended.2);
    assert_eq!(get(&app, &other, "").await.0, StatusCode::SEE_OTHER);
    admin.send(admin.request(Method::POST, &format!("/links/{long}/withdraw"))).await.expect(200);
    assert_eq!(get(&app, &other, "").await.0, StatusCode::GONE);
    admin.send(admin.request(Method::POST, &format!("/links/{long}/withdraw"))).await.expect(409);
    assert_eq!(admin.get(&format!("/links/{short}")).await.expect(200)["withdrawn_at"], Value::Null);
    assert!(admin.audited().await.ends_with(&["link.withdraw".to_owned()]));
}

async fn many_links_are_made_at_once_or_none(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let some: Vec<Value> = (0..250).map(|number| json!({ "target": format!("https://x.example/{number}") })).collect();
    let made = admin.post("/links/bulk", &json!({ "links": some })).await.expect(201);
    let items = made["items"].as_array().unwrap();
    assert_eq!(items.len(), 250);
    assert!(items.iter().enumerate().all(|(number, link)| link["target"] == format!("https://x.example/{number}")));
    let wrong = json!({ "links": [{ "target": "https://x.example/" }, { "target": "nowhere" }] });
    assert_eq!(admin.post("/links/bulk", &wrong).await.expect(400)["field"], "links[1].target");
    assert_eq!(admin.post("/links/bulk", &json!({ "links": [] })).await.expect(400)["field"], "links");
    assert_eq!(admin.get("/links").await.expect(200)["total"], 250);
}

// A5
async fn the_awareness_question_is_asked_and_the_answer_recorded(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    admin.patch("/settings", &json!({ "browser_enrollment_awareness": true })).await.expect(200);
    let (id, path) = link(&app, &inside(&app)).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let question = ada.look(ada.at(&path).unwrap()).await.unwrap();
    assert!(question.text.contains("Does this look safe to you?"), "{}", question.text);
    let around = ada.look(ada.at(&format!("{path}/go")).unwrap()).await.unwrap();
    assert!(around.text.contains("Does this look safe to you?"), "nobody gets around the question");
    let mut no = question.forms.iter().find(|form| form.action == path).unwrap().clone();
    no.fields.retain(|field| field.value == "unsafe");
    let thanks = ada.submit(&question, &no).await.unwrap();
    assert!(thanks.text.contains("was not opened") && !thanks.links.iter().any(|link| link.href.ends_with("/go")), "{}", thanks.text);
    app.clock.advance_seconds(3600);
    let mut yes = no.clone();
    yes.fields = question.forms.iter().find(|form| form.action == path).unwrap().fields.clone();
    yes.fields.retain(|field| field.value == "safe");
    ada.submit(&question, &yes).await.unwrap();
    let there = ada.look(ada.at(&format!("{path}/go")).unwrap()).await.unwrap();
    assert_eq!(there.url.path(), "/enroll/help/safari");
    let kinds: Vec<String> = lines(&app, &format!("link={id}")).await.iter().map(|line| text(line, "kind")).collect();
    assert_eq!(kinds, ["opened", "looks_safe", "looks_unsafe"], "newest first");
}

// A1
async fn a_scanner_records_nothing_and_without_enrollment_nobody_is_asked(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let path = link(&app, &inside(&app)).await.1;
    let client = Clerk::stranger(&app);
    for path in [path.clone(), format!("{path}/go")] {
        for method in [Method::HEAD, Method::GET, Method::POST] {
            let status = client.send(client.request(method.clone(), &path).form(&[("answer", "safe")])).await.status;
            assert!(matches!(status, 303 | 400 | 405), "{method} {path}: {status}");
        }
    }
    assert_eq!(lines(&app, "").await.len(), 0);
    admin.patch("/settings", &json!({ "browser_enrollment_enabled": false, "confirm_risk": true })).await.expect(200);
    let shown = get(&app, &path, "").await;
    assert!(shown.0 == StatusCode::OK && shown.2.contains("You are about to leave"));
    assert_eq!(get(&app, &format!("{path}/go"), "").await.1, format!("{}/enroll/help/safari", app.address()));
    assert_eq!(lines(&app, "").await.len(), 0, "without identity there is nobody to record it for");
}

async fn the_console_makes_withdraws_and_reports(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let clerk = Clerk::with_role(&app, Role::Administrator).await;
    let page = clerk.open("/console/links").await.says("There is no protected link yet");
    let wrong = clerk.submit(&page, "/console/links", &[("target", "nowhere")]).await.expect(400);
    let wrong = wrong.says("The target must be a whole address");
    let target = format!("{}/enroll/help/safari", app.address());
    let made =
        clerk.submit(&wrong, "/console/links", &[("target", &target), ("note", "News")]).await.says("The link was made").says("News");
    let address = made.page.text.split_whitespace().find(|word| word.contains("/l/")).unwrap().replacen(app.address(), "", 1);
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    ada.look(ada.at(&format!("{address}/go")).unwrap()).await.unwrap();
    let report = clerk.open("/console/links/report").await.says(ADA).says("Opened").says("Chrome on Windows");
    assert!(report.has_link("/console/links/report.csv?"));
    clerk.open("/console/links/report?until=2000-01-01").await.says("Nobody has followed a link in this view").expect(200);
    assert!(clerk.open("/console/links/report.csv").await.source.contains(",opened,ada@example.com,"));
    let withdraw = made.page.links.iter().find(|link| link.href.ends_with("/withdraw")).unwrap().href.clone();
    let asked = clerk.open(&withdraw).await.says("leads nowhere from then on");
    clerk.submit(&asked, &withdraw, &[]).await.says("The link was withdrawn").expect(200);
    assert_eq!(get(&app, &address, "").await.0, StatusCode::GONE);
}

// B3
async fn the_same_click_within_a_minute_is_recorded_once(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let (id, path) = link(&app, &json!({ "target": "https://shop.example.net/basket" })).await;
    let (other, elsewhere) = link(&app, &json!({ "target": "https://shop.example.net/offers" })).await;
    let (first, second) = (cookie_of(&app).await, cookie_of(&app).await);
    for path in [&path, &path, &elsewhere, &path] {
        assert_eq!(get(&app, &format!("{path}/go"), &first).await.0, StatusCode::SEE_OTHER);
    }
    let count = async |id: &str| lines(&app, &format!("link={id}")).await.len();
    assert_eq!((count(&id).await, count(&other).await), (1, 1));
    get(&app, &format!("{path}/go"), &second).await;
    assert_eq!(count(&id).await, 2, "another browser is another click");
    app.clock.advance_seconds(61);
    get(&app, &format!("{path}/go"), &first).await;
    assert_eq!(count(&id).await, 3);
}
