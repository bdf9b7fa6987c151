//! The portal as a whole, by HTTP.

pub mod android;
mod device;
mod scanner;
mod stage;
mod walk;

use actix_web::{http::StatusCode, test::TestRequest};
use stage::{ADA, Answer, IPHONE, Person, Stage};

use enlist::{
    domain::{audit::Actor, device::Ownership},
    service::settings::SettingsChange,
};

const URL: &str = "https://mdm.example.com";
const COMPUTER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36";
const OTHER_PHONE: &str = "Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5";
const CHROME_ON_IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1";
const PAGES: [&str; 15] = [
    "/",
    "/enroll/code",
    "/enroll/method",
    "/enroll/activate",
    "/enroll/consent",
    "/enroll/profile",
    "/enroll/progress",
    "/devices",
    "/enroll/help/help",
    "/enroll/help/safari",
    "/enroll/help/cookies",
    "/enroll/help/declined",
    "/enroll/help/access?reason=noncompliant",
    "/enroll/help/browsers",
    "/browser",
];

#[actix_web::test]
async fn scanners_that_look_and_send_forms_change_nothing() {
    let stage = Stage::new(URL).await;
    let link = stage.invite(Ownership::Company).await;
    let before = stage.counts().await;
    for path in PAGES.into_iter().chain([link.as_str()]) {
        for request in [TestRequest::get(), TestRequest::default().method(actix_web::http::Method::HEAD)] {
            let answer = stage.call(request.uri(path)).await;
            assert!(answer.status.is_success() || answer.status == StatusCode::SEE_OTHER, "{path}: {}", answer.status);
        }
    }
    for path in [
        "/enroll/address",
        "/enroll/code",
        "/enroll/resend",
        "/enroll/consent",
        "/enroll/method",
        "/enroll/activate",
        "/enroll/certificate",
        "/enroll/apple",
        "/enroll/restart",
        "/browser",
        "/browser/enroll",
    ] {
        let form = [("email", ADA), ("code", "12345678"), ("consent", "yes"), ("method", "certificate")];
        let answer = stage.call(TestRequest::post().uri(path).set_form(form)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.body.contains("Cookies are blocked"));
    }
    assert_eq!(stage.call(TestRequest::post().uri(&link)).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(stage.counts().await, before);
    let mut ada = Person::with(IPHONE);
    assert!(ada.get(&stage, &link).await.body.contains(ADA));
}

#[actix_web::test]
async fn every_answer_carries_the_headers_that_guard_it() {
    let stage = Stage::new(URL).await;
    for path in PAGES.into_iter().chain(["/enroll/help/nothing", "/enroll/unknown-token", "/nothing"]) {
        let answer = Person::with(IPHONE).get(&stage, path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(!answer.body.contains("<script") && !answer.body.contains(" style="), "{path}");
        if answer.header("content-type").starts_with("text/html") {
            assert_eq!(answer.body.matches("<h1>").count(), 1, "{path}");
        }
    }
    let answer = Person::with(IPHONE).get(&stage, "/").await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-enlist-visit="), "{cookie}");
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(answer.body.contains("/assets/portal.css?v="));
    let style = stage.call(TestRequest::get().uri("/assets/portal.css")).await;
    assert_eq!((style.status, style.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert_eq!(stage.call(TestRequest::get().uri("/assets/secret")).await.status, StatusCode::NOT_FOUND);
}

/// What can be told from an answer, without what is new in each.
fn shape(answer: &Answer) -> (StatusCode, Vec<String>, String) {
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status, names, answer.body.replace(ADA, "X").replace("eve@example.com", "X"))
}

#[actix_web::test]
async fn known_and_unknown_addresses_get_the_same_answers() {
    let stage = Stage::new(URL).await;
    let (mut ada, mut eve) = (Person::with(IPHONE), Person::with(IPHONE));
    for _ in 0..5 {
        let known = ada.identify(&stage, ADA).await;
        let unknown = eve.identify(&stage, "eve@example.com").await;
        assert_eq!(shape(&known), shape(&unknown));
        assert_eq!(known.header("location"), unknown.header("location"));
        let path = known.header("location").to_owned();
        assert_eq!(shape(&ada.get(&stage, &path).await), shape(&eve.get(&stage, &path).await));
    }
    for _ in 0..7 {
        let known = ada.post(&stage, "/enroll/code", &[("code", "x")]).await;
        let unknown = eve.post(&stage, "/enroll/code", &[("code", "x")]).await;
        assert_eq!(shape(&known), shape(&unknown));
    }
    assert_eq!(stage.mails().await.len(), 3);
}

#[actix_web::test]
async fn after_five_wrong_tries_even_the_right_code_is_refused() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    ada.identify(&stage, ADA).await;
    let code = stage.code().await;
    for _ in 0..5 {
        let answer = ada.post(&stage, "/enroll/code", &[("code", "0")]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains("did not work") && answer.body.contains("aria-describedby=\"code-hint code-error\""));
    }
    let answer = ada.post(&stage, "/enroll/code", &[("code", &code)]).await;
    assert!(answer.body.contains("does not work any more"));
    assert_eq!(ada.post(&stage, "/enroll/resend", &[]).await.header("location"), "/enroll/code?note=sent");
    let spaced = stage.code().await.split_at(4).0.to_owned();
    assert_eq!(ada.post(&stage, "/enroll/code", &[("code", &spaced)]).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_code_works_only_in_the_browser_that_asked_and_the_cookie_changes_with_it() {
    let stage = Stage::new(URL).await;
    let (mut ada, mut eve) = (Person::with(IPHONE), Person::with(IPHONE));
    ada.identify(&stage, ADA).await;
    let code = stage.code().await;
    eve.identify(&stage, "eve@example.com").await;
    assert_eq!(eve.post(&stage, "/enroll/code", &[("code", &code)]).await.status, StatusCode::BAD_REQUEST);
    let mut planted = Person { agent: IPHONE, cookies: ada.cookies.clone() };
    let spaced = format!("{} {}", &code[..4], &code[4..]);
    let answer = ada.post(&stage, "/enroll/code", &[("code", &spaced)]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/enroll/consent"));
    assert_eq!(ada.get(&stage, "/enroll/consent").await.status, StatusCode::OK);
    assert_eq!(planted.get(&stage, "/enroll/consent").await.header("location"), "/?note=ended");
}

#[actix_web::test]
async fn forms_of_other_sites_are_refused() {
    let stage = Stage::new(URL).await;
    let mut ada = Person::with(IPHONE);
    ada.get(&stage, "/").await;
    for header in [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")] {
        let request = TestRequest::post().uri("/enroll/address").insert_header(header).set_form([("email", ADA)]);
        let answer = ada.ask(&stage, request).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("<h1>") && answer.header("cache-control") == "no-store");
    }
    assert_eq!(stage.counts().await, (0, 0, 0));
}

#[actix_web::test]
async fn too_many_requests_of_one_network_have_to_wait() {
    let mut stage = Stage::new(URL).await;
    stage.limit(2);
    let mut ada = Person::with(IPHONE);
    ada.identify(&stage, ADA).await;
    ada.post(&stage, "/enroll/code", &[("code", "0")]).await;
    let answer = ada.post(&stage, "/enroll/code", &[("code", "0")]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    stage.wait_seconds(30);
    assert_eq!(ada.post(&stage, "/enroll/code", &[("code", "0")]).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn each_kind_of_device_gets_its_own_first_page() {
    let stage = Stage::new(URL).await;
    let link = stage.invite(Ownership::Personal).await;
    let page = |agent: &'static str, path: String| {
        let stage = &stage;
        async move { Person::with(agent).get(stage, &path).await.body }
    };
    let iphone = page(IPHONE, "/".into()).await;
    assert!(iphone.contains("this iPhone") && !iphone.contains("Please use Safari"));
    assert!(page(CHROME_ON_IPHONE, "/".into()).await.contains("Please use Safari"));
    let computer = page(COMPUTER, link.clone()).await;
    assert!(
        computer.contains("data:image/svg+xml;base64,")
            && computer.contains(&format!("{URL}{link}"))
            && computer.contains("name=\"email\"")
    );
    let android = page(ANDROID, "/".into()).await;
    assert!(android.contains("this Android device, with its screen lock") && android.contains("name=\"email\""));
    assert!(page(OTHER_PHONE, "/".into()).await.contains("cannot be enrolled"));
    assert!(page("curl/8", "/".into()).await.contains("do not recognize"));
    let mut ipad = Person::with(MAC);
    assert!(ipad.get(&stage, &link).await.body.contains(&format!("{link}?device&#x3D;ipad")));
    assert!(ipad.get(&stage, &format!("{link}?device=ipad")).await.body.contains("this iPad"));
    assert!(ipad.get(&stage, "/").await.body.contains("this iPad"), "the choice is remembered");
}

#[actix_web::test]
async fn links_that_lead_nowhere_say_what_to_do() {
    let stage = Stage::new(URL).await;
    let link = stage.invite(Ownership::Personal).await;
    let unknown = Person::with(IPHONE).get(&stage, "/enroll/none").await;
    assert!(unknown.status == StatusCode::NOT_FOUND && unknown.body.contains("new invitation"));
    stage.wait_seconds(15 * 86_400);
    let expired = Person::with(IPHONE).get(&stage, &link).await;
    assert!(expired.status == StatusCode::GONE && expired.body.contains("new invitation"));
}

#[actix_web::test]
async fn what_people_type_and_name_is_escaped() {
    let stage = Stage::new(URL).await;
    let change = SettingsChange { organization: Some("<img src=x>{{lookup}}".into()), ..SettingsChange::default() };
    stage.app.change_settings(Actor::server(), change).await.unwrap();
    let mut person = Person::with(IPHONE);
    let answer = person.identify(&stage, "\"><script>alert(1)</script>").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("aria-describedby=\"email-hint email-error\""));
    assert!(!answer.body.contains("<script") && !answer.body.contains("<img") && answer.body.contains("{{lookup}}"));
}
