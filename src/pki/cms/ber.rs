//! From BER to DER: indefinite lengths, padded lengths and segmented OCTET STRINGs are what encoders in the wild emit.
//!
//! Apple's devices, `openssl -stream` and Bouncy Castle all stream. Everything after this module may insist on DER. The
//! order within sets is left as it came: signatures are over the received order.

use std::borrow::Cow;

use crate::pki::{
    Error,
    tlv::{self, tag},
};

/// More levels than any certificate message has; each level of a hostile one costs a little stack and one buffer.
const MAX_DEPTH: usize = 24;
/// The bit of a tag that says: elements inside.
const CONSTRUCTED: u8 = 0x20;
const SEGMENTED_OCTETS: u8 = tag::OCTET_STRING | CONSTRUCTED;
const INDEFINITE: u8 = 0x80;

const MALFORMED: Error = Error::Malformed("the BER message");

/// The same message with definite, minimal lengths. Borrows if that is what it has already.
///
/// Refused are trailing bytes, nesting deeper than 24, and lengths that do not fit the input. Memory used is bounded by
/// the input's size times the depth; the caller limits the input's size.
pub fn to_der(input: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    if is_definite(input, MAX_DEPTH) {
        return Ok(Cow::Borrowed(input));
    }
    let mut out = Vec::with_capacity(input.len());
    if copy(input, &mut out, MAX_DEPTH)?.is_empty() { Ok(Cow::Owned(out)) } else { Err(MALFORMED) }
}

/// Whether `input` is exactly one element with nothing that would have to be changed.
fn is_definite(input: &[u8], depth: usize) -> bool {
    all_definite(input, depth) == Some(1)
}

/// How many elements a run has, if none of them needs a change.
fn all_definite(mut input: &[u8], depth: usize) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let mut count = 0_usize;
    while let Some(tag) = input.first() {
        let (start, length) = tlv::header(input)?;
        let (element, rest) = input.split_at_checked(start.checked_add(length.value)?)?;
        if !length.minimal || *tag == SEGMENTED_OCTETS || *tag == 0 {
            return None;
        }
        if tag & CONSTRUCTED != 0 {
            all_definite(element.get(start..)?, depth)?;
        }
        count = count.saturating_add(1);
        input = rest;
    }
    Some(count)
}

/// Copies the first element of `input` as DER; gives what follows it.
fn copy<'a>(input: &'a [u8], out: &mut Vec<u8>, depth: usize) -> Result<&'a [u8], Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooLarge("the nesting of a message"))?;
    let [tag, first, after @ ..] = input else { return Err(MALFORMED) };
    if *tag == 0 || tag & 0x1f == 0x1f {
        return Err(MALFORMED);
    }
    let mut inside = Vec::new();
    let rest = if *first == INDEFINITE {
        if tag & CONSTRUCTED == 0 {
            return Err(MALFORMED);
        }
        let mut open = after;
        loop {
            match open {
                [0, 0, rest @ ..] => break rest,
                _ => open = member(*tag, open, &mut inside, depth)?,
            }
        }
    } else {
        let (start, length) = tlv::header(input).ok_or(MALFORMED)?;
        let end = start.checked_add(length.value).ok_or(MALFORMED)?;
        let (element, rest) = input.split_at_checked(end).ok_or(MALFORMED)?;
        let mut value = element.get(start..).ok_or(MALFORMED)?;
        if tag & CONSTRUCTED == 0 {
            tlv::push_header(out, *tag, value.len());
            out.extend_from_slice(value);
            return Ok(rest);
        }
        while !value.is_empty() {
            value = member(*tag, value, &mut inside, depth)?;
        }
        rest
    };
    let tag = if *tag == SEGMENTED_OCTETS { tag::OCTET_STRING } else { *tag };
    tlv::push_header(out, tag, inside.len());
    out.extend_from_slice(&inside);
    Ok(rest)
}

/// Copies one element within another: whole, or only its content if it is a segment of an OCTET STRING.
fn member<'a>(parent: u8, input: &'a [u8], out: &mut Vec<u8>, depth: usize) -> Result<&'a [u8], Error> {
    if parent != SEGMENTED_OCTETS {
        return copy(input, out, depth);
    }
    let mut segment = Vec::new();
    let rest = copy(input, &mut segment, depth)?;
    let (start, _) = tlv::header(&segment).filter(|_| segment.first() == Some(&tag::OCTET_STRING)).ok_or(MALFORMED)?;
    out.extend_from_slice(segment.get(start..).ok_or(MALFORMED)?);
    Ok(rest)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pki::tlv::Reader;

    /// The same message as a streaming encoder writes it: every length indefinite, every OCTET STRING in segments.
    pub(crate) fn streamed(der: &[u8]) -> Vec<u8> {
        let (mut reader, mut out) = (Reader::new("sample", der), Vec::new());
        while !reader.is_empty() {
            let element = reader.any().unwrap();
            if element.tag == tag::OCTET_STRING {
                out.extend([SEGMENTED_OCTETS, INDEFINITE]);
                out.extend(element.value.chunks(100).flat_map(tlv::octets));
                out.extend([0, 0]);
            } else if element.tag & CONSTRUCTED != 0 {
                out.extend([element.tag, INDEFINITE]);
                out.extend(streamed(element.value));
                out.extend([0, 0]);
            } else {
                out.extend(element.whole);
            }
        }
        out
    }

    #[test]
    fn der_is_borrowed_as_it_is() {
        let der = [0x30, 0x05, 0x02, 0x01, 0x05, 0x05, 0x00];
        assert!(matches!(to_der(&der).unwrap(), Cow::Borrowed(same) if same == der));
    }

    #[test]
    fn indefinite_lengths_and_segments_are_joined() {
        let ber = [0x30, 0x80, 0x24, 0x80, 0x04, 0x01, 0xaa, 0x24, 0x03, 0x04, 0x01, 0xbb, 0, 0, 0x02, 0x81, 0x01, 0x07, 0, 0];
        assert_eq!(*to_der(&ber).unwrap(), [0x30, 0x07, 0x04, 0x02, 0xaa, 0xbb, 0x02, 0x01, 0x07]);
    }

    #[test]
    fn nesting_is_limited() {
        let mut deep = [0x30, 0x80].repeat(100_000);
        assert!(to_der(&deep).is_err());
        deep.extend([0, 0].repeat(100_000));
        assert!(matches!(to_der(&deep), Err(Error::TooLarge(_))));
        let fine: Vec<u8> = [[0x30, 0x80].repeat(23), [0, 0].repeat(23)].concat();
        assert!(to_der(&fine).is_ok());
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x04, 0x80, 0, 0],
            &[0x30, 0x84, 0x80, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x00, 0x00],
            &[0x24, 0x03, 0x02, 0x01, 0x05],
            &[0x30, 0x80, 0x02, 0x05, 0x01, 0, 0],
            &[0x00, 0x00],
        ] {
            assert!(to_der(bad).is_err(), "{bad:x?}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_refused_or_becomes_der(bytes in prop::collection::vec(prop_oneof![Just(0x30), Just(0x80), Just(0), Just(0x24), Just(4), any::<u8>()], 0..200)) {
            if let Ok(der) = to_der(&bytes) {
                prop_assert!(is_definite(&der, MAX_DEPTH));
                prop_assert_eq!(&*to_der(&der).unwrap(), &*der);
            }
        }
    }
}
