//! DER, element by element: a reader that borrows and a writer that nests, for the messages nobody else takes apart safely.
//!
//! Certificates are left to OpenSSL and `x509-parser`. What is here walks the CMS, CRL and OCSP shells around them,
//! where the bytes must be kept exactly as they came: nothing that was read is ever encoded again.

use der::oid::ObjectIdentifier;

use crate::{
    domain::time::Timestamp,
    pki::{Error, oid},
};

/// Tags of the types that are used here; `context` gives the others.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// The constructed context-specific tag `[number]`.
    pub(crate) const fn context(number: u8) -> u8 {
        0xa0 | (number & 0x1f)
    }

    /// The primitive context-specific tag `[number]`.
    pub(crate) const fn context_primitive(number: u8) -> u8 {
        0x80 | (number & 0x1f)
    }
}

/// One element: its tag, its content, and all of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// Reads a run of DER elements; errors name what was being read.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// A reader of what is inside `element`.
    pub(crate) const fn inside(&self, element: &Tlv<'a>) -> Self {
        Self { what: self.what, rest: element.value }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Tlv<'a>, Error> {
        let (header, length) = header(self.rest).filter(|(_, length)| length.minimal).ok_or(Error::Malformed(self.what))?;
        let end = header.checked_add(length.value).ok_or(Error::Malformed(self.what))?;
        let (whole, rest) = self.rest.split_at_checked(end).ok_or(Error::Malformed(self.what))?;
        let (tag, value) = whole.first().zip(whole.get(header..)).ok_or(Error::Malformed(self.what))?;
        self.rest = rest;
        Ok(Tlv { tag: *tag, value, whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<Tlv<'a>, Error> {
        self.maybe(tag)?.ok_or(Error::Malformed(self.what))
    }

    /// The next element if it has this tag.
    pub(crate) fn maybe(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, Error> {
        if self.rest.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// A reader of the inside of the next element, which must have this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<Self, Error> {
        let element = self.take(tag)?;
        Ok(self.inside(&element))
    }

    /// Nothing may be left.
    pub(crate) const fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::Malformed(self.what)) }
    }

    /// The identifier of an `AlgorithmIdentifier` and its parameters.
    pub(crate) fn algorithm(&mut self) -> Result<(&'a [u8], Option<Tlv<'a>>), Error> {
        let mut inner = self.enter(tag::SEQUENCE)?;
        let identifier = inner.take(tag::OID)?.value;
        let parameters = if inner.is_empty() { None } else { Some(inner.any()?) };
        inner.end()?;
        Ok((identifier, parameters))
    }
}

/// A length as it was written.
pub(crate) struct Length {
    pub(crate) value: usize,
    /// Written in as few bytes as possible, as DER demands.
    pub(crate) minimal: bool,
}

/// The size of tag and length octets, and the length. `None`: truncated, indefinite, multi-byte tag or longer than 4 GB.
pub(crate) fn header(bytes: &[u8]) -> Option<(usize, Length)> {
    let (tag, first) = bytes.first().zip(bytes.get(1))?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    if *first < 0x80 {
        return Some((2, Length { value: usize::from(*first), minimal: true }));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let digits = bytes.get(2..2_usize.checked_add(count)?)?;
    let value = digits.iter().try_fold(0_usize, |value, digit| value.checked_mul(256)?.checked_add(usize::from(*digit)))?;
    let minimal = digits.first() != Some(&0) && value >= 0x80;
    Some((count.checked_add(2)?, Length { value, minimal }))
}

/// One element with `parts` as its content, one after the other.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length.saturating_add(6));
    push_header(&mut out, tag, length);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Appends tag and definite length.
pub(crate) fn push_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let digits = strip_zeros(&digits);
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            out.extend_from_slice(digits);
        }
    }
}

/// The same number without zeros in front, but never empty.
pub(crate) fn strip_zeros(mut digits: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = digits
        && !rest.is_empty()
    {
        digits = rest;
    }
    digits
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(tag::SEQUENCE, parts)
}

/// `SET OF`, in the order that DER demands; `tag` because some sets are implicitly tagged.
pub(crate) fn set_of<T: AsRef<[u8]>>(tag: u8, members: &[T]) -> Vec<u8> {
    let mut members: Vec<&[u8]> = members.iter().map(AsRef::as_ref).collect();
    members.sort_unstable();
    element(tag, &members)
}

/// A non-negative INTEGER of these big-endian digits.
pub(crate) fn unsigned(digits: &[u8]) -> Vec<u8> {
    let digits = strip_zeros(digits);
    let sign: &[u8] = if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    element(tag::INTEGER, &[sign, digits])
}

pub(crate) fn oid(identifier: &ObjectIdentifier) -> Vec<u8> {
    element(tag::OID, &[identifier.as_bytes()])
}

pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(tag::OCTET_STRING, &[bytes])
}

/// A BIT STRING of whole bytes.
pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(tag::BIT_STRING, &[&[0], bytes])
}

/// An `Extension` that is not critical.
pub(crate) fn extension(identifier: &ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(identifier), &octets(value)])
}

/// The AKI extension by key identifier (RFC 5280, section 4.2.1.1).
pub(crate) fn authority_key_id(key_id: &[u8]) -> Vec<u8> {
    extension(&oid::AUTHORITY_KEY_ID, &sequence(&[&element(tag::context_primitive(0), &[key_id])]))
}

/// `GeneralizedTime`, whole seconds, UTC.
pub(crate) fn generalized_time(at: Timestamp) -> Vec<u8> {
    let t = at.calendar();
    let (month, day) = (u8::from(t.month()), t.day());
    let text = format!("{:04}{month:02}{day:02}{:02}{:02}{:02}Z", t.year(), t.hour(), t.minute(), t.second());
    element(tag::GENERALIZED_TIME, &[text.as_bytes()])
}

/// `Time` of RFC 5280, section 4.1.2.5: `UTCTime` through 2049, `GeneralizedTime` from then on.
pub(crate) fn time(at: Timestamp) -> Vec<u8> {
    let t = at.calendar();
    if !(1950..2050).contains(&t.year()) {
        return generalized_time(at);
    }
    let (year, month, day) = (t.year().rem_euclid(100), u8::from(t.month()), t.day());
    let text = format!("{year:02}{month:02}{day:02}{:02}{:02}{:02}Z", t.hour(), t.minute(), t.second());
    element(tag::UTC_TIME, &[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for size in [0, 1, 127, 128, 255, 256, 70_000] {
            let value = vec![7; size];
            let mut reader = Reader::new("sample", &[]);
            let written = octets(&value);
            reader.rest = &written;
            assert_eq!(reader.take(tag::OCTET_STRING).unwrap().value, value);
            reader.end().unwrap();
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for bytes in [&[0x30][..], &[0x30, 0x80], &[0x30, 0x81, 0x05], &[0x30, 0x84, 0x80, 0, 0, 0], &[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 0]]
        {
            assert!(Reader::new("sample", bytes).any().is_err(), "{bytes:x?}");
        }
        assert!(Reader::new("sample", &[0x1f, 0x81, 0x01, 0]).any().is_err(), "multi-byte tag");
    }

    #[test]
    fn numbers_are_never_negative_and_never_padded() {
        assert_eq!(unsigned(&[0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(unsigned(&[]), [2, 1, 0]);
    }

    #[test]
    fn years_from_2050_have_four_digits() {
        assert_eq!(time(Timestamp::from_millis(0)), b"\x17\x0d700101000000Z");
        assert_eq!(time(Timestamp::from_millis(2_524_608_000_000)), b"\x18\x0f20500101000000Z");
    }
}
