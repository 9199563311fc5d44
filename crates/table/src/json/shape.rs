//! One object that is a whole table.

use serde_json::{Map, Value};

/// The rows of an object that holds a table: its columns as lists (`{"a": [1, 2]}`) or as objects of the same keys
/// (`{"a": {"0": 1, "1": 2}}`), its rows by number (`{"0": {"a": 1}}`), names apart from rows (`{"columns": ["a"],
/// "data": [[1], [2]]}`), or a list of rows beside other things. Any other value is a row.
pub(super) fn rows_of(value: Value) -> Result<Vec<Value>, Value> {
    let Value::Object(object) = value else { return Ok(vec![value]) };
    if object.is_empty() {
        return Ok(vec![Value::Object(object)]);
    }
    let found = of_lists(&object).or_else(|| of_objects(&object)).or_else(|| of_data(&object));
    Ok(found.unwrap_or_else(|| vec![Value::Object(object)]))
}

fn of_lists(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let lists: Option<Vec<&Vec<Value>>> = object.values().map(Value::as_array).collect();
    let lists = lists?;
    let count = lists.first()?.len();
    let is_flat = |list: &&Vec<Value>| list.len() == count && !list.iter().any(|cell| cell.is_object());
    if count < 2 || !lists.iter().all(is_flat) {
        return None;
    }
    let row = |at: usize| object.iter().map(|(name, list)| (name.clone(), list[at].clone())).collect();
    Some((0..count).map(row).collect())
}

fn of_objects(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let inner: Option<Vec<&Map<String, Value>>> = object.values().map(Value::as_object).collect();
    let inner = inner?;
    let keys: Vec<&String> = inner.first()?.keys().collect();
    if !inner.iter().all(|one| one.len() == keys.len() && keys.iter().all(|key| one.contains_key(*key))) {
        return None;
    }
    let are_numbers = |mut names: Box<dyn Iterator<Item = &String> + '_>| names.all(|name| name.parse::<u64>().is_ok());
    if are_numbers(Box::new(object.keys())) && !are_numbers(Box::new(keys.iter().copied())) {
        return Some(object.values().cloned().collect());
    }
    let row = |key: &String| object.iter().map(|(name, cells)| (name.clone(), cells[key].clone())).collect();
    (keys.len() > 1).then(|| keys.into_iter().map(row).collect())
}

fn of_data(object: &Map<String, Value>) -> Option<Vec<Value>> {
    let is_rows = |value: &&Value| {
        let list = value.as_array();
        list.is_some_and(|list| !list.is_empty() && list.iter().all(|row| row.is_object() || row.is_array()))
    };
    let mut lists = object.values().filter(is_rows);
    let (rows, None) = (lists.next()?.as_array()?, lists.next()) else { return None };
    let names: Option<Vec<&str>> =
        object.get("columns").and_then(Value::as_array).and_then(|names| names.iter().map(Value::as_str).collect());
    let named = |row: &Value| match (&names, row) {
        (Some(names), Value::Array(cells)) if names.len() == cells.len() => {
            names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect()
        }
        (_, row) => row.clone(),
    };
    Some(rows.iter().map(named).collect())
}
