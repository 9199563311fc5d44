//! Parameters of a run: those of its command line, and the keys of the files that `stemma.toml` declares.

mod command;
mod file;

use std::collections::BTreeMap;

use stemma_core::redact::redact_args;

use crate::Workspace;

const PARAMS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 1024;
/// Lines about what is no parameter; the rest is counted.
const IGNORED_MAX: usize = 20;

/// What a run was told, as far as that can be read off.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Params {
    pub values: BTreeMap<String, String>,
    /// Of those that are no arguments: the file that each is from.
    pub files: BTreeMap<String, String>,
    /// What is no parameter, and why.
    pub ignored: Vec<String>,
    /// How many more of those there are.
    unnamed: usize,
}

impl Params {
    /// Reads them before the command starts: what it makes of its files is not what it was told. `args` is without secrets.
    pub fn look(workspace: &Workspace, args: &[String]) -> Self {
        let mut params = Self::default();
        params.take_args(args);
        for path in &workspace.settings().run.params {
            match file::values(&workspace.root().join(path.as_str()), path.as_str()) {
                Ok(values) => values.into_iter().for_each(|(key, value)| params.take_key(path.as_str(), &key, value)),
                Err(why) => params.ignore(format!("`{path}`: {why}")),
            }
        }
        params.told()
    }

    fn take_args(&mut self, args: &[String]) {
        for (name, value) in command::options(args) {
            // one that is repeated has all its values
            let value = match self.values.get(name) {
                Some(first) => format!("{first},{value}"),
                None => value,
            };
            self.take(name.to_owned(), value);
        }
    }

    /// An argument of the same name keeps it; the key is told with its file then.
    fn take_key(&mut self, file: &str, key: &str, value: String) {
        let name = if self.values.contains_key(key) { format!("{file}:{key}") } else { key.to_owned() };
        if !redact_args(&[format!("--{key}"), value.clone()]).found.is_empty() {
            return self.ignore(format!("`{name}`: it is a secret"));
        }
        if self.take(name.clone(), value) {
            self.files.insert(name, file.to_owned());
        }
    }

    /// Whether it was taken.
    fn take(&mut self, name: String, value: String) -> bool {
        let why = match (name.len(), value.len()) {
            (0, _) => "it has no name",
            (NAME_BYTES_MAX.., _) => "its name is too long",
            (_, VALUE_BYTES_MAX..) => "its value is too long",
            _ if self.values.len() >= PARAMS_MAX && !self.values.contains_key(&name) => "there are too many",
            _ => {
                self.values.insert(name, value);
                return true;
            }
        };
        let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
        self.ignore(format!("`{shown}`: {why}"));
        false
    }

    fn ignore(&mut self, line: String) {
        if self.ignored.len() < IGNORED_MAX {
            self.ignored.push(line);
        } else {
            self.unnamed += 1;
        }
    }

    fn told(mut self) -> Self {
        if self.unnamed > 0 {
            self.ignored.push(format!("… and {} more", self.unnamed));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Nesting, init};

    fn look(settings: &str, files: &[(&str, &str)], args: &str) -> Params {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), Nesting::Allow).unwrap();
        fs::write(folder.path().join("stemma.toml"), settings).unwrap();
        for (path, text) in files {
            fs::write(folder.path().join(path), text).unwrap();
        }
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        Params::look(&Workspace::find(folder.path()).unwrap().unwrap(), &args)
    }

    fn shown(map: &BTreeMap<String, String>) -> Vec<String> {
        map.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn keys_of_declared_files_stand_beside_arguments() {
        let yaml = "lr: 0.1\ntrain:\n  depth: 3\n  layers: [64, 32]\n  seed: null\nmodel: forest\npassword: hunter2\n";
        let toml = "lr = 0.5\nwhen = 2026-07-14\n[train]\nrate = 1.0\n";
        let settings = "[run]\nparams = [\"params.yaml\", \"more.toml\", \"none.json\"]\n";
        let files = [("params.yaml", yaml), ("more.toml", toml)];
        let params = look(settings, &files, "python train.py --model tree --verbose");
        let expected = [
            "lr=0.1",
            "model=tree",
            "more.toml:lr=0.5",
            "params.yaml:model=forest",
            "train.depth=3",
            "train.layers=[64,32]",
            "train.rate=1.0",
            "train.seed=null",
            "verbose=true",
            "when=2026-07-14",
        ];
        assert_eq!(shown(&params.values), expected);
        assert_eq!(params.files["train.depth"], "params.yaml");
        assert_eq!(params.files["more.toml:lr"], "more.toml");
        assert!(!params.files.contains_key("model"));
        assert_eq!(params.ignored, ["`password`: it is a secret", "`none.json`: there is no such file"]);
    }

    #[test]
    fn what_goes_beyond_the_bounds_is_told() {
        let many: String = (0..1500).map(|n| format!("k{n}: 1\n")).collect();
        let params = look("[run]\nparams = [\"p.yaml\"]\n", &[("p.yaml", &many)], "x");
        assert_eq!(params.values.len(), PARAMS_MAX);
        assert_eq!(params.ignored.len(), IGNORED_MAX + 1);
        assert_eq!(params.ignored.last().unwrap(), "… and 480 more");
        let params = look("", &[], &format!("x --a={} --a=2", "x".repeat(5000)));
        assert_eq!((shown(&params.values), params.ignored.len()), (vec!["a=2".to_owned()], 1));
    }

    #[test]
    fn a_file_that_makes_no_sense_is_told() {
        let settings = "[run]\nparams = [\"a.json\", \"b.yaml\", \"c.toml\", \"d.json\", \"e.yaml\"]\n";
        // eight levels of ten
        let level = |n: u32| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(","));
        let bomb = format!("a0: &a0 [1]\n{}", (1..9).map(level).collect::<String>());
        let files = [("a.json", "[1]"), ("b.yaml", "a: ["), ("c.toml", "a ="), ("d.json", ""), ("e.yaml", &bomb)];
        let params = look(settings, &files, "x");
        assert_eq!(params.values.len(), 0);
        let told: Vec<&str> = params.ignored.iter().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(told, ["`a.json`", "`b.yaml`", "`c.toml`", "`d.json`", "`e.yaml`"]);
    }
}
