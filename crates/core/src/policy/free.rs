//! Whether a name is free: what names one version of a model names no other one, is no alias, and never could be read as
//! something else.

use std::cmp::Ordering;

use super::stage::Stage;
use crate::{
    ErrorKind, Problem,
    name::{AliasName, VersionLabel, are_alike, check_shown, fold},
    version::{Naming, SemverName, Step, VersionNumber, form},
};

/// A name that a model has given away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub name: String,
    pub holder: Holder,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Alias,
    Version(VersionNumber),
}

/// Refuses an alias that is a version's name, or that could be read as one or as a stage.
pub fn check_alias<'a>(alias: &AliasName, taken: impl IntoIterator<Item = &'a Taken>) -> Result<(), Problem> {
    check_form(alias.as_str(), "an alias")?;
    check_free(alias.as_str(), taken.into_iter().filter(|taken| taken.holder != Holder::Alias))
}

/// Refuses a label that is taken, that could be read as another name, or that hides a part of itself.
pub fn check_label<'a>(label: &VersionLabel, taken: impl IntoIterator<Item = &'a Taken>) -> Result<(), Problem> {
    check_shown(label.as_str()).map_err(|reason| Problem::invalid(format!("`{label}` can't be a label: {reason}")))?;
    check_form(label.as_str(), "a label")?;
    check_free(label.as_str(), taken)
}

/// Refuses a semantic version that another version has, or that says what its number denies.
///
/// `step` and `reference` are those of the version: what it was found to be beside which other one, and what that is
/// called. After that must come what is new, and a broken contract is a breaking version.
pub fn check_semver<'a>(
    semver: &SemverName,
    step: Step,
    reference: Option<(VersionNumber, &SemverName)>,
    others: impl IntoIterator<Item = (VersionNumber, &'a SemverName)>,
) -> Result<(), Problem> {
    let refused = |message: String| Problem::new(ErrorKind::Conflict, message);
    for (number, other) in others {
        if semver.precedence(other) == Ordering::Equal {
            return Err(refused(match semver == other {
                true => format!("`{semver}` is a name of {number} already, and names never move"),
                false => format!("`{semver}` is the same version as `{other}`, which names {number}"),
            })
            .hint("choose one that comes later"));
        }
    }
    let Some((number, earlier)) = reference else { return Ok(()) };
    if semver.precedence(earlier) == Ordering::Less {
        return Err(refused(format!("`{semver}` comes before `{earlier}`, which names {number}, its reference"))
            .hint("choose one that comes later"));
    }
    if step == Step::Major && !semver.breaks(earlier) {
        let message = format!("`{semver}` does not say that it breaks callers of {number}, which is `{earlier}`");
        return Err(
            refused(message).hint(format!("its data contract does: choose `{}` or later", earlier.next_breaking()))
        );
    }
    Ok(())
}

fn check_form(wanted: &str, what: &str) -> Result<(), Problem> {
    match reads_as(&fold(wanted)) {
        None => Ok(()),
        Some(reading) => Err(Problem::invalid(format!("`{wanted}` can't be {what}: it reads as {reading}"))
            .hint("choose words of your own, as in `spring-campaign`")),
    }
}

/// What else a folded text means where a version is named.
fn reads_as(folded: &str) -> Option<String> {
    if folded.parse::<VersionNumber>().is_ok() {
        return Some("the number of a version".to_owned());
    }
    if let Some(stage) = Stage::ALL.into_iter().find(|stage| are_alike(folded, stage.as_str())) {
        return Some(format!("the stage `{stage}`"));
    }
    if are_alike(folded, "newest") {
        return Some("`newest`, which is the newest version".to_owned());
    }
    if folded.starts_with('{') {
        return Some("a time".to_owned());
    }
    if folded.parse::<SemverName>().is_ok() {
        return Some("a semantic version; give it with `--semver`".to_owned());
    }
    form(folded).map(|naming| match naming {
        Naming::Integer => "the count of a version".to_owned(),
        Naming::Run => "the name of a version by its run".to_owned(),
        Naming::TimestampHash | Naming::Semver | Naming::Label => {
            "the name of a version by its time and content".to_owned()
        }
    })
}

fn check_free<'a>(wanted: &str, taken: impl IntoIterator<Item = &'a Taken>) -> Result<(), Problem> {
    let folded = fold(wanted);
    let Some(taken) = taken.into_iter().find(|taken| are_alike(&folded, &fold(&taken.name))) else { return Ok(()) };
    let holder = match taken.holder {
        Holder::Alias => "an alias of the model".to_owned(),
        Holder::Version(number) => format!("a name of {number} already, and names never move"),
    };
    let message = match taken.name == wanted {
        true => format!("`{wanted}` is {holder}"),
        false => format!("`{wanted}` can be taken for `{}`, which is {holder}", taken.name),
    };
    Err(Problem::new(ErrorKind::Conflict, message).hint("choose another name"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Digest, Timestamp, id::RunId, version::derived};

    fn taken() -> Vec<Taken> {
        let number = |text: &str| Holder::Version(text.parse().unwrap());
        [("champion", Holder::Alias), ("spring", number("1.0.0")), ("v1.4.0", number("1.1.0")), ("7", number("2.0.0"))]
            .map(|(name, holder)| Taken { name: name.to_owned(), holder })
            .into()
    }

    fn label(text: &str) -> Result<(), String> {
        let label = text.parse::<VersionLabel>().map_err(|error| error.to_string())?;
        check_label(&label, &taken()).map_err(|problem| problem.message)
    }

    fn alias(text: &str) -> Result<(), String> {
        let alias = text.parse::<AliasName>().map_err(|error| error.to_string())?;
        check_alias(&alias, &taken()).map_err(|problem| problem.message)
    }

    #[test]
    fn what_reads_as_something_else_is_neither_label_nor_alias() {
        for (text, reading) in [
            ("1.2.0", "the number of a version"),
            ("production", "the stage `production`"),
            ("Production", "the stage `production`"),
            ("pr\u{43e}duction", "the stage `production`"),
            ("ＳＴＡＧＩＮＧ", "the stage `staging`"),
            ("newest", "`newest`"),
            ("Newest", "`newest`"),
            ("12", "the count of a version"),
            ("１２", "the count of a version"),
            ("0", "the count of a version"),
            ("1.2.0-rc.1", "a semantic version"),
            ("v1.2.0", "a semantic version"),
            ("V1.2.0", "a semantic version"),
            ("{2026-03-01}", "a time"),
            ("v20261130231200_2d1e951c", "by its time and content"),
            ("V20261130231200_2D1E951C", "by its time and content"),
            ("run_01900000000070008000000000000001", "by its run"),
        ] {
            let expected = format!("it reads as {reading}");
            for refused in [label(text), alias(text)] {
                let message = refused.unwrap_err();
                assert!(message.contains(&expected) || message.contains(reading), "{text}: {message}");
            }
        }
        for text in ["candidate", "v2", "2026", "1.2", "run_7", "products", "latest", "数据"] {
            let is_count = text == "2026";
            assert_eq!((label(text).is_ok(), alias(text).is_ok()), (!is_count, !is_count), "{text}");
        }
    }

    #[test]
    fn what_is_taken_is_told_with_its_holder() {
        for (text, told) in [
            ("champion", "`champion` is an alias of the model"),
            ("Champion", "`Champion` can be taken for `champion`, which is an alias of the model"),
            ("spring", "`spring` is a name of 1.0.0 already, and names never move"),
            (
                "spr\u{456}ng",
                "`spr\u{456}ng` can be taken for `spring`, which is a name of 1.0.0 already, and names never move",
            ),
            ("spring\u{200b}", "`spring\u{200b}` can't be a label: it has a letter that nobody sees"),
        ] {
            assert_eq!(label(text).err().unwrap_or_default(), told, "{text}");
        }
        // an alias may be moved, so that it is there is no reason
        assert_eq!(alias("champion"), Ok(()));
        assert!(alias("spring").unwrap_err().contains("a name of 1.0.0"));
        assert!(alias("SPRING").unwrap_err().contains("can be taken for"));
    }

    #[test]
    fn a_semantic_version_says_what_the_number_says() {
        let read = |text: &str| text.parse::<SemverName>().unwrap();
        let number = |text: &str| text.parse::<VersionNumber>().unwrap();
        let others = [(number("1.0.0"), read("1.4.0")), (number("1.0.1"), read("1.4.1+b"))];
        let check = |semver: &str, step: Step, reference: Option<usize>| {
            let reference = reference.map(|at| (others[at].0, &others[at].1));
            let others = others.iter().map(|(number, semver)| (*number, semver));
            check_semver(&read(semver), step, reference, others)
                .err()
                .map(|problem| problem.message)
                .unwrap_or_default()
        };
        for (semver, step, reference, told) in [
            ("1.5.0", Step::Minor, Some(0), ""),
            ("1.4.2", Step::Pipeline, Some(1), ""),
            ("2.0.0", Step::Major, Some(0), ""),
            // nobody has to say what it broke
            ("0.1.0", Step::First, None, ""),
            ("2.0.0", Step::Pipeline, Some(0), ""),
            ("1.4.0", Step::Minor, Some(1), "`v1.4.0` is a name of 1.0.0 already, and names never move"),
            ("1.4.0+x", Step::Minor, Some(1), "`v1.4.0+x` is the same version as `v1.4.0`, which names 1.0.0"),
            ("1.3.9", Step::Pipeline, Some(0), "`v1.3.9` comes before `v1.4.0`, which names 1.0.0, its reference"),
            ("1.5.0", Step::Major, Some(0), "`v1.5.0` does not say that it breaks callers of 1.0.0, which is `v1.4.0`"),
        ] {
            assert_eq!(check(semver, step, reference), told, "{semver}");
        }
    }

    proptest! {
        /// Any text: it is refused, or it names nothing else in any model.
        #[test]
        fn no_label_can_be_read_as_something_else(text in "\\PC{1,40}", folded in any::<bool>()) {
            let text = if folded { fold(&text) } else { text };
            let Ok(label) = text.parse::<VersionLabel>() else { return Ok(()) };
            if check_label(&label, &[]).is_ok() {
                prop_assert!(text.parse::<VersionNumber>().is_err());
                prop_assert!(Stage::parse(&text).is_none() && text != "newest");
                prop_assert!(text.parse::<SemverName>().is_err() && form(&text).is_none());
                prop_assert!(!text.contains(['@', ':', '#', '/']) && text.len() <= 255);
                // and from then on nobody else's in any spelling of upper case
                let taken = [Taken { name: text.clone(), holder: Holder::Version(VersionNumber::FIRST) }];
                prop_assert!(check_label(&label, &taken).is_err());
                if let Ok(alias) = text.to_uppercase().parse::<AliasName>()
                    && fold(&text.to_uppercase()) == fold(&text)
                {
                    prop_assert!(check_alias(&alias, &taken).is_err());
                }
            }
        }

        /// What follows from registrations can't be chosen, whatever comes.
        #[test]
        fn no_chosen_name_takes_one_that_follows(integer: u32, content: Vec<u8>, run: u128, micros: i64) {
            for (_, name) in derived(integer, &Digest::of(&content), Some(RunId::from_u128(run)), Timestamp(micros)) {
                prop_assert!(label(&name).is_err() && alias(&name).is_err(), "{}", name);
            }
        }

        #[test]
        fn the_longest_names_are_as_safe(length in 200_usize..400) {
            let text = "n".repeat(length);
            prop_assert_eq!(label(&text).is_ok(), length <= 255);
        }
    }
}
