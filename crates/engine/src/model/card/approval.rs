//! Whether a card is still the one that was approved.

use stemma_api::types::{Approval, ApprovedCard, CardApproval, ModelVersion};
use stemma_core::{
    Digest,
    card::{CardBody, differences::differences},
};

use crate::Known;

/// Longest card that is read.
const CARD_BYTES_MAX: u64 = 16 << 20;

/// Approvals, each with what became of the card that it names.
pub async fn how_approved(
    known: &Known,
    version: &ModelVersion,
    approvals: &[Approval],
    (digest, body): (Digest, &CardBody),
) -> Vec<CardApproval> {
    let mut told = Vec::with_capacity(approvals.len());
    for one in approvals {
        let card = match one.card.filter(|_| one.subject == version.digest) {
            None => ApprovedCard::None,
            Some(approved) if approved == digest => ApprovedCard::Unchanged { digest },
            Some(approved) => changed(known, approved, body).await,
        };
        let Approval { approval, stage, reason, approved, .. } = one.clone();
        told.push(CardApproval { approval, stage, reason, approved, card });
    }
    told
}

async fn changed(known: &Known, digest: Digest, body: &CardBody) -> ApprovedCard {
    let then = match known.read_content(digest, CARD_BYTES_MAX).await {
        Ok(bytes) => serde_json::from_slice::<CardBody>(&bytes).map_err(|error| error.to_string()),
        Err(problem) => Err(problem.message),
    };
    match then {
        Ok(then) => match differences(&then, body) {
            // a member that this program does not know
            parts if parts.is_empty() => {
                ApprovedCard::Unreadable { digest, why: "it says what this program does not know".to_owned() }
            }
            parts => ApprovedCard::Changed { digest, parts },
        },
        Err(why) => ApprovedCard::Unreadable { digest, why },
    }
}
