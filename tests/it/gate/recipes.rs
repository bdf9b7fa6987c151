//! Every recipe, with the real proxy: who comes in, who does not, what is claimed and not believed, and what happens without Enlist.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{
    AT_ONCE, Held,
    proxy::{Front, Kind, Stage, values},
    server, written,
};
use crate::harness::{app::TestApp, database::Database};

macro_rules! recipes { ($($name:ident: $kind:ident),+ $(,)?) => { $(
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn $name() { Play::perform(Kind::$kind).await; }
)+ } }

recipes!(
    nginx_lets_in_whom_the_gate_lets_in: Nginx,
    caddy_lets_in_whom_the_gate_lets_in: Caddy,
    haproxy_lets_in_whom_the_gate_lets_in: Haproxy,
    traefik_lets_in_whom_the_gate_lets_in: Traefik,
    envoy_lets_in_whom_the_gate_lets_in: Envoy,
);

/// What a client got.
struct Got {
    status: u16,
    decision: String,
    location: String,
    /// What the application was asked, where it was.
    asked: Option<Value>,
}

struct Play {
    kind: Kind,
    app: TestApp,
    stage: Stage,
    front: Front,
    held: Held,
    phone: Client,
    stranger: Client,
}

impl Play {
    async fn perform(kind: Kind) {
        let app = server(Database::sqlite()).await;
        let held = Held::enroll(&app, "ada@example.com", 0).await;
        let stage = Stage::new(&app).await;
        let front = Front::start(kind, &stage, false).await;
        let (phone, stranger) = (stage.client(held.phone.identity()), stage.client(None));
        let play = Self { kind, app, stage, front, held, phone, stranger };
        play.a_device_comes_in_with_its_name_on_it().await;
        play.a_stranger_does_not().await;
        play.what_is_claimed_is_not_believed().await;
        play.addresses_in_disguise_are_refused().await;
        play.decisions_hold_at_once().await;
        play.without_enlist_it_is_closed_or_open_as_configured().await;
    }

    async fn send(&self, client: &Client, method: Method, path: &str, headers: &[(&str, &str)], body: &'static str) -> Got {
        let before = self.stage.upstream.asked();
        let mut request = client.request(method, self.front.url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (decision, location) = (header("x-enlist-decision"), header("location"));
        let bytes = response.bytes().await.unwrap();
        let was_asked = self.stage.upstream.asked() > before;
        assert_eq!(was_asked, status == 200, "{:?}: {path} {headers:?}", self.kind);
        Got { status, decision, location, asked: was_asked.then(|| serde_json::from_slice(&bytes).unwrap()) }
    }

    async fn get(&self, client: &Client, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send(client, Method::GET, path, headers, "").await
    }

    /// Waits until the phone gets this status.
    async fn becomes(&self, is_let_in: bool, decision: &str) {
        let began = Instant::now();
        loop {
            let got = self.get(&self.phone, "/", &[]).await;
            if (got.status == 200) == is_let_in && got.decision == decision {
                return;
            }
            assert!(began.elapsed() < AT_ONCE, "{:?}: still {} {}", self.kind, got.status, got.decision);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn a_device_comes_in_with_its_name_on_it(&self) {
        let claims = [("x-enlist-user", "root"), ("x-enlist-user", "admin"), ("x-enlist-compliance", "perfect")];
        let got = self.send(&self.phone, Method::POST, "/mail?folder=inbox", &claims, "a letter").await;
        let asked = got.asked.unwrap_or_else(|| panic!("{:?}: {}", self.kind, got.status));
        assert_eq!((&asked["method"], &asked["uri"], &asked["body"]), (&json!("POST"), &json!("/mail?folder=inbox"), &json!("a letter")));
        assert_eq!(values(&asked, "x-enlist-user"), ["ada@example.com"], "{:?}", self.kind);
        assert_eq!(values(&asked, "x-enlist-device"), [self.held.device.as_str()]);
        assert_eq!(values(&asked, "x-enlist-compliance"), ["compliant"]);
        assert_eq!(values(&asked, "x-enlist-assurance"), ["certificate"]);
    }

    async fn a_stranger_does_not(&self) {
        let got = self.get(&self.stranger, "/", &[]).await;
        assert!(matches!(got.status, 401 | 403), "{:?}: {}", self.kind, got.status);
        assert_eq!(got.decision, "quarantine", "{:?}", self.kind);
        let page = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let got = self.get(&self.stranger, "/", &page).await;
        assert_eq!(got.status, 302, "{:?}", self.kind);
        assert_eq!(got.location, format!("{}/", self.app.address()), "{:?}", self.kind);
    }

    async fn what_is_claimed_is_not_believed(&self) {
        let certificate = &self.held.phone.identity().unwrap().certificate;
        let rfc9440 = written(certificate);
        let bare = rfc9440.trim_matches(':').to_owned();
        let escaped: String = url::form_urlencoded::byte_serialize(&certificate.to_pem().unwrap()).collect::<String>().replace('+', "%20");
        let claims: [&[(&str, &str)]; 8] = [
            &[("client-cert", &rfc9440)],
            &[("client-cert", &rfc9440), ("client-cert", &rfc9440)],
            &[("x-ssl-client-cert", &escaped)],
            &[("x-forwarded-tls-client-cert", &bare)],
            &[("x-forwarded-client-cert", &escaped)],
            &[("client_cert", &rfc9440)],
            &[("x_ssl_client_cert", &escaped)],
            &[("x-forwarded-for", "127.0.0.1"), ("x-forwarded-uri", "/public"), ("x-original-url", "/public"), ("client-cert", &rfc9440)],
        ];
        for claim in claims {
            let got = self.get(&self.stranger, "/", claim).await;
            assert!(matches!(got.status, 400..=403 | 500), "{:?}: {} for {claim:?}", self.kind, got.status);
            // Whoever has a certificate gains nothing by claiming another.
            let got = self.get(&self.phone, "/", claim).await;
            if let Some(asked) = &got.asked {
                assert_eq!(values(asked, "x-enlist-user"), ["ada@example.com"], "{:?}: {claim:?}", self.kind);
            }
        }
        let got = self.get(&self.phone, "/", &[("x_enlist_user", "root")]).await;
        let handed_on = got.asked.as_ref().map(|asked| values(asked, "x_enlist_user")).unwrap_or_default();
        assert!(handed_on.is_empty(), "{:?}: an application may take it for the name with hyphens", self.kind);
    }

    async fn addresses_in_disguise_are_refused(&self) {
        for path in ["/public/..%2fsecret", "/public%2f..%2fsecret", "/public%5c..%5csecret", "/a%252fb", "/a%00b"] {
            let got = self.get(&self.phone, path, &[]).await;
            assert!(got.status >= 400, "{:?}: {} for {path}", self.kind, got.status);
        }
    }

    async fn decisions_hold_at_once(&self) {
        let admin = self.app.admin();
        let path = format!("/devices/{}/exception", self.held.device);
        for decision in ["quarantine", "block"] {
            let body = json!({ "decision": decision, "until": self.app.clock_now().plus_days(1) });
            admin.put(&path, &body).await.expect(200);
            self.becomes(false, decision).await;
        }
        admin.delete(&path).await.expect(204);
        self.becomes(true, "").await;
        self.app.database.tamper("UPDATE certificates SET revoked_at = 1, revocation_reason = 'key_compromise'");
        self.becomes(false, "block").await;
        self.app.work().await;
    }

    async fn without_enlist_it_is_closed_or_open_as_configured(mut self) {
        let open = if self.kind.can_open() { Some(Front::start(self.kind, &self.stage, true).await) } else { None };
        drop(self.app);
        let before = self.stage.upstream.asked();
        let began = Instant::now();
        loop {
            let status = self.stranger.get(self.front.url("/")).send().await.unwrap().status().as_u16();
            assert_ne!(status, 200, "{:?}", self.kind);
            let is_listening = tokio::net::TcpStream::connect(self.stage.enlist()).await.is_ok();
            if !is_listening {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "the server does not stop");
        }
        for client in [&self.phone, &self.stranger] {
            let status = client.get(self.front.url("/")).send().await.unwrap().status().as_u16();
            assert!(matches!(status, 403 | 500..=504), "{:?}: {status}", self.kind);
        }
        assert_eq!(self.stage.upstream.asked(), before, "{:?}", self.kind);
        let Some(open) = open else { return };
        self.front = open;
        for client in [&self.phone, &self.stranger] {
            let answer = client.get(self.front.url("/x")).header("x-enlist-user", "root").send().await.unwrap();
            assert_eq!(answer.status(), 200, "{:?}", self.kind);
            let asked: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert!(values(&asked, "x-enlist-user").iter().all(|value| value.is_empty()), "{:?}: {asked}", self.kind);
        }
    }
}
