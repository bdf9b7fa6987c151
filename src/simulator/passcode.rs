//! The passcode of a simulated device, and whether it satisfies the policies that profiles bring.

use std::str::FromStr;

use plist::{Dictionary, Value};

/// The passcode that the owner chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passcode {
    /// None at all.
    None,
    /// Four digits in a row: 1234.
    Weak,
    /// Eight characters: letters, digits and a symbol.
    #[default]
    Strong,
}

impl Passcode {
    /// The word of the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Weak => "weak",
            Self::Strong => "strong",
        }
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_present(self) -> bool {
        self != Self::None
    }

    /// Whether it satisfies one payload `com.apple.mobiledevice.passwordpolicy`. Without `forcePIN` a payload asks for
    /// some passcode, of whatever length and quality.
    #[must_use]
    pub fn satisfies(self, policy: &Dictionary) -> bool {
        let flag = |key: &str, default: bool| policy.get(key).and_then(Value::as_boolean).unwrap_or(default);
        let number = |key: &str| policy.get(key).and_then(Value::as_unsigned_integer).unwrap_or(0);
        let forced = flag("forcePIN", false);
        let asks = forced || policy.keys().any(|key| !key.starts_with("Payload") && key != "forcePIN");
        let qualities = match self {
            Self::None => return !asks,
            Self::Weak => Qualities { length: 4, complex: 0, alphanumeric: false, simple: true },
            Self::Strong => Qualities { length: 8, complex: 1, alphanumeric: true, simple: false },
        };
        !forced
            || (qualities.length >= number("minLength")
                && qualities.complex >= number("minComplexChars")
                && (qualities.alphanumeric || !flag("requireAlphanumeric", false))
                && (!qualities.simple || flag("allowSimple", true)))
    }
}

impl FromStr for Passcode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "none" => Ok(Self::None),
            "weak" => Ok(Self::Weak),
            "strong" => Ok(Self::Strong),
            other => Err(format!("{other:?} is not one of none, weak, strong")),
        }
    }
}

struct Qualities {
    length: u64,
    complex: u64,
    alphanumeric: bool,
    simple: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::propertylist::dictionary;

    #[test]
    fn each_passcode_is_measured_against_each_demand() {
        let policy = |key: &str, value: Value| dictionary([("forcePIN", true.into()), (key, value)]);
        let cases = [
            (dictionary([("PayloadType", "x".into())]), [true, true, true]),
            (dictionary([("maxInactivity", 5.into())]), [false, true, true]),
            (dictionary([("forcePIN", true.into())]), [false, true, true]),
            (policy("minLength", 6.into()), [false, false, true]),
            (policy("minLength", 12.into()), [false, false, false]),
            (policy("allowSimple", false.into()), [false, false, true]),
            (policy("requireAlphanumeric", true.into()), [false, false, true]),
            (policy("minComplexChars", 2.into()), [false, false, false]),
        ];
        for (policy, expected) in cases {
            let actual = [Passcode::None, Passcode::Weak, Passcode::Strong].map(|passcode| passcode.satisfies(&policy));
            assert_eq!(actual, expected, "{policy:?}");
        }
    }
}
