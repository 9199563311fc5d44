//! Options of a command line.

/// Reads `--name value`, `--name=value`, and `--name` alone as `true`, in their order.
///
/// The command line knows no grammar, so a word behind a flag is taken for its value.
pub(super) fn options(command: &[String]) -> Vec<(&str, String)> {
    let mut options = Vec::new();
    let mut words = command.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--") else {
            continue;
        };
        if option.is_empty() {
            break; // what follows `--` is no option
        }
        options.push(match option.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => match words.next_if(|next| is_value(next)) {
                Some(value) => (option, value.clone()),
                None => (option, "true".to_owned()),
            },
        });
    }
    options.retain(|(name, _)| !name.is_empty());
    options
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
        let found = options(&words);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(found, expected, "{command}");
    }

    #[test]
    fn options_of_all_shapes_are_read() {
        check("python train.py", &[]);
        check("python train.py --model tree --max-depth=3", &[("model", "tree"), ("max-depth", "3")]);
        check(
            "python train.py --verbose --shift -0.5 --dry",
            &[("verbose", "true"), ("shift", "-0.5"), ("dry", "true")],
        );
        check("x --slice a --slice b --empty= -v 3 -- --not-one 1", &[("slice", "a"), ("slice", "b"), ("empty", "")]);
        check("--program --=x --", &[]);
    }
}
