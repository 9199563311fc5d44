//! How far two tensors of one shape are apart.

use std::io;

use serde::Serialize;
use stemma_format::{Dtype, Part, ReadAt};

use crate::element::{decode, exact_deltas};

/// Bytes of a tensor that are read at once.
const PIECE_LEN: usize = 1 << 20;
/// Elements that are compared at once; small enough for a processor's cache.
const BLOCK: usize = 4096;
/// Sums that are kept side by side and added up in the end, always in the same order.
const LANES: usize = 8;

/// Norms are over elements that are finite on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub elements: u64,
    /// Elements whose bits differ, or if the type changed, whose value.
    pub changed: u64,
    /// ‖after − before‖ / ‖before‖; none if nothing was there to compare with, or only zeros.
    pub relative_l2: Option<f64>,
    pub max_abs_delta: f64,
    /// None if one side is all zeros.
    pub cosine: Option<f64>,
    pub nan_before: u64,
    pub nan_after: u64,
    pub infinite_before: u64,
    pub infinite_after: u64,
    /// ‖after − before‖² and ‖before‖², from which a group's relative L2 is made.
    #[serde(skip)]
    pub squares: [f64; 2],
}

impl Difference {
    pub fn share_changed(&self) -> f64 {
        if self.elements == 0 { 0.0 } else { self.changed as f64 / self.elements as f64 }
    }

    /// Elements that are left out of the norms on some side.
    pub fn not_finite(&self) -> bool {
        self.nan_before + self.nan_after + self.infinite_before + self.infinite_after > 0
    }
}

/// A tensor's bytes in a source.
#[derive(Clone, Copy)]
pub(crate) struct TensorBytes<'a> {
    pub source: &'a dyn ReadAt,
    pub start: u64,
    pub len: u64,
}

impl<'a> TensorBytes<'a> {
    pub fn of(source: &'a dyn ReadAt, part: &Part) -> Self {
        Self { source, start: part.start, len: part.len }
    }

    fn read(&self, from: u64, len: usize) -> io::Result<Vec<u8>> {
        let rest = usize::try_from(self.len - from).unwrap_or(usize::MAX);
        self.source.bytes_at(self.start + from, len.min(rest))
    }
}

pub(crate) fn are_equal(before: TensorBytes<'_>, after: TensorBytes<'_>) -> io::Result<bool> {
    let mut at = 0;
    while before.len == after.len && at < before.len {
        let piece = before.read(at, PIECE_LEN)?;
        if piece != after.read(at, PIECE_LEN)? {
            return Ok(false);
        }
        at += piece.len() as u64;
    }
    Ok(before.len == after.len)
}

/// Compares two arrays of `elements` elements each.
pub fn differ(
    before: (&dyn ReadAt, u64, Dtype),
    after: (&dyn ReadAt, u64, Dtype),
    elements: u64,
) -> io::Result<Difference> {
    let piece = (PIECE_LEN / before.2.width().max(after.2.width())) as u64;
    let mut sums = Sums::default();
    let mut at = 0;
    while at < elements {
        let count = piece.min(elements - at);
        let read = |(source, start, dtype): (&dyn ReadAt, u64, Dtype)| {
            let width = dtype.width() as u64;
            source.bytes_at(start + at * width, (count * width) as usize).map(|bytes| Piece { bytes, dtype })
        };
        sums.add_piece(&read(before)?, &read(after)?);
        at += count;
    }
    Ok(sums.difference(elements))
}

struct Piece {
    bytes: Vec<u8>,
    dtype: Dtype,
}

#[derive(Default)]
struct Sums {
    changed: u64,
    max_abs_delta: f64,
    delta_squares: [f64; LANES],
    before_squares: [f64; LANES],
    after_squares: [f64; LANES],
    products: [f64; LANES],
    nan: [u64; 2],
    infinite: [u64; 2],
}

impl Sums {
    fn add_piece(&mut self, before: &Piece, after: &Piece) {
        let (mut old, mut new, mut deltas) = (Vec::new(), Vec::new(), Vec::new());
        let blocks = |piece: &Piece| BLOCK * piece.dtype.width();
        for (one, other) in before.bytes.chunks(blocks(before)).zip(after.bytes.chunks(blocks(after))) {
            decode(before.dtype, one, &mut old);
            decode(after.dtype, other, &mut new);
            deltas.clear();
            deltas.extend(old.iter().zip(&new).map(|(old, new)| new - old));
            if before.dtype == after.dtype {
                self.changed += changed_elements(one, other, before.dtype.width());
                if matches!(before.dtype, Dtype::I64 | Dtype::U64) {
                    exact_deltas(before.dtype, one, other, &mut deltas);
                }
            } else {
                self.changed +=
                    old.iter().zip(&new).filter(|(old, new)| old != new && !(old.is_nan() && new.is_nan())).count()
                        as u64;
            }
            self.leave_out_not_finite(&mut old, &mut new, &mut deltas);
            self.add_block(&old, &new, &deltas);
        }
    }

    /// Counts them, and lets them count as zero on both sides.
    fn leave_out_not_finite(&mut self, old: &mut [f64], new: &mut [f64], deltas: &mut [f64]) {
        // sums of finite numbers of these types are finite, apart from the largest f64
        if old.iter().chain(new.iter()).all(|number| number.is_finite()) {
            return;
        }
        for ((old, new), delta) in old.iter_mut().zip(new).zip(deltas) {
            for (side, number) in [&*old, &*new].into_iter().enumerate() {
                self.nan[side] += u64::from(number.is_nan());
                self.infinite[side] += u64::from(number.is_infinite());
            }
            if !(old.is_finite() && new.is_finite()) {
                (*old, *new, *delta) = (0.0, 0.0, 0.0);
            }
        }
    }

    fn add_block(&mut self, old: &[f64], new: &[f64], deltas: &[f64]) {
        for ((old, new), deltas) in old.chunks(LANES).zip(new.chunks(LANES)).zip(deltas.chunks(LANES)) {
            for (lane, ((old, new), delta)) in old.iter().zip(new).zip(deltas).enumerate() {
                self.delta_squares[lane] += delta * delta;
                self.before_squares[lane] += old * old;
                self.after_squares[lane] += new * new;
                self.products[lane] += old * new;
                self.max_abs_delta = self.max_abs_delta.max(delta.abs());
            }
        }
    }

    fn difference(&self, elements: u64) -> Difference {
        let sum = |lanes: &[f64; LANES]| lanes.iter().sum::<f64>();
        let squares = [sum(&self.delta_squares), sum(&self.before_squares)];
        let lengths = squares[1].sqrt() * sum(&self.after_squares).sqrt();
        Difference {
            elements,
            changed: self.changed,
            relative_l2: ratio(squares),
            max_abs_delta: self.max_abs_delta,
            cosine: (lengths > 0.0).then(|| (sum(&self.products) / lengths).clamp(-1.0, 1.0)),
            nan_before: self.nan[0],
            nan_after: self.nan[1],
            infinite_before: self.infinite[0],
            infinite_after: self.infinite[1],
            squares,
        }
    }
}

/// Relative L2 from the squares of both lengths.
pub(crate) fn ratio([delta, before]: [f64; 2]) -> Option<f64> {
    (before > 0.0).then(|| (delta / before).sqrt())
}

fn changed_elements(before: &[u8], after: &[u8], width: usize) -> u64 {
    if before == after {
        return 0;
    }
    before.chunks_exact(width).zip(after.chunks_exact(width)).filter(|(old, new)| old != new).count() as u64
}
