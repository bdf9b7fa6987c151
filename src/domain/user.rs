//! Users, the roles that they and API tokens may hold, and what each role is allowed to do.

use crate::words;

words! {
    /// What somebody may do in the console and the API.
    pub enum Role {
        /// Everything.
        Administrator = "administrator",
        /// Helps people with their devices; no factory reset, no settings.
        Helpdesk = "helpdesk",
        /// Reads everything, changes nothing.
        Auditor = "auditor",
    }
}

words! {
    /// Whether a user takes part.
    pub enum UserState {
        /// May enroll devices and come in.
        Active = "active",
        /// Kept for the record; nothing of theirs comes in.
        Disabled = "disabled",
    }
}

/// One thing that may be done. Every route names the one that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See users, devices, policies, reports.
    Read,
    /// See the audit log.
    ReadAudit,
    /// Create and change users and groups, send invitations.
    ManageUsers,
    /// Give somebody a role.
    ManageRoles,
    /// Create and change policies.
    ManagePolicies,
    /// Ask devices for facts, lock them, clear their passcode.
    SupportDevices,
    /// Selective wipe and retire.
    WipeSelectively,
    /// Factory reset.
    WipeFully,
    /// Send commands that are not typed.
    SendRawCommands,
    /// Change settings.
    ManageSettings,
}

impl Role {
    /// Whether this role includes the permission.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        use Permission::{ManageUsers, Read, ReadAudit, SupportDevices, WipeSelectively};
        match self {
            Self::Administrator => true,
            Self::Helpdesk => matches!(permission, Read | ManageUsers | SupportDevices | WipeSelectively),
            Self::Auditor => matches!(permission, Read | ReadAudit),
        }
    }
}

/// A mail address that is not usable; the text says what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing before or after the @, or no @.
    #[error("is not a mail address: it needs a name, an @ and a domain, such as ada@example.com")]
    Shape,
    /// Too long.
    #[error("is longer than the 254 characters that a mail address may have")]
    TooLong,
    /// Spaces or control characters.
    #[error("contains a character that a mail address may not have")]
    Character,
}

/// The one form in which an address is kept and compared: trimmed, in lower case.
///
/// # Errors
/// The text is not a mail address.
pub fn normalize_address(text: &str) -> Result<String, AddressError> {
    let address = text.trim().to_lowercase();
    if address.len() > 254 {
        return Err(AddressError::TooLong);
    }
    if address.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';' | '(' | ')' | '\\')) {
        return Err(AddressError::Character);
    }
    let (local, domain) = address.rsplit_once('@').ok_or(AddressError::Shape)?;
    // What RFC 5321 allows without quotation marks; a mail server takes nothing else (sections 4.1.2 and 4.5.3.1).
    let is_dotted = |text: &str| !text.is_empty() && text.split('.').all(|part| !part.is_empty());
    // A label of a host (RFC 1123, section 2.1), in whatever script.
    let is_end = |end: Option<char>| end.is_some_and(char::is_alphanumeric);
    let is_label = |label: &str| {
        let is_made_of_these = label.chars().all(|c| c.is_alphanumeric() || c == '-');
        label.len() <= 63 && is_made_of_these && is_end(label.chars().next()) && is_end(label.chars().next_back())
    };
    let is_shaped = is_dotted(local)
        && local.len() <= 64
        && !local.contains(['@', ':', '[', ']'])
        && is_dotted(domain)
        && domain.split('.').all(is_label);
    if is_shaped { Ok(address) } else { Err(AddressError::Shape) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_administrator_may_reset_to_factory_state_or_change_settings() {
        for permission in [Permission::WipeFully, Permission::ManageSettings, Permission::ManageRoles, Permission::SendRawCommands] {
            assert!(Role::Administrator.may(permission));
            assert!(!Role::Helpdesk.may(permission));
            assert!(!Role::Auditor.may(permission));
        }
    }

    #[test]
    fn an_auditor_only_reads() {
        assert!(Role::Auditor.may(Permission::Read) && Role::Auditor.may(Permission::ReadAudit));
        assert!(!Role::Auditor.may(Permission::SupportDevices) && !Role::Auditor.may(Permission::ManageUsers));
    }

    #[test]
    fn addresses_are_kept_in_one_form() {
        assert_eq!(normalize_address("  Ada@Example.COM ").unwrap(), "ada@example.com");
        for good in ["ada@xn--exmple-cua.com", "ada@exämple.com", "ada@localhost", "ada@7.example", "ada_b@ex--ample.com"] {
            assert_eq!(normalize_address(good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a b@example.com",
            "a@b@example.com",
            "ada@example..com",
            "a..b@example.com",
            ".ada@example.com",
            "ada.@example.com",
            "ada@-example.com",
            "ada@example-.com",
            "ada@_x.example.com",
            "ada@x_.example.com",
            "ada@exa_mple.com",
            "ada@exa/mple.com",
            "ada:b@example.com",
            "<ada@example.com>",
            "a\r\nBcc:x@y",
        ] {
            assert!(normalize_address(bad).is_err(), "{bad:?}");
        }
    }
}
