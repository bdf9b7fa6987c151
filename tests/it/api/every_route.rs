//! What holds at every address of the API and of the devices: methods that are none, and what no answer may tell (C30, C31, C39).

use reqwest::Method;

use crate::harness::{
    actors::{Admin, Reply},
    app::TestApp,
    database::Database,
};

/// Addresses that are not in the description: those of devices, of load balancers, and of people.
const OTHERS: [&str; 31] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/scep",
    "/mdm/checkin",
    "/mdm/connect",
    "/pki/ca.pem",
    "/pki/crl",
    "/pki/ocsp",
    "/android/hw/rest/public/sync/info",
    "/android/hw/rest/notification/polling/dev-001",
    "/android/hw/rest/plugins/devicereset/public/dev-001",
    "/files/x/launcher.apk",
    "/gate/v1/mail/dovecot",
    "/gate/v1/check",
    "/gate/v1/enter",
    "/.enlist/callback",
    "/l/nothing",
    "/l/nothing/send",
    "/browser",
    "/enroll/help/access",
    "/enroll/help/access/check",
    "/devices/01a218b8-d904-7540-9b3c-60ebe2398464/check",
    "/assets/nothing",
    "/api/openapi.json",
    "/api/docs",
    "/",
    "/devices",
    "/enroll/code",
    "/console/sign-in",
    "/nowhere",
];

async fn everywhere(app: &TestApp) -> Vec<String> {
    let document: serde_json::Value = reqwest::get(format!("{}/api/openapi.json", app.address())).await.unwrap().json().await.unwrap();
    let nobody = uuid::Uuid::now_v7().to_string();
    let mut paths: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    for path in &mut paths {
        while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
            path.replace_range(start..=end, &nobody);
        }
    }
    paths.extend(OTHERS.map(String::from));
    paths
}

async fn ask(admin: &Admin, app: &TestApp, method: &str, path: &str) -> Reply {
    let method: Method = method.parse().unwrap();
    let request = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    admin.send(request.request(method, format!("{}{path}", app.address()))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_methods_are_refused_and_no_answer_tells_what_the_server_runs_on() {
    let app = TestApp::start(Database::sqlite()).await;
    let admin = app.admin();
    for path in everywhere(&app).await {
        for method in ["TRACE", "PROPFIND", "FOO"] {
            let reply = ask(&admin, &app, method, &path).await;
            assert!(matches!(reply.status, 401 | 404 | 405), "{method} {path}: {}", reply.status);
        }
        for method in ["GET", "POST"] {
            let reply = ask(&admin, &app, method, &path).await;
            assert!(reply.status < 500, "{method} {path}: {}", reply.status);
            for telling in ["server", "x-powered-by", "via"] {
                assert!(!reply.headers.contains_key(telling), "{path} tells {telling}");
            }
            assert!(!reply.headers.values().any(|value| value.to_str().is_ok_and(|text| text.contains("actix"))), "{path}");
            if reply.header("content-type").starts_with("text/html") {
                assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
                assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_are_for_those_with_a_token() {
    let app = TestApp::start(Database::sqlite()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let address = format!("{}/metrics", app.address());
    assert_eq!(client.get(&address).send().await.unwrap().status(), 401);
    assert_eq!(client.get(&address).bearer_auth("nobody's").send().await.unwrap().status(), 401);
    assert!(app.admin().metrics().await.contains("enlist_"));
}
