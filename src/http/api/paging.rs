//! The two parameters that every list takes.

use std::str::FromStr;

use crate::{service::Error, store::page::PageRequest};

/// Items on a page where nobody asked for a number.
const USUAL: i64 = 50;
/// Most items on a page.
const MOST: i64 = 200;

/// Reads `limit` and `cursor`.
///
/// # Errors
/// The limit is out of its range, or the cursor is none of ours.
pub fn page<K: FromStr>(limit: Option<i64>, cursor: Option<&str>) -> Result<PageRequest<K>, Error> {
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::invalid("limit", format!("must be between 1 and {MOST}")));
    }
    let after = cursor
        .filter(|cursor| !cursor.is_empty())
        .map(|cursor| cursor.parse().map_err(|_| Error::invalid("cursor", "must be the next_cursor of the page before")))
        .transpose()?;
    Ok(PageRequest { limit, after })
}

/// A text to look for, which may be left out or empty.
///
/// # Errors
/// It has characters that no stored text has.
pub fn text(field: &'static str, text: Option<String>) -> Result<Option<String>, Error> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if text.chars().any(char::is_control) => Err(Error::invalid(field, "must not contain control characters")),
        other => Ok(other),
    }
}

/// A parameter that may be left out or empty.
///
/// # Errors
/// It is there and cannot be read.
pub fn optional<T: FromStr>(field: &'static str, text: Option<&str>) -> Result<Option<T>, Error>
where
    T::Err: std::fmt::Display,
{
    text.filter(|text| !text.is_empty()).map(|text| text.parse().map_err(|why: T::Err| Error::invalid(field, why))).transpose()
}
