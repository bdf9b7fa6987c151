//! Lists as CSV (RFC 4180), for spreadsheets.

use actix_web::{HttpResponse, web::Bytes};
use futures_util::Stream;

use super::error::ApiError;

/// An answer that a browser saves under a name, piece by piece as the pieces come.
pub fn answer(file_name: &str, pieces: impl Stream<Item = Result<Bytes, ApiError>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("content-disposition", format!("attachment; filename=\"{file_name}\"")))
        .insert_header(("cache-control", "no-store"))
        .streaming(pieces)
}

/// One line of these fields.
pub fn line(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| csv_field(field)).collect();
    fields.join(",") + "\r\n"
}

/// One field. A spreadsheet would run text that begins like a formula, so an apostrophe is put before it.
fn csv_field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    // Some spreadsheets divide at semicolons: a quoted field stays one for them as well.
    if text.contains(['"', ',', ';', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::csv_field;

    #[test]
    fn a_field_cannot_break_out_or_become_a_formula() {
        assert_eq!(csv_field("plain"), "plain");
        assert_eq!(csv_field("a,\"b\"\r\n"), "\"a,\"\"b\"\"\r\n\"");
        assert_eq!(csv_field("=cmd()"), "'=cmd()");
        assert_eq!(csv_field("@x,y"), "\"'@x,y\"");
        assert_eq!(csv_field("x;=cmd()"), "\"x;=cmd()\"");
    }
}
