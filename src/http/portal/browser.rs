//! What kind of device and browser is looking, as far as its `User-Agent` tells. It decides what is explained, never what is
//! allowed: the header is only what the browser says about itself.

use crate::service::android::{certificate::Looks, method::Walker};

/// The kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// An iPhone or iPod touch.
    Iphone,
    /// An iPad.
    Ipad,
    /// A Mac, or an iPad whose Safari asks for desktop pages: they say the same.
    Mac,
    /// An Android phone or tablet.
    Android,
    /// A phone of another kind.
    OtherPhone,
    /// A computer other than a Mac.
    Computer,
    /// It does not say.
    Unknown,
}

/// The family of the browser, for instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Safari.
    Safari,
    /// Chrome and what is built on it.
    Chrome,
    /// Firefox.
    Firefox,
    /// Edge.
    Edge,
    /// Anything else, such as the page view inside an app.
    Other,
}

/// Who is looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Browser {
    /// The kind of device.
    pub device: Device,
    /// The family of the browser.
    pub family: Family,
}

/// Phones that name another system as well, so that they are asked first.
const OTHER_PHONES: [&str; 5] = ["Windows Phone", "KAIOS", "Tizen", "OpenHarmony", "BlackBerry"];
/// Browsers and apps on iOS that otherwise look like Safari.
const NOT_SAFARI: [&str; 19] = [
    "CriOS",
    "FxiOS",
    "Focus/",
    "EdgiOS",
    "OPiOS",
    "OPT/",
    "OPX/",
    "GSA/",
    "DuckDuckGo",
    "Ddg/",
    "YaBrowser",
    "Brave",
    "Instagram",
    "FBAN",
    "FBAV",
    "LinkedInApp",
    "Line/",
    "MicroMessenger",
    "Outlook-iOS",
];

impl Browser {
    /// Reads a `User-Agent` header.
    #[must_use]
    pub fn read(user_agent: &str) -> Self {
        Self { device: device(user_agent), family: family(user_agent) }
    }

    /// With what its owner walks through the portal.
    #[must_use]
    pub const fn walker(self) -> Walker {
        match self.device {
            Device::Iphone | Device::Ipad | Device::Unknown => Walker::Apple,
            Device::Android => Walker::Android,
            Device::Mac | Device::Computer => Walker::Computer,
            Device::OtherPhone => Walker::Other,
        }
    }

    /// Whether this is an iPhone or iPad with a browser to which iOS gives no configuration profiles.
    #[must_use]
    pub fn needs_safari(self) -> bool {
        matches!(self.device, Device::Iphone | Device::Ipad) && self.family != Family::Safari
    }
}

/// What people call a browser, such as "Chrome on Windows"; the browser with its version; and the system that it runs on.
#[must_use]
pub fn title(user_agent: &str) -> (String, String, &'static str) {
    let browser = Browser::read(user_agent);
    let (family, marks): (&str, &[&str]) = match browser.family {
        Family::Safari => ("Safari", &["Version/"]),
        Family::Chrome => ("Chrome", &["CriOS/", "Chrome/", "Chromium/"]),
        Family::Firefox => ("Firefox", &["FxiOS/", "Firefox/", "Focus/"]),
        Family::Edge => ("Edge", &["EdgiOS/", "EdgA/", "Edg/"]),
        Family::Other => ("Browser", &[]),
    };
    let version = marks.iter().find_map(|mark| version_after(user_agent, mark));
    let product = version.map_or_else(|| family.to_owned(), |version| format!("{family} {version}"));
    let system = system(browser.device, user_agent);
    let name = if system.is_empty() { family.to_owned() } else { format!("{family} on {system}") };
    (name, product, system)
}

fn version_after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(6).collect();
    (!digits.is_empty()).then_some(digits)
}

fn system(device: Device, text: &str) -> &'static str {
    match device {
        Device::Iphone => "iPhone",
        Device::Ipad => "iPad",
        Device::Mac => "Mac",
        Device::Android => "Android",
        Device::Computer if text.contains("Windows NT") => "Windows",
        Device::Computer if text.contains("CrOS") => "ChromeOS",
        Device::Computer => "Linux",
        Device::OtherPhone | Device::Unknown => "",
    }
}

/// Most characters of what a browser says of its device.
const LONGEST: usize = 60;

/// What an Android browser says of its device.
///
/// Chrome and Firefox write "Android 10" into every `User-Agent`, and Chrome "K" for every model (its user-agent reduction): those
/// say nothing. What they leave out Chrome tells over HTTPS to pages that ask for it (User-Agent Client Hints).
///
/// * `version`, `model`: the headers `Sec-CH-UA-Platform-Version` and `Sec-CH-UA-Model`, as they came.
#[must_use]
pub fn looks(user_agent: &str, version: Option<&str>, model: Option<&str>) -> Looks {
    let mut words = user_agent.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(system, _)| system).split(';');
    let written = words.find_map(|word| word.trim().strip_prefix("Android ")).filter(|version| *version != "10");
    let named = words.next().map(|word| word.split(" Build/").next().unwrap_or(word));
    let is_model = |word: &&str| !matches!(*word, "K" | "Mobile" | "Tablet") && !word.starts_with("rv:");
    let hint = |value: Option<&str>| value.and_then(|value| tidy(value.trim().trim_matches('"')));
    let short = |version: String| version.trim_end_matches(".0").to_owned();
    Looks {
        version: hint(version)
            .or_else(|| written.and_then(tidy))
            .filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
            .map(short),
        model: hint(model).or_else(|| named.map(str::trim).filter(is_model).and_then(tidy)),
    }
}

/// The text, if it is one that can be shown.
fn tidy(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
}

fn device(text: &str) -> Device {
    let says = |word: &str| text.contains(word);
    if OTHER_PHONES.iter().any(|word| says(word)) {
        Device::OtherPhone
    } else if says("iPad") {
        Device::Ipad
    } else if says("iPhone") || says("iPod") {
        Device::Iphone
    } else if says("Android") {
        Device::Android
    } else if says("Macintosh") {
        Device::Mac
    } else if ["Windows NT", "X11", "CrOS", "Linux"].iter().any(|word| says(word)) {
        Device::Computer
    } else {
        Device::Unknown
    }
}

fn family(text: &str) -> Family {
    let says = |word: &str| text.contains(word);
    if says("EdgiOS") || says("Edg/") || says("EdgA/") {
        Family::Edge
    } else if says("FxiOS") || says("Firefox/") || says("Focus/") {
        Family::Firefox
    } else if says("CriOS") || says("Chrome/") || says("Chromium/") {
        Family::Chrome
    } else if says("Safari/") && says("Version/") && !NOT_SAFARI.iter().any(|word| says(word)) {
        Family::Safari
    } else {
        Family::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_browsers_are_told_apart() {
        let ios = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        let table = [
            (format!("{ios} Version/18.1 Mobile/15E148 Safari/604.1"), Device::Iphone, Family::Safari),
            (format!("{ios} CriOS/130.0.6723.90 Mobile/15E148 Safari/604.1"), Device::Iphone, Family::Chrome),
            (format!("{ios} FxiOS/132.0 Mobile/15E148 Safari/605.1.15"), Device::Iphone, Family::Firefox),
            (format!("{ios} Version/18.0 EdgiOS/130.0 Mobile/15E148 Safari/604.1"), Device::Iphone, Family::Edge),
            (format!("{ios} OPiOS/16.0 Mobile/15E148 Safari/9537.53"), Device::Iphone, Family::Other),
            (format!("{ios} GSA/340.3 Mobile/15E148 Safari/604.1"), Device::Iphone, Family::Other),
            (format!("{ios} Version/18.1 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15"), Device::Iphone, Family::Other),
            (format!("{ios} Version/18.1 Mobile/15E148 Safari/604.1 Ddg/18.1"), Device::Iphone, Family::Other),
            (format!("{ios} Mobile/15E148"), Device::Iphone, Family::Other),
            (format!("{ios} Mobile/15E148 [FBAN/FBIOS;FBAV/487.0]"), Device::Iphone, Family::Other),
            (
                ios.replace("iPhone; CPU iPhone OS", "iPad; CPU OS") + " Version/16.6 Mobile/15E148 Safari/604.1",
                Device::Ipad,
                Family::Safari,
            ),
            (format!("{mac} Version/18.1 Safari/605.1.15"), Device::Mac, Family::Safari),
            (format!("{mac} Chrome/130.0.0.0 Safari/537.36"), Device::Mac, Family::Chrome),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36".into(),
                Device::Android,
                Family::Chrome,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0".into(),
                Device::Computer,
                Family::Edge,
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0".into(), Device::Computer, Family::Firefox),
            ("Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Lumia) Chrome/52.0 Edge/15".into(), Device::OtherPhone, Family::Chrome),
            ("curl/8.5.0".into(), Device::Unknown, Family::Other),
            (String::new(), Device::Unknown, Family::Other),
        ];
        for (text, device, family) in table {
            assert_eq!(Browser::read(&text), Browser { device, family }, "{text}");
        }
    }

    #[test]
    fn a_browser_is_called_what_people_call_it() {
        let table = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
                ("Chrome on Windows", "Chrome 130", "Windows"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/129.0",
                ("Edge on Windows", "Edge 129", "Windows"),
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", ("Firefox on Linux", "Firefox 132", "Linux")),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1",
                ("Safari on iPhone", "Safari 18", "iPhone"),
            ),
            ("curl/8.5.0", ("Browser", "Browser", "")),
        ];
        for (agent, expected) in table {
            let (name, product, system) = title(agent);
            assert_eq!((name.as_str(), product.as_str(), system), expected, "{agent}");
        }
    }

    #[test]
    fn what_a_browser_hides_of_its_device_is_not_made_up() {
        let android = |system: &str| format!("Mozilla/5.0 (Linux; {system}) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36");
        let table = [
            (android("Android 15; Pixel 9"), None, None, Some("15"), Some("Pixel 9")),
            (android("Android 8.1.0; SM-G930F Build/OPM4"), None, None, Some("8.1"), Some("SM-G930F")),
            (android("Android 10; K"), None, None, None, None),
            (android("Android 10; K"), Some("\"14.0.0\""), Some("\"SM-S921B\""), Some("14"), Some("SM-S921B")),
            (android("Android 10; K"), Some("\"\""), Some("\"\""), None, None),
            ("Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0".into(), None, None, Some("14"), None),
            (android("Android evil; <b>"), None, None, None, Some("<b>")),
            ("curl/8".into(), None, None, None, None),
        ];
        for (agent, version, model, is_version, is_model) in table {
            let seen = looks(&agent, version, model);
            assert_eq!((seen.version.as_deref(), seen.model.as_deref()), (is_version, is_model), "{agent}");
        }
    }

    #[test]
    fn only_iphones_and_ipads_need_safari() {
        let chrome = |device| Browser { device, family: Family::Chrome };
        assert!(chrome(Device::Iphone).needs_safari() && chrome(Device::Ipad).needs_safari());
        assert!(!chrome(Device::Computer).needs_safari() && !chrome(Device::Unknown).needs_safari());
        assert!(!Browser { device: Device::Iphone, family: Family::Safari }.needs_safari());
    }
}
