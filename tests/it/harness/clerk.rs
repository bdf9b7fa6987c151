//! Somebody with a browser at the console: opens pages, fills in their forms, follows where they lead.

use enlist::{
    domain::{
        audit::{Actor, ActorKind},
        id::UserId,
        user::Role,
    },
    service::users::NewUser,
    simulator::page::{Form, Page},
};
use reqwest::{Method, Url, header::HeaderMap};

use super::app::TestApp;

/// The password of everybody here.
pub const PASSWORD: &str = "correct horse battery staple";

/// A page that was shown.
pub struct Shown {
    pub status: u16,
    pub headers: HeaderMap,
    pub page: Page,
    pub source: String,
}

impl Shown {
    /// The same, where the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.page.url, self.page.excerpt());
        self
    }

    /// What the page says contains this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.page.text.contains(text), "{text:?} is not on {}: {}", self.page.url, self.page.text);
        self
    }

    /// What the page says does not contain this.
    #[track_caller]
    pub fn keeps_quiet_about(self, text: &str) -> Self {
        assert!(!self.page.text.contains(text), "{text:?} is on {}: {}", self.page.url, self.page.text);
        self
    }

    /// The form that is sent there.
    #[track_caller]
    pub fn form(&self, action: &str) -> Form {
        let found = self.page.forms.iter().find(|form| form.action == action);
        found.unwrap_or_else(|| panic!("no form to {action} on {}: {}", self.page.url, self.page.excerpt())).clone()
    }

    /// Whether there is a form that is sent there.
    pub fn has_form(&self, action: &str) -> bool {
        self.page.forms.iter().any(|form| form.action == action)
    }

    /// Whether there is a link to there.
    pub fn has_link(&self, address: &str) -> bool {
        self.page.links.iter().any(|link| link.href == address)
    }

    /// Where the answer leads, where it leads elsewhere.
    pub fn location(&self) -> &str {
        self.headers.get("location").map_or("", |value| value.to_str().unwrap())
    }

    /// The path with its query.
    pub fn place(&self) -> String {
        let query = self.page.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", self.page.url.path())
    }
}

/// Somebody at the console.
pub struct Clerk {
    client: reqwest::Client,
    base: Url,
}

impl Clerk {
    /// A browser in which nobody is signed in.
    pub fn stranger(app: &TestApp) -> Self {
        let builder = reqwest::Client::builder().no_proxy().cookie_store(true).redirect(reqwest::redirect::Policy::none());
        Self { client: builder.build().unwrap(), base: Url::parse(app.address()).unwrap() }
    }

    /// A browser that names itself so, at the portal.
    pub fn with_agent(app: &TestApp, agent: &str) -> Self {
        let builder = reqwest::Client::builder().no_proxy().cookie_store(true).redirect(reqwest::redirect::Policy::none());
        Self { client: builder.user_agent(agent).build().unwrap(), base: Url::parse(app.address()).unwrap() }
    }

    /// A browser in which somebody with this role is signed in. Their address begins with the role.
    pub async fn with_role(app: &TestApp, role: Role) -> Self {
        let email = format!("{role}@example.com");
        hire(app, &email, role).await;
        let clerk = Self::stranger(app);
        clerk.sign_in(&email, PASSWORD).await.expect(200);
        clerk
    }

    /// Signs in, and follows to where that leads.
    pub async fn sign_in(&self, email: &str, password: &str) -> Shown {
        let page = self.open("/console/sign-in").await;
        self.submit(&page, "/console/sign-in", &[("email", email), ("password", password)]).await
    }

    /// Opens a page, and follows to where it leads.
    pub async fn open(&self, path: &str) -> Shown {
        let mut shown = self.look(path).await;
        for _ in 0..5 {
            if shown.status != 303 {
                return shown;
            }
            let next = shown.page.url.join(shown.location()).unwrap();
            shown = self.send(self.client.get(next)).await;
        }
        panic!("{path} leads round in circles")
    }

    /// Opens a page without following.
    pub async fn look(&self, path: &str) -> Shown {
        self.send(self.client.get(self.base.join(path).unwrap())).await
    }

    /// A request to be completed, with the cookies of this browser.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.base.join(path).unwrap())
    }

    /// Fills in the form that is sent to this address and sends it; follows to where that leads.
    pub async fn submit(&self, shown: &Shown, action: &str, fields: &[(&str, &str)]) -> Shown {
        let form = shown.form(action);
        self.submit_form(shown, &form, action, fields).await
    }

    /// Sends a form to an address that one of its buttons names.
    pub async fn submit_form(&self, shown: &Shown, form: &Form, action: &str, fields: &[(&str, &str)]) -> Shown {
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let kept = form.entries().into_iter().filter(|(name, _)| !names.contains(&name.as_str()));
        let mut entries: Vec<(String, String)> = kept.collect();
        entries.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let url = shown.page.url.join(action).unwrap();
        let request = if form.post { self.client.post(url).form(&entries) } else { self.client.get(url).query(&entries) };
        let answer = self.send(request).await;
        if answer.status != 303 {
            return answer;
        }
        let next = answer.page.url.join(answer.location()).unwrap();
        self.open(next.as_str()).await
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Shown {
        let response = request.send().await.unwrap();
        let (status, headers, url) = (response.status().as_u16(), response.headers().clone(), response.url().clone());
        let source = response.text().await.unwrap();
        Shown { status, headers, page: Page::read(url, &source), source }
    }
}

/// Gives somebody a role and the password that everybody here has.
pub async fn hire(app: &TestApp, email: &str, role: Role) -> UserId {
    let actor = Actor { kind: ActorKind::CommandLine, name: "the tests".into() };
    let new = NewUser {
        email: email.into(),
        name: format!("Somebody who is {role}"),
        password: Some(PASSWORD.into()),
        must_change_password: false,
        groups: Vec::new(),
        role: Some(role),
        language: None,
    };
    app.app.create_user(actor, new).await.unwrap().id
}
