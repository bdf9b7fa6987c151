//! The languages of mails as choices of a form.

use crate::service::App;

/// The languages that there are, and the one that is kept where that is none of them: a form that does not offer what is kept would
/// change it.
///
/// * `kept`: the code of the language that is kept; empty for none.
pub(super) fn choices(app: &App, kept: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = app.languages().names().map(|(code, name)| (code.to_owned(), name.to_owned())).collect();
    if !kept.is_empty() && !app.languages().has(kept) {
        all.push((kept.to_owned(), format!("{kept} (not installed)")));
    }
    all
}
