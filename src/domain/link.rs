//! Protected links: where they may lead, when a person is shown the target first, and what people do with them.

use url::Url;

use crate::words;

/// Longest target.
pub const LONGEST_TARGET: usize = 2000;
/// Most links that are made at once.
pub const MOST_AT_ONCE: usize = 1000;
/// Days for which a link is good where nobody says otherwise.
pub const USUAL_DAYS: u16 = 30;
/// Most days for which a link is good.
pub const MOST_DAYS: u16 = 365;
/// Seconds for which a person's answer about a link holds, so that following it right afterwards asks nothing again.
pub const ANSWER_SECONDS: i64 = 600;

words! {
    /// What a person did with a link.
    pub enum LinkEventKind {
        /// Followed it to its target.
        Opened = "opened",
        /// Was asked, and said that the target looks safe.
        LooksSafe = "looks_safe",
        /// Was asked, and said that it does not.
        LooksUnsafe = "looks_unsafe",
        /// Had the file sent to their own mailbox.
        Released = "released",
    }
}

/// Why an address cannot be a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is none.
    #[error("must be a whole address that begins with https:// or http://")]
    Shape,
    /// Too long.
    #[error("must not be longer than {LONGEST_TARGET} characters")]
    TooLong,
    /// A name or a password stands before the host, which hides where it leads.
    #[error("must not have a name or a password before its host, which hides where it leads")]
    Disguised,
}

/// Reads a target, in its normal form.
///
/// # Errors
/// What is wrong with it.
pub fn target(text: &str) -> Result<Url, TargetError> {
    let text = text.trim();
    if text.len() > LONGEST_TARGET {
        return Err(TargetError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| TargetError::Shape)?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) || text.chars().any(char::is_control) {
        return Err(TargetError::Shape);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Disguised);
    }
    if url.as_str().len() > LONGEST_TARGET { Err(TargetError::TooLong) } else { Ok(url) }
}

/// Whether a host belongs to one of the organization's domains.
#[must_use]
pub fn is_inside(host: &str, domains: &[String]) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    domains.iter().any(|domain| host == *domain || host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.')))
}

/// Whether a text can be one of the organization's domains: lower case, with a dot in it and nothing else around it.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_plain_web_address() {
        assert_eq!(target(" https://Example.com/a?b#c ").unwrap().as_str(), "https://example.com/a?b#c");
        for wrong in ["", "example.com", "//example.com", "javascript:alert(1)", "data:text/html,x", "ftp://example.com", "https://"] {
            assert_eq!(target(wrong), Err(TargetError::Shape), "{wrong}");
        }
        assert_eq!(target("https://bank.example@evil.example/"), Err(TargetError::Disguised));
        assert_eq!(target(&format!("https://example.com/{}", "x".repeat(2000))), Err(TargetError::TooLong));
    }

    #[test]
    fn a_domain_holds_itself_and_what_is_below_it() {
        let domains = ["example.com".to_owned()];
        assert!(is_inside("example.com", &domains) && is_inside("Intranet.Example.com.", &domains));
        assert!(!is_inside("badexample.com", &domains) && !is_inside("example.com.evil.example", &domains) && !is_inside("com", &domains));
        assert!(is_domain("example.co.uk"));
        for wrong in ["", "com", "Example.com", ".example.com", "example..com", "exa mple.com", "*.example.com", "-a.com"] {
            assert!(!is_domain(wrong), "{wrong}");
        }
    }
}
