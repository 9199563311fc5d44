//! Which columns of a table feed which input.

use stemma_core::{
    Problem, near,
    signature::{Field, Signature},
};

/// Columns named in a message at most.
const NAMED_MAX: usize = 20;

/// Where the values of one row come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    /// A value, or a list of as many as the input is wide.
    One(usize),
    /// One value each, in this order.
    Each(Vec<usize>),
}

/// An input and the columns that feed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed<'a> {
    pub field: &'a Field,
    pub columns: Columns,
}

impl Columns {
    pub fn as_slice(&self) -> &[usize] {
        match self {
            Self::One(column) => std::slice::from_ref(column),
            Self::Each(columns) => columns,
        }
    }
}

impl Feed<'_> {
    /// Whether the input is fed by something else than a column of its own name, so that its order should be told.
    pub fn is_gathered(&self) -> bool {
        matches!(self.columns, Columns::Each(_))
    }
}

/// Which columns an only input that is wide is put together from, by their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathered<'a> {
    /// All but these, which are no input, in the table's order, if they are exactly as many as it takes.
    AllBut(&'a [usize]),
    /// These in their order: somebody said so.
    These(&'a [usize]),
}

/// Finds the columns of every input: the one of its name; or `name[0]`, `name[1]`, …; or, for an only input that is
/// wide, those that are `gathered`, which come first if somebody named them.
///
/// An optional input without a column is left out.
pub fn feeds<'a>(
    signature: &'a Signature,
    table: &str,
    columns: &[&str],
    gathered: Gathered<'_>,
) -> Result<Vec<Feed<'a>>, Problem> {
    if let (Gathered::These(named), [only]) = (gathered, signature.inputs.as_slice())
        && width(only).is_none_or(|width| width > 1)
    {
        return Ok(vec![Feed { field: only, columns: declared(only, named)? }]);
    }
    let aside = match gathered {
        Gathered::AllBut(aside) => aside,
        Gathered::These(_) => &[],
    };
    let mut feeds = Vec::with_capacity(signature.inputs.len());
    let mut missing = Vec::new();
    for field in &signature.inputs {
        match named(field, columns) {
            Some(columns) => feeds.push(Feed { field, columns }),
            None if field.optional => {}
            None => missing.push(field),
        }
    }
    match missing.as_slice() {
        [] => Ok(feeds),
        [only] if signature.inputs.len() == 1 && width(only).is_some_and(|width| width > 1) => {
            Ok(vec![Feed { field: only, columns: all_but(only, table, columns, aside)? }])
        }
        missing => Err(lacking(missing, table, columns)),
    }
}

fn named(field: &Field, columns: &[&str]) -> Option<Columns> {
    let position = |name: &str| columns.iter().position(|column| *column == name);
    if let Some(column) = position(&field.name) {
        return Some(Columns::One(column));
    }
    let width = width(field).filter(|width| (2..=columns.len()).contains(width))?;
    let each: Option<Vec<usize>> = (0..width).map(|at| position(&format!("{}[{at}]", field.name))).collect();
    each.map(Columns::Each)
}

/// How many values one row has; `None` if that is open.
fn width(field: &Field) -> Option<usize> {
    let sizes: Option<Vec<usize>> = field.shape.iter().skip(1).map(|size| usize::try_from(*size).ok()).collect();
    Some(sizes?.iter().product())
}

fn declared(field: &Field, named: &[usize]) -> Result<Columns, Problem> {
    match width(field) {
        Some(width) if width != named.len() => Err(Problem::invalid(format!(
            "input `{}` takes {width} values in each row, and {} columns are named for it",
            field.name,
            named.len()
        ))
        .hint("name as many, in the order that the model was trained on")),
        _ => Ok(Columns::Each(named.to_vec())),
    }
}

fn all_but(field: &Field, table: &str, columns: &[&str], aside: &[usize]) -> Result<Columns, Problem> {
    let found: Vec<usize> = (0..columns.len()).filter(|column| !aside.contains(column)).collect();
    let wanted = width(field).unwrap_or_default();
    if found.len() == wanted {
        return Ok(Columns::Each(found));
    }
    let name = &field.name;
    let there: Vec<&str> = found.iter().map(|column| columns[*column]).collect();
    Err(Problem::invalid(format!(
        "input `{name}` takes {wanted} values in each row, and `{table}` has {} columns for it: {}",
        found.len(),
        quoted(&there)
    ))
    .hint(format!(
        "leave exactly {wanted} columns in the order that the model was trained on, name them `{name}[0]` to \
         `{name}[{}]`, or give one column `{name}` with a list in each row",
        wanted - 1
    )))
}

fn lacking(missing: &[&Field], table: &str, columns: &[&str]) -> Problem {
    let first = missing[0];
    let all = format!("its columns are {}", quoted(columns));
    let hint = near::hint(&first.name, columns.iter().copied(), &all);
    let names: Vec<&str> = missing.iter().map(|field| field.name.as_str()).collect();
    let inputs = if names.len() == 1 { "input" } else { "inputs" };
    Problem::invalid(format!("`{table}` has no column for the {inputs} `{}`", names.join("`, `"))).hint(hint)
}

fn quoted(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let shown: Vec<String> = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::signature::Datatype;

    use super::*;

    fn signature(inputs: &[(&str, &[i64])]) -> Signature {
        let field = |(name, shape): &(&str, &[i64])| Field {
            name: (*name).into(),
            datatype: Datatype::Fp32,
            shape: shape.to_vec(),
            optional: *name == "maybe",
        };
        Signature { inputs: inputs.iter().map(field).collect(), outputs: Vec::new() }
    }

    fn found(inputs: &[(&str, &[i64])], columns: &[&str], aside: &[usize]) -> Result<Vec<Columns>, Problem> {
        let signature = signature(inputs);
        Ok(feeds(&signature, "t", columns, Gathered::AllBut(aside))?.into_iter().map(|feed| feed.columns).collect())
    }

    #[test]
    fn columns_that_are_named_feed_an_only_wide_input() {
        let these = |inputs: &[(&str, &[i64])], named: &[usize]| {
            let signature = signature(inputs);
            let feeds = feeds(&signature, "t", &["a", "x", "b"], Gathered::These(named));
            feeds.map(|feeds| feeds.into_iter().map(|feed| feed.columns).collect::<Vec<_>>())
        };
        assert_eq!(these(&[("x", &[-1, 2])], &[2, 0]).unwrap(), [Columns::Each(vec![2, 0])]);
        assert_eq!(these(&[("x", &[-1, -1])], &[2, 0]).unwrap(), [Columns::Each(vec![2, 0])]);
        // inputs of one value each have their own columns
        assert_eq!(these(&[("a", &[-1, 1])], &[2]).unwrap(), [Columns::One(0)]);
        assert_eq!(these(&[("a", &[-1]), ("b", &[-1])], &[1]).unwrap(), [Columns::One(0), Columns::One(2)]);
        let problem = these(&[("x", &[-1, 3])], &[2, 0]).unwrap_err();
        assert_eq!(problem.message, "input `x` takes 3 values in each row, and 2 columns are named for it");
    }

    #[test]
    fn columns_are_found_by_name_by_place_or_all_of_them() {
        use Columns::{Each, One};
        let wide: &[i64] = &[-1, 2];
        for (inputs, columns, aside, expected) in [
            (vec![("a", &[-1, 1][..]), ("b", &[-1])], vec!["b", "y", "a"], vec![1], vec![One(2), One(0)]),
            (vec![("x", wide)], vec!["x"], vec![], vec![One(0)]),
            (vec![("x", &[-1, -1])], vec!["x"], vec![], vec![One(0)]),
            (vec![("x", wide), ("a", &[-1])], vec!["x[1]", "a", "x[0]"], vec![], vec![Each(vec![2, 0]), One(1)]),
            (vec![("x", wide)], vec!["b", "y", "a"], vec![1], vec![Each(vec![0, 2])]),
            (vec![("x", wide)], vec!["x[0]", "x[1]", "y"], vec![], vec![Each(vec![0, 1])]),
            (vec![("a", &[-1]), ("maybe", &[-1])], vec!["a"], vec![], vec![One(0)]),
        ] {
            assert_eq!(found(&inputs, &columns, &aside).unwrap(), expected, "{inputs:?} {columns:?}");
        }
    }

    #[test]
    fn what_can_not_be_fed_is_told() {
        let told = |inputs: &[(&str, &[i64])], columns: &[&str], aside: &[usize]| {
            let problem = found(inputs, columns, aside).unwrap_err();
            (problem.message, problem.hint.unwrap())
        };
        let (message, hint) = told(&[("x", &[-1, 2])], &["a", "b", "c", "y"], &[3]);
        assert_eq!(message, "input `x` takes 2 values in each row, and `t` has 3 columns for it: `a`, `b`, `c`");
        assert!(hint.contains("name them `x[0]` to `x[1]`"), "{hint}");
        let (message, hint) = told(&[("age", &[-1]), ("x", &[-1, 2])], &["agee", "b"], &[]);
        assert_eq!(message, "`t` has no column for the inputs `age`, `x`");
        assert_eq!(hint, "did you mean `agee`?");
        let (message, hint) = told(&[("income", &[-1])], &["b"], &[]);
        assert_eq!(message, "`t` has no column for the input `income`");
        assert_eq!(hint, "its columns are `b`");
    }
}
