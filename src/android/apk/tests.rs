use super::*;

struct Bytes(Vec<u8>);

impl Source for Bytes {
    fn length(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }

    fn read_at(&mut self, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
        let start = usize::try_from(offset).unwrap();
        let bytes = start.checked_add(length).and_then(|end| self.0.get(start..end));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }
}

/// A manifest in binary XML, with texts of sixteen bits.
fn manifest(package: &str) -> Vec<u8> {
    manifest_with(package, "6.36", 0)
}

/// The same with this version, and with so many attributes more than the three that say something.
fn manifest_with(package: &str, version: &str, more: u32) -> Vec<u8> {
    let texts = ["versionCode", "versionName", "package", "manifest", package, version];
    let (mut offsets, mut data) = (Vec::new(), Vec::new());
    for text in texts {
        offsets.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        let units: Vec<u16> = text.encode_utf16().collect();
        data.extend(u16::try_from(units.len()).unwrap().to_le_bytes());
        data.extend(units.into_iter().flat_map(u16::to_le_bytes));
        data.extend([0, 0]);
    }
    while data.len() % 4 != 0 {
        data.push(0);
    }
    let count = u32::try_from(texts.len()).unwrap();
    let start = 28 + 4 * count;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let pool = [words(&[0x001c_0001, start + u32::try_from(data.len()).unwrap(), count, 0, 0, start, 0]), offsets, data].concat();
    let resources = words(&[0x0008_0180, 16, 0x0101_021b, 0x0101_021c]);
    let attribute = |name: u32, kind: u32, value: u32| words(&[u32::MAX, name, u32::MAX, (kind << 24) | 8, value]);
    let idle = attribute(3, 0x10, 0).repeat(more.try_into().unwrap());
    let attributes = [attribute(0, 0x10, 636), attribute(1, 3, 5), attribute(2, 3, 4), idle].concat();
    let head = words(&[0x0010_0102, 36 + 20 * (3 + more), 1, u32::MAX, u32::MAX, 3, 0x0014_0014, 3 + more, 0]);
    let element = [head, attributes].concat();
    let length = 8 + pool.len() + resources.len() + element.len();
    [words(&[0x0008_0003, u32::try_from(length).unwrap()]), pool, resources, element].concat()
}

/// An archive with one file that is not compressed, and with something before its list.
fn archive(name: &str, content: &[u8], block: &[u8]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let sizes = [number(0), number(content.len()), number(content.len())].concat();
    let local = [b"PK\x03\x04".as_slice(), &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &sizes, &name_length, &[0, 0], name.as_bytes()].concat();
    let list =
        [b"PK\x01\x02".as_slice(), &[20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &sizes, &name_length, &[0; 16], name.as_bytes()].concat();
    let before = local.len() + content.len() + block.len();
    let end = [b"PK\x05\x06".as_slice(), &[0, 0, 0, 0, 1, 0, 1, 0], &number(list.len()), &number(before), &[0, 0]].concat();
    [local, content.to_vec(), block.to_vec(), list, end].concat()
}

/// A block with this certificate in the form of scheme v2, once for each signer.
fn block(certificate: &[u8], signers: usize) -> Vec<u8> {
    let prefixed = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
    let content = [prefixed(b""), prefixed(&prefixed(certificate)), prefixed(b"")].concat();
    let signer = prefixed(&[prefixed(&content), prefixed(b""), prefixed(b"")].concat());
    let value = [0x7109_871a_u32.to_le_bytes().to_vec(), prefixed(&signer.repeat(signers))].concat();
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap();
    let pair = [&length(&value).to_le_bytes(), value.as_slice()].concat();
    let size = (length(&pair) + 24).to_le_bytes();
    [size.as_slice(), &pair, &size, b"APK Sig Block 42"].concat()
}

fn read_all(bytes: Vec<u8>) -> Result<Apk, NotAnApk> {
    read(&mut Bytes(bytes))
}

#[test]
fn a_package_says_its_name_its_version_and_who_signed_it() {
    let apk = read_all(archive("AndroidManifest.xml", &manifest("com.hmdm.launcher"), &block(b"certificate", 1))).unwrap();
    assert_eq!(apk.package, "com.hmdm.launcher");
    assert_eq!((apk.version_name.as_deref(), apk.version_code), (Some("6.36"), Some(636)));
    assert_eq!(apk.certificate_sha256, Some(sha256(b"certificate").to_vec()));
}

#[test]
fn a_package_without_a_newer_signature_or_with_two_signers_has_no_certificate() {
    let content = manifest("com.hmdm.launcher");
    for between in [Vec::new(), block(b"certificate", 2), b"something that is no signature, at all".to_vec()] {
        assert_eq!(read_all(archive("AndroidManifest.xml", &content, &between)).unwrap().certificate_sha256, None);
    }
}

#[test]
fn a_manifest_with_more_than_any_has_is_refused() {
    let read_manifest = |version: &str, more: u32| {
        read_all(archive("AndroidManifest.xml", &manifest_with("com.hmdm.launcher", version, more), &[])).map(|apk| apk.version_name)
    };
    assert_eq!(read_manifest("6.36", 61).unwrap().as_deref(), Some("6.36"), "64 attributes");
    assert!(read_manifest("6.36", 62).is_err(), "65 attributes");
    assert_eq!(read_manifest(&"6".repeat(1_000), 0).unwrap(), Some("6".repeat(1_000)));
    assert!(read_manifest(&"6".repeat(1_001), 0).is_err());
}

#[test]
fn what_is_no_package_is_refused_and_never_ends_the_server() {
    let good = archive("AndroidManifest.xml", &manifest("com.hmdm.launcher"), &block(b"certificate", 1));
    for length in 0..good.len() {
        assert!(read_all(good[..length].to_vec()).is_err(), "cut at {length}");
    }
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0xff;
        // It may still be one, with another name; it must only be an answer.
        drop(read_all(changed));
    }
    for (name, content) in [
        ("classes.dex", manifest("com.hmdm.launcher")),
        ("AndroidManifest.xml", manifest("launcher")),
        ("AndroidManifest.xml", b"<manifest/>".to_vec()),
    ] {
        assert!(read_all(archive(name, &content, &[])).is_err(), "{name}");
    }
}
