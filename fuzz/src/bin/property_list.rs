//! Feeds property lists to the reader, and what it accepts to those who look for messages in them.
#![no_main]

use enlist_fuzz::apple::{checkin, property_list::{self, Limits}, report};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(list) = property_list::read(data, &Limits::default()) {
        drop(serde_json::to_string(&property_list::Value::Dictionary(list).to_json()));
        drop(checkin::decode(data));
        drop(report::decode(data));
    }
});
