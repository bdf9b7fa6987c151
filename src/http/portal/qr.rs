//! QR codes, for going on with the telephone what was begun on a computer.

use base64::{Engine, engine::general_purpose::STANDARD};
use fast_qr::{
    convert::{Builder, svg::SvgBuilder},
    qr::QRBuilder,
};

/// A QR code of this text as a `data:` address of an SVG image; `None` where the text is too long for one.
#[must_use]
pub fn data_address(text: &str) -> Option<String> {
    let code = QRBuilder::new(text).build().ok()?;
    // Scanners need the white margin of four modules.
    let svg = SvgBuilder::default().margin(4).to_str(&code);
    Some(format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_an_image_and_a_book_does_not() {
        let image = data_address("https://mdm.example.com/enroll/x").unwrap();
        assert!(image.starts_with("data:image/svg+xml;base64,PHN2Zy"));
        assert!(data_address(&"x".repeat(10_000)).is_none());
    }
}
