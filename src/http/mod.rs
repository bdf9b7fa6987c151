//! The doors: every address is reachable from this page, grouped by who asks.

use actix_web::web;

pub mod api;
pub mod browser_cookie;
pub mod client;
pub mod console;
pub mod cookie;
pub mod device;
pub mod extract;
pub mod gate;
pub mod health;
pub mod layer;
pub mod limits;
pub mod mail_gate;
pub mod metrics;
pub mod origin;
pub mod page;
pub mod portal;
pub mod problem;
pub mod prose;

/// All addresses of the public port.
pub fn configure(config: &mut web::ServiceConfig) {
    config.app_data(web::PayloadConfig::new(4 * 1024 * 1024));
    // load balancers, Prometheus
    config.service(web::resource("/healthz").get(health::is_alive));
    config.service(web::resource("/readyz").get(health::is_ready));
    config.service(web::resource("/metrics").get(health::show_metrics));
    // reverse proxies
    gate::configure(config);
    // devices
    device::configure(config);
    // mail servers
    config.service(web::resource("/gate/v1/mail/dovecot").post(mail_gate::answer_dovecot));
    // programs
    api::configure(config);
    // administrators
    console::configure(config);
    // employees; last, because a link of an invitation may be any word below /enroll
    portal::configure(config);
    config.default_service(web::to(portal::get_nothing));
}

/// The addresses of the port where devices come with a client certificate.
pub fn configure_device_port(config: &mut web::ServiceConfig) {
    config.app_data(web::PayloadConfig::new(4 * 1024 * 1024));
    config.service(web::resource("/healthz").get(health::is_alive));
    device::configure_management(config);
    gate::configure(config);
}
