//! The arrows of the design, read from the sources: who may name whom, who may write, how long a file may be.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// What every layer may name besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &["domain"]),
    ("pki", &["domain"]),
    ("apple", &["domain", "pki"]),
    ("android", &["domain", "pki"]),
    ("dovecot", &["domain"]),
    ("mail", &["domain"]),
    ("webhook", &["domain"]),
    // Its one foreign word is the form of a database address.
    ("config", &["domain", "store"]),
    ("service", &["domain", "store", "pki", "apple", "android", "dovecot", "mail", "webhook"]),
    ("jobs", &["domain", "store", "pki", "apple", "android", "mail", "service"]),
    ("http", &["domain", "store", "pki", "apple", "android", "mail", "service"]),
    (
        "cli",
        &["domain", "store", "pki", "apple", "android", "dovecot", "mail", "webhook", "service", "jobs", "http", "config", "simulator"],
    ),
    ("simulator", &[]),
];

/// Defined by a macro at the root of the crate, but domain's own.
const WORDS: &str = "words";
/// Longest file, in lines. Five hundred is the aim.
const LONGEST: usize = 600;
/// A list of all columns, which nobody reads from its beginning to its end.
const LIST: &str = "store/schema.rs";

struct Source {
    /// Path below `src`.
    path: PathBuf,
    /// The layer, or nothing for the files at the root.
    layer: Option<String>,
    text: String,
}

impl Source {
    /// The lines that are code.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_path_buf();
                sources.push(Source { layer: layer_of(&path), path, text });
            }
        }
    }
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

/// The layer of a file: its folder, or its own name where the layer is one file.
fn layer_of(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// The modules at the root of the crate that a source names.
fn named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        // `enlist_crate::` or `pub(in crate::…)` would be no use of the root's modules.
        let is_word = code[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_');
        if is_word {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads(group)),
            None => found.extend(head(rest)),
        }
    }
    found
}

/// The first word of each item of a group, up to the brace that ends it.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let mut start = 0;
    let mut found = Vec::new();
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.extend(head(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.extend(head(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn head(path: &str) -> Option<String> {
    let word: String = path.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Whether a file holds the tests of the module above it, which has said what it is for.
fn is_test(source: &Source) -> bool {
    source.path.file_name().is_some_and(|name| name == "tests.rs")
}

/// Fails with every line at once: mending them one by one would be tedious.
fn none(wrong: &str) {
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_arrows_between_layers_are_never_reversed() {
    let mut wrong = String::new();
    for source in sources() {
        let Some(layer) = &source.layer else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == layer) else {
            writeln!(wrong, "{}: the layer {layer} is not in the table of arrows", source.path.display()).unwrap();
            continue;
        };
        let code: String = source.code().collect::<Vec<_>>().join("\n");
        for name in named(&code) {
            let is_known = ARROWS.iter().any(|(known, _)| *known == name);
            let may = name == *layer || allowed.contains(&name.as_str()) || (name == WORDS && *layer != "simulator") || !is_known;
            if !may {
                writeln!(wrong, "{}: {layer} must not name {name}", source.path.display()).unwrap();
            }
        }
    }
    none(&wrong);
}

#[test]
fn only_services_write() {
    let signs = ["Store::write", "store.write(", "store().write(", "store::Tx", "Tx<'_>", "write_once("];
    let mut wrong = String::new();
    for source in sources() {
        let layer = source.layer.as_deref().unwrap_or("the root");
        if matches!(layer, "store" | "service") {
            continue;
        }
        for line in source.code() {
            for sign in signs {
                // The command line works without a server, and so without its services' store.
                if line.contains(sign) && !(layer == "cli" && sign == "write_once(") {
                    writeln!(wrong, "{}: {layer} must not write: {}", source.path.display(), line.trim()).unwrap();
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn only_the_store_speaks_sql() {
    let mut wrong = String::new();
    for source in sources() {
        let layer = source.layer.as_deref().unwrap_or("the root");
        for line in source.code() {
            let derives = layer == "domain" && (line.contains("diesel::") || line.contains("#[diesel"));
            if layer != "store" && !derives && (line.contains("diesel") || line.contains("sql_query")) {
                writeln!(wrong, "{}: {layer} must not know the database: {}", source.path.display(), line.trim()).unwrap();
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_module_says_first_what_it_is_for() {
    let mut wrong = String::new();
    for source in sources().iter().filter(|source| !is_test(source) && !source.text.starts_with("//! ")) {
        writeln!(wrong, "{} does not begin with //!", source.path.display()).unwrap();
    }
    none(&wrong);
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut wrong = String::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST && source.path != Path::new(LIST) {
            writeln!(wrong, "{} has {lines} lines; split it by verb or noun", source.path.display()).unwrap();
        }
    }
    none(&wrong);
}

#[test]
fn names_are_found_in_every_form_of_use() {
    let found = named("use crate::{domain::{id::A, time::B}, store, pki::seal::{C, D}};\nlet x = crate::mail::send(crate::words!());");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["domain", "mail", "pki", "store", "words"]);
    assert!(named("use other_crate::domain;").is_empty());
    assert_eq!(named("$crate::store::conn").into_iter().collect::<Vec<_>>(), ["store"]);
}

/// The sources below a folder, or the one file.
fn below(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_path_buf()];
    }
    std::fs::read_dir(path)
        .unwrap()
        .flat_map(|entry| below(&entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

/// The names of the packages that a manifest lists as its dependencies, as code writes them.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect()
}

/// Whether code names a package: its name, not as the end of a longer word or path, and `::` behind it.
fn names_package(code: &str, package: &str) -> bool {
    code.match_indices(&format!("{package}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
    })
}

/// The code of a module without its comments and without its tests.
fn code_of(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_fuzzer_still_has_every_module_and_every_package_that_it_compiles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = std::fs::read_to_string(root.join("fuzz/src/lib.rs")).unwrap();
    let mut modules = BTreeSet::new();
    let mut files = Vec::new();
    let mut wrong = String::new();
    for (at, _) in library.match_indices("#[path = \"") {
        let path = library[at + "#[path = \"".len()..].split('"').next().unwrap();
        let path = root.join("fuzz/src").join(path);
        if path.is_file() {
            modules.insert(path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned());
            files.extend(below(path.parent().unwrap()));
        } else {
            writeln!(wrong, "fuzz/src/lib.rs: there is no {}", path.display()).unwrap();
        }
    }
    assert!(modules.len() >= 3 && files.len() > 50, "the fuzzer compiles {modules:?}");
    files.retain(|file| file.file_name().is_some_and(|name| name != "tests.rs"));
    let (ours, theirs) = (dependencies(&root.join("Cargo.toml")), dependencies(&root.join("fuzz/Cargo.toml")));
    for file in files.iter().chain(&below(&root.join("fuzz/src"))) {
        let code = code_of(file);
        for package in ours.iter().filter(|package| names_package(&code, package)) {
            if !theirs.contains(package) {
                writeln!(wrong, "fuzz/Cargo.toml does not list {package}, which {} uses", file.display()).unwrap();
            }
        }
        for name in named(&code).into_iter().filter(|name| ARROWS.iter().any(|(layer, _)| layer == name)) {
            if !modules.contains(&name) {
                writeln!(wrong, "fuzz/src/lib.rs does not name {name}, which {} uses", file.display()).unwrap();
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_lints_look_at_tests_and_benches_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lint = std::fs::read_to_string(root.join("scripts/lint")).unwrap();
    assert!(lint.lines().any(|line| line.contains("cargo clippy") && line.contains("--all-targets") && line.contains("-D warnings")));
    let manifest: toml::Table = std::fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    // A bench that is no target of this package would be compiled by nobody.
    let listed: BTreeSet<PathBuf> =
        manifest["bench"].as_array().unwrap().iter().map(|bench| root.join(bench["path"].as_str().unwrap())).collect();
    let there: BTreeSet<PathBuf> = std::fs::read_dir(root.join("benches"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("main.rs"))
        .filter(|path| path.is_file())
        .collect();
    assert_eq!(listed, there);
}
