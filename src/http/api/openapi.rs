//! The description of the API, made from the code, and a page for people to read it.

use std::fmt::Write;

use actix_web::HttpResponse;
use serde_json::Value;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{
    android::message::CommandPayload,
    http::device::{agent, identity},
};

use super::{
    access, approvals, audit, devices, files, groups, hold, imports, jobs, launcher, links, mail_access, mail_texts, mails, orders,
    policies, preview, push_certificate, reports, rollouts, saved_reports, settings, users, webhooks,
};

/// The whole description.
#[derive(OpenApi)]
#[openapi(
    info(title = "Enlist", description = "Devices, compliance and wipes. Errors are application/problem+json (RFC 9457); lists page by cursor."),
    paths(
        users::list_users, users::create_user, users::get_user, users::change_user, users::delete_user, users::invite_user,
        users::revoke_enrollments, users::make_enrollment_profile,
        imports::import_users, imports::get_import,
        groups::list_groups, groups::create_group, groups::get_group, groups::rename_group, groups::delete_group, groups::add_member,
        groups::remove_member,
        policies::list_policies, policies::create_policy, policies::get_policy, policies::replace_policy, policies::delete_policy, preview::preview_policy, preview::preview_access_rules, rollouts::list_rollouts, saved_reports::list_saved_reports, saved_reports::save_report, saved_reports::delete_saved_report, devices::get_policy,
        access::get_access_rules, access::replace_access_rules, access::explain_access, access::get_exception, access::set_exception,
        access::end_exception,
        devices::list_devices, devices::get_device, devices::list_commands, devices::get_command, devices::list_timeline,
        devices::get_posture,
        hold::get_hold, hold::hold, hold::release,
        orders::wipe_device, orders::lock_device, orders::clear_passcode, orders::refresh_device, orders::retire_device,
        mails::list_mails, mails::get_mail, mails::retry_mail, mails::retry_failed_mails, mails::send_test_mail,
        mail_texts::list_mail_texts, mail_texts::get_mail_text, mail_texts::replace_mail_text, mail_texts::reset_mail_text,
        mail_texts::preview_mail_text, mail_texts::announce_browsers,
        jobs::list_jobs, jobs::retry_job,
        mail_access::get_mail_access, mail_access::replace_mail_access, mail_access::make_mail_keys,
        mail_access::get_device_mail, mail_access::renew_mail_password,
        webhooks::list_webhooks, webhooks::create_webhook, webhooks::get_webhook, webhooks::change_webhook, webhooks::delete_webhook,
        webhooks::test_webhook, webhooks::list_deliveries, webhooks::retry_delivery,
        orders::order_command, approvals::approve_command, approvals::cancel_command,
        links::list_links, links::create_link, links::create_links, links::get_link, links::withdraw_link, links::link_report,
        files::create_file_link,
        reports::compliance_report, settings::get_settings, settings::change_settings,
        push_certificate::get_push_certificate, push_certificate::import_push_certificate, push_certificate::request_push_certificate,
        launcher::get_launcher, launcher::upload_launcher, launcher::get_launcher_settings, launcher::change_launcher_settings,
        launcher::unlock_device,
        audit::list_audit, audit::verify_audit,
        agent::activate, agent::get_policy, agent::report_posture, agent::next_command, agent::answer_command, agent::renew_certificate,
        agent::leave, identity::get_identity,
    ),
    components(schemas(CommandPayload)),
    modifiers(&TokenScheme)
)]
pub struct Api;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", scheme);
        let certificate = SecurityScheme::MutualTls {
            description: Some("the agent's certificate, on the device port".into()),
            deprecated: None,
            extensions: None,
        };
        components.add_security_scheme("device_certificate", certificate);
        // The generator writes an empty licence where the package names none.
        api.info.license = None;
    }
}

/// Gives the description.
pub async fn show_document() -> HttpResponse {
    HttpResponse::Ok().json(Api::openapi())
}

/// Shows the description as a page.
pub async fn show_docs() -> HttpResponse {
    let document = serde_json::to_value(Api::openapi()).unwrap_or_default();
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"))
        .insert_header(("x-content-type-options", "nosniff"))
        .body(page(&document))
}

/// A list of all calls. The document itself has the details.
fn page(document: &Value) -> String {
    let mut text = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Enlist API</title></head><body><main><h1>Enlist API</h1>\
         <p>Every call below <code>/api/</code> needs <code>Authorization: Bearer</code> and a token from \
         <code>enlist token create</code>; those below <code>/android/</code> are for agents with their certificates. \
         The full description is <a href=\"/api/openapi.json\">openapi.json</a>.</p><dl>",
    );
    let paths = document.pointer("/paths").and_then(Value::as_object);
    for (path, calls) in paths.into_iter().flatten() {
        for (method, call) in calls.as_object().into_iter().flatten() {
            let summary = call.get("summary").and_then(Value::as_str).unwrap_or_default();
            let escape = handlebars::html_escape;
            // Writing into a string cannot fail.
            let _ = write!(text, "<dt><code>{} {}</code></dt><dd>{}</dd>", method.to_uppercase(), escape(path), escape(summary));
        }
    }
    text.push_str("</dl></main></body></html>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_described_and_has_a_summary() {
        let document = serde_json::to_value(Api::openapi()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let calls: Vec<&Value> = paths.values().flat_map(|calls| calls.as_object().unwrap().values()).collect();
        assert!(calls.len() >= 35, "{}", calls.len());
        assert!(calls.iter().all(|call| call["summary"].as_str().is_some_and(|text| !text.is_empty())));
        assert!(page(&document).contains("/api/v1/devices/{id}/wipe"));
    }
}
