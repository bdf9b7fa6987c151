//! One field of a form: what it is called, what it means, what was typed into it, and what is wrong with that.

use serde::Serialize;

use crate::http::prose::sentence;

/// One choice of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Choice {
    word: String,
    text: String,
    is_chosen: bool,
}

/// One field of a form. The partial `_field` shows it.
#[derive(Debug, Clone, Default, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is something that the partial shows or not")]
pub struct Field {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    /// `text`, `email`, `number`, `password`, `date`, `tick` or `choice`.
    kind: &'static str,
    is_tick: bool,
    is_choice: bool,
    is_number: bool,
    is_required: bool,
    value: String,
    is_on: bool,
    choices: Vec<Choice>,
    least: u16,
    most: u16,
    longest: usize,
    autocomplete: &'static str,
    error: Option<String>,
}

impl Field {
    /// A line of text.
    #[must_use]
    pub fn text(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self { name, label, kind: "text", value: value.into(), longest: 200, autocomplete: "off", ..Self::default() }
    }

    /// A mail address.
    #[must_use]
    pub fn email(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self { kind: "email", longest: 254, ..Self::text(name, label, value) }
    }

    /// A password, which is never shown again.
    #[must_use]
    pub fn password(name: &'static str, label: &'static str) -> Self {
        Self { kind: "password", longest: 1024, autocomplete: "new-password", ..Self::text(name, label, "") }
    }

    /// A number, or nothing.
    #[must_use]
    pub fn number(name: &'static str, label: &'static str, value: impl Into<String>, (least, most): (u16, u16)) -> Self {
        Self { kind: "number", is_number: true, least, most, ..Self::text(name, label, value) }
    }

    /// A day.
    #[must_use]
    pub fn date(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self { kind: "date", longest: 10, ..Self::text(name, label, value) }
    }

    /// Something that is so or not.
    #[must_use]
    pub fn tick(name: &'static str, label: &'static str, is_on: bool) -> Self {
        Self { name, label, kind: "tick", is_tick: true, is_on, ..Self::default() }
    }

    /// One of several.
    #[must_use]
    pub fn choice<W: Into<String>, T: Into<String>>(
        name: &'static str,
        label: &'static str,
        chosen: &str,
        choices: impl IntoIterator<Item = (W, T)>,
    ) -> Self {
        let choice = |(word, text): (W, T)| {
            let word = word.into();
            Choice { is_chosen: word == chosen, word, text: text.into() }
        };
        let choices = choices.into_iter().map(choice).collect();
        Self { name, label, kind: "choice", is_choice: true, value: chosen.to_owned(), choices, ..Self::default() }
    }

    /// With what it means.
    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    /// With room for so many characters.
    #[must_use]
    pub const fn longest(mut self, characters: usize) -> Self {
        self.longest = characters;
        self
    }

    /// Which must not stay empty.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// With what is wrong, where something is. The reason goes on from the field's name: "must be …".
    #[must_use]
    pub fn wrong(mut self, error: Option<&String>) -> Self {
        self.error = error.map(|why| sentence(&format!("This {why}")));
        self
    }
}
