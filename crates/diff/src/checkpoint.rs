//! Two checkpoints, tensor by tensor. A checkpoint may be several files (shards); tensors are matched by name, wherever
//! they lie.

use std::{collections::BTreeMap, io};

use serde::Serialize;
use stemma_format::{Outline, Part, ReadAt, TensorType};

use crate::tensor::{Difference, TensorBytes, are_equal, differ};

/// What changed between two checkpoints.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Checkpoints {
    pub added: Vec<Named>,
    pub removed: Vec<Named>,
    /// Of another shape or element type than before.
    pub retyped: Vec<Retyped>,
    pub changed: Vec<TensorChange>,
    pub unchanged: u64,
}

impl Checkpoints {
    pub fn is_same(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.retyped.is_empty() && self.changed.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    pub name: String,
    /// `None` for what is no plain array: quantised tensors, metadata.
    #[serde(rename = "type")]
    pub tensor: Option<String>,
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retyped {
    pub name: String,
    pub before: String,
    pub after: String,
    /// Set if the shape is the same.
    pub difference: Option<Difference>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorChange {
    pub name: String,
    #[serde(rename = "type")]
    pub tensor: Option<String>,
    /// `None` for what is no plain array: it is only known that its bytes differ.
    pub difference: Option<Difference>,
}

struct TensorPart<'a> {
    source: &'a dyn ReadAt,
    part: &'a Part,
}

impl TensorPart<'_> {
    fn named(&self) -> Named {
        Named {
            name: self.part.name.to_string(),
            tensor: self.part.tensor.as_ref().map(describe),
            bytes: self.part.len,
        }
    }

    fn bytes(&self) -> TensorBytes<'_> {
        TensorBytes::of(self.source, self.part)
    }
}

/// Compares all files of one side with all files of the other. `progress` is told the bytes that are done with.
pub fn diff_checkpoints(
    before: &[(&dyn ReadAt, &Outline)],
    after: &[(&dyn ReadAt, &Outline)],
    mut progress: impl FnMut(u64),
) -> io::Result<Checkpoints> {
    let mut old = by_name(before);
    let mut found = Checkpoints::default();
    for ((name, number), new) in by_name(after) {
        let Some(old) = old.remove(&(name, number)) else {
            found.added.push(new.named());
            continue;
        };
        compare(&old, &new, &mut found)?;
        progress(new.part.len);
    }
    found.removed = old.values().map(TensorPart::named).collect();
    Ok(found)
}

/// By name, and if there are several of a name, by their order.
fn by_name<'a>(side: &[(&'a dyn ReadAt, &'a Outline)]) -> BTreeMap<(&'a str, usize), TensorPart<'a>> {
    let mut found = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (source, outline) in side {
        for part in &outline.parts {
            let count = counts.entry(&part.name).or_default();
            found.insert((&*part.name, *count), TensorPart { source: *source, part });
            *count += 1;
        }
    }
    found
}

fn compare(old: &TensorPart<'_>, new: &TensorPart<'_>, found: &mut Checkpoints) -> io::Result<()> {
    let name = new.part.name.to_string();
    match (&old.part.tensor, &new.part.tensor) {
        (Some(before), Some(after)) if before == after => {
            if are_equal(old.bytes(), new.bytes())? {
                found.unchanged += 1;
                return Ok(());
            }
            let difference = Some(difference(old, before, new, after)?);
            found.changed.push(TensorChange { name, tensor: Some(describe(after)), difference });
        }
        (None, None) => match are_equal(old.bytes(), new.bytes())? {
            true => found.unchanged += 1,
            false => found.changed.push(TensorChange { name, tensor: None, difference: None }),
        },
        (before, after) => {
            let pair = before.as_ref().zip(after.as_ref()).filter(|(before, after)| before.shape == after.shape);
            let difference = pair.map(|(before, after)| difference(old, before, new, after)).transpose()?;
            let describe = |side: &Option<TensorType>| side.as_ref().map_or("not a plain array".to_owned(), describe);
            found.retyped.push(Retyped { name, before: describe(before), after: describe(after), difference });
        }
    }
    Ok(())
}

fn difference(
    old: &TensorPart<'_>,
    before: &TensorType,
    new: &TensorPart<'_>,
    after: &TensorType,
) -> io::Result<Difference> {
    let elements = new.part.len / after.dtype.width() as u64;
    differ((old.source, old.part.start, before.dtype), (new.source, new.part.start, after.dtype), elements)
}

/// As in `f32[128, 64]`
fn describe(tensor: &TensorType) -> String {
    format!("{}{:?}", tensor.dtype, tensor.shape)
}
