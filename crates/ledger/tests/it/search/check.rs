//! A search beside the plain filter.

use std::collections::BTreeMap;

use stemma_core::{
    meaning::Aspect,
    name::ProjectName,
    search::{Field, Order, Query, Realm, Section},
};
use stemma_ledger::{Descendants, Ledger, Search, Shown};

use super::{
    filter::{holds, sort},
    names::READABLE,
    registry::Registry,
    thing::Thing,
};

pub fn readable() -> Vec<ProjectName> {
    READABLE.iter().map(|name| name.parse().unwrap()).collect()
}

/// Every page of a search, one after the other.
pub async fn all_pages(ledger: &Ledger, search: &Search<'_>, page: usize) -> Vec<stemma_ledger::Found> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (found, next) = ledger.now().search(search, after.as_ref(), page).await.unwrap();
        assert!(found.len() <= page && (next.is_none() || found.len() == page));
        all.extend(found);
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

pub async fn check(
    registry: &Registry,
    realm: Realm,
    query: &Query,
    order: &Order,
    below: &[Descendants],
    page: usize,
) {
    let projects = readable();
    let search = Search { realm, projects: &projects, query: Some(query), contracts: None, descendants: below, order };
    let found = all_pages(&registry.ledger, &search, page).await;
    let all = registry.things.get(realm.as_str()).map_or(&[][..], Vec::as_slice);
    let may_read = |thing: &&Thing| READABLE.contains(&thing.project.as_str());
    let mut expected: Vec<&Thing> =
        all.iter().filter(may_read).filter(|thing| holds(query, thing, registry, below)).collect();
    sort(&mut expected, order);
    let ids = |things: &[&Thing]| things.iter().map(|thing| thing.id).collect::<Vec<_>>();
    let what = format!("{} that {query} by {order}", realm.as_str());
    assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), ids(&expected), "{what}");
    for (one, thing) in found.iter().zip(&expected) {
        assert_eq!(one.project.as_str(), thing.project, "{what}");
        assert_eq!(std::slice::from_ref(&one.name), thing.field(Field::Name), "{what}");
        let mut aliases = thing.field(Field::Alias).to_vec();
        aliases.sort();
        assert_eq!(one.aliases, aliases, "{what}");
        for (name, shown) in &one.shown {
            let said = match (name.strip_prefix("tags."), Aspect::parse(name)) {
                (Some(key), _) => Some((Aspect::Tag, key)),
                (None, Some(aspect)) => Some((aspect, "")),
                (None, None) => None,
            };
            if let Some((aspect, key)) = said {
                let expected = registry.said_of(thing, aspect, key).unwrap().to_owned();
                assert_eq!(*shown, Shown::Text(expected), "{what}");
                continue;
            }
            let (section, name) = name.split_once('.').unwrap();
            let value = &thing.of(Section::parse(section).unwrap(), name)[0];
            match shown {
                Shown::Number(number) => assert_eq!(Some(*number), value.number, "{what}"),
                Shown::Text(text) => assert_eq!(*text, value.text, "{what}"),
            }
        }
    }
    let counts = registry.ledger.now().search_counts(&search).await.unwrap();
    assert_eq!((counts.total, counts.are_more), (expected.len() as u64, false), "{what}");
    for (field, values) in counts.facets {
        let mut by_value: BTreeMap<&str, u64> = BTreeMap::new();
        for value in expected.iter().flat_map(|thing| thing.field(field)).filter(|value| !value.is_empty()) {
            *by_value.entry(value).or_default() += 1;
        }
        let counted: BTreeMap<&str, u64> = values.iter().map(|one| (one.value.as_str(), one.count)).collect();
        assert_eq!(counted, by_value, "{what}, by {}", field.as_str());
    }
}
