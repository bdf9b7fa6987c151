//! The languages that mails are written in: those that come with the server, and those that lie as files in a folder.
//!
//! A language is a folder with a file for each mail, `code.txt` for the code, and `language.json` with the language's own name and
//! its words for the sentences that the server puts into mails. What a folder lacks is taken from the language of that code that
//! comes with the server, and else from English.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
};

use serde::Deserialize;

use super::{render::check, template::Template};
use crate::domain::mail::{MailKind, MailText, is_language};

/// Longest file that is read, in bytes.
const LONGEST_FILE: u64 = 256 * 1024;

/// One language.
#[derive(Debug, Clone, Default)]
pub struct Language {
    /// What it calls itself.
    name: String,
    /// Sentences in English, and in this language. `{}` stands for something that differs each time.
    phrases: Vec<(String, String)>,
    texts: HashMap<MailKind, MailText>,
}

/// The file `language.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: String,
    #[serde(default)]
    phrases: BTreeMap<String, String>,
}

/// All languages.
#[derive(Debug, Clone)]
pub struct Languages {
    all: BTreeMap<String, Language>,
    problems: Vec<String>,
}

impl Languages {
    /// Those that come with the server.
    #[must_use]
    pub fn shipped() -> Self {
        let mut languages = Self { all: BTreeMap::new(), problems: Vec::new() };
        macro_rules! ship {
            ($($code:literal),+) => { $( ship!(@ $code, "invitation", "code", "compliance", "announcement", "enrolled", "wiped", "file", "held", "report", "test"); )+ };
            (@ $code:literal, $($mail:literal),+) => {
                languages.take($code, "language.json", include_str!(concat!("languages/", $code, "/language.json")));
                $( languages.take($code, concat!($mail, ".txt"), include_str!(concat!("languages/", $code, "/", $mail, ".txt"))); )+
            };
        }
        ship!("en", "de");
        languages
    }

    /// Those that come with the server, and what lies in a folder of languages. A file that cannot be used is left out; it is among
    /// the problems.
    #[must_use]
    pub fn with_folder(folder: &Path) -> Self {
        let mut languages = Self::shipped();
        if let Err(error) = languages.read_folder(folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            languages.problems.push(format!("{}: {error}", folder.display()));
        }
        for problem in &languages.problems {
            tracing::warn!(problem, "a file of a language is not used");
        }
        languages
    }

    fn read_folder(&mut self, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let code = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            match std::fs::metadata(&path) {
                Ok(about) if about.is_dir() => {}
                Ok(_) => continue,
                Err(error) => {
                    self.problems.push(format!("{}: {error}", path.display()));
                    continue;
                }
            }
            if !is_language(&code) {
                self.problems
                    .push(format!("{}: the name of the folder is not the code of a language, such as fr or pt-br", path.display()));
                continue;
            }
            // What cannot be read is a problem of that language, and none of the others.
            if let Err(error) = self.read_language(&code, &path) {
                self.problems.push(format!("{}: {error}", path.display()));
            }
        }
        Ok(())
    }

    fn read_language(&mut self, code: &str, folder: &Path) -> io::Result<()> {
        for file in std::fs::read_dir(folder)? {
            let path = file?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            match read_text(&path) {
                Ok(Some(text)) => self.take(code, name, &text),
                Ok(None) => self.problems.push(format!("{code}/{name}: is too long")),
                Err(error) => self.problems.push(format!("{code}/{name}: {error}")),
            }
        }
        Ok(())
    }

    /// Takes over a file of a language, or notes what is wrong with it.
    fn take(&mut self, code: &str, name: &str, file: &str) {
        let language = self.all.entry(code.to_owned()).or_insert_with(|| Language { name: code.to_owned(), ..Language::default() });
        let kind = name.strip_suffix(".txt").and_then(|word| word.parse::<MailKind>().ok());
        let taken = match kind {
            Some(kind) => {
                MailText::read(file).ok_or_else(|| "must begin with \"Subject: \" and an empty line".to_owned()).and_then(|text| {
                    check(kind, &text).map_err(|wrong| format!("the {} {}", wrong.field, wrong.why))?;
                    language.texts.insert(kind, text);
                    Ok(())
                })
            }
            None if name == "language.json" => serde_json::from_str::<Head>(file).map_err(|error| error.to_string()).map(|head| {
                language.name = head.name;
                language.phrases = head.phrases.into_iter().collect();
            }),
            None => Err("is the file of no mail".to_owned()),
        };
        if let Err(why) = taken {
            self.problems.push(format!("{code}/{name}: {why}"));
        }
    }

    /// The codes, each with what the language calls itself.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|(code, language)| (code.as_str(), language.name.as_str()))
    }

    /// Whether there is this language.
    #[must_use]
    pub fn has(&self, code: &str) -> bool {
        self.all.contains_key(code)
    }

    /// What is wrong with files, each in a sentence for an administrator.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The text of a mail in a language, where the language has one. English has all.
    #[must_use]
    pub fn text(&self, code: &str, kind: MailKind) -> Option<&MailText> {
        self.all.get(code)?.texts.get(&kind)
    }

    /// Puts the sentences that the server itself wrote into a language, as far as it has them.
    #[must_use]
    pub fn translated(&self, code: &str, mut template: Template) -> Template {
        let Some(language) = self.all.get(code).filter(|language| !language.phrases.is_empty()) else { return template };
        for sentence in template.sentences() {
            if let Some(found) = language.phrases.iter().find_map(|(english, own)| refill(english, own, sentence)) {
                *sentence = found;
            }
        }
        template
    }
}

/// What a file says; nothing where it is too long.
fn read_text(path: &Path) -> io::Result<Option<String>> {
    if std::fs::metadata(path)?.len() > LONGEST_FILE {
        return Ok(None);
    }
    std::fs::read_to_string(path).map(Some)
}

/// Says in one language what a sentence says in another, where the sentence is of this form.
fn refill(english: &str, own: &str, sentence: &str) -> Option<String> {
    let mut parts = english.split("{}");
    let mut rest = sentence.strip_prefix(parts.next()?)?;
    let mut values = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        // The last part is what the sentence ends with, also where it stands further left as well.
        let end =
            if parts.peek().is_none() { rest.len().checked_sub(part.len()).filter(|_| rest.ends_with(part))? } else { rest.find(part)? };
        let (value, after) = rest.split_at_checked(end)?;
        values.push(value);
        rest = after.strip_prefix(part)?;
    }
    if !rest.is_empty() {
        return None;
    }
    let mut values = values.into_iter();
    let mut pieces = own.split("{}");
    let first = pieces.next()?.to_owned();
    Some(pieces.fold(first, |text, piece| text + values.next().unwrap_or_default() + piece))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{sample::samples, template::Mended};

    #[test]
    fn what_comes_with_the_server_is_whole() {
        let languages = Languages::shipped();
        assert!(languages.problems().is_empty(), "{:?}", languages.problems());
        assert_eq!(languages.names().collect::<Vec<_>>(), [("de", "Deutsch"), ("en", "English")]);
        for (code, _) in languages.names() {
            for kind in MailKind::ALL {
                assert!(languages.text(code, *kind).is_some(), "{code}/{kind}");
            }
        }
    }

    #[test]
    fn a_sentence_is_said_in_another_language_with_what_is_in_it() {
        let form = ("The system is version {}; {} or newer is required.", "Das System hat Version {}; nötig ist {}.");
        let said = |sentence: &str| refill(form.0, form.1, sentence);
        assert_eq!(said("The system is version 15.1; 17 or newer is required.").unwrap(), "Das System hat Version 15.1; nötig ist 17.");
        assert_eq!(said("The system is version 15.1; 17 or newer is required. And more."), None);
        assert_eq!(said("The system is version 15.1."), None);
        assert_eq!(refill("compliant", "in Ordnung", "compliant").unwrap(), "in Ordnung");
        assert_eq!(refill("compliant", "in Ordnung", "noncompliant"), None);
        assert_eq!(refill("{} days", "{} Tage", "3 days days").unwrap(), "3 days Tage");
    }

    #[test]
    fn sentences_that_a_language_lacks_stay_english() {
        let languages = Languages::shipped();
        let mut example = samples(MailKind::Compliance, "Example", "https://enroll.example.com").remove(0);
        if let Template::Compliance { reasons, .. } = &mut example {
            reasons.push(Mended {
                text: "Something new is wrong.".into(),
                remedy: "Switch the device on and connect it to a network.".into(),
            });
        }
        let Template::Compliance { reasons, .. } = languages.translated("de", example.clone()) else { panic!("another mail") };
        assert_eq!(reasons[0].text, "Auf dem Gerät ist kein Code eingerichtet.");
        assert_eq!((reasons[1].text.as_str(), reasons[1].remedy.starts_with("Schalten Sie")), ("Something new is wrong.", true));
        let Template::Compliance { reasons, .. } = languages.translated("fr", example) else { panic!("another mail") };
        assert_eq!(reasons[0].text, "No passcode is set on the device.");
    }

    #[test]
    fn a_folder_brings_languages_and_says_what_is_wrong_in_it() {
        let folder = std::env::temp_dir().join(format!("enlist-languages-{}", uuid::Uuid::new_v4()));
        for (name, content) in [
            ("fr/language.json", "{ \"name\": \"Français\" }"),
            ("fr/code.txt", "Subject: Votre code\n\n{{spaced}}\n"),
            ("de/test.txt", "Subject: Probe\n\nVon {{host}}.\n"),
            ("fr/test.txt", "Subject: Essai\n\n{{nom}}\n"),
            ("fr/notes.md", "no mail"),
            ("de/code.txt", "Ihr Code"),
            ("French/code.txt", "Subject: x\n\n{{code}}\n"),
            ("README", "no folder"),
        ] {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        for dangling in ["aa", "fr/aa.txt"] {
            std::os::unix::fs::symlink("nowhere", folder.join(dangling)).unwrap();
        }
        let languages = Languages::with_folder(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(languages.names().collect::<Vec<_>>(), [("de", "Deutsch"), ("en", "English"), ("fr", "Français")]);
        let subject = |code: &str, kind| languages.text(code, kind).map(|text| text.subject.as_str());
        assert_eq!(subject("fr", MailKind::Code), Some("Votre code"));
        assert_eq!(subject("fr", MailKind::Test), None, "what cannot be used is not there");
        assert_eq!(subject("de", MailKind::Test), Some("Probe"));
        assert!(subject("de", MailKind::Code).unwrap().starts_with("Ihr Code für"));
        let problems = languages.problems().join("\n");
        for part in [
            "fr/test.txt: the body names {{nom}}",
            "fr/notes.md: is the file of no mail",
            "de/code.txt: must begin",
            "French: the name",
            "/aa: No such file",
            "fr/aa.txt: No such file",
        ] {
            assert!(problems.contains(part), "{part}: {problems}");
        }
        assert_eq!(languages.problems().len(), 6, "{problems}");
        assert_eq!(Languages::with_folder(&folder).problems().len(), 0, "no folder is no problem");
    }
}
