//! How a managed device reaches its mail: by which protocol, on which devices, and under which user name.

use crate::words;

words! {
    /// What a managed mail account speaks.
    pub enum MailProtocol {
        /// IMAP and SMTP (`com.apple.mail.managed`).
        Imap = "imap",
        /// Exchange `ActiveSync` (`com.apple.eas.account`).
        Exchange = "exchange",
    }
}

words! {
    /// Which devices get a managed mail account.
    pub enum MailReach {
        /// Those whose policy requires managed mail.
        Policy = "policy",
        /// Every one that can have it.
        Everyone = "everyone",
    }
}

/// The user name that a pattern makes of a mail address, in lower case as Dovecot compares it. `{email}` stands for the whole
/// address, `{local}` for what is before the @, `{domain}` for what is behind it. `None` where it has a character that the
/// configuration of Dovecot does not let through.
#[must_use]
pub fn user_name(pattern: &str, email: &str) -> Option<String> {
    let (local, domain) = email.rsplit_once('@')?;
    let name = pattern.replace("{email}", email).replace("{local}", local).replace("{domain}", domain).to_lowercase();
    let is_usable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@' | '+');
    (!name.is_empty() && name.chars().all(is_usable)).then_some(name)
}

/// Whether a pattern gives every user a name of their own.
#[must_use]
pub fn is_pattern(pattern: &str) -> bool {
    let names_user = pattern.contains("{email}") || pattern.contains("{local}");
    names_user && pattern.len() <= 100 && user_name(pattern, "a@b").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_follows_from_the_address() {
        assert_eq!(user_name("{email}", "Ada@Example.org").as_deref(), Some("ada@example.org"));
        assert_eq!(user_name("{local}", "ada+work@example.org").as_deref(), Some("ada+work"));
        assert_eq!(user_name("{local}.{domain}", "ada@example.org").as_deref(), Some("ada.example.org"));
        for odd in ["a/b@example.org", "a*b@example.org", "a%u@example.org", "zo\u{eb}@example.org"] {
            assert_eq!(user_name("{email}", odd), None, "{odd}");
        }
    }

    #[test]
    fn a_pattern_must_name_the_user() {
        assert!(is_pattern("{email}") && is_pattern("{local}"));
        assert!(!is_pattern("everybody") && !is_pattern("") && !is_pattern("{domain}") && !is_pattern("{email} x"));
    }
}
