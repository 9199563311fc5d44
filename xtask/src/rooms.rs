//! Imports point down inside a crate too: no file, and no room, imports one that imports it.
//!
//! Read off the sources as text: `use` trees and paths in code, followed through what a file hands on. Tests may look
//! wherever they like, and the root of a crate only hands names on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Crates whose circles are open; none may come back.
const CRATES: [&str; 5] = ["batch", "cli", "interchange", "runner", "workspace"];

type Module = Vec<String>;

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
        let mut whole = Self::default();
        let modules: BTreeSet<Module> = sources.keys().cloned().collect();
        for (module, source) in &sources {
            let tokens = tokens(&without_tests(source));
            let (mut paths, mut known) = (Vec::new(), BTreeMap::new());
            for (path, name) in used(&tokens) {
                let Some(path) = from_root(module, &path, &modules) else { continue };
                known.insert(name, path.clone());
                paths.push(path);
            }
            for path in mentioned(&tokens) {
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
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let files = self.paths.iter().filter(|(module, _)| !module.is_empty());
        let imports = files.map(|(module, paths)| {
            let targets = paths.iter().filter_map(|path| self.target(path, 8));
            (module.clone(), targets.filter(|target| target != module && !target.is_empty()).collect())
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

/// A source up to its tests, which stand last.
fn without_tests(source: &str) -> String {
    let begin = ["#[cfg(test)]\nmod ", "#[cfg(all(test"].iter().filter_map(|begin| source.find(begin)).min();
    source[..begin.unwrap_or(source.len())].to_owned()
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

/// The paths of all `use` trees, each with the name that it has here.
fn used(tokens: &[String]) -> Vec<(Module, String)> {
    let mut paths = Vec::new();
    let starts = tokens.iter().enumerate().filter(|(_, token)| *token == "use").map(|(at, _)| at + 1);
    for start in starts {
        let end = tokens[start..].iter().position(|token| token == ";").map_or(tokens.len(), |len| start + len);
        tree(&tokens[start..end], &[], &mut paths);
    }
    paths
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
fn circle<T: Ord + Clone>(imports: &BTreeMap<T, BTreeSet<T>>) -> Option<Vec<T>> {
    let mut done = BTreeSet::new();
    for start in imports.keys() {
        let mut way = Vec::new();
        if let Some(circle) = walk(start, imports, &mut way, &mut done) {
            return Some(circle);
        }
    }
    None
}

fn walk<T: Ord + Clone>(
    at: &T,
    imports: &BTreeMap<T, BTreeSet<T>>,
    way: &mut Vec<T>,
    done: &mut BTreeSet<T>,
) -> Option<Vec<T>> {
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

fn source_of(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("src")
}

#[test]
fn no_file_imports_one_that_imports_it() {
    for name in CRATES {
        let circle = circle(&Crate::read(&source_of(name)).imports());
        let shown = circle.map(|files| files.iter().map(|file| file.join("/")).collect::<Vec<_>>().join(" → "));
        assert_eq!(shown, None, "a circle in `{name}`");
    }
}

#[test]
fn no_room_imports_one_that_imports_it() {
    for name in CRATES {
        let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (file, targets) in Crate::read(&source_of(name)).imports() {
            let others = targets.into_iter().map(|target| target[0].clone()).filter(|room| *room != file[0]);
            rooms.entry(file[0].clone()).or_default().extend(others);
        }
        assert_eq!(circle(&rooms), None, "a circle of rooms in `{name}`");
    }
}

#[test]
fn imports_are_found_in_every_spelling() {
    let paths = |source: &str| {
        let tokens = tokens(source);
        let used = used(&tokens).into_iter().map(|(path, name)| format!("{} as {name}", path.join("/")));
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
        let mut imports: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        for (from, to) in pairs {
            imports.entry(*from).or_default().insert(*to);
        }
        imports
    };
    assert_eq!(circle(&imports(&[(1, 2), (1, 3), (2, 4), (3, 4)])), None);
    assert_eq!(circle(&imports(&[(1, 2), (2, 3), (3, 4), (4, 2)])), Some(vec![2, 3, 4]));
}

#[test]
fn a_circle_through_a_file_that_hands_names_on_is_found() {
    let folder = std::env::temp_dir().join(format!("rooms-{}", std::process::id()));
    fs::create_dir_all(folder.join("face")).unwrap();
    for (file, text) in [
        ("lib.rs", "mod face; mod low;"),
        ("face.rs", "mod high; pub use high::High;"),
        ("face/high.rs", "use crate::low::Low; pub struct High(Low);"),
        ("low.rs", "use crate::face::High; pub struct Low(Option<Box<High>>);"),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
    let found = circle(&Crate::read(&folder).imports());
    fs::remove_dir_all(&folder).unwrap();
    let files: BTreeSet<String> = found.unwrap().iter().map(|file| file.join("/")).collect();
    assert_eq!(files, BTreeSet::from(["face/high".to_owned(), "low".to_owned()]));
}
