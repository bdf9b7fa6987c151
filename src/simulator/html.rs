//! Cuts HTML into tags and text, as forgivingly as browsers do; what the tags mean is for `page`.

/// One piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// `<name attributes…>`.
    Open(Tag),
    /// `</name>`.
    Close(String),
    /// Text between tags, entities decoded.
    Text(String),
}

/// An opening tag; names are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute; an attribute without a value has an empty one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the attribute is there, with whatever value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of an attribute, owned, empty where it is missing.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }
}

/// Cuts a document into pieces. Comments, scripts and styles are left out.
pub(crate) fn pieces(source: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find('<') {
        let (text, from) = rest.split_at(start);
        push_text(&mut found, text);
        rest = one_tag(&mut found, from);
    }
    push_text(&mut found, rest);
    found
}

fn push_text(found: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        found.push(Piece::Text(unescape(text)));
    }
}

/// Reads what begins with `<` and returns what follows it.
fn one_tag<'a>(found: &mut Vec<Piece>, from: &'a str) -> &'a str {
    if let Some(comment) = from.strip_prefix("<!--") {
        return comment.split_once("-->").map_or("", |(_, after)| after);
    }
    let inner = from.strip_prefix('<').unwrap_or(from);
    if inner.starts_with(['!', '?']) {
        return inner.split_once('>').map_or("", |(_, after)| after);
    }
    if let Some(closing) = inner.strip_prefix('/') {
        let (name, after) = closing.split_once('>').unwrap_or((closing, ""));
        found.push(Piece::Close(name.trim().to_ascii_lowercase()));
        return after;
    }
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
        push_text(found, "<");
        return inner;
    }
    let (tag, after) = read_tag(inner);
    let opaque = tag.name == "script" || tag.name == "style";
    let name = tag.name.clone();
    found.push(Piece::Open(tag));
    if opaque { after_closing(after, &name) } else { after }
}

/// What follows `</name>`, whatever is before it.
fn after_closing<'a>(source: &'a str, name: &str) -> &'a str {
    let mut rest = source;
    while let Some((_, after)) = rest.split_once("</") {
        // A byte boundary may lie inside a character, hence `get`.
        if after.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
            return after.split_once('>').map_or("", |(_, after)| after);
        }
        rest = after;
    }
    ""
}

fn read_tag(inner: &str) -> (Tag, &str) {
    let end = inner.find(|c: char| c.is_whitespace() || c == '>' || c == '/').unwrap_or(inner.len());
    let (name, mut rest) = inner.split_at(end);
    let mut tag = Tag { name: name.to_ascii_lowercase(), attributes: Vec::new() };
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (tag, after);
        }
        if rest.is_empty() {
            return (tag, rest);
        }
        rest = read_attribute(&mut tag, rest);
    }
}

fn read_attribute<'a>(tag: &mut Tag, source: &'a str) -> &'a str {
    let end = source.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/')).unwrap_or(source.len());
    if end == 0 {
        // A stray `=`: skip it, or this would never end.
        return source.get(1..).unwrap_or("");
    }
    let (name, after) = source.split_at(end);
    let (value, rest) = match after.trim_start().strip_prefix('=') {
        Some(value) => read_value(value.trim_start()),
        None => ("", after),
    };
    tag.attributes.push((name.to_ascii_lowercase(), unescape(value)));
    rest
}

fn read_value(source: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = source.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner, ""));
        }
    }
    let end = source.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(source.len());
    source.split_at(end)
}

/// Decodes the character references that templates write; unknown ones stay as they are.
pub(crate) fn unescape(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let known = after.split_once(';').and_then(|(name, tail)| reference(name).map(|character| (character, tail)));
        let (character, tail) = known.unwrap_or(('&', after));
        decoded.push(character);
        rest = tail;
    }
    decoded.push_str(rest);
    decoded
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_with_any_quotes_or_none() {
        let found = pieces(r#"<INPUT type=email name='a&amp;b' value="x > y" required/>tail"#);
        let Piece::Open(tag) = &found[0] else { panic!("{found:?}") };
        assert_eq!(tag.name, "input");
        assert_eq!(tag.get("type"), Some("email"));
        assert_eq!(tag.get("name"), Some("a&b"));
        assert_eq!(tag.get("value"), Some("x > y"));
        assert!(tag.has("required"));
        assert_eq!(found[1], Piece::Text("tail".into()));
    }

    #[test]
    fn scripts_styles_and_comments_say_nothing() {
        let found = pieces("<!-- <form> --><script>if (a<b) { '<form>' }</script><style>p{}</style>done");
        assert_eq!(found.last(), Some(&Piece::Text("done".into())));
        assert!(!found.iter().any(|piece| matches!(piece, Piece::Open(tag) if tag.name == "form")));
    }

    #[test]
    fn broken_html_ends() {
        for source in ["<", "<a", "<a =", "<a href=", "<a href='", "</", "<!--", "a < b", "&#xZZ;&;&", "<script>é</é", "<p =/=/>"] {
            let _ = pieces(source);
        }
        assert_eq!(unescape("&#x27;&#39;&nope;&lt;"), "''&nope;<");
    }
}
