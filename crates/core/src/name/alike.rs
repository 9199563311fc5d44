//! When two names can be taken for each other by who reads them.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

/// What is left of a name without upper case and compatible forms.
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// Whether two folded names look the same, also by letters of other scripts: the skeletons of Unicode Technical
/// Standard 39.
pub fn are_alike(one: &str, other: &str) -> bool {
    let is_plain = one.is_ascii() && other.is_ascii();
    // `rn` looks like `m` too; between plain names that is no reason
    one == other || (!is_plain && skeleton(one).eq(skeleton(other)))
}

/// Whether two names look the same, whatever their spelling: upper case, compatible forms, letters of other scripts.
pub fn looks_like(one: &str, other: &str) -> bool {
    are_alike(&fold(one), &fold(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_alike() {
        for (one, other, alike) in [
            ("spring", "Spring", true),
            ("spring", "\u{ff53}pring", true),
            ("champion", "champi\u{43e}n", true),
            ("stra\u{df}e", "STRASSE", false),
            ("burn", "bum", false),
            ("v1", "vl", false),
        ] {
            assert_eq!(are_alike(&fold(one), &fold(other)), alike, "{one} {other}");
        }
    }
}
