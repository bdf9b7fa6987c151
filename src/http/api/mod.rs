//! The API for programs: JSON over bearer tokens. Every address is on this page.

#![allow(unused_qualifications, reason = "the macro that describes calls qualifies the types of their parameters")]

use actix_web::{middleware::from_fn, web};

pub mod access;
pub mod approvals;
pub mod audit;
mod csv;
pub mod devices;
pub mod error;
pub mod files;
pub mod groups;
pub mod hold;
pub mod imports;
pub mod jobs;
pub mod launcher;
pub mod links;
pub mod mail_access;
pub mod mail_texts;
pub mod mails;
pub mod openapi;
pub mod orders;
pub mod paging;
pub mod policies;
pub mod preview;
pub mod push_certificate;
pub mod reports;
pub mod rollouts;
pub mod saved_reports;
pub mod settings;
pub mod users;
pub mod webhooks;

use error::{no_such_address, resource};

use super::layer::refusals::note_refusals;

/// The addresses below `/api`.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/api/openapi.json").get(openapi::show_document));
    config.service(web::resource("/api/docs").get(openapi::show_docs));
    config.service(
        web::scope("/api/v1")
            .app_data(web::JsonConfig::default().limit(256 * 1024).error_handler(error::json_error))
            .app_data(web::QueryConfig::default().error_handler(error::query_error))
            .app_data(web::PathConfig::default().error_handler(error::path_error))
            .service(resource("/users").get(users::list_users).post(users::create_user))
            .service(
                resource("/users/import")
                    .app_data(web::JsonConfig::default().limit(4 * 1024 * 1024).error_handler(error::json_error))
                    .post(imports::import_users),
            )
            .service(resource("/imports/{id}").get(imports::get_import))
            .service(resource("/users/{id}").get(users::get_user).patch(users::change_user).delete(users::delete_user))
            .service(resource("/users/{id}/invitation").post(users::invite_user))
            .service(resource("/users/{id}/revoke-enrollments").post(users::revoke_enrollments))
            .service(resource("/users/{id}/enrollment-profile").post(users::make_enrollment_profile))
            .service(resource("/groups").get(groups::list_groups).post(groups::create_group))
            .service(resource("/groups/{id}").get(groups::get_group).patch(groups::rename_group).delete(groups::delete_group))
            .service(resource("/groups/{id}/members/{user}").put(groups::add_member).delete(groups::remove_member))
            .service(resource("/policies").get(policies::list_policies).post(policies::create_policy))
            .service(resource("/policies/preview").post(preview::preview_policy))
            .service(resource("/policies/{id}").get(policies::get_policy).put(policies::replace_policy).delete(policies::delete_policy))
            .service(resource("/access-rules").get(access::get_access_rules).put(access::replace_access_rules))
            .service(resource("/access-rules/preview").post(preview::preview_access_rules))
            .service(resource("/access-rules/explain").get(access::explain_access))
            .service(resource("/devices").get(devices::list_devices))
            .service(resource("/devices/{id}").get(devices::get_device))
            .service(resource("/devices/{id}/commands").get(devices::list_commands).post(orders::order_command))
            .service(resource("/devices/{id}/commands/{command}").get(devices::get_command))
            .service(resource("/devices/{id}/commands/{command}/approve").post(approvals::approve_command))
            .service(resource("/devices/{id}/commands/{command}/cancel").post(approvals::cancel_command))
            .service(resource("/devices/{id}/timeline").get(devices::list_timeline))
            .service(resource("/devices/{id}/posture").get(devices::get_posture))
            .service(resource("/devices/{id}/policy").get(devices::get_policy))
            .service(resource("/rollouts").get(rollouts::list_rollouts))
            .service(
                resource("/devices/{id}/exception").get(access::get_exception).put(access::set_exception).delete(access::end_exception),
            )
            .service(resource("/devices/{id}/wipe").post(orders::wipe_device))
            .service(resource("/devices/{id}/lock").post(orders::lock_device).delete(launcher::unlock_device))
            .service(resource("/devices/{id}/clear-passcode").post(orders::clear_passcode))
            .service(resource("/devices/{id}/refresh").post(orders::refresh_device))
            .service(resource("/devices/{id}/retire").post(orders::retire_device))
            .service(resource("/destructive-hold").get(hold::get_hold).put(hold::hold).delete(hold::release))
            .service(resource("/reports/saved").get(saved_reports::list_saved_reports).post(saved_reports::save_report))
            .service(resource("/reports/saved/{id}").delete(saved_reports::delete_saved_report))
            .service(resource("/devices/{id}/mail").get(mail_access::get_device_mail))
            .service(resource("/devices/{id}/mail-password").post(mail_access::renew_mail_password))
            .service(resource("/mail-access").get(mail_access::get_mail_access).put(mail_access::replace_mail_access))
            .service(resource("/mail-access/keys").post(mail_access::make_mail_keys))
            .service(resource("/links").get(links::list_links).post(links::create_link))
            .service(
                resource("/links/bulk")
                    .app_data(web::JsonConfig::default().limit(4 * 1024 * 1024).error_handler(error::json_error))
                    .post(links::create_links),
            )
            .service(resource("/links/files").post(files::create_file_link))
            .service(resource("/links/{id}").get(links::get_link))
            .service(resource("/links/{id}/withdraw").post(links::withdraw_link))
            .service(resource("/reports/links").get(links::link_report))
            .service(resource("/reports/compliance").get(reports::compliance_report))
            .service(resource("/settings").get(settings::get_settings).patch(settings::change_settings))
            .service(
                resource("/push-certificate").get(push_certificate::get_push_certificate).put(push_certificate::import_push_certificate),
            )
            .service(resource("/push-certificate/request").post(push_certificate::request_push_certificate))
            .service(resource("/android/launcher").get(launcher::get_launcher).put(launcher::upload_launcher))
            .service(resource("/android/launcher/settings").get(launcher::get_launcher_settings).patch(launcher::change_launcher_settings))
            .service(resource("/settings/test-mail").post(mails::send_test_mail))
            .service(resource("/mail-texts").get(mail_texts::list_mail_texts))
            .service(
                resource("/mail-texts/{mail}/{language}")
                    .get(mail_texts::get_mail_text)
                    .put(mail_texts::replace_mail_text)
                    .delete(mail_texts::reset_mail_text),
            )
            .service(resource("/mail-texts/{mail}/{language}/preview").post(mail_texts::preview_mail_text))
            .service(resource("/announcements").post(mail_texts::announce_browsers))
            .service(resource("/mails").get(mails::list_mails))
            .service(resource("/mails/retry").post(mails::retry_failed_mails))
            .service(resource("/mails/{id}").get(mails::get_mail))
            .service(resource("/mails/{id}/retry").post(mails::retry_mail))
            .service(resource("/jobs").get(jobs::list_jobs))
            .service(resource("/jobs/{id}/retry").post(jobs::retry_job))
            .service(resource("/webhooks").get(webhooks::list_webhooks).post(webhooks::create_webhook))
            .service(resource("/webhooks/{id}").get(webhooks::get_webhook).patch(webhooks::change_webhook).delete(webhooks::delete_webhook))
            .service(resource("/webhooks/{id}/test").post(webhooks::test_webhook))
            .service(resource("/webhooks/{id}/deliveries").get(webhooks::list_deliveries))
            .service(resource("/webhooks/{id}/deliveries/{delivery}/retry").post(webhooks::retry_delivery))
            .service(resource("/audit").get(audit::list_audit))
            .service(resource("/audit/verification").get(audit::verify_audit))
            .default_service(web::to(no_such_address))
            .wrap(from_fn(note_refusals)),
    );
}
