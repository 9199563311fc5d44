//! What is not as it was: environments and outputs of the recorded run and the repeated one.

use std::{collections::BTreeMap, path::Path};

use stemma_core::{
    record::{FileRef, RunRecord},
    reproduction::{EnvironmentDifference, EnvironmentPart as Part, RepeatedOutput},
};
use stemma_runner::{
    classify::name_in_packages,
    environment::{Environment, Package},
};

use super::plan::capitalised;

/// Variables whose values name places, which are never the same.
const PLACES: [&str; 2] = ["VIRTUAL_ENV", "CONDA_DEFAULT_ENV"];

/// Everything that differs and can change a model; places and times don't.
pub fn environment_differences(recorded: &Environment, repeated: &Environment) -> Vec<EnvironmentDifference> {
    let mut differences = Vec::new();
    let mut add = |part: Part, what: &str, recorded: Option<String>, repeated: Option<String>| {
        if recorded != repeated {
            differences.push(EnvironmentDifference { part, what: what.to_owned(), recorded, repeated });
        }
    };
    let interpreter = |environment: &Environment| {
        environment.interpreter.as_ref().map(|one| {
            let kind = if one.implementation == "cpython" { "Python" } else { one.implementation.as_str() };
            format!("{} {}", capitalised(kind), one.version)
        })
    };
    add(Part::Interpreter, "version", interpreter(recorded), interpreter(repeated));
    let libc = |environment: &Environment| environment.interpreter.as_ref().and_then(|one| one.libc.clone());
    add(Part::System, "C library", libc(recorded), libc(repeated));
    add(Part::Cpu, "model", Some(recorded.cpu.model.clone()), Some(repeated.cpu.model.clone()));
    let features = |environment: &Environment| Some(environment.cpu.features.join(" "));
    add(Part::Cpu, "instruction sets", features(recorded), features(repeated));
    let cores = |environment: &Environment| Some(environment.cpu.cores.to_string());
    add(Part::Cpu, "cores", cores(recorded), cores(repeated));
    let libraries = |environment: &Environment| Some(environment.blas.libraries.join(" "));
    add(Part::Blas, "libraries", libraries(recorded), libraries(repeated));
    add(Part::Blas, "kernel", recorded.blas.core_type.clone(), repeated.blas.core_type.clone());
    let gpu = |environment: &Environment| {
        environment.gpu.as_ref().map(|gpu| format!("{}, driver {}", gpu.devices.join(", "), gpu.driver))
    };
    add(Part::Gpu, "devices", gpu(recorded), gpu(repeated));
    let system = |environment: &Environment| {
        let os = &environment.os;
        Some(format!("{} {} {}", os.kernel, os.architecture, os.distribution.as_deref().unwrap_or_default()))
    };
    add(Part::System, "system", system(recorded), system(repeated));
    let mut add_all = |part: Part, recorded: BTreeMap<String, String>, mut repeated: BTreeMap<String, String>| {
        for (what, value) in recorded {
            let now = repeated.remove(&what);
            add(part, &what, Some(value), now);
        }
        repeated.into_iter().for_each(|(what, value)| add(part, &what, None, Some(value)));
    };
    add_all(Part::Package, packages(recorded, repeated), packages(repeated, recorded));
    add_all(Part::Threads, recorded.threads.clone(), repeated.threads.clone());
    add_all(Part::Variable, variables(recorded), variables(repeated));
    add_all(Part::System, executables(recorded), executables(repeated));
    differences.sort_by(|a, b| (a.part, &a.what).cmp(&(b.part, &b.what)));
    differences
}

/// Name and version of each package; also its files' digest where the other side has the same version of other files.
fn packages(environment: &Environment, other: &Environment) -> BTreeMap<String, String> {
    let others: BTreeMap<String, &Package> = other.packages.iter().map(|one| (normalised(&one.name), one)).collect();
    let shown = |package: &Package| {
        let twin = others.get(&normalised(&package.name)).filter(|twin| twin.version == package.version);
        let digests = twin.and_then(|twin| twin.record_digest.zip(package.record_digest));
        match digests {
            Some((there, here)) if there != here => format!("{} (files {})", package.version, here.short()),
            _ => package.version.clone(),
        }
    };
    environment.packages.iter().map(|package| (normalised(&package.name), shown(package))).collect()
}

/// PEP 503: names that differ in case or in `-`, `_`, `.` are the same.
pub(super) fn normalised(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn variables(environment: &Environment) -> BTreeMap<String, String> {
    let all = environment.variables.iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn executables(environment: &Environment) -> BTreeMap<String, String> {
    let name = |path: &str| Path::new(path).file_name().map_or(path.to_owned(), |name| name.to_string_lossy().into());
    let digest = |digest: Option<stemma_core::Digest>| digest.map_or("?".to_owned(), |digest| digest.short());
    environment.executables.iter().map(|one| (name(&one.path), digest(one.digest))).collect()
}

/// Each recorded output with what the repeated run wrote there.
pub fn repeated_outputs(recorded: &RunRecord, repeated: &RunRecord) -> Vec<RepeatedOutput> {
    let written: BTreeMap<&str, _> = repeated.outputs.iter().map(|file| (file.path.as_str(), file.digest)).collect();
    let output = |file: &FileRef| RepeatedOutput {
        path: file.path.clone(),
        recorded: file.digest,
        repeated: written.get(file.path.as_str()).copied(),
    };
    recorded.outputs.iter().map(output).collect()
}

/// Files that the repeated run read and the recorded one did not, or with other content: it was not the same run.
pub(super) fn other_inputs(recorded: &RunRecord, repeated: &RunRecord) -> Vec<String> {
    // packages are installed elsewhere
    let name = |file: &FileRef| name_in_packages(&file.path).unwrap_or(&file.path).to_owned();
    let known: BTreeMap<String, _> =
        recorded.inputs.iter().chain(&recorded.code.files).map(|file| (name(file), file.digest)).collect();
    let read = repeated.inputs.iter().chain(&repeated.code.files);
    let other = read.filter(|file| known.get(&name(file)).is_none_or(|digest| *digest != file.digest));
    other.map(|file| file.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn environment(change: impl FnOnce(&mut Value)) -> Environment {
        let mut value = json!({
            "os": {"kernel": "Linux", "release": "6.1", "architecture": "x86_64", "distribution": "Debian 12"},
            "cpu": {"model": "EPYC", "features": ["avx2"], "cores": 2},
            "memory_bytes": 1, "gpu": null,
            "interpreter": {
                "kind": "python", "version": "3.11.7", "implementation": "cpython", "executable": "/a/bin/python",
                "prefix": "/a", "base_prefix": "/usr", "standard_library": "/usr/lib/python3.11", "libc": "glibc 2.36",
            },
            "packages": [{"name": "numpy", "version": "2.0.0", "record_digest": null}],
            "executables": [], "lock_files": [],
            "blas": {"libraries": [], "core_type": null},
            "threads": {}, "variables": {"VIRTUAL_ENV": "a"},
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: &[&str]) {
        let found = environment_differences(&environment(|_| {}), &environment(change));
        let shown = |one: &EnvironmentDifference| {
            let value = |value: &Option<String>| value.clone().unwrap_or("-".into());
            format!("{} {}: {} → {}", one.part.as_str(), one.what, value(&one.recorded), value(&one.repeated))
        };
        assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn places_make_no_difference_and_everything_else_does() {
        check(|_| {}, &[]);
        check(|now| now["interpreter"]["prefix"] = json!("/b"), &[]);
        check(|now| now["variables"]["VIRTUAL_ENV"] = json!("b"), &[]);
        check(|now| now["packages"][0]["name"] = json!("NumPy"), &[]);
        check(|now| now["packages"][0]["version"] = json!("2.0.1"), &["package numpy: 2.0.0 → 2.0.1"]);
        check(|now| now["packages"] = json!([]), &["package numpy: 2.0.0 → -"]);
        check(|now| now["threads"] = json!({"OMP_NUM_THREADS": "1"}), &["threads OMP_NUM_THREADS: - → 1"]);
        check(
            |now| now["interpreter"]["version"] = json!("3.11.9"),
            &["interpreter version: Python 3.11.7 → Python 3.11.9"],
        );
        check(
            |now| {
                now["cpu"]["cores"] = json!(8);
                now["packages"] = json!([{"name": "numpy", "version": "2.0.0", "record_digest": null},
                                         {"name": "extra", "version": "1", "record_digest": null}]);
            },
            &["package extra: - → 1", "cpu cores: 2 → 8"],
        );
    }

    #[test]
    fn one_version_of_other_files_is_another_package() {
        let with = |digit: &str| {
            let digest = format!("sha256:{}", digit.repeat(64));
            environment(|now| now["packages"][0]["record_digest"] = json!(digest))
        };
        let found = environment_differences(&with("a"), &with("b"));
        assert_eq!(found[0].recorded.as_deref(), Some("2.0.0 (files aaaaaaaaaaaa)"));
        assert_eq!(found[0].repeated.as_deref(), Some("2.0.0 (files bbbbbbbbbbbb)"));
        assert!(environment_differences(&with("a"), &environment(|_| {})).is_empty(), "unknown is not different");
    }
}
