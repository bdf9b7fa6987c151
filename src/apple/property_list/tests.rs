use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{write::to_xml, *};

/// A binary property list of these encoded objects, with references of two bytes and offsets of four.
fn binary(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"bplist00".to_vec();
    let mut offsets = Vec::new();
    for object in objects {
        offsets.push(u32::try_from(file.len()).unwrap());
        file.extend_from_slice(object);
    }
    let table = u64::try_from(file.len()).unwrap();
    for offset in &offsets {
        file.extend_from_slice(&offset.to_be_bytes());
    }
    trailer(file, 4, 2, u64::try_from(objects.len()).unwrap(), 0, table)
}

fn trailer(mut file: Vec<u8>, offset_size: u8, reference_size: u8, objects: u64, top: u64, table: u64) -> Vec<u8> {
    file.extend_from_slice(&[0, 0, 0, 0, 0, 0, offset_size, reference_size]);
    for number in [objects, top, table] {
        file.extend_from_slice(&number.to_be_bytes());
    }
    file
}

/// The marker of an object with a length.
fn marked(kind: u8, count: usize) -> Vec<u8> {
    let mut object = vec![kind << 4 | 0x0f, 0x12];
    object.extend_from_slice(&u32::try_from(count).unwrap().to_be_bytes());
    object
}

/// A dictionary or an array of these references; for a dictionary keys first.
fn collection(kind: u8, count: usize, references: &[u16]) -> Vec<u8> {
    let mut object = marked(kind, count);
    for reference in references {
        object.extend_from_slice(&reference.to_be_bytes());
    }
    object
}

fn string(text: &str) -> Vec<u8> {
    let mut object = marked(0x5, text.len());
    object.extend_from_slice(text.as_bytes());
    object
}

fn xml(content: &str) -> Vec<u8> {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist version="1.0">{content}</plist>"#
    )
    .into_bytes()
}

fn error(bytes: &[u8]) -> String {
    let begun = Instant::now();
    let error = read(bytes, &Limits::default()).map(|_| ()).unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_secs(3), "took {:?}", begun.elapsed());
    error
}

/// Objects in which each array refers twelve times to the next: a few hundred bytes that stand for millions of values.
fn laughs(levels: u16) -> Vec<u8> {
    let mut objects = vec![collection(0xd, 1, &[1, 2]), string("k")];
    (2..2 + levels).for_each(|level| objects.push(collection(0xa, 12, &[level + 1; 12])));
    objects.push(string("ha"));
    binary(&objects)
}

#[test]
fn an_idle_message_is_read_in_both_forms() {
    let text = xml("<dict><key>Status</key><string>Idle</string><key>UDID</key><string>A</string></dict>");
    let dictionary = read(&text, &Limits::default()).unwrap();
    assert_eq!(dictionary["Status"].as_str(), Some("Idle"));
    let mut bytes = Vec::new();
    plist::Value::from_reader_xml(text.as_slice()).unwrap().to_writer_binary(&mut bytes).unwrap();
    assert_eq!(read(&bytes, &Limits::default()).unwrap(), dictionary);
}

#[test]
fn every_type_is_read_and_written_again_unchanged() {
    let text = xml("<dict><key>a</key><array><true/><false/><integer>-7</integer><real>1.5</real><data>AP8H</data>
        <date>1999-12-31T23:59:59Z</date><string>&lt;&amp;]]&gt; \u{1f4f1}</string><dict/></array><key>&amp;</key><string/></dict>");
    let read_once = read(&text, &Limits::default()).unwrap();
    let items = read_once["a"].as_array().unwrap();
    assert_eq!(items[4].as_data(), Some([0, 255, 7].as_slice()));
    assert_eq!(items[5], Value::Date(Timestamp::from_millis(946_684_799_000)));
    assert_eq!(items[6].as_str(), Some("<&]]> \u{1f4f1}"));
    let written = to_xml(write::dictionary(&read_once)).unwrap();
    assert_eq!(read(&written, &Limits::default()).unwrap(), read_once);
    let mut bytes = Vec::new();
    plist::Value::from_reader_xml(written.as_slice()).unwrap().to_writer_binary(&mut bytes).unwrap();
    assert_eq!(read(&bytes, &Limits::default()).unwrap(), read_once);
    assert_eq!(read_once["a"].to_json()[4], "AP8H");
}

#[test]
fn nesting_is_limited_in_both_forms() {
    for depth in [31, 32, 200, 40_000] {
        let arrays = depth - 1;
        let text = xml(&format!("<dict><key>k</key>{}{}</dict>", "<array>".repeat(arrays), "</array>".repeat(arrays)));
        assert_eq!(read(&text, &Limits::default()).is_ok(), depth <= 32, "{depth}");
        let mut objects = vec![collection(0xd, 1, &[1, 2]), string("k")];
        (2..=depth).for_each(|level| objects.push(collection(0xa, 1, &[u16::try_from(level).unwrap() + 1])));
        objects.push(string("end"));
        assert_eq!(read(&binary(&objects), &Limits::default()).is_ok(), depth <= 32, "{depth}");
    }
}

#[test]
fn shared_references_are_counted_as_often_as_they_are_used() {
    assert!(read(&laughs(3), &Limits::default()).is_ok());
    for levels in [5, 6, 7, 20] {
        assert_eq!(error(&laughs(levels)), ReadError::TooMany.to_string());
    }
    // Long texts, shared, run into the limit on bytes.
    let mut objects = vec![collection(0xd, 1, &[1, 2]), string("k"), collection(0xa, 5000, &[3; 5000])];
    objects.push(string(&"x".repeat(1_000_000)));
    assert_eq!(error(&binary(&objects)), ReadError::TooLarge.to_string());
}

#[test]
fn an_object_that_contains_itself_is_refused() {
    for objects in [
        vec![collection(0xd, 1, &[1, 0]), string("k")],
        vec![collection(0xd, 1, &[1, 2]), string("k"), collection(0xa, 1, &[2])],
        vec![collection(0xd, 1, &[1, 2]), string("k"), collection(0xa, 2, &[1, 0])],
        vec![collection(0xd, 1, &[0, 0])],
    ] {
        error(&binary(&objects));
    }
}

#[test]
fn counts_that_the_bytes_do_not_bear_out_are_refused_before_anything_is_allocated() {
    let body = [b"bplist00".to_vec(), vec![0xd0]].concat();
    for (objects, top, table) in [
        (u64::MAX, 0, 9),
        (u64::from(u32::MAX), 0, 9),
        (1, u64::MAX, 9),
        (1, 1, 9),
        (1, 0, u64::MAX),
        (1, 0, 10),
        (1, 0, 8),
        (0, 0, 9),
        (100_001, 0, 9),
    ] {
        error(&trailer([body.clone(), vec![8]].concat(), 1, 1, objects, top, table));
    }
    for (offset_size, reference_size) in [(0, 1), (1, 0), (5, 1), (1, 16), (255, 255)] {
        error(&trailer([body.clone(), vec![8]].concat(), offset_size, reference_size, 1, 0, 9));
    }
    assert!(read(&trailer([body, vec![8]].concat(), 1, 1, 1, 0, 9), &Limits::default()).unwrap().is_empty());
    for kind in [0x4, 0x5, 0x6, 0xa, 0xd] {
        for length in [vec![0x13, 0x7f, 255, 255, 255, 255, 255, 255, 255], vec![0x12, 255, 255, 255, 255], vec![0x17, 0], vec![0x5f]] {
            let object = [vec![kind << 4 | 0x0f], length].concat();
            assert!(error(&binary(&[collection(0xd, 1, &[1, 2]), string("k"), object])).contains("inconsistent"));
        }
    }
    // Arrays that lie over each other would make a reader allocate each of them in full.
    let objects = vec![marked(0xa, 60_000); 40];
    let mut file = [collection(0xd, 1, &[1, 2]), string("k")].to_vec();
    file.extend(objects);
    file.push(vec![0; 130_000]);
    assert_eq!(error(&binary(&file)), ReadError::TooMany.to_string());
}

#[test]
fn a_truncated_property_list_is_refused() {
    let text = xml("<dict><key>a</key><array><string>b</string></array></dict>");
    let mut bytes = Vec::new();
    plist::Value::from_reader_xml(text.as_slice()).unwrap().to_writer_binary(&mut bytes).unwrap();
    for whole in [text, bytes] {
        for length in 0..whole.len() {
            assert!(read(&whole[..length], &Limits::default()).is_err(), "{length}");
        }
    }
    error(&xml("<dict><key>a</key>"));
    error(&xml("<dict><key>a</key></dict>"));
    error(&xml("<dict><key>a</dict>"));
}

#[test]
fn what_follows_the_end_is_refused() {
    let whole = xml("<dict/>");
    for more in ["x", "<dict/>", "<plist><dict/></plist>", "\0", "<!-- -->"] {
        error(&[whole.clone(), more.as_bytes().to_vec()].concat());
    }
    error(&xml("<dict/><dict/>"));
    error(&[laughs(1), vec![0]].concat());
    assert!(read(&[whole, b"\n\n".to_vec()].concat(), &Limits::default()).is_ok());
}

#[test]
fn only_dictionaries_with_unique_string_keys_are_accepted() {
    for content in [
        "",
        "<array/>",
        "<string>a</string>",
        "<true/>",
        "<dict><integer>1</integer><true/></dict>",
        "<dict><dict/><true/></dict>",
        "<dict><array/><true/></dict>",
        "<dict><key>a</key><true/><key>a</key><true/></dict>",
    ] {
        error(&xml(content));
    }
    let twice = [collection(0xd, 2, &[1, 1, 1, 1]), string("k")];
    assert!(error(&binary(&twice)).contains("twice"));
}

#[test]
fn xml_that_property_lists_do_not_need_is_refused() {
    for text in [
        "<!DOCTYPE plist [<!ENTITY a \"b\">]><plist><dict><key>k</key><string>&a;</string></dict></plist>",
        "<!DOCTYPE plist [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><plist><dict><key>k</key><string>&x;</string></dict></plist>",
        "<plist><dict><key>k</key><string><![CDATA[lost]]></string></dict></plist>",
        "<plist><dict><key>k</key><x:date>9999-12-31T23:59:59-01:00</x:date></dict></plist>",
        "<plist><dict><key>k</key><date>9999-12-31T23:59:59-01:00</date></dict></plist>",
        "<plist><dict><key>k</key><date a='>'>9999-12-31T23:59:59&#45;01:00</date></dict></plist>",
        "<plist><dict><key>k</key><date>2026-02-31T00:00:00Z</date></dict></plist>",
        "<plist><dict><key>k</key><integer>9223372036854775808</integer></dict></plist>",
        "<plist><dict><key>k</key><integer>1e3</integer></dict></plist>",
        "<plist><dict><key>k</key><real>x</real></dict></plist>",
        "<plist><dict><key>k</key><data>%%%</data></dict></plist>",
        "<plist><dict><key>k</key><string>&#0;</string></dict></plist>",
        "<plist><dict><key>k</key><string><b/></string></dict></plist>",
        "<plist><html/></plist>",
        "{ Status = Idle; }",
        "bplist00",
        "",
    ] {
        error(text.as_bytes());
    }
    error(&[0xff, 0xfe, b'<', 0]);
    error(b"<plist><dict><key>\xff</key><true/></dict></plist>");
}

#[test]
fn many_values_and_many_bytes_are_refused() {
    error(&xml(&format!("<dict><key>k</key><array>{}</array></dict>", "<true/>".repeat(150_000))));
    error(&xml(&format!("<dict><key>k</key><array>{}</array></dict>", "<true></true>".repeat(400_000))));
    error(&xml(&format!("<dict><key>k</key><string>{}</string></dict>", "&amp;".repeat(100_001))));
    error(&xml(&format!("<dict a{}/>", "='' a".repeat(80_000))));
    error(&xml(&format!("<dict><key>{}</key><true/></dict>", "k".repeat(9_000_000))));
    let limits = Limits { bytes: 200, ..Limits::default() };
    assert!(matches!(read(&xml(&"<dict/>".repeat(100)), &limits), Err(ReadError::TooLarge)));
}

#[test]
fn a_binary_date_out_of_range_or_a_number_too_large_is_refused() {
    for number in [f64::NAN, f64::INFINITY, 1e300, -1e300, 1e12] {
        let date = [vec![0x33], number.to_be_bytes().to_vec()].concat();
        error(&binary(&[collection(0xd, 1, &[1, 2]), string("k"), date]));
    }
    let unsigned = [vec![0x14], u128::from(u64::MAX).to_be_bytes().to_vec()].concat();
    error(&binary(&[collection(0xd, 1, &[1, 2]), string("k"), unsigned]));
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), is_binary: bool) {
        let mut bytes = if is_binary {
            laughs(2)
        } else {
            xml("<dict><key>a</key><array><integer>1</integer><date>1999-12-31T23:59:59Z</date><data>AAAA</data></array></dict>")
        };
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        drop(read(&bytes, &Limits::default()));
    }

    #[test]
    fn any_text_survives_writing_and_reading(key in "\\PC{1,20}", text in "\\PC{0,300}") {
        let dictionary = Dictionary::from([(key, Value::String(text))]);
        let written = to_xml(write::dictionary(&dictionary)).unwrap();
        prop_assert_eq!(read(&written, &Limits::default()).unwrap(), dictionary);
    }
}
