//! Arbitrary records: everything that the format can say.

use proptest::prelude::*;
use serde_json::{Value, json};
use stemma_core::{
    Digest, Timestamp,
    endpoint::{
        prediction::{
            ArmTaken, Chosen, Draw, FailureKind, GivenBy, Hex, LoggedTensor, NodeEnding, NodeRecord, Outcome,
            OverrideEffect, OverrideRecord, PredictionRecord, RefusalKind, Reported, Trace,
        },
        target::{Identity, StepKind},
    },
    signature::Datatype,
};

use crate::support::record;

fn any_json_data() -> impl Strategy<Value = (Datatype, Value)> {
    let special = prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| json!(x)),
        Just(json!("NaN")),
        Just(json!("Infinity")),
        Just(json!("-Infinity")),
    ];
    prop_oneof![
        prop::collection::vec(special, 0..5).prop_map(|data| (Datatype::Fp64, json!(data))),
        prop::collection::vec(any::<u64>(), 0..5).prop_map(|data| (Datatype::Uint64, json!(data))),
        prop::collection::vec(any::<i64>(), 0..5).prop_map(|data| (Datatype::Int64, json!(data))),
        prop::collection::vec(any::<String>(), 0..5).prop_map(|data| (Datatype::Bytes, json!(data))),
        prop::collection::vec(any::<bool>(), 0..5).prop_map(|data| (Datatype::Bool, json!(data))),
    ]
}

fn any_tensors() -> impl Strategy<Value = Vec<LoggedTensor>> {
    let tensor = (any::<String>(), any_json_data()).prop_map(|(name, (datatype, data))| LoggedTensor {
        name,
        datatype,
        shape: vec![data.as_array().unwrap().len()],
        data,
    });
    prop::collection::vec(tensor, 0..4)
}

fn any_identity() -> impl Strategy<Value = Identity> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|digest| Identity::Digest(Digest::from_bytes(digest))),
        any::<String>().prop_map(Identity::External),
    ]
}

fn any_kind() -> impl Strategy<Value = StepKind> {
    use StepKind::{External, Feature, Model, Process, Remote};
    prop::sample::select(vec![Model, Feature, Process, Remote, External])
}

fn any_ending() -> impl Strategy<Value = Option<NodeEnding>> {
    use NodeEnding::{Answered, Failed, Skipped, TimedOut};
    prop::option::of(prop::sample::select(vec![Answered, Failed, TimedOut, Skipped]))
}

prop_compose! {
    fn any_node()(
        (node, is_version) in any::<(String, bool)>(),
        (kind, what, ended) in (any_kind(), any_identity(), any_ending()),
        (began_us, latency_us) in any::<(Option<u64>, u64)>(),
        outputs in any_tensors(),
    ) -> NodeRecord {
        let model = is_version.then(|| "Modell Ü".parse().unwrap());
        let version = is_version.then(|| "12.0.7".parse().unwrap());
        NodeRecord { node, kind, what, model, version, began_us, latency_us, ended, outputs }
    }
}

prop_compose! {
    fn any_draw()(
        (unit, by_caller) in any::<(String, bool)>(),
        (salt, partition, allocation) in any::<(Option<String>, Option<String>, Option<u64>)>(),
        bucket in prop::option::of(0..1u64 << 53),
    ) -> Draw {
        let given_by = if by_caller { GivenBy::Caller } else { GivenBy::Gateway };
        Draw { unit, given_by, salt, bucket, partition, allocation }
    }
}

fn any_arm() -> impl Strategy<Value = ArmTaken> {
    let chosen = prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|propensity| Chosen::Drawn { propensity }),
        any::<String>().prop_map(|by| Chosen::Forced { by }),
        any::<(String, String)>().prop_map(|(from, because)| Chosen::Fallback { from, because }),
    ];
    (any::<String>(), chosen).prop_map(|(name, chosen)| ArmTaken { name, chosen })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let failure = prop::option::of(prop::sample::select(FailureKind::ALL));
    let refusal = prop::sample::select(RefusalKind::ALL);
    prop_oneof![
        Just(Outcome::Answered),
        (failure, any::<String>()).prop_map(|(kind, message)| Outcome::Failed { kind, message }),
        (refusal, any::<String>()).prop_map(|(kind, message)| Outcome::Refused { kind, message }),
    ]
}

fn any_trace() -> impl Strategy<Value = Trace> {
    any::<([u8; 16], [u8; 8], u8)>().prop_map(|(trace_id, parent_id, flags)| Trace {
        trace_id: Hex::from_bytes(trace_id),
        parent_id: Hex::from_bytes(parent_id),
        flags,
    })
}

fn any_override() -> impl Strategy<Value = OverrideRecord> {
    let before = prop::collection::vec((any::<u64>(), -1e300..1e300f64), 0..3);
    let bounded = (any::<String>(), any::<u64>(), before);
    let bounded = bounded.prop_map(|(output, count, before)| OverrideEffect::Bounded { output, count, before });
    let expired = any::<i64>().prop_map(|since| OverrideEffect::Expired { since: Timestamp(since) });
    (any::<String>(), prop_oneof![bounded, expired]).prop_map(|(name, effect)| OverrideRecord { name, effect })
}

prop_compose! {
    fn any_report()(
        (id, source) in any::<(String, Option<String>)>(),
        micros in 0i64..200_000_000_000_000_000,
    ) -> Reported {
        Reported { id, source, time: Timestamp(micros) }
    }
}

prop_compose! {
    pub fn any_record()(
        micros in -60_000_000_000_000_000i64..200_000_000_000_000_000,
        (revision, digest, latency_us) in any::<(u32, [u8; 32], u64)>(),
        (request_id, subject) in any::<(Option<String>, Option<String>)>(),
        trace in prop::option::of(any_trace()),
        draw in prop::option::of(any_draw()),
        arm in prop::option::of(any_arm()),
        outcome in any_outcome(),
        (inputs, outputs) in (any_tensors(), any_tensors()),
        nodes in prop::collection::vec(any_node(), 0..3),
        overrides in prop::collection::vec(any_override(), 0..3),
        reported in prop::option::of(any_report()),
    ) -> PredictionRecord {
        PredictionRecord {
            time: Timestamp(micros),
            revision,
            revision_digest: Digest::from_bytes(digest),
            request_id,
            trace,
            subject,
            draw,
            arm,
            outcome,
            inputs,
            outputs,
            nodes,
            overrides,
            latency_us,
            reported,
            ..record("Ändpoint", 0)
        }
    }
}
