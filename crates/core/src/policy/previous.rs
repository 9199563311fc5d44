//! Which version was the one of a stage before the one that is now.

use crate::{endpoint::revision::standing, version::VersionNumber};

/// The version that is a stage's now and the one before it, from those that entered it, one after the other.
///
/// What was gone back to counts as it did: whoever goes back twice comes to the one before that.
pub fn version_before(entered: &[VersionNumber]) -> Option<(VersionNumber, VersionNumber)> {
    match standing(entered).as_slice() {
        [.., before, now] => Some((*now, *before)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_goes_on_from_what_was_gone_back_to() {
        let check = |entered: &[&str], expected: Option<(&str, &str)>| {
            let entered: Vec<VersionNumber> = entered.iter().map(|text| text.parse().unwrap()).collect();
            let found = version_before(&entered).map(|(now, before)| (now.to_string(), before.to_string()));
            assert_eq!(found, expected.map(|(now, before)| (now.to_owned(), before.to_owned())), "{entered:?}");
        };
        check(&[], None);
        check(&["1.0.0"], None);
        check(&["1.0.0", "1.1.0"], Some(("1.1.0", "1.0.0")));
        check(&["1.0.0", "1.1.0", "1.2.0", "1.1.0"], Some(("1.1.0", "1.0.0")));
        check(&["1.0.0", "1.1.0", "1.0.0"], None);
        check(&["1.0.0", "1.1.0", "1.0.0", "1.1.0"], Some(("1.1.0", "1.0.0")));
    }
}
