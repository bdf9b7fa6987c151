//! From a text with places to what somebody reads; and whether a text that somebody wrote can be used.

use handlebars::{
    Handlebars, RenderError, RenderErrorReason, no_escape,
    template::{HelperTemplate, Template as Parsed, TemplateElement},
};

use super::{
    html,
    sample::{essentials, samples, variables},
    template::Template,
};
use crate::domain::mail::{LONGEST_BODY, LONGEST_SUBJECT, MailKind, MailText};

/// Blocks within blocks, at most.
const DEEPEST: usize = 3;
/// The blocks that a text can have.
const BLOCKS: [&str; 3] = ["if", "unless", EACH];
/// The block that is repeated.
const EACH: &str = "each";

/// What somebody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, in one line.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Why a text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongText {
    /// `subject` or `body`.
    pub field: &'static str,
    /// What is wrong with it, as the end of a sentence that begins with the field.
    pub why: String,
}

/// Puts what a mail says into its text.
///
/// * `language`: the code of the one that the text is in.
///
/// # Errors
/// The text names something that the mail does not have, or is none.
pub fn render(text: &MailText, template: &Template, language: &str) -> Result<Rendered, Box<RenderError>> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    // What a name contains must arrive as it is: this is no HTML.
    engine.register_escape_fn(no_escape);
    let subject = one_line(&engine.render_template(&text.subject, template)?);
    let text = engine.render_template(&text.body, template)?;
    Ok(Rendered { subject, html: html::from_text(&text, language), text })
}

/// A text for a header: a line break would begin another one.
pub(super) fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a text can be used for a mail. It is tried with examples that take every way through it.
///
/// # Errors
/// What is wrong with it.
pub fn check(kind: MailKind, text: &MailText) -> Result<(), WrongText> {
    check_part("subject", &text.subject, LONGEST_SUBJECT)?;
    if text.subject.chars().any(char::is_control) {
        return Err(wrong("subject", "must be one line"));
    }
    check_part("body", &text.body, LONGEST_BODY)?;
    let essentials = essentials(kind);
    for example in samples(kind, "Example", "https://enroll.example.com") {
        let rendered = render(text, &example, "en").map_err(|error| explain(kind, text, &example, &error))?;
        if rendered.subject.is_empty() {
            return Err(wrong("subject", "must not be empty"));
        }
        let values = serde_json::to_value(&example).unwrap_or_default();
        let has = |name: &&str| values.get(name).and_then(|value| value.as_str()).is_some_and(|value| rendered.text.contains(value));
        if !essentials.is_empty() && !essentials.iter().any(has) {
            let names: Vec<String> = essentials.iter().map(|name| format!("{{{{{name}}}}}")).collect();
            return Err(wrong("body", format!("must have {} in it, whatever the mail is about", names.join(" or "))));
        }
    }
    Ok(())
}

fn wrong(field: &'static str, why: impl Into<String>) -> WrongText {
    WrongText { field, why: why.into() }
}

fn check_part(field: &'static str, text: &str, longest: usize) -> Result<(), WrongText> {
    if text.trim().is_empty() {
        return Err(wrong(field, "must not be empty"));
    }
    if text.chars().count() > longest {
        return Err(wrong(field, format!("must not be longer than {longest} characters")));
    }
    // Before it is read: what is nested too deeply would be read too deeply.
    if text.matches("{{").count() > 200 || text.matches("{{#").count() > 40 {
        return Err(wrong(field, "has too many places in braces"));
    }
    let parsed = Parsed::compile(text).map_err(|error| wrong(field, format!("cannot be read: {}", error.reason())))?;
    check_elements(&parsed, &[]).map_err(|why| wrong(field, why))
}

/// * `around`: the blocks around them, from outside to inside.
fn check_elements(parsed: &Parsed, around: &[&str]) -> Result<(), String> {
    for element in &parsed.elements {
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            TemplateElement::Expression(place) | TemplateElement::HtmlExpression(place) => check_place(place)?,
            TemplateElement::HelperBlock(block) => check_block(block, around)?,
            _ => return Err(only()),
        }
    }
    Ok(())
}

fn check_place(place: &HelperTemplate) -> Result<(), String> {
    let is_plain = place.params.is_empty() && place.hash.is_empty() && place.name.as_name().is_some();
    if is_plain { Ok(()) } else { Err(only()) }
}

fn check_block(block: &HelperTemplate, around: &[&str]) -> Result<(), String> {
    let Some(name) = block.name.as_name().filter(|name| BLOCKS.contains(name)) else { return Err(only()) };
    if block.params.len() != 1 || !block.hash.is_empty() {
        return Err(only());
    }
    if block.params.first().and_then(|param| param.as_name()).is_none() {
        return Err(only());
    }
    // What is repeated for each of many within each of many makes a mail of any length out of a short text.
    if name == EACH && around.contains(&EACH) {
        return Err("has {{#each}} within {{#each}}".into());
    }
    if around.len() >= DEEPEST {
        return Err(format!("has more than {DEEPEST} blocks within each other"));
    }
    block.template.iter().chain(&block.inverse).try_for_each(|inner| check_elements(inner, &[around, &[name]].concat()))
}

fn only() -> String {
    "can have {{name}}, {{#if name}} … {{else}} … {{/if}}, {{#unless name}} … {{/unless}} and {{#each name}} … {{/each}}, and nothing else in braces".into()
}

fn explain(kind: MailKind, text: &MailText, example: &Template, error: &RenderError) -> WrongText {
    // The subject is rendered first, so that the error is the body's wherever the subject alone can be rendered.
    let alone = MailText { body: "-".into(), ..text.clone() };
    let field = if render(&alone, example, "en").is_ok() { "body" } else { "subject" };
    let all = || variables(kind).iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let why = match error.reason() {
        RenderErrorReason::MissingVariable(Some(name)) => format!("names {{{{{name}}}}}, which this mail does not have; it has {}", all()),
        other => format!("cannot be filled in: {other}"),
    };
    wrong(field, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(kind: MailKind, subject: &str, body: &str) -> Result<(), String> {
        let text = MailText { subject: subject.into(), body: body.into() };
        check(kind, &text).map_err(|wrong| format!("{} {}", wrong.field, wrong.why))
    }

    #[test]
    fn a_text_is_used_only_where_every_mail_can_be_made_from_it() {
        for (kind, subject, body, part) in [
            (MailKind::Code, "", "{{code}}", "subject must not be empty"),
            (MailKind::Code, "Code", " \n", "body must not be empty"),
            (MailKind::Code, "{{#if minutes}}{{/if}}", "{{code}}", "subject must not be empty"),
            (MailKind::Code, "a\nb", "{{code}}", "subject must be one line"),
            (MailKind::Code, "{{cod}}", "{{code}}", "subject names {{cod}}, which this mail does not have; it has organization, code"),
            (MailKind::Code, "Code", "{{#if minutes}}", "body cannot be read"),
            (MailKind::Code, "Code", "Go to {{host}}.", "body must have {{code}} or {{spaced}} in it"),
            (MailKind::Code, &"x".repeat(201), "{{code}}", "subject must not be longer than 200"),
            (MailKind::Code, "Code", &"x".repeat(10_001), "body must not be longer than 10000"),
            // One way through the text is wrong.
            (MailKind::Compliance, "Hello", "{{link}} {{#if is_blocked}}{{nothing}}{{/if}}", "body names {{nothing}}"),
            (MailKind::Compliance, "Hello", "{{#if is_blocked}}{{link}}{{/if}}", "body must have {{link}}"),
            (MailKind::Compliance, "Hello", "{{link}} {{#each reasons}}{{device}}{{/each}}", "body names {{device}}"),
        ] {
            let why = tried(kind, subject, body).unwrap_err();
            assert!(why.contains(part), "{part}: {why}");
        }
        assert_eq!(tried(MailKind::Compliance, "Hello", "{{#each reasons}}{{../device}}: {{text}}{{/each}} {{link}}"), Ok(()));
        assert_eq!(tried(MailKind::Code, "Code", "{{! remember }}{{~spaced~}}"), Ok(()));
        let twice = "{{link}} {{#each lines}}{{#if why}}{{#each ../lines}}{{name}}{{/each}}{{/if}}{{/each}}";
        assert_eq!(tried(MailKind::Report, "Hello", twice), Err("body has {{#each}} within {{#each}}".into()));
        let after = "{{link}} {{#each lines}}{{name}}{{else}}none{{/each}} {{#each numbers}}{{word}}{{/each}}";
        assert_eq!(tried(MailKind::Report, "Hello", after), Ok(()));
        // A report may have nothing in it.
        let why = tried(MailKind::Report, "Hello", "{{link}} {{#each lines}}{{else}}{{nothing}}{{/each}}").unwrap_err();
        assert!(why.contains("names {{nothing}}"), "{why}");
    }

    #[test]
    fn a_text_can_only_fill_places_in() {
        let nested = |levels: usize| format!("{}{{{{code}}}}{}", "{{#if minutes}}".repeat(levels), "{{/if}}".repeat(levels));
        assert_eq!(tried(MailKind::Code, "Code", &nested(3)), Ok(()));
        for body in [
            "{{code}} {{> self}}",
            "{{code}} {{#> self}}{{/self}}",
            "{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}} {{code}}",
            "{{code}} {{log host}}",
            "{{code}} {{lookup this \"host\"}}",
            "{{code}} {{#with this}}{{/with}}",
            "{{code}} {{#if (eq host \"x\")}}{{/if}}",
            &nested(4),
            &nested(400),
        ] {
            let why = tried(MailKind::Code, "Code", body).unwrap_err();
            assert!(
                why.contains("nothing else in braces") || why.contains("within each other") || why.contains("too many"),
                "{body:.60}: {why}"
            );
        }
    }
}
