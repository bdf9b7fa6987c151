//! The Headwind launcher: its package, which an administrator brings, and what is set for devices with it.

use actix_multipart::{Field, Multipart};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{frame::Frame, see, show::When};
use crate::{
    android::launcher::provisioning::WifiSecurity,
    domain::{id::DeviceId, user::Permission},
    http::{
        extract::{
            admin::Admin,
            form::{Form, NoFields, check_csrf},
            upload::Upload,
        },
        problem::Problem,
        prose::sentence,
    },
    service::{
        Error,
        android::{
            launcher_package::{LONGEST, LauncherPackageState},
            launcher_settings::{LauncherSettings, LauncherSettingsChange},
        },
    },
};

/// The page.
const PAGE: &str = "/console/android/launcher";
/// Longest text of a field before the file.
const LONGEST_FIELD: usize = 4096;

/// What may stand behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub struct LauncherQuery {
    #[serde(default)]
    done: String,
}

#[derive(Debug, Serialize)]
struct PackageView {
    file_name: String,
    package: String,
    version: String,
    mebibytes: String,
    checksum: String,
    is_signature: bool,
    uploaded: When,
    uploaded_by: String,
}

/// The form: everything as it was typed. Secrets are never shown.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LauncherForm {
    component: String,
    restrictions: String,
    work_apps: String,
    poll_seconds: String,
    wifi_ssid: String,
    wifi_security: String,
    wifi_hidden: String,
    #[serde(skip_serializing)]
    wifi_password: String,
    #[serde(skip_serializing)]
    request_secret: String,
    published_secret: String,
}

#[derive(Debug, Serialize)]
struct Choice {
    value: &'static str,
    text: &'static str,
    is_chosen: bool,
}

#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that the page shows or not")]
struct LauncherView {
    package: Option<PackageView>,
    form: LauncherForm,
    securities: Vec<Choice>,
    has_wifi_password: bool,
    has_own_secret: bool,
    may_manage: bool,
    is_https: bool,
    most_mebibytes: usize,
}

impl From<&LauncherSettings> for LauncherForm {
    fn from(settings: &LauncherSettings) -> Self {
        let ticked = |value: bool| if value { "yes".to_owned() } else { String::new() };
        Self {
            component: settings.component.clone(),
            restrictions: settings.restrictions.join("\n"),
            work_apps: settings.work_apps.join("\n"),
            poll_seconds: settings.poll_seconds.to_string(),
            wifi_ssid: settings.wifi_ssid.clone().unwrap_or_default(),
            wifi_security: settings.wifi_security.unwrap_or(WifiSecurity::Wpa).as_str().to_owned(),
            wifi_hidden: ticked(settings.wifi_hidden),
            ..Self::default()
        }
    }
}

impl LauncherForm {
    fn change(&self) -> Result<LauncherSettingsChange, Error> {
        let list = |text: &str| {
            let words = text.split(|character: char| character.is_whitespace() || character == ',').filter(|word| !word.is_empty());
            Some(words.map(str::to_owned).collect::<Vec<String>>())
        };
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let request_secret = if self.published_secret.is_empty() { filled(self.request_secret.trim()) } else { Some(String::new()) };
        let seconds = self.poll_seconds.trim().parse().map_err(|_| Error::invalid("poll_seconds", "must be a whole number"))?;
        let security = filled(&self.wifi_security).map(|word| word.parse().map_err(|error| Error::invalid("wifi_security", error)));
        Ok(LauncherSettingsChange {
            component: Some(self.component.trim().to_owned()),
            restrictions: list(&self.restrictions),
            work_apps: list(&self.work_apps),
            poll_seconds: Some(seconds),
            wifi_ssid: Some(self.wifi_ssid.clone()),
            wifi_security: security.transpose()?,
            wifi_hidden: Some(!self.wifi_hidden.is_empty()),
            wifi_password: filled(&self.wifi_password),
            request_secret,
        })
    }
}

/// `GET /console/android/launcher`
pub async fn get_launcher(admin: Admin, query: web::Query<LauncherQuery>) -> Result<HttpResponse, Problem> {
    let done = match query.done.as_str() {
        "uploaded" => Some("The launcher was uploaded. Devices that are enrolled from now on get this one."),
        "saved" => Some("The settings were saved."),
        _ => None,
    };
    let frame = Frame::new(&admin, PAGE, "Android launcher").done(done);
    show(&admin, frame, StatusCode::OK, None).await
}

/// `POST /console/android/launcher/settings`
pub async fn post_settings(form: Form<LauncherForm>) -> Result<HttpResponse, Problem> {
    let (admin, fields) = (form.admin, form.fields);
    let saved = match fields.change() {
        Ok(change) => admin.app.change_launcher_settings(admin.actor.clone(), change).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) => Ok(see("/console/android/launcher?done=saved")),
        Err(Error::Invalid { field, why }) => {
            let frame = Frame::new(&admin, PAGE, "Android launcher").refused(Some(sentence(&format!("{} {why}", name_of(&field)))));
            show(&admin, frame, StatusCode::BAD_REQUEST, Some(fields)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /console/android/launcher/upload`: the file goes into the database as it comes.
pub async fn post_upload(admin: Admin, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let taken = if kind.eq_ignore_ascii_case("multipart/form-data") {
        take_file(&admin, Multipart::new(request.headers(), payload)).await?
    } else {
        // A form without a file; whether it is one of ours is seen there.
        Upload::from_request(&request, &mut payload.into_inner()).await?;
        Err(Error::invalid("file", "is missing: choose the file of the launcher"))
    };
    match taken {
        Ok(_) => Ok(see("/console/android/launcher?done=uploaded")),
        Err(Error::Invalid { field, why }) => {
            let frame = Frame::new(&admin, PAGE, "Android launcher").refused(Some(sentence(&format!("{} {why}", name_of(&field)))));
            show(&admin, frame, StatusCode::BAD_REQUEST, None).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn take_file(admin: &Admin, mut form: Multipart) -> Result<Result<LauncherPackageState, Error>, Problem> {
    let mut csrf = None;
    while let Some(mut part) = form.try_next().await.map_err(|error| unreadable(&error))? {
        match part.name().unwrap_or_default() {
            "csrf" => csrf = Some(text_of(&mut part).await?),
            "file" => {
                // It stands before the file on our page, so that nothing is read of a file that comes from another one.
                check_csrf(admin, csrf)?;
                return store(admin, &mut part).await;
            }
            _ => drop(text_of(&mut part).await?),
        }
    }
    check_csrf(admin, csrf)?;
    Ok(Err(Error::invalid("file", "is missing: choose the file of the launcher")))
}

async fn store(admin: &Admin, part: &mut Field) -> Result<Result<LauncherPackageState, Error>, Problem> {
    let name = part.content_disposition().and_then(|disposition| disposition.get_filename()).unwrap_or_default().to_owned();
    let mut upload = admin.app.begin_launcher_upload(&admin.actor, &name).await?;
    loop {
        match part.try_next().await {
            Ok(Some(bytes)) => {
                if let Err(error) = admin.app.continue_launcher_upload(&mut upload, &bytes).await {
                    return Ok(Err(error));
                }
            }
            Ok(None) => return Ok(admin.app.finish_launcher_upload(upload, admin.actor.clone()).await),
            Err(error) => {
                admin.app.abandon_launcher_upload(&upload).await?;
                return Err(unreadable(&error));
            }
        }
    }
}

async fn text_of(part: &mut Field) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.try_next().await.map_err(|error| unreadable(&error))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LONGEST_FIELD {
            return Err(Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unreadable(error: &actix_multipart::MultipartError) -> Problem {
    tracing::debug!(error = %error, "an upload could not be read");
    Problem::of_status(StatusCode::BAD_REQUEST)
}

/// `POST /console/devices/{id}/unlock`
pub async fn post_unlock(form: Form<NoFields>, id: web::Path<DeviceId>) -> Result<HttpResponse, Problem> {
    form.admin.app.unlock(form.admin.actor.clone(), *id).await?;
    Ok(see(&format!("/console/devices/{id}?done=unlock")))
}

fn name_of(field: &str) -> &str {
    match field {
        "file" => "The file",
        "component" => "The component",
        "restrictions" => "The restrictions",
        "work_apps" => "The apps of the organization",
        "poll_seconds" => "The time for which a device waits",
        "wifi_ssid" => "The name of the network",
        "wifi_security" => "The protection of the network",
        "wifi_password" => "The password of the network",
        "request_secret" => "The secret",
        other => other,
    }
}

async fn show(admin: &Admin, frame: Frame, status: StatusCode, typed: Option<LauncherForm>) -> Result<HttpResponse, Problem> {
    let (package, settings, now) = (admin.app.launcher_package().await?, admin.app.launcher_settings().await?, admin.app.now());
    let form = typed.unwrap_or_else(|| LauncherForm::from(&settings));
    let choice =
        |security: WifiSecurity, text| Choice { value: security.as_str(), text, is_chosen: form.wifi_security == security.as_str() };
    let securities = vec![
        choice(WifiSecurity::Wpa, "With a password (WPA)"),
        choice(WifiSecurity::Wep, "With a password (WEP, old)"),
        choice(WifiSecurity::None, "Open"),
    ];
    let view = LauncherView {
        package: package.map(|package| PackageView {
            is_signature: package.signature_checksum.is_some(),
            checksum: package.signature_checksum.unwrap_or(package.package_checksum),
            file_name: package.file_name,
            package: package.package,
            version: package.version.unwrap_or_else(|| "not said".into()),
            mebibytes: in_mebibytes(package.length),
            uploaded: When::new(package.uploaded_at, now),
            uploaded_by: package.uploaded_by,
        }),
        securities,
        has_wifi_password: settings.has_wifi_password,
        has_own_secret: settings.has_own_secret,
        may_manage: admin.may(Permission::ManageSettings),
        is_https: admin.is_https(),
        most_mebibytes: LONGEST / 1024 / 1024,
        form,
    };
    Ok(frame.show_as(admin, status, "console/launcher", &view))
}

fn in_mebibytes(length: i64) -> String {
    let tenths = length.saturating_mul(10) / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
