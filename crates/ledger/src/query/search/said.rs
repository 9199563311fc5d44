//! What is said of things, as conditions: of a version what is said of itself, or else of its model.

use stemma_core::{meaning::Aspect, search::Realm};

/// Kinds of things of which something is said that counts for one of a realm, what is said of itself first.
pub const fn kinds(realm: Realm) -> &'static [&'static str] {
    match realm {
        Realm::Versions => &["version", "model"],
        Realm::Datasets => &["dataset"],
        Realm::Runs => &[],
    }
}

/// A condition: a row of a table, by its name in the statement, is about the thing `e` if that is of this kind, or about its
/// model.
pub fn is_about(table: &str, kind: &str) -> String {
    let version = if kind == "version" { "e.version" } else { "''" };
    format!(
        "{table}.project = e.project AND {table}.kind = '{kind}' AND {table}.name = e.name AND {table}.version = {version}"
    )
}

/// A condition: something is said of the thing `e` in some way, which holds of the statement `m`. What is said of the thing
/// itself stands in the place of what is said of its model.
pub fn is_said(realm: Realm, aspect: Aspect, key: &str, holds: &str, in_some_way: &str) -> String {
    let exists = |kind: &str, way: &str| {
        format!(
            "EXISTS (SELECT 1 FROM meaning m WHERE {} AND m.aspect = '{aspect}' AND m.key = {key} AND {holds} \
             AND m.text IS NOT NULL{way} LIMIT 1 OFFSET 0)",
            is_about("m", kind)
        )
    };
    let way = if in_some_way.is_empty() { String::new() } else { format!(" AND {in_some_way}") };
    let mut nearer: Vec<String> = Vec::new();
    let mut places = Vec::new();
    for kind in kinds(realm) {
        let unsaid: String = nearer.iter().map(|nearer| format!(" AND NOT {nearer}")).collect();
        places.push(format!("({}{unsaid})", exists(kind, &way)));
        nearer.push(exists(kind, ""));
    }
    if places.is_empty() { "1 = 0".to_owned() } else { format!("({})", places.join(" OR ")) }
}

/// Conditions: a row of a table, by its name in the statement, is about a thing of this realm, and about `e`.
pub fn leads_to(realm: Realm, table: &str) -> String {
    let kinds: Vec<String> = kinds(realm).iter().map(|kind| format!("'{kind}'")).collect();
    format!(
        "{table}.kind IN ({}) AND e.project = {table}.project AND e.name = {table}.name \
         AND ({table}.version = '' OR e.version = {table}.version)",
        kinds.join(", ")
    )
}

/// A condition: a word of what is said of the thing `e` or of its model is like this, which is asked of `w`.
pub fn has_word(realm: Realm, holds: &str, is_word: &str) -> Option<String> {
    let exists = |kind: &&str| {
        let about = is_about("w", kind);
        format!("EXISTS (SELECT 1 FROM meaning_word w WHERE {about} AND {holds} AND {is_word} LIMIT 1 OFFSET 0)")
    };
    let places: Vec<String> = kinds(realm).iter().map(exists).collect();
    (!places.is_empty()).then(|| places.join(" OR "))
}
