//! A page as a person sees it: its title, its text, its links and its forms, which can be filled in and sent.

use reqwest::Url;

use crate::simulator::html::{Piece, Tag, pieces};

/// How much of a page's text is quoted when it leads nowhere, in characters.
const QUOTED: usize = 400;

/// A page of the portal.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its address, after redirects.
    pub url: Url,
    /// Its `<title>`.
    pub title: String,
    /// Its text, white space folded.
    pub text: String,
    /// Its forms, in order.
    pub forms: Vec<Form>,
    /// Its links, in order.
    pub links: Vec<Link>,
    /// Every value of `data-enlist` on the page.
    pub marks: Vec<String>,
    /// The text of elements that carry such a value and hold text, as it is written.
    pub marked: Vec<(String, String)>,
}

/// A link.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// As written.
    pub href: String,
    /// Its `data-enlist` mark.
    pub mark: Option<String>,
}

/// A form.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// As written; empty means the page itself.
    pub action: String,
    /// Whether it is sent by POST.
    pub post: bool,
    /// Its `data-enlist` mark, or that of one of its buttons.
    pub mark: Option<String>,
    /// Its controls, in order.
    pub fields: Vec<Field>,
    id: String,
}

/// A control of a form.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// `input` types; `submit`, `button`, `select` and `textarea` for the other elements.
    pub kind: String,
    /// The name that is sent.
    pub name: String,
    /// The value that is sent.
    pub value: String,
    /// Ticked, for checkboxes and radio buttons.
    pub checked: bool,
    /// The browser insists on it.
    pub required: bool,
    /// The `autocomplete` hint.
    pub autocomplete: String,
    disabled: bool,
}

impl Page {
    /// Reads a page. Nothing is refused: what cannot be understood is left out.
    #[must_use]
    pub fn read(url: Url, source: &str) -> Self {
        let page = Self {
            url,
            title: String::new(),
            text: String::new(),
            forms: Vec::new(),
            links: Vec::new(),
            marks: Vec::new(),
            marked: Vec::new(),
        };
        let mut reader =
            Reader { page, in_form: None, in_title: false, in_text_area: false, in_select: false, option_taken: false, in_marked: None };
        for piece in pieces(source) {
            reader.take(piece);
        }
        let mut page = reader.page;
        page.title = fold(&page.title);
        page.text = fold(&page.text);
        page
    }

    /// Whether something on the page carries this `data-enlist` mark.
    #[must_use]
    pub fn is_marked(&self, mark: &str) -> bool {
        self.marks.iter().any(|found| found == mark)
    }

    /// The text of the element with this `data-enlist` mark.
    #[must_use]
    pub fn text_marked(&self, mark: &str) -> Option<&str> {
        self.marked.iter().find(|(found, _)| found == mark).map(|(_, text)| text.trim())
    }

    /// Where a form or link leads, resolved against the page.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<Url> {
        self.url.join(reference).ok()
    }

    /// The beginning of the text, for error messages.
    #[must_use]
    pub fn excerpt(&self) -> String {
        self.text.chars().take(QUOTED).collect()
    }
}

impl Form {
    /// The first control that this test finds.
    pub fn find(&self, test: impl Fn(&Field) -> bool) -> Option<&Field> {
        self.fields.iter().filter(|field| !field.disabled).find(|field| test(field))
    }

    /// Types a value into every control of that name. False where there is none.
    pub fn fill(&mut self, name: &str, value: &str) -> bool {
        let mut filled = false;
        for field in self.fields.iter_mut().filter(|field| field.name == name) {
            value.clone_into(&mut field.value);
            filled = true;
        }
        filled
    }

    /// Ticks every required checkbox; true where there was one.
    pub fn tick_required(&mut self) -> bool {
        let mut ticked = false;
        for field in self.fields.iter_mut().filter(|field| field.kind == "checkbox" && field.required) {
            field.checked = true;
            ticked = true;
        }
        ticked
    }

    /// Chooses the radio button (or the option of a list) of that name with that value. False where it is not offered.
    pub fn choose(&mut self, name: &str, value: &str) -> bool {
        let offered = self.fields.iter().any(|f| f.kind == "radio" && f.name == name && f.value == value);
        if offered {
            for field in self.fields.iter_mut().filter(|f| f.kind == "radio" && f.name == name) {
                field.checked = field.value == value;
            }
        }
        offered
    }

    /// Decides for the button of that name with that value, where there are several of the name. False where it is not offered.
    pub fn press(&mut self, name: &str, value: &str) -> bool {
        let is_button = |field: &Field| field.kind == "submit" && field.name == name;
        let offered = self.fields.iter().any(|field| is_button(field) && field.value == value);
        if offered {
            self.fields.retain(|field| !is_button(field) || field.value == value);
        }
        offered
    }

    /// What is sent when the first button is pressed: the successful controls, in order.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, String)> {
        let mut pressed = false;
        let mut entries = Vec::new();
        for field in self.fields.iter().filter(|field| !field.disabled) {
            let sent = match field.kind.as_str() {
                "checkbox" | "radio" => field.checked,
                "submit" | "image" => !std::mem::replace(&mut pressed, true),
                "button" | "reset" | "file" => false,
                _ => true,
            };
            if sent && !field.name.is_empty() {
                entries.push((field.name.clone(), field.value.clone()));
            }
        }
        entries
    }
}

/// White space as a browser shows it.
pub(crate) fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[allow(clippy::struct_excessive_bools, reason = "each says what the text belongs to")]
struct Reader {
    page: Page,
    in_form: Option<usize>,
    in_title: bool,
    in_text_area: bool,
    in_select: bool,
    option_taken: bool,
    /// The name of the marked element around, whose text is read.
    in_marked: Option<String>,
}

/// Elements whose marks say what they lead to, or what the page is; their text is none that is meant to be copied.
const WITHOUT_TEXT: [&str; 6] = ["main", "form", "a", "button", "input", "body"];

impl Reader {
    fn take(&mut self, piece: Piece) {
        match &piece {
            Piece::Close(name) if self.in_marked.as_ref() == Some(name) => self.in_marked = None,
            Piece::Text(text) if self.in_marked.is_some() => {
                if let Some((_, marked)) = self.page.marked.last_mut() {
                    marked.push_str(text);
                }
            }
            _ => {}
        }
        match piece {
            Piece::Open(tag) => self.open(&tag),
            Piece::Close(name) => match name.as_str() {
                "form" => self.in_form = None,
                "title" => self.in_title = false,
                "textarea" => self.in_text_area = false,
                "select" => self.in_select = false,
                _ => self.page.text.push(' '),
            },
            Piece::Text(text) if self.in_title => self.page.title.push_str(&text),
            Piece::Text(text) if self.in_text_area => {
                if let Some(field) = self.last_field() {
                    field.value.push_str(&text);
                }
            }
            Piece::Text(text) => self.page.text.push_str(&text),
        }
    }

    fn open(&mut self, tag: &Tag) {
        let mark = tag.get("data-enlist").map(str::to_owned);
        self.page.marks.extend(mark.clone());
        if let Some(mark) = mark.clone().filter(|_| !WITHOUT_TEXT.contains(&tag.name.as_str())) {
            self.page.marked.push((mark, String::new()));
            self.in_marked = Some(tag.name.clone());
        }
        match tag.name.as_str() {
            "title" => self.in_title = true,
            "form" => {
                let post = tag.get("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                let form = Form { action: tag.text("action"), post, mark, fields: Vec::new(), id: tag.text("id") };
                self.page.forms.push(form);
                self.in_form = Some(self.page.forms.len() - 1);
            }
            "a" if tag.has("href") => self.page.links.push(Link { href: tag.text("href"), mark }),
            "input" => self.add(tag, &tag.get("type").unwrap_or("text").to_ascii_lowercase(), mark),
            "button" => self.add(tag, &tag.get("type").unwrap_or("submit").to_ascii_lowercase(), mark),
            "textarea" => {
                self.add(tag, "textarea", None);
                self.in_text_area = true;
            }
            "select" => {
                self.add(tag, "select", None);
                (self.in_select, self.option_taken) = (true, false);
            }
            "option" if self.in_select => self.option(tag),
            _ => self.page.text.push(' '),
        }
    }

    /// A list sends its first option, or the one that is marked `selected`.
    fn option(&mut self, tag: &Tag) {
        let take = !self.option_taken || tag.has("selected");
        if take {
            self.option_taken = true;
            let value = tag.text("value");
            if let Some(field) = self.last_field() {
                field.value = value;
            }
        }
    }

    fn add(&mut self, tag: &Tag, kind: &str, mark: Option<String>) {
        let ticks = kind == "checkbox" || kind == "radio";
        let value = if ticks && !tag.has("value") { "on".to_owned() } else { tag.text("value") };
        let field = Field {
            kind: kind.to_owned(),
            name: tag.text("name"),
            value,
            checked: tag.has("checked"),
            required: tag.has("required"),
            autocomplete: tag.text("autocomplete").to_ascii_lowercase(),
            disabled: tag.has("disabled"),
        };
        if let Some(form) = self.form_of(tag) {
            form.fields.push(field);
            form.mark = form.mark.take().or(mark);
        }
    }

    /// A control belongs to the form around it, or to the one that its `form` attribute names.
    fn form_of(&mut self, tag: &Tag) -> Option<&mut Form> {
        match tag.get("form") {
            Some(id) => self.page.forms.iter_mut().find(|form| form.id == id),
            None => self.in_form.and_then(|index| self.page.forms.get_mut(index)),
        }
    }

    fn last_field(&mut self) -> Option<&mut Field> {
        self.in_form.and_then(|index| self.page.forms.get_mut(index)).and_then(|form| form.fields.last_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(source: &str) -> Page {
        Page::read(Url::parse("https://mdm.example.com/start").unwrap(), source)
    }

    #[test]
    fn a_form_sends_what_a_browser_would_send() {
        let mut page = page(
            r#"<title>Enroll &amp; go</title><form method=POST action="/code">
            <input type=hidden name=csrf value=t1><input type=email name=email required>
            <input type=checkbox name=consent required><input type=checkbox name=news>
            <input type=radio name=ownership value=personal checked><input type=radio name=ownership value=company>
            <select name=lang><option value=en>English<option value=de selected>Deutsch</select>
            <textarea name=note>hi</textarea>
            <button name=go value=1>Go</button><button name=stop value=1>Stop</button></form>"#,
        );
        assert_eq!(page.title, "Enroll & go");
        let form = &mut page.forms[0];
        assert!(form.post && form.fill("email", "a@b") && form.tick_required() && form.choose("ownership", "company"));
        assert!(!form.choose("ownership", "borrowed"));
        let sent: Vec<String> = form.entries().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(sent, ["csrf=t1", "email=a@b", "consent=on", "ownership=company", "lang=de", "note=hi", "go=1"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_page_of_some_kind(source in "([<>/='\"&;! a-z#é-]|<form |<input |</|<script>|<option|<textarea>){0,80}") {
            for form in page(&source).forms {
                let _ = form.entries();
            }
        }
    }

    #[test]
    fn the_text_of_a_marked_element_is_read_as_it_is_written() {
        let page = page(
            "<main data-enlist=x><pre data-enlist=activation> {&quot;a&quot;:\n 1} </pre>and <output data-enlist=password>p2</output> more",
        );
        assert_eq!(page.text_marked("activation"), Some("{\"a\":\n 1}"));
        assert_eq!((page.text_marked("password"), page.text_marked("x")), (Some("p2"), None));
    }

    #[test]
    fn marks_are_found_on_links_forms_and_buttons() {
        let page = page(
            r#"<a href="../p?a=1&amp;b=2" data-enlist="profile">Get</a><form action=/x id=f></form>
            <button form=f data-enlist="agree">OK</button><p data-enlist="done">Done</p>"#,
        );
        assert_eq!(page.links[0].mark.as_deref(), Some("profile"));
        assert_eq!(page.resolve(&page.links[0].href).unwrap().as_str(), "https://mdm.example.com/p?a=1&b=2");
        assert_eq!(page.forms[0].mark.as_deref(), Some("agree"));
        assert!(page.is_marked("done"));
        assert_eq!(page.text_marked("done"), Some("Done"));
        assert_eq!(page.text_marked("agree"), None);
        assert!(!page.is_marked("failed"));
    }
}
