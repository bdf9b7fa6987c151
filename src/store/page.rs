//! Lists page by page: a cursor is the identifier of the last item of the page before.

use serde::Serialize;
use utoipa::ToSchema;

/// Which page of a list.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<K> {
    /// Most items.
    pub limit: i64,
    /// The last key of the page before.
    pub after: Option<K>,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give this as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
    /// How many items all pages have together.
    pub total: i64,
}

impl<T> Page<T> {
    /// Makes a page of one item more than `limit` if there are that many: the one too many says that another page follows.
    pub fn cut<K: ToString>(mut items: Vec<T>, limit: i64, total: i64, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if has_more { items.last().map(|item| key(item).to_string()) } else { None };
        Self { items, next_cursor, total }
    }

    /// The same page with other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next_cursor: self.next_cursor, total: self.total }
    }
}
