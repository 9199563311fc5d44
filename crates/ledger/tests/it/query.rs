//! What can be asked, now and as of earlier.

use stemma_core::{
    Clock as _,
    event::Event,
    policy::{Role, Stage},
};
use stemma_ledger::EventFilter;

use crate::{
    story::{Story, digest},
    world::{ada, commit, name, project_created},
};

on_both! {
    async fn stages_and_aliases_are_known_as_of_any_event(world) {
        let ledger = world.open().await;
        let mut story = Story::default();
        for step in [0, 5, 7] {
            commit(&ledger, story.next(step, 1).into_iter().collect()).await.unwrap();
        }
        let version = story.versions[0].clone();
        let promoted = |from, to| {
            let mut event = Story::whole().into_iter().find(|event| matches!(event, Event::Promoted(_))).unwrap();
            if let Event::Promoted(promoted) = &mut event {
                (promoted.project, promoted.model) = (version.project.clone(), version.model.clone());
                (promoted.version, promoted.subject) = (version.number, version.digest);
                (promoted.from, promoted.to) = (from, to);
            }
            event
        };
        let moved = Event::AliasMoved {
            project: version.project.clone(),
            model: version.model.clone(),
            alias: name("champion"),
            from: None,
            to: version.number,
        };
        commit(&ledger, vec![promoted(Stage::Development, Stage::Staging)]).await.unwrap();
        commit(&ledger, vec![promoted(Stage::Staging, Stage::Production), moved]).await.unwrap();
        // a promotion from a stage in which the version is not follows from nothing
        assert!(commit(&ledger, vec![promoted(Stage::Staging, Stage::Production)]).await.is_err());

        let expected = [(3, Stage::Development, 0), (4, Stage::Staging, 0), (5, Stage::Production, 0), (6, Stage::Production, 1)];
        for (seq, stage, aliases) in expected {
            let mut view = ledger.read_at(seq).await.unwrap();
            let found = view.version(&version.project, &version.model, version.number).await.unwrap().unwrap();
            assert_eq!((found.stage, found.aliases.len(), found.registered.seq), (stage, aliases, 3), "at {seq}");
        }
        assert!(ledger.read_at(2).await.unwrap().versions(&version.project, &version.model).await.unwrap().is_empty());

        let mut view = ledger.read().await.unwrap();
        let promotions = view.promotions(&version.project, &version.model, version.number).await.unwrap();
        assert_eq!(promotions.iter().map(|one| one.promoted.seq).collect::<Vec<_>>(), [4, 5]);
        let champion = view.alias(&version.project, &version.model, &name("champion")).await.unwrap().unwrap();
        assert_eq!((champion.target, champion.moved.seq), (version.number, 6));
        assert_eq!(champion.moved.actor, ada());
        let same = view.versions_with_digest(&version.project, version.digest).await.unwrap();
        assert_eq!(same.len(), 1);
        let facts = same[0].version.facts;
        assert_eq!(view.version_by_facts(&version.project, &version.model, facts).await.unwrap(), same.first().cloned());
        let run = same[0].version.run.unwrap();
        assert_eq!(view.versions_of_run(&version.project, run).await.unwrap(), same);
    }

    async fn everything_comes_back_as_its_event_said(world) {
        let ledger = world.open().await;
        let events = Story::whole();
        commit(&ledger, events.clone()).await.unwrap();
        let mut view = ledger.read().await.unwrap();
        let mut seen = 0;
        for (seq, event) in (1..).zip(&events) {
            seen += 1;
            match event {
                Event::DatasetVersionAdded(added) => {
                    let found = view.dataset_version(&added.project, &added.dataset, added.number).await.unwrap().unwrap();
                    assert_eq!((&found.version, found.added.seq), (added, seq));
                    let same = view.dataset_versions_of_digest(&added.project, added.digest).await.unwrap();
                    assert!(same.iter().any(|one| one.version == *added));
                    assert!(view.dataset_versions(&added.project, &added.dataset).await.unwrap().contains(&found));
                }
                Event::VersionRegistered(registered) => {
                    let found = view.version(&registered.project, &registered.model, registered.number).await.unwrap().unwrap();
                    assert_eq!((&found.version, found.registered.seq), (registered, seq));
                }
                Event::EvidenceRecorded(evidence) => {
                    let found = view.evidence_by_id(evidence.evidence).await.unwrap().unwrap();
                    assert_eq!((&found.evidence, found.recorded.seq), (evidence, seq));
                    let all = view.evidence(&evidence.project, &evidence.model, evidence.version).await.unwrap();
                    assert!(all.contains(&found));
                }
                Event::Approved(approved) => {
                    let all = view.approvals(&approved.project, &approved.model, approved.version).await.unwrap();
                    assert!(all.iter().any(|one| one.approval == *approved && one.approved.seq == seq));
                }
                Event::Promoted(promoted) => {
                    let all = view.promotions(&promoted.project, &promoted.model, promoted.version).await.unwrap();
                    assert!(all.iter().any(|one| one.promotion == *promoted && one.promoted.seq == seq));
                }
                Event::RevisionDeployed { revision, digest, reason } => {
                    let found = view.revision(&revision.endpoint, revision.number).await.unwrap().unwrap();
                    assert_eq!((&found.revision, found.digest, &found.reason), (revision, *digest, reason));
                    assert_eq!(view.revision_by_digest(*digest).await.unwrap().as_ref(), Some(&found));
                    let target = revision.route.targets()[0].clone();
                    let serving = view.revisions_serving(&revision.project, &target.model, target.version).await.unwrap();
                    assert!(serving.contains(&found));
                }
                Event::EndpointCreated { project, endpoint, ordinal } => {
                    let found = view.endpoint(endpoint).await.unwrap().unwrap();
                    assert_eq!((&found.project, found.ordinal, found.created.seq), (project, *ordinal, seq));
                    assert_eq!(view.endpoint_by_ordinal(*ordinal).await.unwrap(), Some(found.clone()));
                    assert!(view.endpoints(project).await.unwrap().contains(&found));
                }
                Event::SegmentSealed(sealed) => {
                    let found = view.log_part(sealed.segment, sealed.ordinal, sealed.last_row).await.unwrap().unwrap();
                    assert_eq!((&found.part, found.sealed.seq), (sealed, seq));
                    assert!(view.log_part(sealed.segment, sealed.ordinal, sealed.last_row + 1).await.unwrap().is_none());
                    assert!(view.log_parts(&sealed.endpoint).await.unwrap().contains(&found));
                }
                Event::ModelCreated { project, model } => {
                    assert_eq!(view.model(project, model).await.unwrap().unwrap().created.seq, seq);
                    assert!(view.models(project).await.unwrap().iter().any(|one| one.model == *model));
                }
                Event::HomeCreated { home } => assert_eq!(view.home().await.unwrap(), Some(*home)),
                _ => seen -= 1,
            }
        }
        assert!(seen > 20, "{seen}");
        let policies: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::PolicySet { project, model, policy } => Some((project, model, policy)),
                _ => None,
            })
            .collect();
        for (project, model, _) in &policies {
            let last = policies.iter().rev().find(|(p, m, _)| (p, m) == (project, model)).unwrap().2;
            assert_eq!(view.policy(project, model).await.unwrap().unwrap().policy, *last);
        }
    }

    async fn a_snapshot_stands_still(world) {
        let ledger = world.open().await;
        commit(&ledger, vec![project_created(1)]).await.unwrap();
        let mut snapshot = ledger.read_snapshot().await.unwrap();
        assert_eq!(snapshot.projects().await.unwrap().len(), 1);
        commit(&ledger, vec![project_created(2)]).await.unwrap();
        assert_eq!(snapshot.projects().await.unwrap().len(), 1);
        snapshot.end().await.unwrap();
        // one that was only dropped, as when a caller goes away, leaves no old state behind
        for number in 3..20 {
            let mut dropped = ledger.read_snapshot().await.unwrap();
            assert_eq!(dropped.projects().await.unwrap().len(), number - 1);
            drop(dropped);
            commit(&ledger, vec![project_created(number as u32)]).await.unwrap();
            assert_eq!(ledger.read().await.unwrap().projects().await.unwrap().len(), number);
        }
    }

    async fn one_revision_of_an_endpoint_answers(world) {
        let ledger = world.open().await;
        let mut story = Story::default();
        for step in [0, 5, 7, 12] {
            commit(&ledger, story.next(step, 0).into_iter().collect()).await.unwrap();
        }
        assert!(ledger.read().await.unwrap().current_revisions().await.unwrap().is_empty());
        for _ in 0..3 {
            commit(&ledger, story.next(13, 0).into_iter().collect()).await.unwrap();
        }
        let mut view = ledger.read().await.unwrap();
        let endpoint = name("endpoint-1");
        let numbers = |found: Vec<stemma_ledger::DeployedRevision>| -> Vec<u32> {
            found.into_iter().map(|one| one.revision.number).collect()
        };
        assert_eq!(numbers(view.revisions(&endpoint).await.unwrap()), [1, 2, 3]);
        assert_eq!(numbers(view.current_revisions().await.unwrap()), [3]);
        assert_eq!(view.endpoint(&endpoint).await.unwrap().unwrap().revisions, 3);
        assert_eq!(view.next_endpoint_ordinal().await.unwrap(), Some(2));
        let mut then = ledger.read_at(6).await.unwrap();
        assert_eq!(numbers(then.revisions(&endpoint).await.unwrap()), [1, 2]);
        assert_eq!(numbers(then.current_revisions().await.unwrap()), [2]);
        assert_eq!(then.endpoint(&endpoint).await.unwrap().unwrap().revisions, 2);
    }

    async fn the_newest_version_of_each_dataset_is_listed(world) {
        let ledger = world.open().await;
        let mut story = Story::default();
        commit(&ledger, story.next(0, 0).into_iter().collect()).await.unwrap();
        for pick in [0, 3, 1, 6] {
            commit(&ledger, story.next(4, pick).into_iter().collect()).await.unwrap();
        }
        let project = name("project-0");
        let mut view = ledger.read().await.unwrap();
        let listed: Vec<_> =
            view.datasets(&project).await.unwrap().into_iter().map(|one| (one.version.dataset.to_string(), one.version.number)).collect();
        assert_eq!(listed, [("data-1".to_owned(), 1), ("data-0".to_owned(), 3)]);
        let newest = view.newest_dataset_version(&project, &name("data-0")).await.unwrap().unwrap();
        assert_eq!((newest.version.number, newest.version.digest), (3, digest(6)));
        let mut then = ledger.read_at(3).await.unwrap();
        assert_eq!(then.datasets(&project).await.unwrap()[0].version.number, 2);
        assert_eq!(then.newest_dataset_version(&project, &name("data-0")).await.unwrap().unwrap().version.number, 2);
        assert!(view.dataset_versions(&name("other"), &name("data-0")).await.unwrap().is_empty());
    }

    async fn rights_follow_grants_and_revocations(world) {
        let ledger = world.open().await;
        let ada: stemma_core::name::PrincipalName = name("ada@example.org");
        let granted = |project: Option<&str>| Event::RoleGranted {
            principal: ada.clone(),
            project: project.map(name),
            role: Role::Owner,
        };
        let revoked = Event::RoleRevoked { principal: ada.clone(), project: None, role: Role::Owner };
        commit(&ledger, vec![Event::PrincipalAdded { principal: ada.clone() }]).await.unwrap();
        commit(&ledger, vec![granted(None), granted(Some("p1"))]).await.unwrap();
        // a role can be held once
        assert!(commit(&ledger, vec![granted(None)]).await.is_err());
        commit(&ledger, vec![revoked.clone()]).await.unwrap();
        assert!(commit(&ledger, vec![revoked]).await.is_err());
        let mut view = ledger.read().await.unwrap();
        let grants = view.grants(&ada).await.unwrap();
        assert_eq!(grants.len(), 1);
        assert_eq!((grants[0].project.clone(), grants[0].granted.seq), (Some(name("p1")), 3));
        assert_eq!(view.principals().await.unwrap()[0].grants, grants);
        assert_eq!(ledger.read_at(3).await.unwrap().grants(&ada).await.unwrap().len(), 2);
        // and be granted again
        commit(&ledger, vec![granted(None)]).await.unwrap();
        assert_eq!(view.grants(&ada).await.unwrap().len(), 2);
    }

    async fn tokens_end_by_time_and_by_revocation(world) {
        let ledger = world.open().await;
        let now = world.clock.now();
        let token = stemma_core::id::TokenId::generate();
        let principal: stemma_core::name::PrincipalName = name("ada@example.org");
        let issued = Event::TokenIssued {
            token,
            principal: principal.clone(),
            label: "laptop".to_owned(),
            expires: Some(stemma_core::Timestamp(now.micros() + 10)),
        };
        let granted = Event::RoleGranted { principal: principal.clone(), project: None, role: Role::Approver };
        ledger
            .commit(&ada(), stemma_core::id::RequestId::generate(), move |tx| {
                tx.put_token_hash(token, [9; 32]);
                Box::pin(async move { Ok((vec![issued, granted], ())) })
            })
            .await
            .unwrap();
        let mut view = ledger.read().await.unwrap();
        assert_eq!(view.principal_of_token([9; 32], now).await.unwrap(), Some(principal.clone()));
        let later = stemma_core::Timestamp(now.micros() + 10);
        assert_eq!(view.principal_of_token([9; 32], later).await.unwrap(), None);
        let holders = view.all_tokens_with_roles().await.unwrap();
        assert_eq!((holders[0].hash, &holders[0].principal, holders[0].grants.len()), ([9; 32], &principal, 1));

        commit(&ledger, vec![Event::TokenRevoked { token }]).await.unwrap();
        assert_eq!(view.principal_of_token([9; 32], now).await.unwrap(), None);
        assert!(view.all_tokens_with_roles().await.unwrap().is_empty());
        assert!(ledger.verify().await.unwrap().passed());
    }

    async fn events_come_in_pages_and_by_filter(world) {
        let ledger = world.open().await;
        commit(&ledger, (0..30).map(project_created).collect()).await.unwrap();
        world.clock.advance_micros(1_000_000);
        commit(&ledger, vec![Event::PrincipalAdded { principal: name("eve") }]).await.unwrap();
        let seqs = |rows: Vec<stemma_ledger::EventRow>| -> Vec<u64> { rows.into_iter().map(|row| row.seq).collect() };
        assert_eq!(seqs(ledger.events(28, 2).await.unwrap()), [29, 30]);
        assert_eq!(seqs(ledger.events(30, 1000).await.unwrap()), [31]);
        let mut view = ledger.read().await.unwrap();
        let of = |kind: Option<&str>, subject: Option<&str>, project: Option<&str>| EventFilter {
            kind: kind.map(str::to_owned),
            subject: subject.map(str::to_owned),
            project: project.map(name),
        };
        assert_eq!(seqs(view.events(0, 10, &of(Some("principal_added"), None, None)).await.unwrap()), [31]);
        assert_eq!(seqs(view.events(0, 10, &of(None, Some("p7"), None)).await.unwrap()), [8]);
        assert_eq!(seqs(view.events(0, 10, &of(None, None, Some("p7"))).await.unwrap()), [8]);
        assert!(view.events(0, 10, &of(Some("principal_added"), None, Some("p7"))).await.unwrap().is_empty());
        let row = view.event(31).await.unwrap().unwrap();
        assert_eq!((row.kind.as_str(), row.subject.as_str(), row.project.clone()), ("principal_added", "eve", None));
        assert!(view.event(32).await.unwrap().is_none());
        assert_eq!(view.seq_at(world.clock.now()).await.unwrap(), 31);
        assert_eq!(view.seq_at(stemma_core::Timestamp(world.clock.now().micros() - 1)).await.unwrap(), 30);
        assert_eq!(view.seq_at(stemma_core::Timestamp(0)).await.unwrap(), 0);
        assert!(ledger.read_at(5).await.unwrap().event(6).await.unwrap().is_none());
    }
}
