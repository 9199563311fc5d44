//! Imports point down inside a crate too: no file, and no room, imports one that imports it.
//!
//! Read off the sources as text: `use` trees and paths in code, followed through what a file hands on. Tests may look
//! wherever they like. The root of a crate hands names on, which ties it to nobody; what it says itself counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

type Module = Vec<String>;
/// Which take something from which.
type Imports<T> = BTreeMap<T, BTreeSet<T>>;

/// The files of one crate, and what each says.
#[derive(Default)]
struct Crate {
    paths: BTreeMap<Module, Vec<Module>>,
    /// Names that a file has from elsewhere, each with the whole path.
    known: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut sources = BTreeMap::new();
        collect(src, &Vec::new(), &mut sources);
        leave_out_tests(&mut sources);
        let mut whole = Self::default();
        let modules: BTreeSet<Module> = sources.keys().cloned().collect();
        for (module, source) in &sources {
            let tokens = seen_from_file(&tokens(source));
            let (mut paths, mut known) = (Vec::new(), BTreeMap::new());
            for Used { path, name, handed_on } in used(&tokens) {
                let Some(path) = from_root(module, &path, &modules) else { continue };
                known.insert(name, path.clone());
                if !(handed_on && module.is_empty()) {
                    paths.push(path);
                }
            }
            for path in mentioned(&without_uses(&tokens)) {
                let by_name = known.get(&path[0]).map(|start| [start, &path[1..]].concat());
                paths.extend(from_root(module, &path, &modules).or(by_name));
            }
            whole.paths.insert(module.clone(), paths);
            whole.known.insert(module.clone(), known);
        }
        whole
    }

    /// The file in which a path ends, behind everybody who only hands it on.
    fn target(&self, path: &[String], patience: usize) -> Option<Module> {
        let depth = (0..=path.len()).rev().find(|depth| self.paths.contains_key(&path[..*depth]))?;
        let (module, rest) = path.split_at(depth);
        let further = rest.first().and_then(|name| Some([self.known[module].get(name)?, &rest[1..]].concat()));
        match further {
            Some(further) if patience > 0 => self.target(&further, patience - 1),
            _ if rest.is_empty() => None,
            _ => Some(module.to_vec()),
        }
    }

    /// Which files each file takes something from.
    fn imports(&self) -> Imports<Module> {
        let imports = self.paths.iter().map(|(module, paths)| {
            let targets = paths.iter().filter_map(|path| self.target(path, 8));
            (module.clone(), targets.filter(|target| target != module).collect())
        });
        imports.collect()
    }
}

fn collect(folder: &Path, module: &Module, sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = [module.as_slice(), std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            collect(&path, &inner, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_root = module.is_empty() && (name == "lib" || name == "main");
            sources.insert(if is_root { Vec::new() } else { inner }, fs::read_to_string(path).unwrap());
        }
    }
}

/// Cuts off the tests at the end of each source, and takes out the files that are only there for tests.
fn leave_out_tests(sources: &mut BTreeMap<Module, String>) {
    let mut files = Vec::new();
    for (module, source) in sources.iter_mut() {
        let (len, names) = tests_of(source);
        source.truncate(len);
        files.extend(names.into_iter().map(|name| [module.as_slice(), &[name]].concat()));
    }
    sources.retain(|module, _| !files.iter().any(|file| module.starts_with(file)));
}

/// Where the tests of a source begin, which stand last; and the names of its files with tests.
fn tests_of(source: &str) -> (usize, Vec<String>) {
    let (mut at, mut files) = (0, Vec::new());
    let mut before = (0, "");
    for line in source.split_inclusive('\n') {
        let is_test = before.1.starts_with("#[cfg(test)]") || before.1.starts_with("#[cfg(all(test");
        if let Some((_, name)) = line.trim_end().split_once("mod ").filter(|_| is_test) {
            match name.strip_suffix(';') {
                Some(name) => files.push(name.to_owned()),
                None => return (before.0, files),
            }
        }
        before = (at, line);
        at += line.len();
    }
    (source.len(), files)
}

/// Words and signs, without comments and texts; `::` is one sign.
fn tokens(source: &str) -> Vec<String> {
    let (mut tokens, mut rest) = (Vec::new(), source);
    while let Some(first) = rest.chars().next() {
        let len = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("r#\"") => 3 + rest[3..].find("\"#").map_or(rest.len() - 3, |end| end + 2),
            '"' => text_len(rest),
            _ if rest.starts_with("'\"'") => 3,
            _ if rest.starts_with("::") => 2,
            first if first.is_alphanumeric() || first == '_' => {
                rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len())
            }
            first => first.len_utf8(),
        };
        let token = &rest[..len];
        let is_kept = !token.starts_with("//") && !token.starts_with(['"', '\'']) && !first.is_whitespace();
        tokens.extend(is_kept.then(|| token.to_owned()));
        rest = &rest[len..];
    }
    tokens
}

fn text_len(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest[1..].find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |end| end + 2)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
}

/// The words with paths as the file itself would write them, also in modules that stand within it.
fn seen_from_file(tokens: &[String]) -> Vec<String> {
    let mut seen: Vec<String> = Vec::with_capacity(tokens.len());
    // how many braces are open, and were when each of the modules began
    let (mut braces, mut modules) = (0, Vec::new());
    let mut begins_module = false;
    let mut supers = 0;
    for token in tokens {
        match token.as_str() {
            "mod" => begins_module = true,
            ";" => begins_module = false,
            "{" => {
                modules.extend(std::mem::take(&mut begins_module).then_some(braces));
                braces += 1;
            }
            "}" => {
                braces -= 1;
                modules.pop_if(|begin| *begin == braces);
            }
            _ => {}
        }
        let goes_up = token == "super";
        supers = match goes_up {
            true => supers + 1,
            false if token == "::" => supers,
            false => 0,
        };
        let stays_within = goes_up && supers <= modules.len();
        seen.push(if stays_within { "self".to_owned() } else { token.clone() });
    }
    seen
}

/// What is left without the `use` trees.
fn without_uses(tokens: &[String]) -> Vec<String> {
    let mut is_use = false;
    let outside = tokens.iter().filter(|token| {
        is_use |= *token == "use";
        let is_outside = !is_use;
        is_use &= *token != ";";
        is_outside
    });
    outside.cloned().collect()
}

/// A path of a `use` tree.
struct Used {
    path: Module,
    /// What it is called here.
    name: String,
    /// Others may have it from here.
    handed_on: bool,
}

/// The paths of all `use` trees.
fn used(tokens: &[String]) -> Vec<Used> {
    let mut all = Vec::new();
    let starts = tokens.iter().enumerate().filter(|(_, token)| *token == "use").map(|(at, _)| at + 1);
    for start in starts {
        let end = tokens[start..].iter().position(|token| token == ";").map_or(tokens.len(), |len| start + len);
        let handed_on = start >= 2 && matches!(tokens[start - 2].as_str(), "pub" | ")");
        let mut paths = Vec::new();
        tree(&tokens[start..end], &[], &mut paths);
        all.extend(paths.into_iter().map(|(path, name)| Used { path, name, handed_on }));
    }
    all
}

fn tree(tokens: &[String], above: &[String], paths: &mut Vec<(Module, String)>) {
    let (mut path, mut at) = (above.to_vec(), 0);
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => at += 1,
            "as" => {
                paths.extend(tokens.get(at + 1).map(|name| (path.clone(), name.clone())));
                return;
            }
            "{" => {
                let inner = &tokens[at + 1..tokens.len() - 1];
                branches(inner).into_iter().for_each(|branch| tree(branch, &path, paths));
                return;
            }
            "self" if !path.is_empty() => at += 1,
            word => {
                path.push(word.to_owned());
                at += 1;
            }
        }
    }
    paths.extend(path.last().cloned().map(|name| (path, name)));
}

/// Splits at the commas that lie in no braces.
fn branches(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0;
    let parts = tokens.split(|token| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        depth == 0 && token == ","
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// Paths in code: words with `::` between them.
fn mentioned(tokens: &[String]) -> Vec<Module> {
    let (mut paths, mut path): (Vec<Module>, Module) = (Vec::new(), Vec::new());
    let mut is_open = false;
    for token in tokens {
        match token.as_str() {
            "::" => is_open = !path.is_empty(),
            word if is_word(word) && is_open => {
                path.push(word.to_owned());
                is_open = false;
            }
            other => {
                paths.extend((path.len() > 1).then(|| path.clone()));
                path = if is_word(other) { vec![other.to_owned()] } else { Vec::new() };
                is_open = false;
            }
        }
    }
    paths
}

/// A path as seen from the crate's root; `None` if it leads into another crate.
fn from_root(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module.as_slice(), rest].concat()),
        "super" => {
            let above = module.split_last()?.1.to_vec();
            match rest.first().map(String::as_str) {
                Some("super") => from_root(&above, rest, modules),
                _ => Some([above.as_slice(), rest].concat()),
            }
        }
        _ => {
            let child = [module.as_slice(), &path[..1]].concat();
            modules.contains(&child).then(|| [module.as_slice(), path].concat())
        }
    }
}

/// A way from a file back to itself, if there is one.
fn circle<T: Ord + Clone>(imports: &Imports<T>) -> Option<Vec<T>> {
    let mut done = BTreeSet::new();
    for start in imports.keys() {
        let mut way = Vec::new();
        if let Some(circle) = walk(start, imports, &mut way, &mut done) {
            return Some(circle);
        }
    }
    None
}

fn walk<T: Ord + Clone>(at: &T, imports: &Imports<T>, way: &mut Vec<T>, done: &mut BTreeSet<T>) -> Option<Vec<T>> {
    if let Some(begin) = way.iter().position(|before| before == at) {
        return Some(way[begin..].to_vec());
    }
    if done.contains(at) {
        return None;
    }
    way.push(at.clone());
    let found = imports.get(at).into_iter().flatten().find_map(|next| walk(next, imports, way, done));
    way.pop();
    done.insert(at.clone());
    found
}

fn crates() -> BTreeMap<String, Imports<Module>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| (name.clone(), Crate::read(&folder.join(name).join("src")).imports())).collect()
}

/// The top of each module's path: it and its folder are one room.
fn rooms(files: &Imports<Module>) -> Imports<Module> {
    let mut rooms: Imports<Module> = BTreeMap::new();
    let room = |file: &Module| file.iter().take(1).cloned().collect::<Module>();
    for (file, targets) in files {
        let others = targets.iter().map(room).filter(|target| *target != room(file));
        rooms.entry(room(file)).or_default().extend(others);
    }
    rooms
}

/// A circle of a crate, between files or between rooms.
fn circle_in(files: &Imports<Module>) -> Option<String> {
    let named = |module: &Module| if module.is_empty() { "the root".to_owned() } else { module.join("/") };
    let way = |what: &str, circle: Vec<Module>| {
        format!("of {what}: {}", circle.iter().map(named).collect::<Vec<_>>().join(" → "))
    };
    let of_files = circle(files).map(|found| way("files", found));
    of_files.or_else(|| circle(&rooms(files)).map(|found| way("rooms", found)))
}

#[test]
fn nothing_imports_what_imports_it() {
    let of_crate = |(name, files): (String, Imports<Module>)| Some(format!("in `{name}`, {}", circle_in(&files)?));
    let circles: Vec<String> = crates().into_iter().filter_map(of_crate).collect();
    assert_eq!(circles, Vec::<String>::new());
}

#[test]
fn imports_are_found_in_every_spelling() {
    let paths = |source: &str| {
        let tokens = tokens(source);
        let used = used(&tokens).into_iter().map(|used| format!("{} as {}", used.path.join("/"), used.name));
        used.chain(mentioned(&tokens).into_iter().map(|path| path.join("/"))).collect::<Vec<_>>()
    };
    let source =
        "use crate::{a::{self, B as C}, d};\n// use crate::no;\nfn f() { let x = \"a::b\\\"::c\"; super::e::f(d::G) }";
    let expected = ["crate/a as a", "crate/a/B as C", "crate/d as d", "super/e/f", "d/G"];
    let found = paths(source);
    for path in expected {
        assert!(found.iter().any(|one| one == path), "{path}: {found:?}");
    }
    assert!(!found.iter().any(|one| one.contains("no") || one.contains("/c")), "{found:?}");
}

#[test]
fn a_circle_is_found_and_a_diamond_is_none() {
    let imports = |pairs: &[(u8, u8)]| {
        let mut imports: Imports<u8> = BTreeMap::new();
        for (from, to) in pairs {
            imports.entry(*from).or_default().insert(*to);
        }
        imports
    };
    assert_eq!(circle(&imports(&[(1, 2), (1, 3), (2, 4), (3, 4)])), None);
    assert_eq!(circle(&imports(&[(1, 2), (2, 3), (3, 4), (4, 2)])), Some(vec![2, 3, 4]));
}

/// What is found in a crate of these files.
fn found(name: &str, sources: &[(&str, &str)]) -> Option<String> {
    let folder = std::env::temp_dir().join(format!("rooms-{}-{name}", std::process::id()));
    for (file, text) in sources {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let found = circle_in(&Crate::read(&folder).imports());
    fs::remove_dir_all(&folder).unwrap();
    found
}

#[test]
fn circles_are_found_wherever_they_lie() {
    let handed_on = [
        ("lib.rs", "mod face; mod low; pub use face::High;"),
        ("face.rs", "mod high; pub use high::High;"),
        ("face/high.rs", "use crate::low::Low; pub struct High(Low);"),
        ("low.rs", "use crate::High; pub struct Low(Option<Box<High>>);"),
    ];
    assert_eq!(found("handed-on", &handed_on).unwrap(), "of files: face/high → low");
    let of_rooms = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod one; mod two;"),
        ("a/one.rs", "use crate::b::B;"),
        ("a/two.rs", "pub struct Two;"),
        ("b.rs", "use crate::a::two::Two; pub struct B(Two);"),
    ];
    assert_eq!(found("rooms", &of_rooms).unwrap(), "of rooms: a → b");
    let root =
        [("lib.rs", "mod a; pub struct Root; pub fn f() { a::f(Root) }"), ("a.rs", "pub fn f(_: crate::Root) {}")];
    assert_eq!(found("root", &root).unwrap(), "of files: the root → a");
}

#[test]
fn what_is_no_circle_is_not_taken_for_one() {
    let face = [("lib.rs", "mod a; pub use a::f; pub struct Root;"), ("a.rs", "pub fn f(_: crate::Root) {}")];
    assert_eq!(found("face", &face), None);
    let tests = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "#[cfg(test)]\nmod tests;\nmod low;\npub use low::Low;\n#[cfg(test)]\nmod more {\nuse crate::b::B;\n}",
        ),
        ("a/tests.rs", "use crate::b::B;"),
        ("a/low.rs", "pub struct Low;"),
        ("b.rs", "use crate::a::Low; pub struct B(Low);"),
    ];
    assert_eq!(found("tests", &tests), None);
    let inner = [
        ("lib.rs", "mod a;"),
        ("a.rs", "mod b; pub use b::B;"),
        ("a/b.rs", "pub struct B; mod inner { use super::B; mod deep { use super::super::B; } } fn f() { super::g() }"),
    ];
    assert_eq!(found("inner", &inner).unwrap(), "of files: a → a/b");
    let inner =
        [inner[0], inner[1], ("a/b.rs", "pub struct B; mod inner { use super::B; mod deep { use super::super::B; } }")];
    assert_eq!(found("inner-only", &inner), None);
}
