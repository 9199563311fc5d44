//! Names near a mistyped one, for hints.

/// Returns up to three candidates within a third of the name's length in edits, nearest first.
pub fn near<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let allowed = (wanted.chars().count() / 3).max(2);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = edit_distance(wanted, candidate);
            let related = distance <= allowed || candidate.contains(wanted) || wanted.contains(candidate);
            related.then_some((distance, candidate))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Returns the hint "did you mean …" for the candidates near a name, or the fallback if there is none.
pub fn hint<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>, fallback: &str) -> String {
    let names: Vec<String> = near(wanted, candidates).into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { fallback.to_owned() } else { format!("did you mean {}?", names.join(" or ")) }
}

/// Levenshtein distance in characters, in two rows of memory.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut current = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let substitute = previous[j] + usize::from(ca != *cb);
            current.push(substitute.min(previous[j + 1] + 1).min(current[j] + 1));
        }
        previous = current;
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_first_and_strangers_left_out() {
        let names = ["credit-score", "credit-limit", "fraud"];
        assert_eq!(near("credt-score", names), ["credit-score"]);
        assert_eq!(near("credit", names), ["credit-limit", "credit-score"]);
        assert!(near("weather", names).is_empty());
        assert_eq!(hint("frod", names, "see `stemma models`"), "did you mean `fraud`?");
    }
}
