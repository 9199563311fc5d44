//! Which of the things that somebody says are news.

use std::collections::{BTreeMap, BTreeSet};

use super::{aspect::Aspect, statement::Statement, tag_key::TAGS_MAX, thing::Thing};
use crate::{Problem, name::looks_like};

/// What is said of a thing, by aspect and key.
pub type Held = BTreeMap<(Aspect, String), String>;

/// What of these statements changes what is said of a thing. Refuses what can't be said of it, more tags than a thing may
/// have, and keys that differ from one that is there in nothing but upper and lower case.
pub fn changes(thing: &Thing, held: &Held, said: Vec<Statement>) -> Result<Vec<Statement>, Problem> {
    if let Some(statement) = said.iter().find(|statement| !statement.aspect.is_of(thing)) {
        let (kind, aspect) = (thing.kind(), statement.aspect.title());
        return Err(Problem::invalid(format!("a {kind} has no {aspect}")));
    }
    let is_news =
        |statement: &Statement| held.get(&(statement.aspect, statement.key.clone())) != statement.text.as_ref();
    let news: Vec<Statement> = said.into_iter().filter(is_news).collect();
    check_tags(thing, held, &news)?;
    Ok(news)
}

fn check_tags(thing: &Thing, held: &Held, news: &[Statement]) -> Result<(), Problem> {
    let tags = held.keys().filter(|(aspect, _)| *aspect == Aspect::Tag);
    let mut keys: BTreeSet<&str> = tags.map(|(_, key)| key.as_str()).collect();
    let news = || news.iter().filter(|statement| statement.aspect == Aspect::Tag);
    for statement in news().filter(|statement| statement.text.is_none()) {
        keys.remove(statement.key.as_str());
    }
    let mut folded: BTreeMap<String, &str> = keys.iter().map(|key| (key.to_ascii_lowercase(), *key)).collect();
    for statement in news().filter(|statement| statement.text.is_some()) {
        let key = statement.key.as_str();
        match folded.insert(key.to_ascii_lowercase(), key) {
            Some(other) if other != key => {
                let message = format!("tag `{key}` would stand beside `{other}`, which is the same but for its case");
                return Err(Problem::invalid(message).hint(format!("write `{other}`, or remove that first")));
            }
            _ => keys.insert(key),
        };
    }
    match keys.len() {
        count if count > TAGS_MAX => {
            let message = format!("`{thing}` would have {count} tags, at most {TAGS_MAX} are taken");
            Err(Problem::invalid(message))
        }
        _ => Ok(()),
    }
}

/// An owner in the project who is called otherwise, and looks the same.
pub fn other_owner<'a>(owner: &str, owners: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    owners.into_iter().find(|other| *other != owner && looks_like(owner, other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meaning::{Said, TagKey};

    fn model() -> Thing {
        Thing::Model("m".parse().unwrap())
    }

    fn tags(tags: &[(&str, &str)]) -> Said {
        let tags = tags.iter().map(|(key, value)| (TagKey::new(*key).unwrap(), (*value).to_owned()));
        Said { tags: tags.collect(), ..Said::default() }
    }

    fn news(thing: &Thing, held: &Held, said: &Said) -> Result<Vec<String>, Problem> {
        let changes = changes(thing, held, said.statements()?)?;
        Ok(changes.iter().map(|one| format!("{}={}", one.title(), one.text.as_deref().unwrap_or("-"))).collect())
    }

    #[test]
    fn only_news_are_told() {
        let held = Held::from([
            ((Aspect::Owner, String::new()), "risk".to_owned()),
            ((Aspect::Tag, "team".to_owned()), "a".to_owned()),
        ]);
        let mut said = tags(&[("team", "a"), ("pii", "")]);
        said.owner = Some("risk".into());
        said.licence = Some(String::new());
        assert_eq!(news(&model(), &held, &said).unwrap(), ["tag pii="]);
        let untag = BTreeSet::from([TagKey::new("team").unwrap(), TagKey::new("none").unwrap()]);
        let said = Said { owner: Some("".into()), untag, ..Said::default() };
        assert_eq!(news(&model(), &held, &said).unwrap(), ["owner=-", "tag team=-"]);
    }

    #[test]
    fn what_a_thing_can_not_have_is_refused() {
        let base = Said { base_model: Some("bert".into()), ..Said::default() };
        let dataset = Thing::Dataset("d".parse().unwrap());
        assert_eq!(news(&dataset, &Held::new(), &base).unwrap_err().message, "a dataset has no base model");
        let mut both = tags(&[("a", "")]);
        both.untag.insert(TagKey::new("a").unwrap());
        assert!(both.statements().unwrap_err().message.contains("at once"));
    }

    #[test]
    fn tags_are_few_and_differ_in_more_than_case() {
        let many = (0..100_000).map(|n| (TagKey::new(format!("k{n}")).unwrap(), String::new())).collect();
        let problem = news(&model(), &Held::new(), &Said { tags: many, ..Said::default() }).unwrap_err();
        assert_eq!(problem.message, "100000 tags are set at once, at most 200 are taken");
        let held = (0..200).map(|n| ((Aspect::Tag, format!("k{n}")), String::new())).collect();
        let problem = news(&model(), &held, &tags(&[("one", "")])).unwrap_err();
        assert_eq!(problem.message, "`model:m` would have 201 tags, at most 200 are taken");
        let held = Held::from([((Aspect::Tag, "team".to_owned()), "a".to_owned())]);
        assert!(news(&model(), &held, &tags(&[("Team", "b")])).unwrap_err().message.contains("beside `team`"));
        assert!(news(&model(), &Held::new(), &tags(&[("Team", "b"), ("team", "a")])).is_err());
        // the other one goes by the same act
        let mut said = tags(&[("Team", "b")]);
        said.untag.insert(TagKey::new("team").unwrap());
        assert_eq!(news(&model(), &held, &said).unwrap(), ["tag Team=b", "tag team=-"]);
    }

    #[test]
    fn owners_that_look_alike_are_found() {
        for (owner, other) in [("r\u{456}sk", "risk"), ("Risk", "risk"), ("risk", "r\u{456}sk")] {
            assert_eq!(other_owner(owner, ["fraud", other]), Some(other), "{owner}");
        }
        for owner in ["risk", "risk-2", "Größe", "数据"] {
            assert_eq!(other_owner(owner, ["risk", "fraud", "Größe"]), None, "{owner}");
        }
    }
}
