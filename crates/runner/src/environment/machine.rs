//! Facts about the machine, read below a root folder so that tests can show another machine.

use std::{collections::BTreeSet, ffi::CStr, mem, path::Path};

use super::{
    record::{Cpu, Gpu, Os},
    text::read_text,
};

const TEXT_BYTES_MAX: u64 = 8 << 20;
const MEMORY_STEP_BYTES: u64 = 256 << 20;
/// The instruction sets that OpenBLAS, oneDNN, ATen and the C library choose by.
const FEATURES: [&str; 24] = [
    "amx_bf16",
    "amx_int8",
    "amx_tile",
    "asimd",
    "asimddp",
    "asimdhp",
    "avx",
    "avx2",
    "avx512_bf16",
    "avx512_fp16",
    "avx512_vnni",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512f",
    "avx512vl",
    "avx_vnni",
    "bf16",
    "f16c",
    "fma",
    "i8mm",
    "sse4_2",
    "sve",
    "sve2",
];

pub(super) fn os(root: &Path) -> Os {
    // SAFETY: utsname is plain data and uname fills it with NUL-terminated texts.
    let name = unsafe {
        let mut name: libc::utsname = mem::zeroed();
        libc::uname(&raw mut name);
        name
    };
    // SAFETY: as above.
    let text = |field: &[libc::c_char]| unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned();
    Os {
        kernel: text(&name.sysname),
        release: text(&name.release),
        architecture: text(&name.machine),
        distribution: distribution(root),
    }
}

fn distribution(root: &Path) -> Option<String> {
    let text = read_text(&root.join("etc/os-release"), TEXT_BYTES_MAX)?;
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}

pub(super) fn cpu(root: &Path) -> Cpu {
    let text = read_text(&root.join("proc/cpuinfo"), TEXT_BYTES_MAX).unwrap_or_default();
    let field = |name: &str| {
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name).map(|(_, v)| v.trim())
    };
    let present: BTreeSet<&str> =
        field("flags").or_else(|| field("Features")).unwrap_or_default().split_whitespace().collect();
    let cores = text.lines().filter(|line| line.split(':').next().is_some_and(|key| key.trim() == "processor"));
    Cpu {
        model: model(&field).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        features: FEATURES.into_iter().filter(|name| present.contains(name)).map(str::to_owned).collect(),
        cores: cores.count() as u32,
    }
}

/// ARM kernels give numbers instead of a name.
fn model<'a>(field: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    field("model name")
        .map(str::to_owned)
        .or_else(|| Some(format!("implementer {} part {}", field("CPU implementer")?, field("CPU part")?)))
}

pub(super) fn memory_bytes(root: &Path) -> Option<u64> {
    let text = read_text(&root.join("proc/meminfo"), TEXT_BYTES_MAX)?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let steps = kib.saturating_mul(1024).saturating_add(MEMORY_STEP_BYTES / 2) / MEMORY_STEP_BYTES;
    Some(steps.saturating_mul(MEMORY_STEP_BYTES))
}

pub(super) fn gpu(root: &Path) -> Option<Gpu> {
    let nvidia = root.join("proc/driver/nvidia");
    let version = read_text(&nvidia.join("version"), TEXT_BYTES_MAX)?;
    let driver = version.split_whitespace().find(|word| is_version(word)).unwrap_or("unknown").to_owned();
    let mut devices: Vec<String> = std::fs::read_dir(nvidia.join("gpus"))
        .into_iter()
        .flatten()
        .filter_map(|entry| read_text(&entry.ok()?.path().join("information"), TEXT_BYTES_MAX))
        .filter_map(|text| Some(text.lines().find_map(|line| line.strip_prefix("Model:"))?.trim().to_owned()))
        .collect();
    devices.sort();
    Some(Gpu { driver, devices })
}

fn is_version(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn another_machines_facts_are_read() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("etc/os-release", "ID=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
        write(
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Imagined CPU\nflags\t\t: fpu avx2 avx512f fma\ncpu MHz\t: 1.5\n\n\
             processor\t: 1\nmodel name\t: Imagined CPU\nflags\t\t: fpu avx2 avx512f fma\ncpu MHz\t: 2.5\n",
        );
        write("proc/meminfo", "MemTotal:       16380000 kB\nMemFree: 1 kB\n");
        write(
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:\n",
        );
        write("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t A100\nIRQ: 1\n");
        let root = root.path();
        assert_eq!(os(root).distribution.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        let cpu = cpu(root);
        assert_eq!((cpu.model.as_str(), cpu.cores), ("Imagined CPU", 2));
        assert_eq!(cpu.features, ["avx2", "avx512f", "fma"]);
        assert_eq!(memory_bytes(root), Some(62 * MEMORY_STEP_BYTES));
        assert_eq!(gpu(root), Some(Gpu { driver: "535.104.05".into(), devices: vec!["A100".into()] }));
    }

    #[test]
    fn a_bare_machine_has_no_facts_and_no_failure() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(gpu(root.path()), None);
        assert_eq!(memory_bytes(root.path()), None);
        assert_eq!(cpu(root.path()).cores, 0);
    }
}
