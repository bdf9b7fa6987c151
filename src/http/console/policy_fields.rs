//! What a policy can ask for: every setting with its range and its meaning, from the rules to a form and back. The one place that
//! explains policies to people.

use std::collections::HashMap;

use serde::Serialize;

use super::field::Field;
use crate::domain::policy::{Enforcement, Rules, parse_version};

/// A setting that is a number, or empty.
struct Number {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    range: (u16, u16),
    get: fn(&Rules) -> Option<u16>,
    set: fn(&mut Rules, Option<u16>),
}

/// A setting that is so or not.
struct Tick {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    get: fn(&Rules) -> bool,
    set: fn(&mut Rules, bool),
}

/// A lowest version, or empty.
struct Version {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    get: fn(&Rules) -> Option<&String>,
    set: fn(&mut Rules, Option<String>),
}

enum Setting {
    Number(Number),
    Tick(Tick),
    Version(Version),
    Enforcement,
}

/// The settings that belong together.
struct Section {
    title: &'static str,
    text: &'static str,
    settings: &'static [Setting],
}

/// Of a number that was checked against its range; none of the ranges ends beyond a byte where a byte is kept.
fn byte(number: Option<u16>) -> Option<u8> {
    number.map(|number| u8::try_from(number).unwrap_or(u8::MAX))
}

const SECTIONS: &[Section] = &[
    Section {
        title: "Passcode",
        text: "iPhone and iPad get these as a passcode profile. If the present passcode does not fit, the device asks for a new one \
               within an hour. Each device reports whether its passcode obeys.",
        settings: PASSCODE,
    },
    Section { title: "Protection", text: "What the device itself reports of its state.", settings: PROTECTION },
    Section {
        title: "Lowest system version",
        text: "A device with an older system breaks the policy until it was updated.",
        settings: VERSIONS,
    },
    Section {
        title: "When a device does not obey",
        text: "How long it may stay silent, how long there is to mend it, and what happens then.",
        settings: CONSEQUENCES,
    },
    Section { title: "Who is told", text: "While a device breaks the policy, and in the end.", settings: LADDER },
];

const PASSCODE: &[Setting] = &[
    Setting::Tick(Tick {
        name: "passcode.required",
        label: "A passcode must be set",
        hint: "Not ticked: a device without a passcode is accepted, and the other requirements hold only if there is one.",
        get: |rules| rules.passcode.required,
        set: |rules, is_on| rules.passcode.required = is_on,
    }),
    Setting::Number(Number {
        name: "passcode.min_length",
        label: "Least number of characters",
        hint: "0 to 16. Empty or 0 leaves it to the device: an iPhone then takes four digits.",
        range: (0, 16),
        get: |rules| Some(u16::from(rules.passcode.min_length)).filter(|length| *length > 0),
        set: |rules, number| rules.passcode.min_length = byte(number).unwrap_or_default(),
    }),
    Setting::Tick(Tick {
        name: "passcode.require_alphanumeric",
        label: "Letters and digits are required",
        hint: "The device shows the whole keyboard instead of the number pad. Not ticked: digits alone are enough.",
        get: |rules| rules.passcode.require_alphanumeric,
        set: |rules, is_on| rules.passcode.require_alphanumeric = is_on,
    }),
    Setting::Number(Number {
        name: "passcode.min_complex_characters",
        label: "Least number of characters that are neither letter nor digit",
        hint: "0 to 4, such as ! or &. Empty or 0 asks for none.",
        range: (0, 4),
        get: |rules| Some(u16::from(rules.passcode.min_complex_characters)).filter(|count| *count > 0),
        set: |rules, number| rules.passcode.min_complex_characters = byte(number).unwrap_or_default(),
    }),
    Setting::Tick(Tick {
        name: "passcode.allow_simple",
        label: "Simple passcodes are accepted",
        hint: "Such as 1111 or 1234: the same or ascending characters. Not ticked: the device refuses them.",
        get: |rules| rules.passcode.allow_simple,
        set: |rules, is_on| rules.passcode.allow_simple = is_on,
    }),
    Setting::Number(Number {
        name: "passcode.max_failed_attempts",
        label: "Wrong tries after which the device erases itself",
        hint: "2 to 11. After so many wrong tries in a row an iPhone or iPad erases everything on it, also on a personal device. \
               Empty: the device never erases itself, it only makes people wait longer and longer.",
        range: (2, 11),
        get: |rules| rules.passcode.max_failed_attempts.map(u16::from),
        set: |rules, number| rules.passcode.max_failed_attempts = byte(number),
    }),
    Setting::Number(Number {
        name: "passcode.max_inactivity_minutes",
        label: "Minutes without use after which the device locks",
        hint: "0 to 15. The person may choose a shorter time, not a longer one; 0 means at once. Empty: the person chooses freely.",
        range: (0, 15),
        get: |rules| rules.passcode.max_inactivity_minutes.map(u16::from),
        set: |rules, number| rules.passcode.max_inactivity_minutes = byte(number),
    }),
    Setting::Number(Number {
        name: "passcode.max_age_days",
        label: "Days after which the passcode must be changed",
        hint: "0 to 730. Empty or 0: never. Frequent changes make people choose worse passcodes.",
        range: (0, 730),
        get: |rules| rules.passcode.max_age_days,
        set: |rules, number| rules.passcode.max_age_days = number,
    }),
    Setting::Number(Number {
        name: "passcode.history",
        label: "Former passcodes that may not be used again",
        hint: "0 to 50. Empty or 0: any may be used again.",
        range: (0, 50),
        get: |rules| rules.passcode.history.map(u16::from),
        set: |rules, number| rules.passcode.history = byte(number),
    }),
];

const PROTECTION: &[Setting] = &[
    Setting::Tick(Tick {
        name: "require_encryption",
        label: "The device must be encrypted",
        hint: "An iPhone or iPad is encrypted as soon as it has a passcode. Not ticked: encryption is not looked at.",
        get: |rules| rules.require_encryption,
        set: |rules, is_on| rules.require_encryption = is_on,
    }),
    Setting::Tick(Tick {
        name: "block_compromised",
        label: "Jailbroken and rooted devices break the policy",
        hint: "iPhone and iPad do not report this by themselves, so it shows only where a device has signs of it. \
               Not ticked: such signs are not looked at.",
        get: |rules| rules.block_compromised,
        set: |rules, is_on| rules.block_compromised = is_on,
    }),
    Setting::Tick(Tick {
        name: "require_managed_mail",
        label: "Mail must come through an account that was installed from here",
        hint: "So that a selective wipe takes the mail along. Not ticked: people may set up the account themselves.",
        get: |rules| rules.require_managed_mail,
        set: |rules, is_on| rules.require_managed_mail = is_on,
    }),
];

const VERSION_HINT: &str = "Digits and dots, such as 17.4. Empty: every version is accepted.";

const VERSIONS: &[Setting] = &[
    Setting::Version(Version {
        name: "min_os.ios",
        label: "iPhone (iOS)",
        hint: VERSION_HINT,
        get: |rules| rules.min_os.ios.as_ref(),
        set: |rules, version| rules.min_os.ios = version,
    }),
    Setting::Version(Version {
        name: "min_os.ipados",
        label: "iPad (iPadOS)",
        hint: VERSION_HINT,
        get: |rules| rules.min_os.ipados.as_ref(),
        set: |rules, version| rules.min_os.ipados = version,
    }),
    Setting::Version(Version {
        name: "min_os.android",
        label: "Android",
        hint: VERSION_HINT,
        get: |rules| rules.min_os.android.as_ref(),
        set: |rules, version| rules.min_os.android = version,
    }),
];

const CONSEQUENCES: &[Setting] = &[
    Setting::Number(Number {
        name: "max_silence_days",
        label: "Days without contact after which a device breaks the policy",
        hint: "1 to 120. A device that says nothing may be lost or not be managed any more. Empty: 30.",
        range: (1, 120),
        get: |rules| Some(rules.max_silence_days),
        set: |rules, number| rules.max_silence_days = number.unwrap_or(Rules::default().max_silence_days),
    }),
    Setting::Number(Number {
        name: "grace_days",
        label: "Days between the first violation and the loss of access",
        hint: "0 to 365. Meanwhile the device still comes in, and its owner is told what to mend. Empty or 0: access is lost at once.",
        range: (0, 365),
        get: |rules| Some(rules.grace_days).filter(|days| *days > 0),
        set: |rules, number| rules.grace_days = number.unwrap_or_default(),
    }),
    Setting::Enforcement,
];

const LADDER: &[Setting] = &[
    Setting::Tick(Tick {
        name: "ladder.notify_user",
        label: "The person is told by mail",
        hint: "What is wrong, until when, and what to do; and once more when access is lost. Not ticked: only the portal says so.",
        get: |rules| rules.ladder.notify_user,
        set: |rules, is_on| rules.ladder.notify_user = is_on,
    }),
    Setting::Number(Number {
        name: "ladder.remind_every_days",
        label: "Days between two mails while nothing was mended",
        hint: "0 to 30. Empty or 0: one mail only.",
        range: (0, 30),
        get: |rules| Some(rules.ladder.remind_every_days).filter(|days| *days > 0),
        set: |rules, number| rules.ladder.remind_every_days = number.unwrap_or_default(),
    }),
    Setting::Number(Number {
        name: "ladder.retire_after_days",
        label: "Days of non-compliance after which letting the device go is proposed",
        hint: "1 to 365. An administrator is asked and decides; nothing is ever let go by itself. Empty: never proposed.",
        range: (1, 365),
        get: |rules| rules.ladder.retire_after_days,
        set: |rules, number| rules.ladder.retire_after_days = number,
    }),
];

const ENFORCEMENT: &str = "enforcement";

/// Everything that can be wrong, by the name of its field.
pub(super) type Wrongs = HashMap<String, String>;

/// A part of the form.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    title: &'static str,
    text: &'static str,
    fields: Vec<Field>,
}

/// What people read for the name of a setting in the API.
pub(super) fn label(name: &str) -> Option<&'static str> {
    settings().find_map(|setting| match setting {
        Setting::Number(number) if number.name == name => Some(number.label),
        Setting::Tick(tick) if tick.name == name => Some(tick.label),
        Setting::Version(version) if version.name == name => Some(version.label),
        Setting::Enforcement if name == ENFORCEMENT => Some("Access of a device that breaks the policy"),
        _ => None,
    })
}

/// What was typed, by the name of the field.
#[derive(Debug, Default, Clone)]
pub(super) struct Typed(HashMap<String, String>);

impl Typed {
    /// From the fields of a form.
    pub(super) fn of(pairs: &[(String, String)]) -> Self {
        Self(pairs.iter().cloned().collect())
    }

    /// As somebody would have typed these rules.
    pub(super) fn from_rules(rules: &Rules) -> Self {
        let mut typed = HashMap::new();
        for setting in settings() {
            let (name, value) = match setting {
                Setting::Number(number) => (number.name, (number.get)(rules).map(|value| value.to_string())),
                Setting::Tick(tick) => (tick.name, (tick.get)(rules).then(|| "yes".to_owned())),
                Setting::Version(version) => (version.name, (version.get)(rules).cloned()),
                Setting::Enforcement => (ENFORCEMENT, Some(rules.enforcement.as_str().to_owned())),
            };
            typed.extend(value.map(|value| (name.to_owned(), value)));
        }
        Self(typed)
    }

    /// With these fields as well.
    pub(super) fn with(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(pairs);
        self
    }

    /// What was typed into a field, without white space around it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(|value| value.trim()).unwrap_or_default()
    }

    /// The rules that this says, or everything that is wrong with it.
    pub(super) fn rules(&self) -> Result<Rules, Wrongs> {
        let mut rules = Rules::default();
        let mut wrongs = Wrongs::new();
        for setting in settings() {
            match setting {
                Setting::Number(number) => match self.number(number) {
                    Ok(value) => (number.set)(&mut rules, value),
                    Err(why) => drop(wrongs.insert(number.name.into(), why)),
                },
                Setting::Tick(tick) => (tick.set)(&mut rules, !self.get(tick.name).is_empty()),
                Setting::Version(version) => match self.get(version.name) {
                    "" => (version.set)(&mut rules, None),
                    text if parse_version(text).is_some() => (version.set)(&mut rules, Some(text.to_owned())),
                    _ => drop(wrongs.insert(version.name.into(), "must be a version such as 17.4".into())),
                },
                Setting::Enforcement => match self.get(ENFORCEMENT).parse::<Enforcement>() {
                    Ok(enforcement) => rules.enforcement = enforcement,
                    Err(why) => drop(wrongs.insert(ENFORCEMENT.into(), format!("is not understood: {why}"))),
                },
            }
        }
        if wrongs.is_empty() { Ok(rules) } else { Err(wrongs) }
    }

    fn number(&self, number: &Number) -> Result<Option<u16>, String> {
        let (least, most) = number.range;
        match self.get(number.name) {
            "" => Ok(None),
            text => match text.parse::<u16>() {
                Ok(value) if (least..=most).contains(&value) => Ok(Some(value)),
                _ => Err(format!("must be a whole number from {least} to {most}, or be empty")),
            },
        }
    }

    /// The form with what was typed.
    pub(super) fn parts(&self, wrongs: &Wrongs) -> Vec<Part> {
        let part = |section: &Section| Part {
            title: section.title,
            text: section.text,
            fields: section.settings.iter().map(|setting| self.field(setting, wrongs)).collect(),
        };
        SECTIONS.iter().map(part).collect()
    }

    fn field(&self, setting: &Setting, wrongs: &Wrongs) -> Field {
        let (name, field) = match setting {
            Setting::Number(Number { name, label, hint, range, .. }) => {
                (*name, Field::number(name, label, self.get(name), *range).hint(hint))
            }
            Setting::Tick(Tick { name, label, hint, .. }) => (*name, Field::tick(name, label, !self.get(name).is_empty()).hint(hint)),
            Setting::Version(Version { name, label, hint, .. }) => (*name, Field::text(name, label, self.get(name)).hint(hint)),
            Setting::Enforcement => (
                ENFORCEMENT,
                Field::choice(
                    ENFORCEMENT,
                    "What happens then",
                    self.get(ENFORCEMENT),
                    [
                        (Enforcement::Block.as_str(), "The device loses access"),
                        (Enforcement::AllowAndReport.as_str(), "It keeps access and is only reported"),
                    ],
                )
                .hint("Reporting only is good for a beginning: see in the report who would be kept out before anybody is."),
            ),
        };
        field.wrong(wrongs.get(name))
    }
}

fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_survive_the_way_through_the_form() {
        let mut rules = Rules { grace_days: 7, require_encryption: true, enforcement: Enforcement::AllowAndReport, ..Rules::default() };
        (rules.passcode.required, rules.passcode.min_length, rules.passcode.max_failed_attempts) = (true, 8, Some(10));
        rules.passcode.allow_simple = false;
        rules.min_os.ios = Some("17.4".into());
        assert_eq!(Typed::from_rules(&rules).rules(), Ok(rules));
        assert_eq!(Typed::from_rules(&Rules::default()).rules(), Ok(Rules::default()));
    }

    #[test]
    fn every_setting_of_the_rules_has_its_field() {
        fn names(value: &serde_json::Value, before: &str, found: &mut Vec<String>) {
            for (key, value) in value.as_object().unwrap() {
                if value.is_object() { names(value, &format!("{before}{key}."), found) } else { found.push(format!("{before}{key}")) }
            }
        }
        let mut wanted = Vec::new();
        names(&serde_json::to_value(Rules::default()).unwrap(), "", &mut wanted);
        let name = |setting: &Setting| match setting {
            Setting::Number(number) => number.name,
            Setting::Tick(tick) => tick.name,
            Setting::Version(version) => version.name,
            Setting::Enforcement => ENFORCEMENT,
        };
        let mut offered: Vec<String> = settings().map(|setting| name(setting).to_owned()).collect();
        wanted.sort();
        offered.sort();
        assert_eq!(wanted, offered);
    }

    #[test]
    fn the_ranges_are_those_of_the_rules_and_everything_wrong_is_named_at_once() {
        for number in settings().filter_map(|setting| if let Setting::Number(number) = setting { Some(number) } else { None }) {
            let (least, most) = number.range;
            for (value, is_right) in [(least, true), (most, true), (most + 1, false)] {
                let mut rules = Rules::default();
                (number.set)(&mut rules, Some(value));
                assert_eq!(rules.check().is_ok(), is_right, "{}: {value}", number.name);
            }
        }
        let pairs = [("passcode.min_length", "17"), ("grace_days", "soon"), ("min_os.ios", "x"), ("enforcement", "block")];
        let typed = Typed::of(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let wrongs = typed.rules().unwrap_err();
        assert_eq!(wrongs.len(), 3, "{wrongs:?}");
    }
}
