//! What a device is made of: a deterministic variety of models and versions, each device with its own identifiers.

/// The hardware and the system of one device.
#[derive(Debug, Clone)]
pub struct Model {
    /// `ProductName`, for example `iPhone15,2`.
    pub product_name: &'static str,
    /// Its name in shops.
    pub marketing_name: &'static str,
    /// `ModelName`: `iPhone` or `iPad`.
    pub family: &'static str,
    /// `Model`: the order number.
    pub order_number: &'static str,
    /// `OSVersion`.
    pub os_version: &'static str,
    /// `BuildVersion`.
    pub build_version: &'static str,
    /// Storage in gigabytes.
    pub capacity: f64,
    /// `UDID`, in the form `00008110-0011223344556677`.
    pub udid: String,
    /// `SerialNumber`.
    pub serial: String,
    /// `IMEI`; tablets without a modem have none.
    pub imei: Option<String>,
    /// `DeviceName`, what the owner calls it.
    pub device_name: String,
}

type Make = (&'static str, &'static str, &'static str, &'static str, &'static str, f64);

const MAKES: [Make; 6] = [
    ("iPhone15,2", "iPhone 14 Pro", "iPhone", "MQ0G3ZD", "00008120", 256.0),
    ("iPhone14,5", "iPhone 13", "iPhone", "MLPF3ZD", "00008110", 128.0),
    ("iPhone12,8", "iPhone SE (2nd generation)", "iPhone", "MX9R2ZD", "00008030", 64.0),
    ("iPad13,18", "iPad (10th generation)", "iPad", "MPQ03FD", "00008101", 64.0),
    ("iPhone16,1", "iPhone 15 Pro", "iPhone", "MTUX3ZD", "00008130", 256.0),
    ("iPad14,3", "iPad Pro 11-inch (4th generation)", "iPad", "MNXE3FD", "00008112", 128.0),
];

const SYSTEMS: [(&str, &str); 4] = [("18.1", "22B83"), ("17.6.1", "21G93"), ("18.0.1", "22A3370"), ("16.7.10", "20H350")];

/// What serial numbers are written with.
const SERIAL_LETTERS: &[u8] = b"0123456789CDFGHJKLMNPQRTVWXY";

impl Model {
    /// The device with this number in the fleet of that name: the same again each time, and no two alike.
    #[must_use]
    pub fn numbered(fleet: &str, number: usize) -> Self {
        let pick = |count: usize, by: usize| number.checked_div(by).unwrap_or(0) % count;
        let make = MAKES.get(pick(MAKES.len(), 1)).copied();
        let (product_name, marketing_name, family, order_number, chip, capacity) =
            make.unwrap_or(("iPhone15,2", "iPhone 14 Pro", "iPhone", "MQ0G3ZD", "00008120", 256.0));
        let (os_version, build_version) = SYSTEMS.get(pick(SYSTEMS.len(), 2)).copied().unwrap_or(("18.1", "22B83"));
        let seed = fingerprint(fleet, number);
        Self {
            product_name,
            marketing_name,
            family,
            order_number,
            os_version,
            build_version,
            capacity,
            udid: format!("{chip}-{seed:016X}"),
            serial: serial(seed),
            imei: (family == "iPhone").then(|| imei(seed)),
            device_name: format!("{family} {}", number + 1),
        }
    }

    /// What its Safari says it is. Tablets say they are Macs by default; an owner who is led astray by that asks for
    /// the mobile page, which is what is played here.
    #[must_use]
    pub fn user_agent(&self) -> String {
        let version = self.os_version.replace('.', "_");
        let (system, major) =
            (if self.family == "iPad" { "CPU OS" } else { "CPU iPhone OS" }, self.os_version.split('.').next().unwrap_or("18"));
        let family = self.family;
        format!(
            "Mozilla/5.0 ({family}; {system} {version} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{major}.0 Mobile/15E148 Safari/604.1"
        )
    }
}

/// FNV-1a over the fleet's name, then one round of mixing with the number: spread well, the same on every machine.
pub(super) fn fingerprint(fleet: &str, number: usize) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    for byte in fleet.bytes().chain(number.to_be_bytes()) {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state = (state ^ (state >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state ^ (state >> 29)
}

pub(super) fn serial(seed: u64) -> String {
    let mut rest = seed;
    let count = u64::try_from(SERIAL_LETTERS.len()).unwrap_or(1);
    (0..10)
        .filter_map(|_| {
            let index = usize::try_from(rest % count).ok()?;
            rest /= count;
            SERIAL_LETTERS.get(index).copied().map(char::from)
        })
        .collect()
}

/// Fifteen digits, the last of which is the Luhn check digit.
fn imei(seed: u64) -> String {
    let body = format!("35{:012}", seed % 1_000_000_000_000);
    let sum: u32 = body.chars().filter_map(|c| c.to_digit(10)).enumerate().map(|(place, digit)| luhn(place, digit)).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn luhn(place: usize, digit: u32) -> u32 {
    let doubled = if place % 2 == 1 { digit * 2 } else { digit };
    if doubled > 9 { doubled - 9 } else { doubled }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_fleet_is_varied_unique_and_the_same_again() {
        let fleet: Vec<Model> = (0..500).map(|number| Model::numbered("a", number)).collect();
        let udids: HashSet<_> = fleet.iter().map(|model| model.udid.clone()).collect();
        let serials: HashSet<_> = fleet.iter().map(|model| model.serial.clone()).collect();
        assert_eq!((udids.len(), serials.len()), (500, 500));
        assert_eq!(fleet[7].udid, Model::numbered("a", 7).udid);
        assert_ne!(fleet[7].udid, Model::numbered("b", 7).udid);
        assert!(fleet.iter().all(|model| model.udid.len() == 25 && model.serial.len() == 10));
        assert!(fleet[0].user_agent().contains("iPhone OS 18_1 like"));
        assert_eq!(fleet[0].imei.as_ref().map(String::len), Some(15));
    }
}
