//! The API, called as programs call it.

mod document;
mod every_route;
mod groups;
mod ladder;
mod manners;
mod policies;
mod roles;
mod settings;
mod users;
mod what_if;
