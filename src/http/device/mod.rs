//! What devices and their software ask: Apple's channels, the agent's protocol, SCEP, and what the CA publishes.

use actix_web::web;

pub mod agent;
pub mod apple;
pub mod identity;
pub mod launcher;
pub mod ota;
pub mod pki;
pub mod scep;
pub mod signer;

/// The addresses that are burnt into profiles and certificates.
pub fn configure(config: &mut web::ServiceConfig) {
    configure_apple(config);
    agent::configure(config, true);
    launcher::configure(config);
    config.service(web::resource("/scep").get(scep::get).post(scep::post));
    config.service(web::resource("/enroll/ota").post(ota::continue_enrollment));
    config.service(web::resource("/.well-known/com.apple.remotemanagement").get(apple::discover));
    config.service(web::resource("/pki/ca.pem").get(pki::show_ca));
    config.service(web::resource("/pki/crl").get(pki::show_crl));
    config.service(web::resource("/pki/ocsp").post(pki::answer_ocsp));
    config.service(web::resource("/pki/ocsp/{request:.*}").get(pki::answer_ocsp_by_address));
}

/// The channels themselves, which are also offered where devices come with a client certificate.
pub fn configure_management(config: &mut web::ServiceConfig) {
    configure_apple(config);
    // Before the agent's, whose scope covers it.
    config.service(web::resource("/android/v1/identity").get(identity::get_identity));
    agent::configure(config, false);
}

fn configure_apple(config: &mut web::ServiceConfig) {
    config.service(web::resource("/mdm/checkin").put(apple::check_in));
    config.service(web::resource("/mdm/connect").put(apple::connect));
}
