//! What a process becomes by an exec: a program, and the scripts that led to it or that it was asked to run.

use std::{
    ffi::OsString,
    fs::File,
    io::Read as _,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use stemma_core::hermetic::Bypass;

use super::tracee::{Tracee, canonical};
use crate::{recorder::Recorder, source::script_of};

/// Scripts whose interpreter is a script again; the kernel follows four.
const SCRIPTS_MAX: usize = 5;
const FIRST_LINE_BYTES_MAX: u64 = 256;

/// Records a program that has just replaced the one before; `asked` is the file that the exec named.
pub(super) fn started(tracee: Tracee, asked: Option<PathBuf>, recorder: &mut Recorder) {
    if let Some(asked) = asked {
        scripts_before(asked).for_each(|script| recorder.ran(script));
    }
    if tracee.is_foreign() {
        recorder.bypassed(Bypass::ForeignProgram);
    }
    if tracee.sees_other_files() {
        recorder.bypassed(Bypass::OtherRoot);
    }
    let Some(executable) = tracee.executable() else {
        return;
    };
    let arguments = tracee.arguments();
    let script = script_of(&executable, &arguments);
    if let Some(script) = script.and_then(|script| tracee.resolve(libc::AT_FDCWD as u64, script)) {
        recorder.ran(canonical(&script));
    }
    recorder.executed(executable);
}

/// The file that an exec names, if it is a script, and its interpreter as long as that is one too.
fn scripts_before(asked: PathBuf) -> impl Iterator<Item = PathBuf> {
    let with_interpreter = |path: PathBuf| Some((interpreter(&path)?, path));
    let first = with_interpreter(canonical(&asked));
    let next = move |(interpreter, _): &(PathBuf, PathBuf)| with_interpreter(canonical(interpreter));
    std::iter::successors(first, next).map(|(_, script)| script).take(SCRIPTS_MAX)
}

/// Reads `#!/path/to/interpreter`.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(script).ok()?.take(FIRST_LINE_BYTES_MAX).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.split(|byte| b" \t".contains(byte)).find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsString::from_vec(word.to_vec())))
}
