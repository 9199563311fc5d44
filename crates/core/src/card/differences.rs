//! What changed in a card.

use super::CardBody;

/// The parts of a card that are not what they were, by name; empty if it is the same.
pub fn differences(then: &CardBody, now: &CardBody) -> Vec<String> {
    let changed = [
        ("what it is", then.version != now.version || then.content != now.content),
        ("what is said of it", then.said != now.said),
        ("what it was made from", then.made != now.made),
        ("evaluation", then.evaluation != now.evaluation),
        ("gates", then.gates != now.gates),
        ("other evidence", then.evidence != now.evidence),
        ("what could not be looked at", then.unseen != now.unseen),
        ("its form", then.v != now.v),
    ];
    changed.into_iter().filter(|(_, is_changed)| *is_changed).map(|(part, _)| part.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{canonical, card::CardStatement, meaning::Aspect};

    /// A card as the first version of its form has it.
    const FROZEN: &str = include_str!("../../tests/data/card-v1.json");

    #[test]
    fn the_stored_form_is_frozen() {
        let body: CardBody = serde_json::from_str(FROZEN).unwrap();
        assert_eq!(String::from_utf8(canonical::to_bytes(&body).unwrap()).unwrap(), FROZEN.trim_end());
    }

    #[test]
    fn parts_that_differ_are_named() {
        let then: CardBody = serde_json::from_str(FROZEN).unwrap();
        assert_eq!(differences(&then, &then), [""; 0]);
        let mut now = then.clone();
        now.said.push(CardStatement {
            aspect: Aspect::Licence,
            key: String::new(),
            text: "MIT".into(),
            of_model: false,
            event: 90,
            by: "ada@example.org".parse().unwrap(),
        });
        now.evaluation = None;
        assert_eq!(differences(&then, &now), ["what is said of it", "evaluation"]);
    }
}
