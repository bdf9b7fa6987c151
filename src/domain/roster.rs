//! A list of people as somebody typed or exported it: lines of text become people, or say what is wrong with them. Who of them
//! exists already is for others to find out.

use std::collections::HashMap;

use super::{device::Ownership, user::normalize_address};

/// Most lines of one list.
pub const MOST_LINES: usize = 10_000;
/// Most bytes of one list.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;
/// Most characters of a name.
const LONGEST_NAME: usize = 200;

/// One person of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number of the line, from 1.
    pub line: usize,
    /// The address, in its normal form.
    pub email: String,
    /// The name.
    pub name: String,
    /// The names of groups.
    pub groups: Vec<String>,
    /// Whose device they are to enroll, where the line says so.
    pub ownership: Option<Ownership>,
}

/// One line that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The number of the line, from 1.
    pub line: usize,
    /// The line as it is, shortened.
    pub text: String,
    /// What is wrong with it, for people.
    pub why: String,
}

/// What a list says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Those who can be read.
    pub people: Vec<Person>,
    /// Those who cannot.
    pub bad: Vec<BadLine>,
}

/// Why a list cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// It is in another encoding.
    #[error("the list is not in UTF-8; in a spreadsheet, save it as \"CSV UTF-8\"")]
    Encoding,
    /// It is too long.
    #[error("the list is too long: at most {MOST_LINES} lines and 2 MiB at once; divide it")]
    TooLong,
    /// There is nothing in it.
    #[error("the list is empty")]
    Empty,
    /// The header names no column with addresses.
    #[error("the first line names columns, but none of them is the mail address; name it \"address\" or \"email\"")]
    NoAddress,
    /// A quotation mark is never closed.
    #[error("the quotation mark that begins in line {0} is never closed")]
    OpenQuote(usize),
}

/// Which column holds what.
struct Columns {
    email: usize,
    name: Option<usize>,
    groups: Option<usize>,
    ownership: Option<usize>,
}

/// Most fields of a line; what comes after them is left in the last one.
const MOST_FIELDS: usize = 50;

/// A line, cut at its separators.
struct Cut {
    line: usize,
    fields: Vec<String>,
}

/// Reads the bytes of a list.
///
/// # Errors
/// It cannot be read at all.
pub fn read_bytes(bytes: &[u8]) -> Result<String, RosterError> {
    if bytes.len() > MOST_BYTES {
        return Err(RosterError::TooLong);
    }
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| RosterError::Encoding)
}

/// Reads a list: address, name, groups (several divided by `|`), ownership, divided by commas, semicolons or tabs. A first
/// line that names the columns may put them into another order.
///
/// # Errors
/// It cannot be read at all.
pub fn read(text: &str) -> Result<Roster, RosterError> {
    if text.len() > MOST_BYTES {
        return Err(RosterError::TooLong);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = cut(text)?;
    let columns = match lines.first().filter(|first| is_header(first)) {
        Some(header) => {
            let columns = columns_of(header)?;
            lines.remove(0);
            columns
        }
        None => Columns { email: 0, name: Some(1), groups: Some(2), ownership: Some(3) },
    };
    match lines.len() {
        0 => Err(RosterError::Empty),
        count if count > MOST_LINES => Err(RosterError::TooLong),
        _ => Ok(sort_out(lines, &columns)),
    }
}

fn sort_out(lines: Vec<Cut>, columns: &Columns) -> Roster {
    let mut roster = Roster::default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in lines {
        let person = person_of(&line, columns).and_then(|person| match seen.get(&person.email) {
            Some(before) => Err(format!("the address stands in line {before} already")),
            None => Ok(person),
        });
        match person {
            Ok(person) => {
                seen.insert(person.email.clone(), person.line);
                roster.people.push(person);
            }
            Err(why) => {
                let text = line.fields.join(", ").chars().take(120).collect();
                roster.bad.push(BadLine { line: line.line, text, why });
            }
        }
    }
    roster
}

fn person_of(line: &Cut, columns: &Columns) -> Result<Person, String> {
    let field = |at: Option<usize>| at.and_then(|at| line.fields.get(at)).map(|field| field.trim()).unwrap_or_default();
    let given = field(Some(columns.email));
    if given.is_empty() {
        return Err("the address is missing".into());
    }
    let email = normalize_address(given).map_err(|why| format!("the address {why}"))?;
    let name = checked_name(field(columns.name))?;
    let groups = field(columns.groups).split('|').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let ownership = match field(columns.ownership).to_lowercase().as_str() {
        "" => None,
        word => Some(word.parse().map_err(|_| "the ownership must be personal or company, or be left out".to_owned())?),
    };
    Ok(Person { line: line.line, email, name, groups, ownership })
}

fn checked_name(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("the name is missing".into());
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(format!("the name must have at most {LONGEST_NAME} characters and no line breaks"));
    }
    Ok(name.to_owned())
}

/// A first line without any address that has a word for one of the columns.
fn is_header(line: &Cut) -> bool {
    line.fields.iter().all(|field| !field.contains('@')) && line.fields.iter().any(|field| meaning(field).is_some())
}

/// What a column's heading means.
fn meaning(heading: &str) -> Option<&'static str> {
    match heading.trim().to_lowercase().replace(['-', '_', ' '], "").as_str() {
        "address" | "email" | "mail" | "emailaddress" | "mailaddress" => Some("email"),
        "name" | "fullname" | "displayname" => Some("name"),
        "group" | "groups" => Some("groups"),
        "ownership" | "owner" => Some("ownership"),
        _ => None,
    }
}

fn columns_of(header: &Cut) -> Result<Columns, RosterError> {
    let find = |what: &str| header.fields.iter().position(|field| meaning(field) == Some(what));
    let email = find("email").ok_or(RosterError::NoAddress)?;
    Ok(Columns { email, name: find("name"), groups: find("groups"), ownership: find("ownership") })
}

/// The separator is the first one that stands outside of quotation marks: behind it even a name may hold another.
fn separator(text: &str) -> char {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut is_quoted = false;
    let mut outside = first.chars().filter(|letter| {
        is_quoted ^= *letter == '"';
        !is_quoted
    });
    outside.find(|letter| matches!(letter, ',' | ';' | '\t')).unwrap_or(',')
}

/// Cuts a text into lines and fields. A field in quotation marks may hold separators and line breaks; a doubled mark is one.
fn cut(text: &str) -> Result<Vec<Cut>, RosterError> {
    let separator = separator(text);
    let (mut lines, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut number, mut begun_in, mut quoted_in) = (1_usize, 1_usize, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\n' {
            number = number.saturating_add(1);
        }
        match letter {
            '"' if quoted_in.is_some() => {
                if letters.next_if_eq(&'"').is_some() {
                    field.push('"');
                } else {
                    quoted_in = None;
                }
            }
            '"' if field.trim().is_empty() => {
                field.clear();
                quoted_in = Some(number);
            }
            _ if quoted_in.is_some() => field.push(letter),
            '\r' => {}
            '\n' => {
                fields.push(std::mem::take(&mut field));
                keep(&mut lines, begun_in, std::mem::take(&mut fields));
                begun_in = number;
                // With its header; what is longer is not worth the memory that it takes to cut it.
                if lines.len() > MOST_LINES.saturating_add(1) {
                    return Err(RosterError::TooLong);
                }
            }
            _ if letter == separator && fields.len() < MOST_FIELDS => fields.push(std::mem::take(&mut field)),
            _ => field.push(letter),
        }
    }
    if let Some(line) = quoted_in {
        return Err(RosterError::OpenQuote(line));
    }
    fields.push(field);
    keep(&mut lines, begun_in, fields);
    Ok(lines)
}

/// Empty lines say nothing.
fn keep(lines: &mut Vec<Cut>, line: usize, fields: Vec<String>) {
    if fields.iter().any(|field| !field.trim().is_empty()) {
        lines.push(Cut { line, fields });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(text: &str) -> Vec<String> {
        read(text).unwrap().people.into_iter().map(|person| format!("{}:{}:{}", person.line, person.email, person.name)).collect()
    }

    #[test]
    fn commas_semicolons_tabs_and_a_byte_order_mark_are_read() {
        assert_eq!(people("ada@example.com,Ada\nbob@example.com,Bob\n"), ["1:ada@example.com:Ada", "2:bob@example.com:Bob"]);
        assert_eq!(
            people("\u{feff}Ada@Example.com; Ada, Countess\r\n\r\nbob@example.com;Bob"),
            ["1:ada@example.com:Ada, Countess", "3:bob@example.com:Bob"]
        );
        assert_eq!(people("ada@example.com\tAda"), ["1:ada@example.com:Ada"]);
    }

    #[test]
    fn a_header_may_put_the_columns_into_another_order() {
        let roster = read("Ownership;Groups;Name;E-Mail;Room\ncompany; Sales | Berlin ;Ada;ada@example.com;12").unwrap();
        let expected = Person {
            line: 2,
            email: "ada@example.com".into(),
            name: "Ada".into(),
            groups: vec!["Sales".into(), "Berlin".into()],
            ownership: Some(Ownership::Company),
        };
        assert_eq!(roster, Roster { people: vec![expected], bad: Vec::new() });
        assert_eq!(read("name,room\nAda,12"), Err(RosterError::NoAddress));
    }

    #[test]
    fn quoted_fields_hold_separators_and_line_breaks_and_lines_keep_their_numbers() {
        assert_eq!(
            people("ada@example.com,\"Lovelace, \"\"Ada\"\"\"\nbob@example.com,Bob"),
            ["1:ada@example.com:Lovelace, \"Ada\"", "2:bob@example.com:Bob"]
        );
        let roster = read("ada@example.com,\"A\nB\"\nbob@example.com,Bob").unwrap();
        assert_eq!((roster.bad[0].line, roster.people[0].line), (1, 3));
        assert_eq!(read("ada@example.com,\"Ada\nbob@example.com,Bob"), Err(RosterError::OpenQuote(1)));
    }

    #[test]
    fn each_bad_line_says_what_is_wrong_with_it() {
        let roster =
            read("ada@example.com,Ada\nnobody,No\n,Empty\nbob@example.com\nADA@example.com,Again\ncy@example.com,Cy,,mine").unwrap();
        let bad: Vec<(usize, &str)> = roster.bad.iter().map(|bad| (bad.line, bad.why.as_str())).collect();
        assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        for ((_, why), part) in
            bad.iter().zip(["is not a mail address", "address is missing", "name is missing", "in line 1", "personal or company"])
        {
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn lists_that_cannot_be_read_are_refused_with_the_reason() {
        assert_eq!(read(" \n\n"), Err(RosterError::Empty));
        assert_eq!(read_bytes(&[b'a', 0xfc, b'b']), Err(RosterError::Encoding));
        let many = (0..=MOST_LINES).map(|number| format!("u{number}@example.com,U")).collect::<Vec<_>>().join("\n");
        assert_eq!(read(&many), Err(RosterError::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([a-z@.,;\"|\n\r\t é]){0,80}") {
            let _ = read(&text);
        }
    }
}
