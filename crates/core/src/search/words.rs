//! The words of a text, as they are found.

/// Longest word; of a longer one its beginning is found.
const WORD_CHARS_MAX: usize = 64;

/// The words of a text in lower case: letters and digits that follow each other.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| {
        // in lower case a letter may become several, one of them a mark
        let letters = word.chars().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric());
        letters.take(WORD_CHARS_MAX).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_in_lower_case() {
        let of = |text: &str| words(text).collect::<Vec<_>>();
        assert_eq!(of("minor: AUC +0.021 over 1.0.0"), ["minor", "auc", "0", "021", "over", "1", "0", "0"]);
        assert_eq!(of("Größe_credit-score"), ["größe", "credit", "score"]);
        assert_eq!(of("İstanbul"), ["istanbul"]);
        assert_eq!(of(" -- "), [""; 0]);
        assert_eq!(of(&"x".repeat(100)), ["x".repeat(64)]);
    }
}
