//! What a witness says of another home's history: the newest head that it keeps, with its own signature below.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Timestamp,
    history::{Cosignature, SeenHead, SignedHead, SigningKey, VerifierKey},
};

/// `POST /api/v1/witness/heads` and `GET /api/v1/witness/heads/{home}` answer with this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WitnessedHead {
    /// The head that is kept, as its home signed it, and the witness's cosignature (C2SP `tlog-cosignature`). Its time is
    /// when the home last showed that it has this head.
    pub note: String,
    /// The key that the home signed with.
    pub key: VerifierKey,
    /// The key of the witness.
    pub witness: VerifierKey,
}

impl WitnessedHead {
    /// Signs what is kept.
    pub fn new(kept: &SeenHead, witness: &SigningKey) -> Self {
        let seconds = kept.seen.micros().max(0).unsigned_abs() / 1_000_000;
        let cosignature = witness.cosign(kept.signed.head(), seconds);
        Self {
            note: format!("{}{}", kept.signed.note(), cosignature.line()),
            key: kept.signed.key().clone(),
            witness: witness.verifier().clone(),
        }
    }

    /// The head, if this witness has signed it; what can't be believed is told in words.
    pub fn read(&self, witness: &VerifierKey) -> Result<SeenHead, String> {
        let (_, cosignature) = Cosignature::open(&self.note, witness).map_err(|error| error.to_string())?;
        let signed = SignedHead::open(&self.note, &self.key).map_err(|error| error.to_string())?;
        let micros = cosignature.seconds().saturating_mul(1_000_000);
        let seen = Timestamp(i64::try_from(micros).map_err(|_| "its time is none".to_owned())?);
        SeenHead::new(signed, seen).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::{
        history::{KeyPurpose, cosigner_name, origin},
        id::HomeId,
    };

    use super::*;

    #[test]
    fn what_a_witness_keeps_is_believed_with_its_key_only() {
        let home = SigningKey::new(&origin(HomeId::from_u128(7)), KeyPurpose::Head, &[1; 32]);
        let witness =
            |secret| SigningKey::new(&cosigner_name(HomeId::from_u128(8)), KeyPurpose::Cosignature, &[secret; 32]);
        let kept = SeenHead::new(home.sign(9, [3; 32]), Timestamp(5_000_000)).unwrap();
        let said = WitnessedHead::new(&kept, &witness(2));
        assert_eq!(said.read(witness(2).verifier()).unwrap(), kept);
        assert!(said.read(witness(3).verifier()).is_err());
        let moved = WitnessedHead { note: said.note.replace("\n9\n", "\n8\n"), ..said.clone() };
        assert!(moved.read(witness(2).verifier()).is_err());
        let another = SigningKey::new(&origin(HomeId::from_u128(7)), KeyPurpose::Head, &[4; 32]);
        assert!(WitnessedHead { key: another.verifier().clone(), ..said }.read(witness(2).verifier()).is_err());
    }
}
