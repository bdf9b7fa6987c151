//! Certificates: those of the server itself, and those of devices, which end, are renewed and are revoked.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{
    frame::Frame,
    show::{self, When},
};
use crate::{
    domain::{
        hex::hex,
        id::{CertificateId, DeviceId},
    },
    http::{api::paging, extract::admin::Admin, problem::Problem},
    service::Error,
    store::{
        authorities::{self, AuthorityKind},
        certificate_list::{self, CertificateItem, Show},
    },
};

/// Rows on a page.
const ROWS: i64 = 50;
/// Days before its end from which on a certificate counts as ending.
pub const ENDING_DAYS: i64 = 14;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct CertificatesQuery {
    #[serde(default)]
    show: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Serialize)]
struct ServerCertificate {
    name: &'static str,
    purpose: &'static str,
    fingerprint: String,
    ends: When,
    has_ended: bool,
}

#[derive(Debug, Serialize)]
struct DeviceCertificate {
    id: CertificateId,
    email: String,
    common_name: String,
    device: Option<DeviceId>,
    serial: String,
    issued: When,
    ends: When,
    revoked: Option<When>,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Tab {
    word: &'static str,
    text: &'static str,
    is_current: bool,
}

#[derive(Debug, Serialize)]
struct CertificatesView {
    server: Vec<ServerCertificate>,
    tabs: Vec<Tab>,
    show: &'static str,
    q: String,
    rows: Vec<DeviceCertificate>,
    total: i64,
    next: Option<String>,
    is_first: bool,
    first: String,
    empty: &'static str,
}

/// A tab: its word, its name, and what is said where it has nothing.
type TabText = (&'static str, &'static str, &'static str);

const VALID: TabText = ("valid", "Valid", "No device has a certificate yet. Devices get one when they enroll.");
const TABS: [TabText; 4] = [
    VALID,
    ("ending", "Ending soon", "No certificate ends soon. Managed devices renew theirs by themselves, from two thirds of its life on."),
    ("revoked", "Revoked", "No certificate was revoked. Wiping or retiring a device revokes its certificate."),
    ("expired", "Expired", "No certificate has expired."),
];

/// `GET /console/certificates`
pub async fn get_certificates(admin: Admin, query: web::Query<CertificatesQuery>) -> Result<HttpResponse, Problem> {
    let now = admin.app.now();
    let (word, _, empty) = *TABS.iter().find(|(word, ..)| *word == query.show).unwrap_or(&VALID);
    let which = match word {
        "ending" => Show::Ending(now.plus_days(ENDING_DAYS)),
        "revoked" => Show::Revoked,
        "expired" => Show::Expired,
        _ => Show::Valid,
    };
    let text = paging::text("q", Some(query.q.trim().to_owned()))?;
    let page = paging::page(Some(ROWS), Some(&query.cursor))?;
    let (server, page) = admin
        .app
        .read(move |conn| Ok::<_, Error>((authorities::list(conn)?, certificate_list::list(conn, which, text.as_deref(), now, page)?)))
        .await?;
    let address: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("show", word).append_pair("q", query.q.trim()).finish();
    let server = server.into_iter().map(|authority| {
        let (name, purpose) = describe(authority.kind);
        ServerCertificate {
            name,
            purpose,
            fingerprint: hex(&openssl::sha::sha256(&authority.certificate)),
            ends: When::new(authority.not_after, now),
            has_ended: authority.not_after <= now,
        }
    });
    let row = |(certificate, device): (CertificateItem, Option<DeviceId>)| DeviceCertificate {
        id: certificate.id,
        device,
        serial: hex(&certificate.serial),
        issued: When::new(certificate.created_at, now),
        ends: When::new(certificate.not_after, now),
        revoked: When::some(certificate.revoked_at, now),
        reason: certificate.revocation_reason.as_deref().map(show::words),
        email: certificate.email,
        common_name: certificate.common_name,
    };
    let view = CertificatesView {
        server: server.collect(),
        tabs: TABS.iter().map(|(tab, text, _)| Tab { word: tab, text, is_current: *tab == word }).collect(),
        show: word,
        q: query.q.trim().to_owned(),
        total: page.total,
        next: page.next_cursor.as_ref().map(|cursor| format!("?{address}&cursor={cursor}")),
        rows: page.items.into_iter().map(row).collect(),
        is_first: query.cursor.is_empty(),
        first: format!("?{address}"),
        empty,
    };
    Ok(Frame::new(&admin, "/console/certificates", "Certificates").wide().show(&admin, "console/certificates", &view))
}

const fn describe(kind: AuthorityKind) -> (&'static str, &'static str) {
    match kind {
        AuthorityKind::DeviceCa => ("Device CA", "Signs the certificates of devices. Everything rests on it."),
        AuthorityKind::ScepRa => ("SCEP", "Receives the requests of devices."),
        AuthorityKind::ProfileSigner => ("Profiles", "Signs the profiles that phones install."),
        AuthorityKind::OcspResponder => ("OCSP", "Signs the answers on whether a certificate was revoked."),
    }
}
