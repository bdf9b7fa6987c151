//! QR codes, for going on with the telephone what was begun on a computer.

use base64::{Engine, engine::general_purpose::STANDARD};
use fast_qr::{
    ECL,
    convert::{Builder, svg::SvgBuilder},
    qr::QRBuilder,
};

/// A QR code of this text as a `data:` address of an SVG image; `None` where the text is too long for one.
#[must_use]
pub fn data_address(text: &str) -> Option<String> {
    address_of(&QRBuilder::new(text))
}

/// The same with as little redundancy as a QR code can have, so that a long text still gives squares of a size that a telephone
/// can tell apart: for what a new Android device reads from a screen in its set-up wizard.
#[must_use]
pub fn dense_data_address(text: &str) -> Option<String> {
    let mut builder = QRBuilder::new(text);
    builder.ecl(ECL::L);
    address_of(&builder)
}

fn address_of(builder: &QRBuilder) -> Option<String> {
    let code = builder.build().ok()?;
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
        assert!(dense_data_address(&"x".repeat(1_500)).unwrap().len() < data_address(&"x".repeat(1_500)).unwrap().len());
        assert!(dense_data_address(&"x".repeat(10_000)).is_none());
    }
}
