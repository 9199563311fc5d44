//! What is said of things: what holds, what was said before, and by whom.

use stemma_core::{
    event::Event,
    meaning::{Aspect, Said, Statement, TagKey, Thing},
    name::ProjectName,
};
use stemma_ledger::Ledger;

use crate::{suite::on_every_database, world::commit};

fn model() -> Thing {
    Thing::Model("credit-score".parse().unwrap())
}

fn version() -> Thing {
    Thing::Version("credit-score".parse().unwrap(), "1.1.0".parse().unwrap())
}

async fn say(ledger: &Ledger, thing: Thing, said: Said) -> u64 {
    let event = |statement: Statement| Event::described(ProjectName::default_project(), thing.clone(), statement);
    commit(ledger, said.statements().unwrap().into_iter().map(event).collect()).await
}

async fn held(ledger: &Ledger, at: Option<u64>, thing: &Thing) -> Vec<String> {
    let view = at.map_or_else(|| ledger.now(), |seq| ledger.after(seq));
    let rows = view.meaning(&ProjectName::default_project(), thing).await.unwrap();
    rows.iter().map(|row| format!("{}={}", row.value.title(), row.value.text.as_deref().unwrap())).collect()
}

#[test]
fn what_is_said_holds_until_something_else_is_said() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let key = || TagKey::new("pii").unwrap();
        let owner = |name: &str| Said { owner: Some(name.into()), ..Said::default() };
        let first = say(&ledger, model(), Said { tags: [(key(), "low".to_owned())].into(), ..owner("risk") }).await;
        say(&ledger, version(), owner("fraud")).await;
        let last = say(&ledger, model(), Said { untag: [key()].into(), ..owner("board") }).await;
        assert_eq!(held(&ledger, None, &model()).await, ["owner=board"]);
        assert_eq!(held(&ledger, None, &version()).await, ["owner=fraud"]);
        assert_eq!(held(&ledger, Some(first + 1), &model()).await, ["owner=risk", "tag pii=low"]);
        assert_eq!(held(&ledger, Some(first), &model()).await, ["owner=risk"]);
        assert_eq!(held(&ledger, None, &Thing::Project).await, [""; 0]);

        let told = async |at: Option<u64>, behind, limit| {
            let view = at.map_or_else(|| ledger.now(), |seq| ledger.after(seq));
            let rows = view.statements(&ProjectName::default_project(), &model(), behind, limit).await.unwrap();
            let line = |row: &stemma_ledger::Recorded<stemma_ledger::StatementRow>| {
                let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
                let now = shown(&row.value.statement.text);
                format!("{} {}: {} -> {now}", row.fact.seq, row.value.statement.title(), shown(&row.value.before))
            };
            rows.iter().map(line).collect::<Vec<_>>()
        };
        let all = told(None, None, 10).await;
        let second = last + 1;
        assert_eq!(
            all,
            [
                format!("{second} tag pii: low -> -"),
                format!("{last} owner: risk -> board"),
                format!("{} tag pii: - -> low", first + 1),
                format!("{first} owner: - -> risk"),
            ]
        );
        assert_eq!(told(None, Some(last), 1).await, all[2..3]);
        assert_eq!(told(Some(first), None, 10).await, all[3..]);
        let owners = async |except: Thing| ledger.now().owners(&ProjectName::default_project(), &except).await.unwrap();
        assert_eq!(owners(Thing::Project).await, ["board", "fraud"]);
        assert_eq!(owners(model()).await, ["fraud"]);
        assert!(ledger.verify().await.passed);
    });
}

#[test]
fn a_whole_card_and_all_tags_are_kept_on_every_database() {
    on_every_database(async |world| {
        let ledger = world.open().await.unwrap();
        let prose = |aspect: Aspect| "größe ".repeat(aspect.bytes_max() / 8);
        let tags = (0..200).map(|n| (TagKey::new(format!("k{n}")).unwrap(), "v".repeat(1024)));
        let said = Said {
            description: Some(prose(Aspect::Description)),
            card: Some((0..10_000).map(|n| format!("w{n} ")).collect()),
            tags: tags.collect(),
            ..Said::default()
        };
        say(&ledger, version(), said.clone()).await;
        let held = held(&ledger, None, &version()).await;
        assert_eq!(held.len(), 202);
        assert!(held[0].starts_with("description=größe größe"));
        assert!(ledger.verify().await.passed);
    });
}
