use clap::Args;
use stemma_api::types::Lengths;
use stemma_core::Problem;

use super::prove::{document, signed_by, unproved};
use crate::{global::Global, print::Output, session};

/// Prove that the first A events are a beginning of the first B ones: that nothing of them was changed since
///
/// Prints a JSON document with both roots and the newest signed head, of which both are beginnings. Whoever has noted the
/// root of A compares it. `examples/verify-proof` verifies it without Stemma.
#[derive(Debug, Args)]
pub struct ConsistencyArgs {
    /// Events of the shorter history
    #[arg(value_name = "A")]
    first: u64,
    /// Events of the longer one; all unless given
    #[arg(value_name = "B")]
    second: Option<u64>,
}

pub async fn run(args: ConsistencyArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let lengths = Lengths { first: args.first, second: args.second };
    let proof = session::with(global, async |session| session.client.prove_beginning(&lengths).await).await?;
    let head = proof.check().map_err(unproved)?;
    output.result(&proof, || document(&proof));
    let (first, second) = (proof.first.size, proof.second.size);
    output.note(format!("{first} events are a beginning of {second}, and these of {}", signed_by(&head)));
    Ok(())
}
