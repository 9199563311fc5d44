//! `docs/threats.md` names the tests of each known threat: all 48 are there, and each test that is named exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// How many threats are counted.
const THREATS: u32 = 48;
/// Whatever takes the place of a test's number if another room gives it one.
const NUMBER_LEN: usize = "t01_".len();

/// A line of the table.
struct Row<'a> {
    numbers: Vec<u32>,
    tested: &'a str,
    open: &'a str,
}

fn rows(document: &str) -> Vec<Row<'_>> {
    document.lines().filter_map(|line| line.strip_prefix("| T")?.strip_suffix('|')).map(row).collect()
}

fn row(line: &str) -> Row<'_> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [numbers, _what, tested, open] = cells[..] else { panic!("a line has other columns: {line}") };
    Row { numbers: numbers_of(numbers), tested, open }
}

/// As in `17` or `26–T30`.
fn numbers_of(cell: &str) -> Vec<u32> {
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("`{cell}` is no number of a threat"));
    match cell.split_once("–T") {
        Some((first, last)) => (number(first)..=number(last)).collect(),
        None => vec![number(cell)],
    }
}

/// Pairs of a crate and the path of a test in it, as a cell names them: `crate` `module::test`, `module::other`.
fn named(cell: &str) -> Vec<(&str, &str)> {
    let mut of = "";
    let mut named = Vec::new();
    for text in cell.split('`').skip(1).step_by(2) {
        match text.contains("::") {
            true => named.push((of, text)),
            false => of = text,
        }
    }
    named
}

/// The functions of each source of a crate, by the path that a test's name has.
fn functions(of: &str) -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(of);
    let mut functions = BTreeMap::new();
    for below in ["src", "tests/it"] {
        collect(&root.join(below), "", &mut functions);
    }
    functions
}

fn collect(folder: &Path, module: &str, functions: &mut BTreeMap<String, BTreeSet<String>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap();
        let inner = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        if entry.is_dir() {
            collect(&entry, &inner, functions);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&entry).unwrap();
            functions.entry(inner).or_default().extend(tests_of(&source).map(str::to_owned));
        }
    }
}

/// The functions of a source that are tests.
fn tests_of(source: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_test = move |at: usize| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let mut above = above.copied();
        above.any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"))
    };
    source.lines().map(str::trim).enumerate().filter_map(move |(at, line)| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        let (name, _) = line.strip_prefix("fn ")?.split_once('(')?;
        is_test(at).then_some(name)
    })
}

fn without_number(test: &str) -> &str {
    let is_number = test.len() > NUMBER_LEN
        && test.starts_with('t')
        && test[1..3].bytes().all(|byte| byte.is_ascii_digit())
        && test.as_bytes()[3] == b'_';
    if is_number { &test[NUMBER_LEN..] } else { test }
}

fn exists(of: &str, path: &str) -> bool {
    let (module, test) = path.rsplit_once("::").expect("a test's path has a module");
    let module = module.strip_suffix("::tests").unwrap_or(module);
    let tests = functions(of).remove(module);
    tests.is_some_and(|tests| tests.iter().any(|known| without_number(known) == without_number(test)))
}

#[test]
fn every_known_threat_has_tests_that_exist_or_says_what_is_open() {
    let document = include_str!("../../docs/threats.md");
    let mut seen = BTreeSet::new();
    let mut lacking = Vec::new();
    for row in rows(document) {
        let named = named(row.tested);
        assert!(!named.is_empty() || row.open.len() > 10, "T{:?} names no test and does not say why", row.numbers);
        lacking
            .extend(named.into_iter().filter(|(of, path)| !exists(of, path)).map(|(of, path)| format!("{of} {path}")));
        for number in row.numbers {
            assert!(seen.insert(number), "T{number:02} is there twice");
        }
    }
    assert_eq!(lacking, Vec::<String>::new(), "named in docs/threats.md and not there");
    assert_eq!(seen, (1..=THREATS).collect(), "each threat has its line");
}

#[test]
fn tests_are_found_by_their_names() {
    assert!(!exists("no-crate", "a::b"));
    assert!(exists("core", "name::t01_hostile_names_are_refused_with_a_reason"));
    assert!(exists("core", "name::tests::hostile_names_are_refused_with_a_reason"), "the number may come later");
    assert!(!exists("core", "name::hostile_names_are_loved"));
    let source = "#[test]\nfn a() {}\nfn b() {}\n#[tokio::test(flavor = \"multi_thread\")]\n// why\nasync fn c() {}\n";
    assert_eq!(tests_of(source).collect::<Vec<_>>(), ["a", "c"]);
    let line = "| T26–T30 | x | `server` `doors::a`, `doors::b`; `cli` `c::d` | y |";
    let [row] = &rows(line)[..] else { panic!() };
    assert_eq!(row.numbers, [26, 27, 28, 29, 30]);
    assert_eq!(named(row.tested), [("server", "doors::a"), ("server", "doors::b"), ("cli", "c::d")]);
}
