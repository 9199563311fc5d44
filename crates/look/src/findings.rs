//! What comes together while content is looked at.

use stemma_core::look::{Look, ModelFormat};

use crate::{
    fault::Fault,
    pickle::{Scanned, is_harmless, is_refused},
};

#[derive(Debug)]
pub(crate) struct Findings {
    pub format: ModelFormat,
    pub runs: Vec<String>,
    pub unseen: Vec<String>,
}

impl Findings {
    pub fn of(format: ModelFormat) -> Self {
        Self { format, runs: Vec::new(), unseen: Vec::new() }
    }

    /// Nothing is known of it.
    pub fn opaque(why: impl Into<String>) -> Self {
        Self { unseen: vec![why.into()], ..Self::of(ModelFormat::Opaque) }
    }

    /// Takes in what a pickle would import. `place` is the pickle in a sentence, if it is not the file itself.
    pub fn pickle(&mut self, scanned: &Scanned, place: Option<&str>) -> Result<(), Fault> {
        if let Some(import) = scanned.imports.iter().find(|import| is_refused(import)) {
            let place = place.map_or_else(|| "it".to_owned(), |place| format!("`{place}` in it"));
            return Err(Fault::Dangerous { place, import: import.clone() });
        }
        let prefix = place.map(|place| format!("`{place}` ")).unwrap_or_default();
        let telling = scanned.imports.iter().filter(|import| !is_harmless(import));
        self.runs.extend(telling.map(|import| format!("{prefix}imports `{import}`")));
        let lost = |why: &String| format!("{prefix}could not be followed to its end: {why}");
        let lost_here = |why: &String| format!("the pickle could not be followed to its end: {why}");
        self.unseen.extend(scanned.lost.iter().map(|why| if place.is_some() { lost(why) } else { lost_here(why) }));
        Ok(())
    }

    /// Takes in what a file of a folder is.
    pub fn file(&mut self, path: &str, inner: Self) {
        let within = |line: &String| format!("`{path}`: {line}");
        self.runs.extend(inner.runs.iter().map(within));
        self.unseen.extend(inner.unseen.iter().map(within));
    }

    pub fn look(self) -> Look {
        Look::new(self.format, self.runs, self.unseen)
    }
}
