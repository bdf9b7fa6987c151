//! The HTML form of a mail, made from its text, so that both always say the same.
//!
//! An empty line divides paragraphs; lines that begin with `*` are a list; a line that holds nothing but an address is a link; a
//! paragraph whose lines are all moved in by four spaces stands out.

/// The form.
///
/// * `text`: as it goes into the plain part of the mail.
/// * `language`: its code, for those who listen to mails.
pub(super) fn from_text(text: &str, language: &str) -> String {
    let mut html = format!("<!doctype html>\n<html lang=\"{}\">\n<body>\n", handlebars::html_escape(language));
    let mut is_list = false;
    for paragraph in text.split("\n\n").map(|part| part.trim_matches('\n')).filter(|part| !part.trim().is_empty()) {
        let items = items(paragraph);
        if is_list != items.is_some() {
            html.push_str(if is_list { "</ul>\n" } else { "<ul>\n" });
            is_list = !is_list;
        }
        match items {
            Some(items) => html.extend(items.iter().map(|item| format!("<li>{}</li>\n", lines(item, "<br>")))),
            None => html.extend([block(paragraph), "\n".into()]),
        }
    }
    if is_list {
        html.push_str("</ul>\n");
    }
    html + "</body>\n</html>\n"
}

/// The items of a list; nothing where it is none.
fn items(paragraph: &str) -> Option<Vec<Vec<&str>>> {
    let mut items: Vec<Vec<&str>> = Vec::new();
    for line in paragraph.lines() {
        if let Some(first) = line.strip_prefix("* ") {
            items.push(vec![first]);
        } else if line.starts_with(' ') {
            items.last_mut()?.push(line);
        } else {
            return None;
        }
    }
    Some(items)
}

fn block(paragraph: &str) -> String {
    if paragraph.lines().all(|line| line.starts_with("    ")) {
        let all: Vec<&str> = paragraph.lines().collect();
        return format!("<p><strong>{}</strong></p>", lines(&all, "<br>"));
    }
    let all: Vec<&str> = paragraph.lines().collect();
    format!("<p>{}</p>", lines(&all, "\n"))
}

fn lines(all: &[&str], between: &str) -> String {
    all.iter().map(|line| line_of(line.trim())).collect::<Vec<_>>().join(between)
}

fn line_of(line: &str) -> String {
    let escaped = handlebars::html_escape(line);
    let is_address = (line.starts_with("https://") || line.starts_with("http://")) && !line.contains(char::is_whitespace);
    if is_address { format!("<a href=\"{escaped}\">{escaped}</a>") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> String {
        let html = from_text(text, "en");
        html.strip_prefix("<!doctype html>\n<html lang=\"en\">\n<body>\n").unwrap().strip_suffix("</body>\n</html>\n").unwrap().to_owned()
    }

    #[test]
    fn paragraphs_lists_links_and_what_stands_out_are_told_apart() {
        let text = "Hello,\nAda\n\n    1234 5678\n\n* one\n  and more\n* two\n\n* three\n\nhttps://example.com/a?b=1&c=2\n";
        let expected = "<p>Hello,\nAda</p>\n<p><strong>1234 5678</strong></p>\n<ul>\n<li>one<br>and more</li>\n<li>two</li>\n\
                        <li>three</li>\n</ul>\n<p><a href=\"https://example.com/a?b&#x3D;1&amp;c&#x3D;2\">https://example.com/a?b&#x3D;1&amp;c&#x3D;2</a></p>\n";
        assert_eq!(body(text), expected);
        assert_eq!(body("* only\n"), "<ul>\n<li>only</li>\n</ul>\n");
        assert_eq!(body(""), "");
    }

    #[test]
    fn what_a_name_contains_stays_text() {
        let html = body("Hello <img src=x onerror=alert(1)> \"Ada\"\n\nhttps://example.com/\"><script>\n");
        assert!(!html.contains("<img") && !html.contains("<script") && !html.contains("com/\""), "{html}");
        assert!(body("javascript:alert(1)").starts_with("<p>javascript"), "no other kind of address becomes a link");
    }
}
