//! The API, called as programs call it.

mod document;
mod groups;
mod manners;
mod policies;
mod roles;
mod settings;
mod users;
