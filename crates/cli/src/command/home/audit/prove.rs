use clap::Args;
use serde::Serialize;
use stemma_api::types::InclusionProof;
use stemma_core::{
    ErrorKind, Problem,
    history::{SignedHead, proof::ProofError},
};

use crate::{global::Global, print::Output, session};

/// Prove that an event is in the history, for somebody who has only this proof and the home's public key
///
/// Prints a JSON document: the event as it is hashed, its path to the newest signed head, and that head. It holds what
/// the event says. `examples/verify-proof` verifies it without Stemma.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The event's number, as `stemma audit events` has it
    #[arg(value_name = "EVENT")]
    event: u64,
}

pub async fn run(args: ProveArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let proof = session::with(global, async |session| session.client.prove_event(args.event).await).await?;
    let head = proof.check().map_err(unproved)?;
    output.result(&proof, || document(&proof));
    let InclusionProof { event, .. } = &proof;
    output.note(format!("event {} is one of {}", event.seq, signed_by(&head)));
    Ok(())
}

/// The document as it is handed on.
pub(super) fn document(proof: &impl Serialize) -> String {
    serde_json::to_string_pretty(proof).expect("a proof is texts and numbers")
}

pub(super) fn signed_by(head: &SignedHead) -> String {
    format!("the {} events that the key {} has signed", head.size(), head.key())
}

/// A home that can't prove what it says must not seem to.
pub(super) fn unproved(error: ProofError) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("the home's proof proves nothing: {error}"))
        .hint("`stemma audit verify` says what was altered")
}
