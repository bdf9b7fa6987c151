//! The API, called as programs call it.

mod document;
mod every_route;
mod groups;
mod ladder;
mod manners;
mod policies;
mod replay;
mod reports;
mod roles;
mod saved;
mod settings;
mod users;
mod what_if;
