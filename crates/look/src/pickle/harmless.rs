//! Imports that make nothing but values, and imports that no model needs.

/// Whatever these are called with, they make numbers, texts, containers or tensors. Those of torch are what
/// `torch.load(weights_only=True)` takes, as far as state dictionaries have them.
const HARMLESS: &[&str] = &[
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.object",
    "builtins.range",
    "builtins.set",
    "builtins.slice",
    "builtins.str",
    "builtins.tuple",
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.frozenset",
    "__builtin__.long",
    "__builtin__.object",
    "__builtin__.set",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.deque",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "fractions.Fraction",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.BFloat16Storage",
    "torch.BoolStorage",
    "torch.ByteStorage",
    "torch.CharStorage",
    "torch.ComplexDoubleStorage",
    "torch.ComplexFloatStorage",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.IntStorage",
    "torch.LongStorage",
    "torch.ShortStorage",
    "torch.Size",
    "torch.Tensor",
    "torch._tensor._rebuild_from_type_v2",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch.bfloat16",
    "torch.bool",
    "torch.device",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.int8",
    "torch.nn.parameter.Parameter",
    "torch.storage.TypedStorage",
    "torch.storage.UntypedStorage",
    "torch.uint8",
    "uuid.UUID",
];

/// Modules that reach the system: files, processes, the network, other code.
const REFUSED_MODULES: &[&str] = &[
    "asyncio.subprocess",
    "cProfile",
    "ctypes",
    "importlib",
    "nt",
    "os",
    "pdb",
    "pip",
    "popen2",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "timeit",
    "webbrowser",
];

const REFUSED_BUILTINS: [&str; 6] = ["__import__", "compile", "eval", "exec", "execfile", "open"];
/// The same in modules whose names somebody's own may have.
const REFUSED_NAMES: [&str; 6] = [
    "code.InteractiveConsole",
    "code.InteractiveInterpreter",
    "code.interact",
    "commands.getoutput",
    "commands.getstatusoutput",
    "profile.run",
];

pub(crate) fn is_harmless(import: &str) -> bool {
    HARMLESS.contains(&import)
}

/// Whether no model has a use for it but harm.
pub(crate) fn is_refused(import: &str) -> bool {
    let is_of = |module: &&str| import.strip_prefix(*module).is_some_and(|rest| rest.starts_with('.'));
    let builtin = import.strip_prefix("builtins.").or_else(|| import.strip_prefix("__builtin__."));
    REFUSED_MODULES.iter().any(is_of)
        || REFUSED_NAMES.contains(&import)
        || builtin.is_some_and(|name| REFUSED_BUILTINS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_told_apart() {
        for import in
            ["os.system", "posix.system", "builtins.eval", "__builtin__.exec", "subprocess.Popen", "os.path.join"]
        {
            assert!(is_refused(import) && !is_harmless(import), "{import}");
        }
        for import in [
            "ossuary.system",
            "code.models.Net",
            "sklearn.svm._classes.SVC",
            "builtins.getattr",
            "collections.OrderedDict",
        ] {
            assert!(!is_refused(import), "{import}");
        }
        assert!(!HARMLESS.iter().any(|import| is_refused(import)));
    }
}
