use super::{super::frontier::root_of, *};
use crate::{
    history::{KeyPurpose, SigningKey, merkle, origin},
    id::HomeId,
};

fn key() -> SigningKey {
    SigningKey::new(&origin(HomeId::from_u128(7)), KeyPurpose::Head, &[1; 32])
}

/// An event as the ledger keeps it, with a salt and a body that only its number makes.
fn event(seq: u64) -> ProvedEvent {
    let (salt, body) = ([seq as u8; 16], format!(r#"{{"type":"project_created","project":"p{seq}"}}"#));
    let hash = Sha256::new().chain_update(salt).chain_update(body.as_bytes()).finalize();
    let leaf = format!(
        r#"{{"actor":{{"auth":"authenticated","principal":"ada@example.org"}},"commitment":"{}","kind":"project_created","request":"00000000000000000000000000000001","seq":{seq},"subject":"p{seq}","time":0,"v":1}}"#,
        BASE64.encode(&hash)
    );
    ProvedEvent { seq, leaf, salt: Some(BASE64.encode(&salt)), body: Some(body), path: None }
}

fn hashes(size: u64) -> Vec<Hash> {
    (1..=size).map(|seq| event(seq).hash().unwrap()).collect()
}

fn head(size: u64) -> ProvedHead {
    let signed = key().sign(size, root_of(hashes(size)));
    ProvedHead { note: signed.note(), key: signed.key().to_string(), successions: Vec::new() }
}

fn of_ranges(leaves: &[Hash], ranges: Vec<std::ops::Range<u64>>) -> Vec<Hash> {
    let hash = |range: std::ops::Range<u64>| root_of(leaves[range.start as usize..range.end as usize].iter().copied());
    ranges.into_iter().map(hash).collect()
}

fn proved(seq: u64, size: u64) -> ProvedEvent {
    let path = of_ranges(&hashes(size), merkle::inclusion_ranges(seq - 1, size));
    ProvedEvent { path: Some(write_hashes(&path)), ..event(seq) }
}

fn beginning(first: u64, second: u64, size: u64) -> BeginningProof {
    let leaves = hashes(size);
    let tree = |size: u64| ProvedTree::new(size, &root_of(leaves[..size as usize].iter().copied()));
    let path = |first, second| of_ranges(&leaves, merkle::consistency_ranges(first, second));
    BeginningProof::new(tree(first), tree(second), [&path(first, second), &path(second, size)], head(size))
}

#[test]
fn an_event_is_proved_by_its_document_and_by_no_other() {
    let proof = InclusionProof::new(proved(3, 7), head(7));
    assert_eq!(proof.check().unwrap().size(), 7);
    let forgotten = ProvedEvent { salt: None, body: None, ..proof.event.clone() };
    assert!(InclusionProof { event: forgotten, ..proof.clone() }.check().is_ok(), "what was forgotten stays proved");
    let event = |alter: &dyn Fn(&mut ProvedEvent)| {
        let mut event = proof.event.clone();
        alter(&mut event);
        InclusionProof { event, ..proof.clone() }.check().unwrap_err()
    };
    assert_eq!(event(&|one| one.path = None), ProofError::NoPath(3));
    assert_eq!(event(&|one| one.path = Some(vec![])), ProofError::NotIncluded(3));
    assert_eq!(event(&|one| one.path.as_mut().unwrap()[0] = "x".into()), ProofError::NotAHash("x".into()));
    assert_eq!(event(&|one| one.leaf = one.leaf.replace("ada@", "eve@")), ProofError::NotIncluded(3));
    for alter in [
        &(|one: &mut ProvedEvent| one.seq = 4) as &dyn Fn(&mut ProvedEvent),
        &|one| one.body = one.body.as_ref().map(|body| body.replace("p3", "p4")),
        &|one| one.body = None,
        &|one| one.salt = Some("AAAA".into()),
        &|one| one.salt = None,
        &|one| one.leaf.clear(),
    ] {
        assert!(matches!(event(alter), ProofError::Leaf { seq: 3 | 4, .. }), "{:?}", event(alter));
    }
    let head_of_other = InclusionProof { head: head(6), ..proof.clone() };
    assert_eq!(head_of_other.check(), Err(ProofError::NotIncluded(3)));
    let unsigned = ProvedHead { note: proof.head.note.replace("\n7\n", "\n8\n"), ..proof.head.clone() };
    assert!(matches!(InclusionProof { head: unsigned, ..proof.clone() }.check(), Err(ProofError::Head(_))));
    assert_eq!(InclusionProof { v: 2, ..proof }.check(), Err(ProofError::Version(2)));
}

#[test]
fn a_beginning_is_proved_up_to_what_was_signed() {
    for (first, second, size) in [(0, 0, 0), (0, 3, 7), (3, 7, 7), (3, 5, 7), (7, 7, 7), (4, 8, 21)] {
        let proof = beginning(first, second, size);
        assert_eq!(proof.check().unwrap().size(), size, "{first} {second} {size}");
        let other = ProvedTree { root: BASE64.encode(&[1; 32]), ..proof.first.clone() };
        assert!(BeginningProof { first: other, ..proof }.check().is_err(), "{first} {second} {size}");
    }
    let proof = beginning(3, 5, 7);
    let cut = BeginningProof { path_to_head: Vec::new(), ..proof.clone() };
    assert_eq!(cut.check(), Err(ProofError::NotABeginning { first: 5, second: 7 }));
    let turned = BeginningProof { first: proof.second.clone(), second: proof.first.clone(), ..proof };
    assert_eq!(turned.check(), Err(ProofError::NotABeginning { first: 5, second: 3 }));
}

#[test]
fn an_export_is_all_events_or_some_with_their_paths() {
    let check = |whole: bool, events: &[ProvedEvent]| {
        let mut check = ExportHeader::new(whole, head(5)).checks()?;
        events.iter().try_for_each(|event| check.event(event))?;
        check.end()
    };
    let all: Vec<ProvedEvent> = (1..=5).map(event).collect();
    assert_eq!(check(true, &all), Ok(()));
    assert_eq!(check(true, &all[..4]), Err(ProofError::OtherRoot));
    assert!(matches!(check(true, &[&all[..2], &all[3..]].concat()), Err(ProofError::Leaf { seq: 4, .. })));
    assert!(matches!(check(true, &[&all[..], &[event(6)]].concat()), Err(ProofError::OtherRoot)));
    assert_eq!(check(false, &[proved(2, 5), proved(4, 5)]), Ok(()));
    assert_eq!(check(false, &[event(2)]), Err(ProofError::NoPath(2)));
}

/// What was handed out must be read for ever, by us and by `examples/verify-proof`.
#[test]
fn the_documents_are_frozen() {
    let frozen = |name: &str, written: String| {
        let path = format!("{}/tests/data/proof/{name}", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written, "{name}");
    };
    let text = |value: serde_json::Value| format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
    frozen("inclusion.json", text(serde_json::to_value(InclusionProof::new(proved(3, 7), head(7))).unwrap()));
    frozen("consistency.json", text(serde_json::to_value(beginning(3, 5, 7)).unwrap()));
    let line = |value: serde_json::Value| format!("{value}\n");
    let mut lines = line(serde_json::to_value(ExportHeader::new(true, head(5))).unwrap());
    (1..=5).for_each(|seq| lines.push_str(&line(serde_json::to_value(event(seq)).unwrap())));
    lines.push_str(&line(serde_json::to_value(ExportEnd { end: 5 }).unwrap()));
    frozen("export.jsonl", lines);
    frozen("key", format!("{}\n", key().verifier()));
}
