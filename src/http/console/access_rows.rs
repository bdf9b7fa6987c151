//! The rules for kinds of devices as rows of a form: their order is a number that can be changed, and a row that names nothing goes.

use serde::Serialize;

use super::access::words;
use crate::{
    domain::{
        access::{Decision, DeviceMatch, DeviceRule},
        device::Platform,
    },
    http::prose::sentence,
};

/// Rows that wait to be filled in.
const EMPTY: usize = 2;

#[derive(Debug, Clone, Serialize)]
struct Choice {
    word: &'static str,
    text: &'static str,
    is_chosen: bool,
}

/// One rule as a row of the form.
#[derive(Debug, Clone, Serialize)]
pub struct RuleRow {
    number: usize,
    platforms: Vec<Choice>,
    model: String,
    os_version: String,
    user_agent: String,
    decisions: Vec<Choice>,
    note: String,
    is_new: bool,
    error: Option<String>,
}

const PLATFORMS: [(&str, &str); 7] = [
    ("", "Any"),
    ("ios", "iPhone"),
    ("ipados", "iPad"),
    ("macos", "Mac"),
    ("android", "Android"),
    ("browser", "Browser"),
    ("other", "Something else"),
];
const DECISIONS: [(&str, &str); 3] = [("allow", "Let in"), ("quarantine", "Quarantine"), ("block", "Block")];

/// The rows of these rules, and some empty ones.
///
/// * `wrong`: the field that is not usable, and what is wrong with it.
pub fn rows(rules: &[DeviceRule], wrong: Option<&(String, String)>) -> Vec<RuleRow> {
    let empty = DeviceRule { matches: DeviceMatch::default(), decision: Decision::Block, note: String::new() };
    let all = rules.iter().chain(std::iter::repeat_n(&empty, EMPTY)).enumerate();
    all.map(|(place, rule)| {
        let error = wrong.filter(|(field, _)| place_of(field) == Some(place)).map(|(_, why)| sentence(why));
        row(place, rule, place >= rules.len(), error)
    })
    .collect()
}

fn row(place: usize, rule: &DeviceRule, is_new: bool, error: Option<String>) -> RuleRow {
    let choices = |all: &[(&'static str, &'static str)], chosen: &str| {
        all.iter().map(|(word, text)| Choice { word, text, is_chosen: *word == chosen }).collect()
    };
    let matches = &rule.matches;
    RuleRow {
        number: place.saturating_add(1),
        platforms: choices(&PLATFORMS, matches.platform.map_or("", Platform::as_str)),
        model: matches.model.clone().unwrap_or_default(),
        os_version: matches.os_version.clone().unwrap_or_default(),
        user_agent: matches.user_agent.clone().unwrap_or_default(),
        decisions: choices(&DECISIONS, rule.decision.as_str()),
        note: rule.note.clone(),
        is_new,
        error,
    }
}

/// The rules of a form, in the order of their numbers. A row that names nothing is left out.
///
/// # Errors
/// The field whose choice is none of those on the page.
pub fn read(pairs: &[(String, String)]) -> Result<Vec<DeviceRule>, &'static str> {
    let column = |name: &str| -> Vec<&str> { pairs.iter().filter(|(found, _)| found == name).map(|(_, value)| value.trim()).collect() };
    let (places, platforms, models) = (column("place"), column("platform"), column("model"));
    let (versions, programs, decisions, notes) = (column("os_version"), column("user_agent"), column("decision"), column("note"));
    let mut rules: Vec<(u32, DeviceRule)> = Vec::new();
    for (row, platform) in platforms.iter().enumerate() {
        let text = |column: &[&str]| column.get(row).copied().unwrap_or_default().to_owned();
        let given = |column: &[&str]| Some(text(column)).filter(|text| !text.is_empty());
        let matches = DeviceMatch {
            platform: if platform.is_empty() { None } else { Some(platform.parse().map_err(|_| "platform")?) },
            model: given(&models),
            os_version: given(&versions),
            user_agent: given(&programs),
        };
        if !matches.is_empty() {
            let decision = text(&decisions).parse().map_err(|_| "decision")?;
            rules.push((text(&places).parse().unwrap_or(u32::MAX), DeviceRule { matches, decision, note: text(&notes) }));
        }
    }
    rules.sort_by_key(|(place, _)| *place);
    Ok(rules.into_iter().map(|(_, rule)| rule).collect())
}

/// The place of the rule that a field such as `rules[2].note` belongs to.
pub fn place_of(field: &str) -> Option<usize> {
    field.strip_prefix("rules[")?.split(']').next()?.parse().ok()
}

/// A rule in a sentence.
pub fn describe(rule: &DeviceRule) -> String {
    let DeviceMatch { platform, model, os_version, user_agent } = &rule.matches;
    let name = |platform: &Platform| PLATFORMS.iter().find(|(word, _)| *word == platform.as_str()).map_or("", |(_, text)| text);
    let parts = [
        platform.as_ref().map(|platform| format!("platform {}", name(platform))),
        model.as_ref().map(|text| format!("model {text}")),
        os_version.as_ref().map(|text| format!("system {text}")),
        user_agent.as_ref().map(|text| format!("program {text}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let note = if rule.note.is_empty() { String::new() } else { format!(" ({})", rule.note) };
    format!("{}: {}{note}", parts.join(", "), words(rule.decision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_rules_in_the_order_of_their_numbers_and_empty_ones_go() {
        let mut pairs = Vec::new();
        for (place, platform, model, decision) in [("2", "ios", "", "allow"), ("3", "", "", "block"), ("1", "", "Pixel*", "quarantine")] {
            for (name, value) in [
                ("place", place),
                ("platform", platform),
                ("model", model),
                ("os_version", ""),
                ("user_agent", ""),
                ("decision", decision),
                ("note", " n "),
            ] {
                pairs.push((name.to_owned(), value.to_owned()));
            }
        }
        let rules = read(&pairs).unwrap();
        assert_eq!(rules.iter().map(describe).collect::<Vec<_>>(), ["model Pixel*: kept in quarantine (n)", "platform iPhone: let in (n)"]);
        let wrong = ("rules[1].note".to_owned(), "is too long".to_owned());
        let shown = rows(&rules, Some(&wrong));
        assert_eq!((shown.len(), shown[0].error.as_deref(), shown[1].error.as_deref()), (4, None, Some("Is too long.")));
        assert!(!shown[1].is_new && shown[2].is_new);
        pairs.retain(|(name, _)| name != "decision");
        assert_eq!(read(&pairs), Err("decision"));
    }
}
