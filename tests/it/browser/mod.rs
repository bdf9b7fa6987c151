//! The pages in a real browser, on a desk and on a phone: the whole story of an administrator's day, each page of it read, fitting
//! its window, and accessible. Pictures of the pages are kept in `target/pictures`.

pub mod driver;
mod enrolled;
mod pages;
pub mod portal;
mod story;
