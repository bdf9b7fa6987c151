//! The administrator's console: pages made on the server, which work without any script. What may be done is decided by the
//! services, and by whom in one table here; what is not in the table does not exist.

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, Responder,
    http::{StatusCode, header},
    middleware::from_fn,
    web,
};

use super::{
    extract::admin::Needs,
    layer::pages::guard_pages,
    problem::{Door, Link, Problem},
};
use crate::domain::user::Permission::{
    self, ManagePolicies, ManageRoles, ManageSettings, ManageUsers, Read, ReadAudit, SupportDevices, WipeFully, WipeSelectively,
};

mod access;
mod access_rows;
mod account;
mod announcement;
mod audit;
mod browsers;
mod bulk;
mod certificates;
mod device;
mod device_actions;
mod device_list;
mod device_policy;
mod domains;
mod exception;
mod field;
mod files;
mod frame;
mod group;
mod groups;
mod hold;
mod import;
mod languages;
mod launcher;
mod link_report;
mod links;
mod mail;
mod mail_texts;
mod orders;
mod outbox;
mod overview;
mod picture;
mod policies;
mod policy;
mod policy_fields;
mod policy_preview;
mod policy_support;
mod policy_words;
mod progress;
mod push;
mod report;
mod saved_reports;
mod session;
mod settings;
mod setup;
mod show;
mod tokens;
mod user;
mod user_end;
mod user_form;
mod user_list;
mod webhooks;
mod wording;

/// What the console's pages have in common when something went wrong.
const DOOR: Door =
    Door { template: "console/problem", heading: "Enlist", start: Link { address: "/console/", text: "Go to the overview" } };

/// One address of the console.
#[derive(Clone, Copy)]
pub struct Address {
    /// Its pattern.
    pub path: &'static str,
    /// What one must be allowed to do to look at it; `None` where there is nothing to look at.
    pub see: Option<Permission>,
    /// What one must be allowed to do to send its form; `None` where there is none.
    pub send: Option<Permission>,
    is_for_everyone: bool,
    route: fn(Resource) -> Resource,
}

const fn look(path: &'static str, see: Permission, route: fn(Resource) -> Resource) -> Address {
    Address { path, see: Some(see), send: None, is_for_everyone: false, route }
}

const fn send(path: &'static str, needs: Permission, route: fn(Resource) -> Resource) -> Address {
    Address { path, see: None, send: Some(needs), is_for_everyone: false, route }
}

const fn both(path: &'static str, see: Permission, needs: Permission, route: fn(Resource) -> Resource) -> Address {
    Address { path, see: Some(see), send: Some(needs), is_for_everyone: false, route }
}

/// One's own affairs: every role may see to them, also before a password that must be changed was changed.
const fn own(address: Address) -> Address {
    Address { is_for_everyone: true, ..address }
}

/// Every address of the console that needs somebody who is signed in.
pub const ADDRESSES: &[Address] = &[
    look("/console/", Read, |at| seen(at, overview::get_overview)),
    look("/console/devices", Read, |at| seen(at, device_list::get_devices)),
    send("/console/devices/bulk/refresh", SupportDevices, |at| sent(at, bulk::post_refresh)),
    send("/console/devices/bulk/lock", SupportDevices, |at| sent(at, bulk::post_lock)),
    send("/console/devices/bulk/retire", WipeSelectively, |at| sent(at, bulk::post_retire)),
    look("/console/devices/{id}", Read, |at| seen(at, device::get_device)),
    look("/console/devices/{id}/commands/{command}", Read, |at| seen(at, device::get_command)),
    send("/console/devices/{id}/commands/{command}/approve", WipeSelectively, |at| sent(at, orders::post_approve)),
    send("/console/devices/{id}/commands/{command}/cancel", WipeSelectively, |at| sent(at, orders::post_cancel)),
    both("/console/devices/{id}/exception", ManagePolicies, ManagePolicies, |at| {
        sent(seen(at, exception::get_exception), exception::post_exception)
    }),
    send("/console/devices/{id}/exception/end", ManagePolicies, |at| sent(at, exception::post_end)),
    send("/console/devices/{id}/refresh", SupportDevices, |at| sent(at, orders::post_refresh)),
    both("/console/devices/{id}/lock", SupportDevices, SupportDevices, |at| sent(seen(at, orders::get_lock), orders::post_lock)),
    both("/console/devices/{id}/clear-passcode", SupportDevices, SupportDevices, |at| {
        sent(seen(at, orders::get_clear_passcode), orders::post_clear_passcode)
    }),
    send("/console/devices/{id}/mail-password", SupportDevices, |at| sent(at, mail::post_password)),
    both("/console/devices/{id}/retire", WipeSelectively, WipeSelectively, |at| sent(seen(at, orders::get_retire), orders::post_retire)),
    both("/console/devices/{id}/wipe/selective", WipeSelectively, WipeSelectively, |at| {
        sent(seen(at, orders::get_selective_wipe), orders::post_selective_wipe)
    }),
    both("/console/devices/{id}/wipe/full", WipeFully, WipeFully, |at| sent(seen(at, orders::get_full_wipe), orders::post_full_wipe)),
    both("/console/hold", Read, Read, |at| sent(seen(at, hold::get_hold), hold::post_hold)),
    send("/console/hold/release", WipeFully, |at| sent(at, hold::post_release)),
    look("/console/users", Read, |at| seen(at, user_list::get_users)),
    both("/console/users/new", ManageUsers, ManageUsers, |at| sent(seen(at, user_form::get_new), user_form::post_new)),
    both("/console/users/import", ManageUsers, ManageUsers, |at| sent(seen(at, import::get_import), import::post_import)),
    look("/console/users/import/{id}", Read, |at| seen(at, progress::get_progress)),
    both("/console/users/invite", ManageUsers, ManageUsers, |at| sent(seen(at, progress::get_invite), progress::post_invite)),
    look("/console/users/{id}", Read, |at| seen(at, user::get_user)),
    both("/console/users/{id}/edit", ManageUsers, ManageUsers, |at| sent(seen(at, user_form::get_edit), user_form::post_edit)),
    both("/console/users/{id}/role", ManageRoles, ManageRoles, |at| sent(seen(at, user_form::get_role), user_form::post_role)),
    send("/console/users/{id}/invitation", ManageUsers, |at| sent(at, user::post_invitation)),
    send("/console/users/{id}/groups/add", ManagePolicies, |at| sent(at, user::post_add_group)),
    send("/console/users/{id}/groups/remove", ManagePolicies, |at| sent(at, user::post_remove_group)),
    both("/console/users/{id}/revoke", WipeSelectively, WipeSelectively, |at| sent(seen(at, user_end::get_revoke), user_end::post_revoke)),
    both("/console/users/{id}/delete", ManageUsers, ManageUsers, |at| sent(seen(at, user_end::get_delete), user_end::post_delete)),
    both("/console/links", Read, ManageUsers, |at| sent(seen(at, links::get_links), links::post_links)),
    send("/console/links/files", ManageUsers, |at| sent(at, files::post_file)),
    look("/console/links/report", ReadAudit, |at| seen(at, link_report::get_report)),
    look("/console/links/report.csv", ReadAudit, |at| seen(at, link_report::get_csv)),
    both("/console/links/{id}/withdraw", ManageUsers, ManageUsers, |at| sent(seen(at, links::get_withdraw), links::post_withdraw)),
    look("/console/domains", Read, |at| seen(at, domains::get_domains)),
    both("/console/browsers", ManageSettings, ManageSettings, |at| sent(seen(at, browsers::get_browsers), browsers::post_browsers)),
    look("/console/groups", Read, |at| seen(at, groups::get_groups)),
    both("/console/groups/new", ManageUsers, ManageUsers, |at| sent(seen(at, groups::get_new), groups::post_new)),
    look("/console/groups/{id}", Read, |at| seen(at, group::get_group)),
    both("/console/groups/{id}/rename", ManageUsers, ManageUsers, |at| sent(seen(at, groups::get_rename), groups::post_rename)),
    both("/console/groups/{id}/delete", ManagePolicies, ManagePolicies, |at| sent(seen(at, group::get_delete), group::post_delete)),
    send("/console/groups/{id}/members/add", ManagePolicies, |at| sent(at, group::post_add_member)),
    send("/console/groups/{id}/members/remove", ManagePolicies, |at| sent(at, group::post_remove_member)),
    look("/console/policies", Read, |at| seen(at, policies::get_policies)),
    both("/console/policies/new", ManagePolicies, ManagePolicies, |at| sent(seen(at, policy::get_new), policy::post_new)),
    both("/console/policies/{id}", Read, ManagePolicies, |at| sent(seen(at, policy::get_policy), policy::post_policy)),
    both("/console/policies/{id}/delete", ManagePolicies, ManagePolicies, |at| sent(seen(at, policy::get_delete), policy::post_delete)),
    both("/console/access", Read, ManagePolicies, |at| sent(seen(at, access::get_access), access::post_access)),
    look("/console/report", Read, |at| seen(at, report::get_report)),
    look("/console/report.csv", Read, |at| seen(at, report::get_csv)),
    both("/console/report/saved", Read, ManagePolicies, |at| sent(seen(at, saved_reports::get_saved), saved_reports::post_saved)),
    send("/console/report/forget", ManagePolicies, |at| sent(at, saved_reports::post_forget)),
    own(both("/console/password", Read, Read, |at| sent(seen(at, account::get_password), account::post_password))),
    own(look("/console/account", Read, |at| seen(at, account::get_account))),
    own(send("/console/account/sessions/{id}/end", Read, |at| sent(at, account::post_end_session))),
    own(send("/console/sign-out", Read, |at| sent(at, session::post_sign_out))),
    look("/console/outbox", Read, |at| seen(at, outbox::get_outbox)),
    send("/console/outbox/retry", ManageUsers, |at| sent(at, outbox::post_retry_all)),
    send("/console/outbox/test", ManageSettings, |at| sent(at, outbox::post_test)),
    send("/console/outbox/{id}/retry", ManageUsers, |at| sent(at, outbox::post_retry)),
    look("/console/jobs", Read, |at| seen(at, outbox::get_jobs)),
    send("/console/jobs/{id}/retry", ManageSettings, |at| sent(at, outbox::post_retry_job)),
    look("/console/webhooks", ManageSettings, |at| seen(at, webhooks::get_webhooks)),
    both("/console/webhooks/new", ManageSettings, ManageSettings, |at| sent(seen(at, webhooks::get_new), webhooks::post_new)),
    both("/console/webhooks/{id}", ManageSettings, ManageSettings, |at| sent(seen(at, webhooks::get_webhook), webhooks::post_webhook)),
    send("/console/webhooks/{id}/test", ManageSettings, |at| sent(at, webhooks::post_test)),
    send("/console/webhooks/{id}/deliveries/{delivery}/retry", ManageSettings, |at| sent(at, webhooks::post_retry)),
    both("/console/webhooks/{id}/delete", ManageSettings, ManageSettings, |at| sent(seen(at, webhooks::get_delete), webhooks::post_delete)),
    look("/console/mails", Read, |at| seen(at, mail_texts::get_texts)),
    both("/console/mails/{mail}/{language}", Read, ManageSettings, |at| sent(seen(at, mail_texts::get_text), mail_texts::post_text)),
    send("/console/mails/{mail}/{language}/reset", ManageSettings, |at| sent(at, mail_texts::post_reset)),
    both("/console/announcement", ManageUsers, ManageUsers, |at| sent(seen(at, announcement::get_announcement), announcement::post_count)),
    send("/console/announcement/send", ManageUsers, |at| sent(at, announcement::post_announcement)),
    both("/console/mail", ManageSettings, ManageSettings, |at| sent(seen(at, mail::get_mail), mail::post_mail)),
    both("/console/mail/keys", ManageSettings, ManageSettings, |at| sent(seen(at, mail::get_keys), mail::post_keys)),
    look("/console/certificates", Read, |at| seen(at, certificates::get_certificates)),
    look("/console/push", Read, |at| seen(at, push::get_push)),
    send("/console/push/request", ManageSettings, |at| sent(at, push::post_request)),
    send("/console/push/import", ManageSettings, |at| sent(at, push::post_import)),
    look("/console/android/launcher", Read, |at| seen(at, launcher::get_launcher)),
    send("/console/android/launcher/upload", ManageSettings, |at| sent(at, launcher::post_upload)),
    send("/console/android/launcher/settings", ManageSettings, |at| sent(at, launcher::post_settings)),
    send("/console/devices/{id}/unlock", SupportDevices, |at| sent(at, launcher::post_unlock)),
    look("/console/audit", ReadAudit, |at| seen(at, audit::get_audit)),
    both("/console/tokens", ManageSettings, ManageSettings, |at| sent(seen(at, tokens::get_tokens), tokens::post_token)),
    send("/console/tokens/revoke", ManageSettings, |at| sent(at, tokens::post_revoke)),
    both("/console/settings", ManageSettings, ManageSettings, |at| sent(seen(at, settings::get_settings), settings::post_settings)),
    both("/console/sessions", ManageSettings, ManageSettings, |at| sent(seen(at, account::get_sessions), account::post_end_any_session)),
];

/// Routes the console. The server must hold `web::Data<App>` and one `web::Data<SignIns>` for all workers.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut add = |resource: Resource| {
        config.service(resource.wrap(from_fn(|request, next| guard_pages(DOOR, request, next))));
    };
    add(seen(web::resource("/console"), get_beginning));
    // Whoever is signed in already is recognized there.
    let anybody = Needs { see: Read, send: Read, is_for_everyone: true };
    add(sent(seen(web::resource("/console/sign-in").app_data(anybody), session::get_sign_in), session::post_sign_in));
    add(sent(seen(web::resource("/console/setup/{secret}"), setup::get_setup), setup::post_setup));
    for address in ADDRESSES {
        // What can only be sent may be looked at by nobody, and the other way round; the routes themselves see to that.
        let (see, send) = (address.see.or(address.send), address.send.or(address.see));
        let (Some(see), Some(send)) = (see, send) else { continue };
        let needs = Needs { see, send, is_for_everyone: address.is_for_everyone };
        add((address.route)(web::resource(address.path).app_data(needs)));
    }
    // Last, because its pattern covers the others.
    add(web::resource("/console/{rest:.*}").to(get_nothing));
}

async fn get_nothing() -> Result<HttpResponse, Problem> {
    Err(Problem::of_status(StatusCode::NOT_FOUND))
}

async fn get_beginning() -> HttpResponse {
    see("/console/")
}

/// The answer after a form: look there.
fn see(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}

/// A page that is looked at: `HEAD` does what `GET` does.
fn seen<H, A>(resource: Resource, handler: H) -> Resource
where
    H: Handler<A> + Clone,
    A: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    resource.route(web::get().to(handler.clone())).route(web::head().to(handler))
}

/// A form that is sent.
fn sent<H, A>(resource: Resource, handler: H) -> Resource
where
    H: Handler<A> + Clone,
    A: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    resource.route(web::post().to(handler))
}
