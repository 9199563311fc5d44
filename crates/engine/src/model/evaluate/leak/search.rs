//! Rows of the evaluation data in one table.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use stemma_table::{Cell, Form, Format, Header, Rows, Sameness, Source, TableError, is_single};

use super::{
    columns::{Lens, Pairs, differences_max, pairs},
    labels::Carrier,
    mixed::{KnownBy, Sums},
    wanted::{Wanted, are_many, hash},
};

/// Rows of the data that one row of an input is taken for.
const ALIKE_MAX: usize = 1_000;
/// Places that are kept of rows without what is to be predicted.
const UNLABELLED_MAX: usize = 4_000_000;

/// What a table holds of the data.
pub struct Found {
    pub format: Format,
    pub rows: u64,
    leaky: Vec<bool>,
    /// Rows without what is to be predicted: where they stand, and which they are.
    pub unlabelled: Vec<(u64, usize)>,
    /// What could not be settled by reading it as a table.
    doubt: Option<&'static str>,
}

impl Found {
    pub fn mark(&self, leaky: &mut [bool]) {
        leaky.iter_mut().zip(&self.leaky).for_each(|(any, this)| *any |= this);
    }

    pub fn leaky_count(&self) -> u64 {
        self.leaky.iter().filter(|leaky| **leaky).count() as u64
    }

    pub fn unlabelled_count(&self) -> u64 {
        self.unlabelled.iter().map(|(_, row)| *row).collect::<HashSet<_>>().len() as u64
    }

    /// Whether what was not found is not there.
    pub fn is_certain(&self) -> bool {
        self.doubt.is_none() || self.leaky.contains(&true)
    }

    pub fn doubt(&self) -> String {
        self.doubt.unwrap_or_default().to_owned()
    }
}

/// Reads a table to its end, a batch at a time.
pub fn search(source: &Source, wanted: &Wanted) -> Result<Found, TableError> {
    let mut rows = Rows::open(source, Header::Guessed)?;
    let columns = rows.schema.fields().len();
    let mut way = Way::of(wanted, &rows);
    let (mut count, mut hits) = (0, Hits::default());
    while let Some(batch) = rows.next_batch()? {
        for row in 0..batch.num_rows() {
            way.look(&batch, row, count, wanted, &mut hits);
            count += 1;
        }
    }
    let is_text = matches!(rows.format.form, Form::Text { .. });
    let narrow = is_text && columns + differences_max(wanted.table.columns.len()) + 1 < wanted.table.columns.len();
    let doubt = match () {
        () if hits.has_oversized => Some("it holds lists that are longer than a row"),
        // another reading of the text could have more columns
        () if narrow => Some("it is a text that may be read in more than one way"),
        () => way.doubt(columns),
    };
    let names_target = way.names_target();
    let (leaky, unlabelled) = hits.settle(count, wanted, names_target);
    Ok(Found { format: rows.format, rows: count, leaky, unlabelled, doubt })
}

/// How rows were known: one that differs in some column may be another one, unless many differ in just this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Evidence {
    Exact,
    WholeWithout(usize),
    FeaturesWithout(usize),
    /// By values alone, without one of them.
    ValuesWithoutOne,
}

/// What was seen by one kind of evidence.
struct Seen {
    /// Rows of the input.
    count: u64,
    leaky: Vec<bool>,
    unlabelled: Vec<(u64, usize)>,
    /// Columns that are no values of the rows, by their place.
    carriers: HashMap<usize, Carrier>,
}

#[derive(Default)]
struct Hits {
    seen: HashMap<Evidence, Seen>,
    unlabelled_count: usize,
    has_oversized: bool,
}

/// How rows are recognised, which the names of the columns decide.
enum Way {
    /// The target is among the columns that both have, or nearly all others are.
    Names { whole: Option<Lens>, features: Option<Features> },
    /// Too few have the same name.
    Values(Sums),
}

impl Way {
    fn of(wanted: &Wanted, rows: &Rows) -> Self {
        let pairs = pairs(wanted, &rows.schema);
        let features = wanted.table.columns.len() - 1;
        let target = pairs.iter().find(|(mine, ..)| *mine == wanted.target).map(|(_, theirs, _)| *theirs);
        let whole = (target.is_some() && pairs.len() > 1).then(|| Lens::new(wanted, &pairs));
        let others: Pairs = pairs.into_iter().filter(|(mine, ..)| *mine != wanted.target).collect();
        let are_nearly_all = !others.is_empty() && others.len() + differences_max(features) >= features;
        // where a column has the target's name, no other one speaks for it
        let carriers = match target {
            Some(column) => vec![column],
            None => {
                (0..rows.schema.fields().len()).filter(|column| !others.iter().any(|pair| pair.1 == *column)).collect()
            }
        };
        let features = are_nearly_all.then(|| Features { lens: Lens::new(wanted, &others), carriers });
        if whole.is_some() || features.is_some() {
            return Self::Names { whole, features };
        }
        let has_singles = rows.schema.fields().iter().any(|field| is_single(field.data_type()));
        let sameness = if has_singles { Sameness::Single } else { Sameness::Rounded };
        Self::Values(Sums::new(wanted, sameness))
    }

    fn look(&mut self, batch: &RecordBatch, row: usize, number: u64, wanted: &Wanted, hits: &mut Hits) {
        match self {
            Self::Names { whole, features } => {
                if let Some((rows, without)) = whole.as_ref().and_then(|lens| lens.like(batch, row)) {
                    hits.of(without.map_or(Evidence::Exact, Evidence::WholeWithout), wanted).mark(rows);
                }
                features.iter().for_each(|features| features.look(batch, row, number, wanted, hits));
            }
            Self::Values(sums) => hits.look_at_values(sums, batch, row, number, wanted),
        }
    }

    const fn names_target(&self) -> bool {
        matches!(self, Self::Names { whole: Some(_), .. })
    }

    /// Why values alone may not be enough.
    fn doubt(&self, columns: usize) -> Option<&'static str> {
        match self {
            Self::Values(sums) if !sums.is_telling && sums.could_hold(columns) => {
                Some("its columns have other names, and the rows are too much alike to be known by their values")
            }
            _ => None,
        }
    }
}

/// Rows without the target; other columns may say it in a code of their own, whatever they are called.
struct Features {
    lens: Lens,
    carriers: Vec<usize>,
}

impl Features {
    fn look(&self, batch: &RecordBatch, row: usize, number: u64, wanted: &Wanted, hits: &mut Hits) {
        let Some((rows, without)) = self.lens.like(batch, row) else { return };
        let evidence = without.map_or(Evidence::Exact, Evidence::FeaturesWithout);
        for mine in rows.iter().take(ALIKE_MAX) {
            hits.add_unlabelled(evidence, number, *mine, wanted);
            let target = wanted.target_of(*mine, Sameness::Rounded);
            let seen = hits.of(evidence, wanted);
            for column in &self.carriers {
                let value = hash(&Cell::at(batch.column(*column), row), Sameness::Rounded);
                seen.carriers.entry(*column).or_default().add(value, target, wanted);
            }
        }
    }
}

impl Seen {
    /// Rows that are alike are always marked together, so that one tells of all.
    fn mark(&mut self, rows: &[usize]) {
        self.count += 1;
        if rows.first().is_some_and(|first| !self.leaky[*first]) {
            rows.iter().for_each(|row| self.leaky[*row] = true);
        }
    }
}

impl Hits {
    fn of(&mut self, evidence: Evidence, wanted: &Wanted) -> &mut Seen {
        self.seen.entry(evidence).or_insert_with(|| Seen {
            count: 0,
            leaky: vec![false; wanted.row_count()],
            unlabelled: Vec::new(),
            carriers: HashMap::new(),
        })
    }

    fn add_unlabelled(&mut self, evidence: Evidence, number: u64, mine: usize, wanted: &Wanted) {
        if self.unlabelled_count < UNLABELLED_MAX {
            self.unlabelled_count += 1;
            let seen = self.of(evidence, wanted);
            seen.count += u64::from(seen.unlabelled.last().is_none_or(|(last, _)| *last != number));
            seen.unlabelled.push((number, mine));
        }
    }

    fn look_at_values(&mut self, sums: &Sums, batch: &RecordBatch, row: usize, number: u64, wanted: &Wanted) {
        let cells = sums.cells(batch, row);
        if sums.is_oversized(cells.len()) {
            self.has_oversized = true;
            return;
        }
        if !sums.is_telling || !sums.could_hold(cells.len()) {
            return;
        }
        let Some(like) = sums.like(&cells) else { return };
        let evidence = match like.known {
            KnownBy::Whole => return self.of(Evidence::Exact, wanted).mark(&like.rows),
            KnownBy::Features => Evidence::Exact,
            KnownBy::Nearly => Evidence::ValuesWithoutOne,
        };
        for mine in like.rows {
            self.add_unlabelled(evidence, number, mine, wanted);
            let target = wanted.target_of(mine, sums.sameness());
            let seen = self.of(evidence, wanted);
            for other in &like.others {
                let column = cells.iter().position(|cell| cell == other).unwrap_or_default();
                seen.carriers.entry(column).or_default().add(*other, target, wanted);
            }
        }
    }

    /// The rows that leak, and those that are there without what is to be predicted; what is alike by chance is neither.
    fn settle(self, rows: u64, wanted: &Wanted, names_target: bool) -> (Vec<bool>, Vec<(u64, usize)>) {
        let (mut leaky, mut unlabelled) = (vec![false; wanted.row_count()], Vec::new());
        for (evidence, seen) in self.seen {
            let are_many = are_many(seen.count, rows, wanted.row_count());
            if evidence != Evidence::Exact && !are_many {
                continue;
            }
            leaky.iter_mut().zip(&seen.leaky).for_each(|(any, this)| *any |= this);
            if seen.carriers.values().any(|carrier| carrier.says_target(are_many)) {
                seen.unlabelled.iter().for_each(|(_, row)| leaky[*row] = true);
            } else if !names_target {
                // rows with another answer than the data's were not learned from it
                unlabelled.extend(seen.unlabelled);
            }
        }
        unlabelled.sort_unstable();
        (leaky, unlabelled)
    }
}
