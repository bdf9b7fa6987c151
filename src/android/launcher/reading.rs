//! Reading what a launcher sends: unknown fields are passed over, because every version sends other ones; what is known must have
//! its type and stay within bounds.

use serde::de::DeserializeOwned;

/// Most levels of lists and objects.
const DEEPEST: usize = 16;

/// What a launcher sent cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON of this form.
    #[error("it is not what a launcher sends: {0}")]
    Form(#[from] serde_json::Error),
    /// There are too many levels.
    #[error("it has more than {DEEPEST} levels")]
    Depth,
    /// A list or text is too long, or has characters that it may not have.
    #[error("{0} is longer than a launcher writes it, or has control characters")]
    Size(&'static str),
}

/// Reads a body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    if depth(body) > DEEPEST {
        return Err(Unreadable::Depth);
    }
    Ok(serde_json::from_slice(body)?)
}

/// How many levels of lists and objects a JSON text has.
fn depth(body: &[u8]) -> usize {
    let (mut level, mut deepest, mut is_text, mut is_escaped) = (0_usize, 0_usize, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => {
                level = level.saturating_add(1);
                deepest = deepest.max(level);
            }
            b']' | b'}' if !is_text => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A short text, without the white space around it; an empty one is none.
pub(super) fn short(text: Option<String>, most: usize, what: &'static str) -> Result<Option<String>, Unreadable> {
    let Some(text) = text else { return Ok(None) };
    if text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(Unreadable::Size(what));
    }
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_outside_of_texts() {
        assert_eq!(depth(br#"{"a":[1,{"b":"[[[[\"[["}]}"#), 3);
        assert!(matches!(read::<serde_json::Value>("[".repeat(17).as_bytes()), Err(Unreadable::Depth)));
        assert!(matches!(read::<serde_json::Value>(b"[[]"), Err(Unreadable::Form(_))));
    }
}
