//! The heads of other homes, kept as a witness keeps them: of each home the newest, which only what continues it follows.

use stemma_api::types::{History, WitnessedHead};
use stemma_core::{
    ErrorKind, Problem,
    history::{Heads, KeyPurpose, KeySuccession, SeenHead, SigningKey, VerifierKey, compare, cosigner_name},
    id::HomeId,
};

use crate::Engine;

/// Longest way from the key that a witness was told to the one that signs now; each step is a signature to check.
const SUCCESSIONS_MAX: usize = 64;

impl Engine {
    /// The key that co-signs the heads of others; it is made when it is first asked for.
    pub fn witness_key(&self) -> Result<SigningKey, Problem> {
        let secret = self.known().layout().witness_key()?;
        Ok(SigningKey::new(&cosigner_name(self.known().home_id()), KeyPurpose::Cosignature, &secret))
    }

    /// Keeps another home's head if it continues the one that is kept, and says which is kept then. `homes` are the keys of
    /// those that are witnessed at all: of nobody else anything is kept.
    pub fn keep_head_of(&self, homes: &[VerifierKey], offered: History) -> Result<WitnessedHead, Problem> {
        check_is_witnessed(homes, &offered)?;
        let today = offered.today();
        let offered = SeenHead { seen: self.known().now(), ..offered.head };
        let _turn = self.witnessing();
        let mut heads = self.witnessed_heads()?;
        let kept = heads.newest_of(offered.home).cloned();
        let continues = compare(kept.as_slice(), &today).is_ok();
        let kept = match kept {
            Some(kept) if !continues => kept,
            _ => {
                heads.replace(offered.home, [offered.clone()]);
                self.known().layout().write_witnessed(&heads.render())?;
                offered
            }
        };
        Ok(WitnessedHead::new(&kept, &self.witness_key()?))
    }

    /// The head of another home that is kept here.
    pub fn kept_head_of(&self, home: HomeId) -> Result<WitnessedHead, Problem> {
        let heads = self.witnessed_heads()?;
        let kept = heads.newest_of(home);
        let kept = kept.ok_or_else(|| Problem::not_found(format!("no head of the home {home} is kept here")))?;
        Ok(WitnessedHead::new(kept, &self.witness_key()?))
    }

    fn witnessed_heads(&self) -> Result<Heads, Problem> {
        let path = self.known().layout().witnessed();
        let damaged = |why: String| {
            Problem::new(ErrorKind::Corrupt, format!("`{}` is damaged: {why}", path.display()))
                .hint("bring it back from a backup; it tells how far the homes were that this one witnesses")
        };
        let text = self.known().layout().read_witnessed()?;
        let (heads, faults) = Heads::parse(&text).map_err(|error| damaged(error.to_string()))?;
        match faults.first() {
            Some(fault) => Err(damaged(format!("line {}: {}", fault.line, fault.reason))),
            None => Ok(heads),
        }
    }
}

/// Whoever can sign as a home may speak for it; nobody need show who they are besides.
fn check_is_witnessed(homes: &[VerifierKey], offered: &History) -> Result<(), Problem> {
    if offered.successions.len() > SUCCESSIONS_MAX {
        return Err(Problem::invalid(format!("more than {SUCCESSIONS_MAX} keys followed each other")));
    }
    let signer = offered.head.signed.key();
    let is_known =
        |key: &VerifierKey| key.name() == signer.name() && KeySuccession::lead(&offered.successions, key, signer);
    if homes.iter().any(is_known) {
        return Ok(());
    }
    Err(Problem::new(ErrorKind::Forbidden, format!("this server is no witness of `{}` with this key", signer.name()))
        .hint("whoever runs it names the home's key: `stemma serve --witness-of KEY`"))
}
