//! The two small languages of device rules: texts in which `*` stands for anything, and ranges of system versions.

use crate::domain::policy::parse_version;

/// Whether a text fits a pattern, in which `*` stands for anything. Capitals do not matter.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    // Without a star the whole text must be the pattern.
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at.saturating_add(part.len())..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// A range of versions: `17` is 17 and everything that begins with it, `<17.4`, `<=17.4`, `>17`, `>=17` and `=17.4` compare.
pub(super) struct VersionRange {
    comparison: Comparison,
    version: Vec<u32>,
}

#[derive(Clone, Copy)]
enum Comparison {
    Begins,
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl VersionRange {
    /// Reads a range, or `None` where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        const SIGNS: [(&str, Comparison); 5] = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::More),
            ("=", Comparison::Equal),
        ];
        let text = text.trim();
        let sign = SIGNS.into_iter().find_map(|(sign, comparison)| text.strip_prefix(sign).map(|rest| (comparison, rest)));
        let (comparison, version) = sign.unwrap_or((Comparison::Begins, text));
        Some(Self { comparison, version: parse_version(version)? })
    }

    /// Whether a version is within. One that cannot be read is within no range.
    pub fn contains(&self, version: &str) -> bool {
        let Some(version) = parse_version(version) else { return false };
        match self.comparison {
            Comparison::Begins => version.starts_with(&self.version),
            Comparison::Equal => version == self.version,
            Comparison::Less => version < self.version,
            Comparison::AtMost => version <= self.version,
            Comparison::More => version > self.version,
            Comparison::AtLeast => version >= self.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_capitals_do_not_matter() {
        for (pattern, text, expected) in [
            ("iPhone 15", "iphone 15", true),
            ("iPhone 15", "iPhone 15 Pro", false),
            ("iPhone 15*", "iPhone 15 Pro", true),
            ("*pro", "iPhone 15 Pro", true),
            ("*Outlook*iOS*", "Mozilla/5.0 Outlook-iOS/2.0", true),
            ("*Outlook*iOS*", "Mozilla/5.0 iOS Outlook", false),
            ("*", "", true),
            ("", "x", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("**x", "x", true),
            ("*é*", "CAFÉS", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn ranges_of_versions_compare_numbers_and_not_texts() {
        for (range, version, expected) in [
            ("17", "17.4.1", true),
            ("17", "1.7", false),
            ("17.4", "17.40", false),
            ("<17.4", "17.3.9", true),
            ("<17.4", "17.4", false),
            ("<= 17.4", "17.4.0", true),
            (">9", "17.4", true),
            (">=17.4", "17.4", true),
            ("=17.4", "17.4.1", false),
            ("<17", "not known", false),
        ] {
            assert_eq!(VersionRange::parse(range).unwrap().contains(version), expected, "{version} in {range}");
        }
        for text in ["", "<", "17.x", "~17", "newest"] {
            assert!(VersionRange::parse(text).is_none(), "{text}");
        }
    }
}
