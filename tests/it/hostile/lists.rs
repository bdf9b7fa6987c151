//! Property lists that no device would write.

use std::fmt::Write as _;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">";

/// A document around this content.
fn document(content: &str) -> Vec<u8> {
    format!("{HEAD}{content}</plist>").into_bytes()
}

/// A dictionary that would be an honest message of either channel, but for what is added to it.
fn message(udid: &str, added: &str) -> Vec<u8> {
    document(&format!(
        "<dict><key>MessageType</key><string>Authenticate</string><key>Status</key><string>Idle</string>\
         <key>Topic</key><string>com.apple.mgmt.Test</string><key>UDID</key><string>{udid}</string>{added}</dict>"
    ))
}

/// Bodies with names, for a device with this identifier.
pub fn bodies(udid: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut bodies = texts(udid);
    bodies.extend(types(udid));
    bodies.extend(binaries());
    bodies
}

fn texts(udid: &str) -> Vec<(&'static str, Vec<u8>)> {
    let nested = |open: &str, close: &str, times: usize| format!("{}{}", open.repeat(times), close.repeat(times));
    let laughs = (1..12).fold("<!ENTITY a0 \"ha\">".to_owned(), |mut text, level| {
        let below = format!("&a{};", level - 1).repeat(10);
        write!(text, "<!ENTITY a{level} \"{below}\">").unwrap();
        text
    });
    let attributes = (0..80_000).fold(String::new(), |mut text, number| {
        write!(text, " a{number}=\"\"").unwrap();
        text
    });
    let keys = (0..120_000).fold(String::new(), |mut text, number| {
        write!(text, "<key>k{number}</key><true/>").unwrap();
        text
    });
    let truncated = message(udid, "")[..150].to_vec();
    vec![
        ("arrays 100,000 deep", document(&nested("<array>", "</array>", 100_000))),
        ("dictionaries 60,000 deep", document(&nested("<dict><key>a</key>", "</dict>", 60_000))),
        ("arrays deep inside an honest message", message(udid, &format!("<key>x</key>{}", nested("<array>", "</array>", 32_700)))),
        ("arrays that are never closed", format!("{HEAD}{}", "<array>".repeat(500_000)).into_bytes()),
        ("a billion laughs", format!("<?xml version=\"1.0\"?><!DOCTYPE plist [{laughs}]><plist><dict><key>MessageType</key><string>&a11;</string></dict></plist>").into_bytes()),
        ("an external entity", b"<?xml version=\"1.0\"?><!DOCTYPE plist [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><plist><dict><key>UDID</key><string>&x;</string></dict></plist>".to_vec()),
        ("a million entities", message(udid, &format!("<key>x</key><string>{}</string>", "&amp;".repeat(500_000)))),
        ("80,000 attributes", document(&format!("<dict{attributes}></dict>"))),
        ("120,000 keys", message(udid, &keys)),
        ("a million comments", document(&"<!-- -->".repeat(400_000))),
        ("a CDATA section", message(udid, "<key>x</key><string><![CDATA[<dict>]]></string>")),
        ("cut off in the middle", truncated),
        ("nothing", Vec::new()),
        ("only a head", HEAD.as_bytes().to_vec()),
        ("three megabytes of blanks", vec![b' '; 3 << 20]),
        ("three megabytes of NUL", vec![0; 3 << 20]),
        ("bytes that are no UTF-8", [HEAD.as_bytes(), &[0xff, 0xfe, 0xc3, 0x28], b"</plist>"].concat()),
        ("UTF-16", [0xff, 0xfe].into_iter().chain(HEAD.encode_utf16().flat_map(u16::to_le_bytes)).collect()),
        ("JSON", br#"{"MessageType":"Authenticate"}"#.to_vec()),
        ("a form", b"MessageType=Authenticate&UDID=1".to_vec()),
    ]
}

fn types(udid: &str) -> Vec<(&'static str, Vec<u8>)> {
    let long = "A".repeat(3 << 20);
    let long = long.as_str();
    vec![
        ("an array at the top", document("<array><string>Authenticate</string></array>")),
        ("a string at the top", document("<string>Authenticate</string>")),
        (
            "types that are all numbers",
            document(
                "<dict><key>MessageType</key><integer>1</integer><key>Status</key><integer>1</integer><key>UDID</key><integer>1</integer></dict>",
            ),
        ),
        (
            "an identifier that is an array",
            document(
                "<dict><key>MessageType</key><string>Authenticate</string><key>Status</key><string>Idle</string><key>UDID</key><array/></dict>",
            ),
        ),
        (
            "no identifier",
            document("<dict><key>MessageType</key><string>Authenticate</string><key>Status</key><string>Idle</string></dict>"),
        ),
        ("an identifier of three megabytes", message(long, "")),
        ("an identifier with quotes", message("1'; DROP TABLE devices; --", "")),
        ("a NUL by reference", message("1&#0;2", "")),
        (
            "a type that nobody knows",
            document(&format!(
                "<dict><key>MessageType</key><string>Explode</string><key>Status</key><string>Exploded</string><key>UDID</key><string>{udid}</string></dict>"
            )),
        ),
        ("a number of a thousand digits", message(udid, &format!("<key>x</key><integer>{}</integer>", "9".repeat(1000)))),
        ("a date in the year 999999999", message(udid, "<key>x</key><date>999999999-01-01T00:00:00Z</date>")),
        ("a date with an offset at the end of time", message(udid, "<key>x</key><date>9999-12-31T23:59:59-23:59</date>")),
        ("data that is no base64", message(udid, "<key>x</key><data>!!!!</data>")),
        ("a value without a key", message(udid, "<string>lonely</string>")),
        ("a key without a value", message(udid, "<key>last</key>")),
        ("a tag that nobody knows", message(udid, "<key>x</key><blob/>")),
    ]
}

/// Binary property lists of one-byte references.
fn binaries() -> Vec<(&'static str, Vec<u8>)> {
    let laughs: Vec<Vec<u8>> =
        (0..14_u8).map(|level| if level == 13 { b"\x51a".to_vec() } else { [&[0xac], [level + 1; 12].as_slice()].concat() }).collect();
    let chain: Vec<Vec<u8>> =
        (0..30_000_u32).map(|level| [&[0xa1], &(level + 1).to_be_bytes()[2..]].concat()).chain([b"\x51a".to_vec()]).collect();
    let lists: Vec<u8> = binary(&laughs, 1);
    let cut = lists[..lists.len() - 7].to_vec();
    let huge = |marker: u8| [&[marker | 0x0f, 0x13], [0x7f; 8].as_slice()].concat();
    vec![
        ("binary: a billion laughs", lists),
        ("binary: arrays 30,000 deep", binary(&chain, 2)),
        ("binary: an array that holds itself", binary(&[b"\xa1\x00".to_vec()], 1)),
        ("binary: a dictionary that is its own key", binary(&[b"\xd1\x00\x00".to_vec()], 1)),
        ("binary: an array of 2^62 items", binary(&[huge(0xa0)], 1)),
        ("binary: a dictionary of 2^62 items", binary(&[huge(0xd0)], 1)),
        ("binary: a string of 2^62 bytes", binary(&[huge(0x50)], 1)),
        ("binary: a text of 2^62 letters", binary(&[huge(0x60)], 1)),
        ("binary: data of 2^62 bytes", binary(&[huge(0x40)], 1)),
        ("binary: a reference to nothing", binary(&[b"\xa1\xee".to_vec()], 1)),
        ("binary: cut off", cut),
        ("binary: only the magic word", b"bplist00".to_vec()),
        ("binary: a trailer of ones", [b"bplist00".as_slice(), &[0xff; 32]].concat()),
        ("binary: 2^64 objects", [b"bplist00".as_slice(), &[0; 6], &[1, 1], &[0xff; 8], &[0; 8], &[0, 0, 0, 0, 0, 0, 0, 8]].concat()),
        ("binary: another version", b"bplist17\xa0".to_vec()),
    ]
}

/// A file of these objects; the first one is the top.
fn binary(objects: &[Vec<u8>], reference_size: u8) -> Vec<u8> {
    let mut file = b"bplist00".to_vec();
    let mut offsets = Vec::new();
    for object in objects {
        offsets.extend_from_slice(&u32::try_from(file.len()).unwrap().to_be_bytes());
        file.extend_from_slice(object);
    }
    let table = u64::try_from(file.len()).unwrap();
    file.extend_from_slice(&offsets);
    file.extend_from_slice(&[0, 0, 0, 0, 0, 0, 4, reference_size]);
    file.extend_from_slice(&u64::try_from(objects.len()).unwrap().to_be_bytes());
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&table.to_be_bytes());
    file
}
