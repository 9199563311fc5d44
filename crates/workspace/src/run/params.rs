//! Parameters of a run, read off its command line.

use std::collections::BTreeMap;

const PARAMS_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 128;
const VALUE_BYTES_MAX: usize = 1024;

/// Reads `--name value`, `--name=value`, and `--name` alone as `true`; one that is repeated has all values with commas.
///
/// The command line knows no grammar, so a word behind a flag is taken for its value.
pub(super) fn of_command(command: &[String]) -> BTreeMap<String, String> {
    let mut params: BTreeMap<String, String> = BTreeMap::new();
    let mut words = command.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--") else {
            continue;
        };
        if option.is_empty() {
            break; // what follows `--` is no option
        }
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => match words.next_if(|next| is_value(next)) {
                Some(value) => (option, value.clone()),
                None => (option, "true".to_owned()),
            },
        };
        insert(&mut params, name, value);
    }
    params
}

fn insert(params: &mut BTreeMap<String, String>, name: &str, value: String) {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return;
    }
    let value = match params.get(name) {
        Some(first) => format!("{first},{value}"),
        None if params.len() >= PARAMS_MAX => return,
        None => value,
    };
    if value.len() <= VALUE_BYTES_MAX {
        params.insert(name.to_owned(), value);
    }
}

/// A word that begins with `-` is an option unless it is a number.
fn is_value(word: &str) -> bool {
    !word.starts_with('-') || word.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str, expected: &[(&str, &str)]) {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let found = of_command(&words);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{command}");
    }

    #[test]
    fn options_of_all_shapes_are_read() {
        check("python train.py", &[]);
        check("python train.py --model tree --max-depth=3", &[("max-depth", "3"), ("model", "tree")]);
        check(
            "python train.py --verbose --shift -0.5 --dry",
            &[("dry", "true"), ("shift", "-0.5"), ("verbose", "true")],
        );
        check("x --slice a --slice b --empty= -v 3 -- --not-one 1", &[("empty", ""), ("slice", "a,b")]);
        check("--program --=x --", &[]);
    }

    #[test]
    fn there_are_bounds() {
        let mut command = vec!["x".to_owned()];
        command.extend((0..1000).map(|n| format!("--n{n}={n}")));
        command.push(format!("--long={}", "x".repeat(5000)));
        assert_eq!(of_command(&command).len(), PARAMS_MAX);
        let command = ["x".to_owned(), format!("--a={}", "x".repeat(5000))];
        assert!(of_command(&command).is_empty());
    }
}
