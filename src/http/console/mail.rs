//! Mail access: the settings of the managed mail account, the keys that Dovecot shares with this server, and how both fare.

use actix_web::{HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};

use super::{field::Field, frame::Frame, see, show::When};
use crate::{
    domain::{id::DeviceId, mail_access::MailProtocol, mail_access::MailReach},
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields},
        },
        problem::Problem,
    },
    service::{Error, mail_access::MailAccess},
};

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct MailQuery {
    #[serde(default)]
    done: String,
}

/// The form: everything as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct MailForm {
    #[serde(default)]
    enabled: String,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    reach: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    user_name: String,
    #[serde(default)]
    imap_host: String,
    #[serde(default)]
    imap_port: String,
    #[serde(default)]
    smtp_host: String,
    #[serde(default)]
    smtp_port: String,
    #[serde(default)]
    exchange_host: String,
    #[serde(default)]
    doveadm_url: String,
    #[serde(default)]
    doveadm_key: String,
    #[serde(default)]
    forget_doveadm_key: String,
}

impl From<MailAccess> for MailForm {
    fn from(access: MailAccess) -> Self {
        Self {
            enabled: if access.enabled { "yes".into() } else { String::new() },
            protocol: access.protocol.as_str().into(),
            reach: access.reach.as_str().into(),
            name: access.name,
            user_name: access.user_name,
            imap_host: access.imap_host,
            imap_port: access.imap_port.to_string(),
            smtp_host: access.smtp_host,
            smtp_port: access.smtp_port.to_string(),
            exchange_host: access.exchange_host,
            doveadm_url: access.doveadm_url,
            doveadm_key: String::new(),
            forget_doveadm_key: String::new(),
        }
    }
}

impl MailForm {
    fn wanted(&self) -> Result<MailAccess, Error> {
        let port = |field: &'static str, text: &str| {
            text.trim().parse::<u16>().map_err(|_| Error::invalid(field, "must be a number between 1 and 65535"))
        };
        Ok(MailAccess {
            enabled: !self.enabled.is_empty(),
            protocol: self.protocol.parse().map_err(|why| Error::invalid("protocol", why))?,
            reach: self.reach.parse().map_err(|why| Error::invalid("reach", why))?,
            name: self.name.clone(),
            user_name: self.user_name.clone(),
            imap_host: self.imap_host.clone(),
            imap_port: port("imap_port", &self.imap_port)?,
            smtp_host: self.smtp_host.clone(),
            smtp_port: port("smtp_port", &self.smtp_port)?,
            exchange_host: self.exchange_host.clone(),
            doveadm_url: self.doveadm_url.clone(),
        })
    }

    /// The new key for doveadm; none where it stays.
    fn new_doveadm_key(&self) -> Option<String> {
        if self.forget_doveadm_key.is_empty() { Some(self.doveadm_key.clone()).filter(|key| !key.is_empty()) } else { Some(String::new()) }
    }

    /// The fields, by part of the form.
    fn parts(&self, wrong: Option<&(String, String)>, has_key: bool) -> Vec<Part> {
        let why = |name: &str| wrong.filter(|(field, _)| field == name).map(|(_, why)| why);
        let text = |name, label, value: &String| Field::text(name, label, value.clone()).wrong(why(name));
        let port = |name, label, value: &String| Field::number(name, label, value.clone(), (1, u16::MAX)).required().wrong(why(name));
        let mut dovecot = vec![
            text("doveadm_url", "Address of doveadm's HTTP interface", &self.doveadm_url)
                .hint("Such as http://mail.example.com:8080. Without it, sessions that are open stay open when a device loses its access."),
            Field::password("doveadm_key", if has_key { "Another key for it" } else { "Its key" })
                .hint("The value of doveadm_api_key. It is sealed here and never shown.")
                .wrong(why("doveadm_key")),
        ];
        if has_key {
            dovecot.push(Field::tick("forget_doveadm_key", "Forget the key that is kept", false));
        }
        vec![
            Part {
                title: "The account",
                fields: vec![
                    Field::tick("enabled", "Devices get a managed mail account", !self.enabled.is_empty()),
                    Field::choice("reach", "Which devices", &self.reach, reaches()).wrong(why("reach")),
                    Field::choice("protocol", "Kind of account", &self.protocol, protocols()).wrong(why("protocol")),
                    text("name", "What it is called on the device", &self.name).required(),
                    text("user_name", "User name at the mail server", &self.user_name)
                        .required()
                        .hint("{email} stands for the whole address, {local} for what is before the @, {domain} for what is behind it."),
                ],
            },
            Part {
                title: "IMAP and SMTP",
                fields: vec![
                    text("imap_host", "IMAP server", &self.imap_host),
                    port("imap_port", "Its port", &self.imap_port).hint("Connections are always encrypted."),
                    text("smtp_host", "SMTP server", &self.smtp_host),
                    port("smtp_port", "Its port", &self.smtp_port),
                ],
            },
            Part { title: "Exchange ActiveSync", fields: vec![text("exchange_host", "Server", &self.exchange_host)] },
            Part { title: "Ending sessions", fields: dovecot },
        ]
    }
}

const fn reaches() -> [(&'static str, &'static str); 2] {
    [(MailReach::Policy.as_str(), "those whose policy requires managed mail"), (MailReach::Everyone.as_str(), "every iPhone and iPad")]
}

const fn protocols() -> [(&'static str, &'static str); 2] {
    [(MailProtocol::Imap.as_str(), "IMAP and SMTP"), (MailProtocol::Exchange.as_str(), "Exchange ActiveSync")]
}

#[derive(Debug, Serialize)]
struct Part {
    title: &'static str,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct MailView {
    parts: Vec<Part>,
    is_enabled: bool,
    keys: Option<When>,
    request: Option<When>,
    kicked: Option<When>,
    kick_error: Option<String>,
    ends_sessions: bool,
    devices: i64,
}

/// `GET /console/mail`
pub async fn get_mail(admin: Admin, query: web::Query<MailQuery>) -> Result<HttpResponse, Problem> {
    let done = (query.done == "saved").then_some("The settings were saved. Devices get or lose their account when they next connect.");
    show(&admin, frame(&admin).done(done), None, None).await
}

fn frame(admin: &Admin) -> Frame {
    Frame::new(admin, "/console/mail", "Mail access")
}

async fn show(admin: &Admin, frame: Frame, typed: Option<MailForm>, wrong: Option<(String, String)>) -> Result<HttpResponse, Problem> {
    let (state, now) = (admin.app.mail_access().await?, admin.app.now());
    let status = if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let view = MailView {
        is_enabled: state.settings.enabled,
        keys: When::some(state.keys_made_at, now),
        request: When::some(state.last_request_at, now),
        kicked: state.last_kick.as_ref().map(|kick| When::new(kick.at, now)),
        kick_error: state.last_kick.and_then(|kick| kick.error),
        ends_sessions: !state.settings.doveadm_url.is_empty(),
        devices: state.devices,
        parts: typed.unwrap_or_else(|| state.settings.into()).parts(wrong.as_ref(), state.has_doveadm_key),
    };
    Ok(frame.show_as(admin, status, "console/mail", &view))
}

/// `POST /console/mail`
pub async fn post_mail(form: Form<MailForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let saved = match fields.wanted() {
        Ok(wanted) => admin.app.change_mail_access(admin.actor.clone(), wanted, fields.new_doveadm_key()).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => Ok(see("/console/mail?done=saved")),
        Err(Error::Invalid { field, why }) => {
            let frame = frame(&admin).refused(Some("Nothing was saved: one field needs another value.".into()));
            show(&admin, frame, Some(fields), Some((field, why))).await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Serialize)]
struct KeysView {
    has_keys: bool,
    devices: i64,
    configuration: Option<String>,
}

/// `GET /console/mail/keys`: what new keys bring about.
pub async fn get_keys(admin: Admin) -> Result<HttpResponse, Problem> {
    show_keys(&admin, None).await
}

async fn show_keys(admin: &Admin, configuration: Option<String>) -> Result<HttpResponse, Problem> {
    let state = admin.app.mail_access().await?;
    let view = KeysView { has_keys: state.keys_made_at.is_some(), devices: state.devices, configuration };
    let frame = Frame::new(admin, "/console/mail", "Keys for Dovecot").below("/console/mail", "Mail access");
    Ok(frame.show(admin, "console/mail_keys", &view))
}

/// `POST /console/mail/keys`: makes them and shows them.
pub async fn post_keys(form: Form<NoFields>) -> Result<HttpResponse, Problem> {
    let made = form.admin.app.make_mail_keys(form.admin.actor.clone(), true).await?;
    show_keys(&form.admin, Some(made.configuration)).await
}

/// `POST /console/devices/{id}/mail-password`
pub async fn post_password(form: Form<NoFields>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    form.admin.app.renew_mail_password(form.admin.actor.clone(), *id).await?;
    Ok(see(&format!("/console/devices/{id}?done=mail-password")))
}
