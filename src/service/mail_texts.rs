//! The texts of mails: which one holds for a person, and how an administrator writes another one. What an administrator wrote goes
//! before what comes with the server, and the wanted language before English.

use std::sync::Arc;

use serde_json::json;

use super::{App, Error, Result, outbox::COMPOSING, settings::Settings};
use crate::{
    domain::{
        audit::Actor,
        id::UserId,
        mail::{ENGLISH, MailKind, MailText},
        time::Timestamp,
    },
    mail::{
        languages::Languages,
        render::{Rendered, check, render},
        sample::samples,
        template::Template,
    },
    store::{
        Conn, Tx,
        audit::{self, Entry},
        mail_texts::{self, WrittenText},
        users,
    },
};

/// The text of a mail in a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextState {
    /// Which mail.
    pub kind: MailKind,
    /// The code of the language.
    pub language: String,
    /// What the language calls itself.
    pub language_name: String,
    /// What holds.
    pub text: MailText,
    /// When and by whom it was written; none where it came with the server.
    pub written: Option<(Timestamp, String)>,
    /// The language has no text for this mail: it is sent in English.
    pub is_english: bool,
}

/// The language of the mails to a user.
pub(super) fn language_of(conn: &mut Conn, user: Option<UserId>, settings: &Settings) -> Result<String> {
    let own = user.map(|user| users::find(conn, user)).transpose()?.flatten().and_then(|user| user.language);
    Ok(own.unwrap_or_else(|| settings.mail_language.clone()))
}

/// The mail as somebody reads it.
pub(super) fn written(conn: &mut Conn, app: &App, template: &Template, language: &str) -> Result<Rendered> {
    let kind = template.kind();
    for code in [language, ENGLISH] {
        let template = app.languages.translated(code, template.clone());
        if let Some(own) = mail_texts::find(conn, kind, code)? {
            match render(&own.text(), &template, code) {
                Ok(mail) => return Ok(mail),
                // It was tried when it was written; a later version may have other places.
                Err(error) => {
                    tracing::error!(mail = %kind, language = code, error = %error, "a text that was written here cannot be used any more");
                }
            }
        }
        if let Some(text) = app.languages.text(code, kind) {
            match render(text, &template, code) {
                Ok(mail) => return Ok(mail),
                Err(error) if code == ENGLISH => return Err(Error::internal(COMPOSING, error)),
                // It was tried when it was read, with examples; the person gets the English one rather than none.
                Err(error) => tracing::error!(mail = %kind, language = code, error = %error, "the text of a language cannot be used"),
            }
        }
    }
    Err(Error::Conflict(format!("there is no text for the mail '{kind}'")))
}

impl App {
    /// The languages that mails can be written in.
    #[must_use]
    pub const fn languages(&self) -> &Languages {
        &self.languages
    }

    /// Whether there is this language.
    pub(super) fn check_language(&self, field: &str, code: &str) -> Result<()> {
        if self.languages.has(code) {
            return Ok(());
        }
        let codes: Vec<&str> = self.languages.names().map(|(code, _)| code).collect();
        Err(Error::invalid(field, format!("must be one of the languages that there are: {}", codes.join(", "))))
    }

    /// The texts of all mails in all languages.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mail_texts(&self) -> Result<Vec<TextState>> {
        let written = self.read(mail_texts::all).await?;
        let of = |kind: MailKind, code: &str| written.iter().find(|text| text.kind == kind.as_str() && text.language == code);
        let state = |(kind, code, name)| self.text_state(kind, code, name, of(kind, code), of(kind, ENGLISH));
        let all = MailKind::ALL.iter().flat_map(|kind| self.languages.names().map(move |(code, name)| (*kind, code, name)));
        Ok(all.map(state).collect())
    }

    /// The text of a mail in a language.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such language.
    pub async fn mail_text(&self, kind: MailKind, language: &str) -> Result<TextState> {
        let found = self.languages.names().find(|(code, _)| *code == language);
        let (code, name) = found.ok_or(Error::NotFound("language"))?;
        let wanted = code.to_owned();
        let (own, english) =
            self.read(move |conn| Ok::<_, Error>((mail_texts::find(conn, kind, &wanted)?, mail_texts::find(conn, kind, ENGLISH)?))).await?;
        Ok(self.text_state(kind, code, name, own.as_ref(), english.as_ref()))
    }

    fn text_state(&self, kind: MailKind, code: &str, name: &str, own: Option<&WrittenText>, english: Option<&WrittenText>) -> TextState {
        let shipped = |code: &str| self.languages.text(code, kind).cloned();
        let of_language = own.map(WrittenText::text).or_else(|| shipped(code));
        let is_english = of_language.is_none();
        let text = of_language.or_else(|| english.map(WrittenText::text)).or_else(|| shipped(ENGLISH));
        TextState {
            kind,
            language: code.to_owned(),
            language_name: name.to_owned(),
            text: text.unwrap_or_else(|| MailText { subject: String::new(), body: String::new() }),
            written: own.map(|own| (own.updated_at, own.updated_by.clone())),
            is_english,
        }
    }

    /// A text as people would read it, with examples: one for each way through it. Nothing is saved.
    ///
    /// # Errors
    /// [`Error::Invalid`] says what is wrong with the text, [`Error::NotFound`] that there is no such language.
    pub async fn preview_mail(&self, kind: MailKind, language: &str, text: &MailText) -> Result<Vec<Rendered>> {
        if !self.languages.has(language) {
            return Err(Error::NotFound("language"));
        }
        let text = text.normal();
        check(kind, &text).map_err(|wrong| Error::invalid(wrong.field, wrong.why))?;
        let organization = self.settings().await?.organization;
        let examples = samples(kind, &organization, &self.public_url).into_iter();
        examples
            .map(|example| render(&text, &self.languages.translated(language, example), language))
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| Error::internal("writing a mail", error))
    }

    /// Writes another text for a mail. It holds for every mail that is written from then on.
    ///
    /// # Errors
    /// [`Error::Invalid`] says what is wrong with the text, [`Error::NotFound`] that there is no such language.
    pub async fn change_mail_text(self: &Arc<Self>, actor: Actor, kind: MailKind, language: &str, text: MailText) -> Result<()> {
        if !self.languages.has(language) {
            return Err(Error::NotFound("language"));
        }
        let text = text.normal();
        check(kind, &text).map_err(|wrong| Error::invalid(wrong.field, wrong.why))?;
        let (now, language) = (self.now(), language.to_owned());
        self.write(move |tx| {
            let before = mail_texts::find(tx, kind, &language)?.map(|before| before.text());
            let written = WrittenText {
                kind: kind.to_string(),
                language: language.clone(),
                subject: text.subject.clone(),
                body: text.body.clone(),
                updated_at: now,
                updated_by: actor.name.clone(),
            };
            mail_texts::replace(tx, &written)?;
            note(tx, &actor, "mail_text.change", (kind, &language), now, json!({ "before": before, "after": text }))
        })
        .await
    }

    /// Goes back to the text that comes with the server.
    ///
    /// # Errors
    /// [`Error::Conflict`] where it holds already.
    pub async fn reset_mail_text(self: &Arc<Self>, actor: Actor, kind: MailKind, language: &str) -> Result<()> {
        let (now, language) = (self.now(), language.to_owned());
        self.write(move |tx| {
            let before = mail_texts::find(tx, kind, &language)?.map(|before| before.text());
            if !mail_texts::delete(tx, kind, &language)? {
                return Err(Error::Conflict("the text is the one that comes with the server already".into()));
            }
            note(tx, &actor, "mail_text.reset", (kind, &language), now, json!({ "before": before }))
        })
        .await
    }
}

fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    action: &'static str,
    (kind, language): (MailKind, &str),
    now: Timestamp,
    detail: serde_json::Value,
) -> Result<()> {
    let entry = Entry { at: now, actor, action, subject_kind: "mail_text", subject: format!("{kind}/{language}"), detail };
    Ok(audit::record(tx, &entry)?)
}
