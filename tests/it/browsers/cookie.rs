//! The cookie and the time for which it is good (A2, A3, B2, B10, A11, A12).

use diesel::prelude::*;
use enlist::store::{self, schema};
use serde_json::json;

use super::{ADA, CHROME, browsers, enroll, states, surfer};
use crate::harness::{actors::text, app::TestApp, clerk::Clerk, database::Database, every_backend};

every_backend!(
    weekly_use_for_a_year_never_asks_again_and_a_day_too_much_does,
    a_shorter_duration_takes_effect_at_the_next_use,
    the_cookie_is_opaque_hashed_and_given_anew_on_each_page,
    the_cookie_counts_under_its_very_name_and_once,
    somebody_who_is_disabled_is_not_known_any_more,
    cookies_that_are_blocked_are_explained_for_the_very_browser,
);

// A3, B10
async fn weekly_use_for_a_year_never_asks_again_and_a_day_too_much_does(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    for week in 1..=52 {
        app.clock.advance_days(7);
        assert!(ada.is_known().await.unwrap(), "week {week}");
        app.sweep().await;
    }
    app.clock.advance_days(365);
    app.clock.advance_seconds(-1);
    assert!(ada.is_known().await.unwrap(), "the last second of the duration");
    app.clock.advance_days(366);
    assert!(!ada.is_known().await.unwrap(), "a day too much");
    app.sweep().await;
    let found = browsers(&admin).await;
    assert_eq!(found[0]["enrollment"], json!("retired"));
    assert!(admin.timeline(&text(&found[0], "id")).await.contains(&"retired".to_owned()));
}

// A2, A3
async fn a_shorter_duration_takes_effect_at_the_next_use(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    admin.create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    admin.patch("/settings", &json!({ "browser_enrollment_days": 30 })).await.expect(200);
    // It was promised a year when it was used last, and it has not been used since.
    app.clock.advance_days(60);
    assert!(ada.is_known().await.unwrap());
    app.clock.advance_days(29);
    assert!(ada.is_known().await.unwrap());
    app.clock.advance_days(31);
    assert!(!ada.is_known().await.unwrap());
    app.sweep().await;
    assert_eq!(states(&admin).await, ["retired"]);
}

// B2
async fn the_cookie_is_opaque_hashed_and_given_anew_on_each_page(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    let clerk = Clerk::stranger(&app);
    // A visit of a stranger with a forged cookie is the visit of a stranger.
    let forged = clerk.request(reqwest::Method::GET, "/browser").header("cookie", "enlist-browser=AAAA");
    let shown = clerk.send(forged).await;
    assert!(shown.page.text.contains("Send me a code") || shown.source.contains("Send me a code"));
    assert!(shown.headers.get_all("set-cookie").iter().all(|cookie| !cookie.to_str().unwrap().contains("enlist-browser")));
    let secret = enroll_by_hand(&app, &clerk).await;
    assert!(secret.len() >= 43, "256 bits: {secret}");
    let again = clerk.look("/devices").await.expect(200);
    let cookie = again.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).find(|c| c.contains("enlist-browser"));
    let cookie = cookie.expect("each page gives the cookie anew");
    for part in [secret.as_str(), "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    let kept: Vec<Vec<u8>> =
        app.app.read(|conn| Ok::<_, store::Error>(schema::browsers::table.select(schema::browsers::hash).load(conn)?)).await.unwrap();
    assert!(kept.contains(&openssl::sha::sha256(secret.as_bytes()).to_vec()), "only the hash is kept");
}

/// Enrolls the browser of a clerk, whose answers can be looked at; gives the secret of its cookie.
pub async fn enroll_by_hand(app: &TestApp, clerk: &Clerk) -> String {
    let page = clerk.open("/browser").await;
    let asked = clerk.submit(&page, "/browser", &[("email", ADA)]).await;
    app.work().await;
    let mut mails: Vec<_> = std::fs::read_dir(app.outbox()).unwrap().map(|entry| entry.unwrap().path()).collect();
    mails.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    let mail = std::fs::read_to_string(mails.last().unwrap()).unwrap();
    let digits = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
    let code = mail.split(|c: char| !c.is_ascii_alphanumeric()).find(digits).unwrap().to_owned();
    let sent = clerk.request(reqwest::Method::POST, "/enroll/code").header("sec-fetch-site", "same-origin").form(&[("code", code)]);
    assert!(asked.has_form("/enroll/code"));
    let answer = clerk.send(sent).await.expect(303);
    app.work().await;
    let cookies = answer.headers.get_all("set-cookie");
    let found = cookies.iter().find_map(|cookie| cookie.to_str().unwrap().strip_prefix("enlist-browser=").map(str::to_owned));
    found.unwrap().split(';').next().unwrap().to_owned()
}

// B2: a host beside this one may set cookies for both, and must not be able to put its own in the place of ours.
async fn the_cookie_counts_under_its_very_name_and_once(db: Database) {
    let app = TestApp::start(db).await;
    app.admin().create_user(ADA).await;
    let secret = enroll_by_hand(&app, &Clerk::stranger(&app)).await;
    let is_known = async |cookie: String| {
        let clerk = Clerk::stranger(&app);
        let shown = clerk.send(clerk.request(reqwest::Method::GET, "/browser").header("cookie", cookie)).await.expect(200);
        // Whoever is known gets the cookie anew.
        shown.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().contains("enlist-browser"))
    };
    assert!(is_known(format!("theme=dark; enlist-browser={secret}")).await);
    for other in ["enlist%2Dbrowser", "%65nlist-browser", "Enlist-browser"] {
        assert!(!is_known(format!("{other}={secret}")).await, "{other}");
    }
    assert!(!is_known(format!("enlist-browser={secret}; enlist-browser={secret}")).await);
}

async fn somebody_who_is_disabled_is_not_known_any_more(db: Database) {
    let app = TestApp::start(db).await;
    let admin = app.admin();
    let user = admin.create_user(ADA).await;
    let ada = surfer(&app, CHROME, ADA);
    enroll(&app, &ada).await;
    admin.patch(&format!("/users/{user}"), &json!({ "state": "disabled" })).await.expect(200);
    assert!(!ada.is_known().await.unwrap());
    app.work().await;
}

// A11, A12, A16, B13, B17
async fn cookies_that_are_blocked_are_explained_for_the_very_browser(db: Database) {
    let app = TestApp::start(db).await;
    let clerk = Clerk::stranger(&app);
    let without = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sent = without
        .post(format!("{}/browser", app.address()))
        .header("sec-fetch-site", "same-origin")
        .form(&[("email", ADA)])
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 400);
    let page = sent.text().await.unwrap();
    assert!(page.contains("Cookies are blocked") && page.contains("/enroll/help/cookies"), "{page}");
    let ios = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    let site = url::Url::parse(app.address()).unwrap().host_str().unwrap().to_owned();
    for (agent, section, says) in [
        (CHROME.to_owned(), "Chrome on a computer", format!("[*.]{site}")),
        (format!("{CHROME} Edg/142.0"), "Edge on a computer or Android", "Clear on exit".to_owned()),
        (
            format!("{ios} Version/18.0 EdgiOS/130.0 Mobile/15E148 Safari/604.1"),
            "Edge on iPhone and iPad",
            "Don't block cookies".to_owned(),
        ),
        (format!("{ios} Version/18.1 Mobile/15E148 Safari/604.1"), "Safari on iPhone and iPad", "Prevent Cross-Site Tracking".to_owned()),
        (format!("{mac} Version/18.1 Safari/605.1.15"), "Safari on a Mac", "Prevent cross-site tracking".to_owned()),
        (super::FIREFOX.to_owned(), "Firefox", "Manage Exceptions".to_owned()),
    ] {
        let request = clerk.request(reqwest::Method::GET, "/enroll/help/cookies").header("user-agent", &agent);
        let source = clerk.send(request).await.expect(200).source;
        let open: Vec<&str> = source.split("<details open>").skip(1).collect();
        assert_eq!(open.len(), 1, "{agent}");
        assert!(open[0].starts_with(&format!("<summary>{section}</summary>")), "{agent}: {}", &open[0][..60]);
        let section = open[0].split("</details>").next().unwrap();
        assert!(section.contains(&says) && source.contains(&site), "{agent}: {section}");
    }
    let unknown = clerk.request(reqwest::Method::GET, "/browser").header("user-agent", "Ladybird/1.0");
    clerk.send(unknown).await.expect(200).says("We do not recognize your browser. It may work all the same").form("/browser");
}
